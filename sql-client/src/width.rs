//! How wide text is on a terminal: East Asian wide and full-width characters take two columns.
//!
//! Source: Unicode's EastAsianWidth.txt, the blocks that are `W` or `F`, as Flink's client counts.

/// First and last character of the blocks that take two columns.
const WIDE: [(u32, u32); 21] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x23e9, 0x23ec),
    (0x2e80, 0x303e),
    (0x3041, 0x33ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0x9fff),
    (0xa000, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe10, 0xfe19),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0xffe0, 0xffe6),
    (0x16fe0, 0x18aff),
    (0x1b000, 0x1b2ff),
    (0x1f300, 0x1f64f),
    (0x1f680, 0x1f6ff),
    (0x1f900, 0x1f9ff),
    (0x20000, 0x3fffd),
];

/// Columns of a character.
pub(crate) fn of_char(c: char) -> usize {
    let code = u32::from(c);
    if code < 0x1100 {
        // Combining marks stand on the character before them.
        return usize::from(!(0x300..0x370).contains(&code));
    }
    if code == 0x200b || code == 0x200d || (0xfe00..=0xfe0f).contains(&code) {
        return 0;
    }
    if WIDE.iter().any(|(first, last)| (*first..=*last).contains(&code)) { 2 } else { 1 }
}

/// Columns of a text.
pub(crate) fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// `text` in at most `width` columns, with `...` where it was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if of(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(3);
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            used += of_char(*c);
            used <= room
        })
        .collect();
    kept.push_str(&"..."[..width.min(3)]);
    kept
}

/// `text` at the right of `width` columns.
pub(crate) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(of(text))))
}

/// `text` at the left of `width` columns.
pub(crate) fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(of(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(of("数据"), 4);
        assert_eq!(of("abc"), 3);
        assert_eq!(of("e\u{301}"), 1);
        assert_eq!(cut("数据同步架构", 8), "数据...");
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(right("数", 4), "  数");
    }
}
