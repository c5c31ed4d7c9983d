//! Offsets of a zone: `Z`, `+08`, `+0800`, `+08:00`.

use std::fmt::Write;

pub(super) fn write_offset(letter: char, count: usize, offset: i64, out: &mut String) {
    if letter == 'X' && offset == 0 {
        return out.push('Z');
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let colon = if letter != 'Z' && count == 3 { ":" } else { "" };
    let _ = match (letter, count, minutes) {
        ('X' | 'x', 1, 0) => write!(out, "{sign}{hours:02}"),
        _ => write!(out, "{sign}{hours:02}{colon}{minutes:02}"),
    };
}

/// `Z`, `+08`, `+0800`, `+08:00`.
pub(super) fn parse_offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| -> Option<i64> {
        let digits = text.get(..2)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let hours = two(&text[1..])?;
    let rest = &text[3..];
    let after_colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match two(after_colon) {
        Some(minutes) => (minutes, &after_colon[2..]),
        None => (0, rest),
    };
    Some((sign * (hours * 3600 + minutes * 60), rest))
}
