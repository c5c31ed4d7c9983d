//! Text of decimals: no leading zeros but one before the point, every digit of the scale behind it.

use crate::value::decimal::DecimalLayout;
use crate::value::fault::{Fault, Put};

/// Writes `unscaled` × 10^-`scale`.
pub(crate) fn write(out: &mut Vec<u8>, unscaled: i128, scale: u8) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs());
    write_digits(out, unscaled < 0, digits.as_bytes(), scale.into());
}

/// Writes a packed DECIMAL of up to 65 digits.
pub(crate) fn write_packed(out: &mut Vec<u8>, layout: DecimalLayout, packed: &[u8]) -> Put {
    let mut digits = [b'0'; 72];
    let mut end = 0;
    layout.for_each_group(packed, |group, mut value| {
        let width = usize::from(group.digits);
        for at in (end..end + width).rev() {
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        end += width;
    })?;
    let digits = digits.get(..end).ok_or(Fault::Malformed)?;
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let significant = digits.get(leading..).unwrap_or_default();
    let negative = DecimalLayout::is_negative(packed) && !significant.is_empty();
    write_digits(out, negative, significant, layout.scale.into());
    Ok(())
}

/// The text of a result set without what ZEROFILL adds: `0012.50` becomes `12.50`.
pub(crate) fn write_normalised(out: &mut Vec<u8>, text: &[u8]) -> Put {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut parts = rest.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next().unwrap_or_default();
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !is_number(whole) || !is_number(fraction) || whole.is_empty() && fraction.is_empty() {
        return Err(Fault::Malformed);
    }
    let zero = whole.iter().chain(fraction).all(|digit| *digit == b'0');
    if negative && !zero {
        out.push(b'-');
    }
    let leading = whole.iter().take_while(|digit| **digit == b'0').count();
    let significant = whole.get(leading..).unwrap_or_default();
    out.extend_from_slice(if significant.is_empty() { b"0" } else { significant });
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    Ok(())
}

/// The nearest double.
pub(crate) fn to_f64(unscaled: i128, scale: u8) -> f64 {
    let mut text = Vec::with_capacity(44);
    write(&mut text, unscaled, scale);
    std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// Puts the point into `digits`, which do not begin with a zero unless they are one zero.
fn write_digits(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: usize) {
    if negative {
        out.push(b'-');
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale - fraction.len()));
        out.extend_from_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn points_stand_where_the_scale_says() {
        for (unscaled, scale, expected) in
            [(150, 2, "1.50"), (-5, 3, "-0.005"), (0, 2, "0.00"), (7, 0, "7"), (-100, 0, "-100")]
        {
            assert_eq!(text(|out| write(out, unscaled, scale)), expected);
        }
        assert_eq!(to_f64(-125, 2), -1.25);
    }

    #[test]
    fn packed_and_normalised_text_agree() {
        let layout = DecimalLayout::new(65, 30).unwrap();
        let mut packed = vec![0; layout.bytes.into()];
        packed[0] = 0x80;
        packed[layout.bytes as usize - 2] = 1;
        let packed_text = text(|out| write_packed(out, layout, &packed).unwrap());
        assert_eq!(packed_text, "0.000000000000000000000000000256");
        let normalised = text(|out| write_normalised(out, b"00000.000000000000000000000000000256").unwrap());
        assert_eq!(packed_text, normalised);
        assert_eq!(text(|out| write_normalised(out, b"-0.00").unwrap()), "0.00");
        assert!(write_normalised(&mut Vec::new(), b"1e5").is_err());
    }
}
