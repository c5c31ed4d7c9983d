//! Numbers as Java prints them: `BigDecimal.toString`, `Double.toString`.

/// How a decimal looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalText {
    /// `BigDecimal.toPlainString`: all places of the scale, no exponent.
    Plain,
    /// `BigDecimal.toString`: all places of the scale, an exponent below 10^-6.
    Java,
    /// `BigDecimal.stripTrailingZeros().toString()`: `1E+2`.
    Stripped,
}

/// Longest text of a decimal: sign, 38 digits, leading zeros down to the scale, point.
const MAX_DIGITS: usize = 40;

/// Appends an integer.
pub fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `unscaled · 10^-scale`.
pub fn write_decimal(unscaled: i128, scale: u8, text: DecimalText, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut scale = i32::from(scale);
    let mut buffer = itoa::Buffer::new();
    let mut digits = match u64::try_from(unscaled.unsigned_abs()) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(unscaled.unsigned_abs()),
    }
    .as_bytes();
    if text == DecimalText::Stripped {
        if unscaled == 0 {
            out.push(b'0');
            return;
        }
        while let [head @ .., b'0'] = digits {
            digits = head;
            scale -= 1;
        }
    }
    let exponent = digits.len() as i32 - 1 - scale;
    if text == DecimalText::Plain || (scale >= 0 && exponent >= -6) {
        write_plain(digits, scale, out);
    } else {
        write_scientific(digits, exponent, out);
    }
}

/// Appends digits with a point `scale` places from their end; `scale` is not negative.
fn write_plain(digits: &[u8], scale: i32, out: &mut Vec<u8>) {
    const ZEROS: [u8; MAX_DIGITS] = [b'0'; MAX_DIGITS];
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if scale < digits.len() {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&ZEROS[..(scale - digits.len()).min(MAX_DIGITS)]);
        out.extend_from_slice(digits);
    }
}

/// Appends `d.dddE±x` as `BigDecimal.toString` does: no point behind a single digit.
fn write_scientific(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&digits[..1]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    if exponent != 0 {
        out.push(b'E');
        if exponent > 0 {
            out.push(b'+');
        }
        write_integer(exponent, out);
    }
}

/// Appends a double as `Double.toString` does; `NaN`, `Infinity`, `-Infinity`.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        write_not_finite(value, out);
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(buffer.format_finite(value).as_bytes());
    } else if magnitude < f64::MIN_POSITIVE {
        write_subnormal(buffer.format_finite(value), || format!("{value:.1e}"), out);
    } else {
        write_java_scientific(buffer.format_finite(value).as_bytes(), out);
    }
}

/// Appends a float as `Float.toString` does; `NaN`, `Infinity`, `-Infinity`.
pub fn write_float(value: f32, out: &mut Vec<u8>) {
    if !value.is_finite() {
        write_not_finite(f64::from(value), out);
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(buffer.format_finite(value).as_bytes());
    } else if magnitude < f32::MIN_POSITIVE {
        write_subnormal(buffer.format_finite(value), || format!("{value:.1e}"), out);
    } else {
        write_java_scientific(buffer.format_finite(value).as_bytes(), out);
    }
}

fn write_not_finite(value: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    };
    out.extend_from_slice(text);
}

/// Java wants two digits at least and takes the nearest such number: `4.9E-324` where the shortest
/// form is `5e-324`. Only numbers with hardly any bits left can tell the difference.
fn write_subnormal(shortest: &str, two_digits: impl FnOnce() -> String, out: &mut Vec<u8>) {
    if shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count() == 1 {
        write_java_scientific(two_digits().as_bytes(), out);
    } else {
        write_java_scientific(shortest.as_bytes(), out);
    }
}

/// Rewrites `12345678.0`, `1e21` or `1.5e-7` as `1.2345678E7`, `1.0E21`, `1.5E-7`.
fn write_java_scientific(text: &[u8], out: &mut Vec<u8>) {
    let mut digits = [0u8; 24];
    let (mut count, mut point, mut written_exponent) = (0, None, 0);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'-' => out.push(b'-'),
            b'.' => point = Some(count),
            b'e' => {
                let exponent = std::str::from_utf8(&text[index + 1..]).ok().and_then(|text| text.parse().ok());
                written_exponent = exponent.unwrap_or(0);
                break;
            }
            // Zeros in front of the first digit only move the point.
            b'0' if count == 0 => written_exponent -= i32::from(point.is_some()),
            digit if count < digits.len() => {
                digits[count] = *digit;
                count += 1;
            }
            _ => {}
        }
    }
    let whole = point.unwrap_or(count) as i32;
    let mut significant = &digits[..count];
    while let [head @ .., b'0'] = significant
        && !head.is_empty()
    {
        significant = head;
    }
    out.extend_from_slice(&significant[..1.min(significant.len())]);
    out.push(b'.');
    out.extend_from_slice(significant.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(b"0"));
    out.push(b'E');
    write_integer(written_exponent + whole - 1, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn decimal(unscaled: i128, scale: u8) -> String {
        written(|out| write_decimal(unscaled, scale, DecimalText::Stripped, out))
    }

    #[test]
    fn decimals_look_like_stripped_big_decimals() {
        assert_eq!(decimal(1250, 2), "12.5");
        assert_eq!(decimal(-1250, 2), "-12.5");
        assert_eq!(decimal(1200, 2), "12");
        assert_eq!(decimal(10000, 2), "1E+2");
        assert_eq!(decimal(100, 0), "1E+2");
        assert_eq!(decimal(120, 0), "1.2E+2");
        assert_eq!(decimal(0, 2), "0");
        assert_eq!(decimal(5, 2), "0.05");
        assert_eq!(decimal(27, 9), "2.7E-8");
        assert_eq!(decimal(1, 6), "0.000001");
        assert_eq!(decimal(1, 7), "1E-7");
        assert_eq!(
            decimal(99_999_999_999_999_999_999_999_999_999_999_999_999, 0),
            "99999999999999999999999999999999999999"
        );
    }

    #[test]
    fn plain_decimals_keep_their_places() {
        let plain = |unscaled, scale| written(|out| write_decimal(unscaled, scale, DecimalText::Plain, out));
        assert_eq!(plain(1250, 2), "12.50");
        assert_eq!(plain(10000, 2), "100.00");
        assert_eq!(plain(27, 9), "0.000000027");
        assert_eq!(plain(0, 2), "0.00");
        assert_eq!(plain(-5, 38), format!("-0.{}5", "0".repeat(37)));
    }

    #[test]
    fn javas_decimals_keep_their_places_and_have_exponents() {
        let java = |unscaled, scale| written(|out| write_decimal(unscaled, scale, DecimalText::Java, out));
        assert_eq!(java(1250, 2), "12.50");
        assert_eq!(java(27, 9), "2.7E-8");
        assert_eq!(java(0, 9), "0E-9");
        assert_eq!(java(100, 0), "100");
    }

    #[test]
    fn doubles_look_like_javas() {
        let double = |value| written(|out| write_double(value, out));
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (123_456_789.125, "1.23456789125E8"),
            (1e21, "1.0E21"),
            (-1.5e-7, "-1.5E-7"),
            (1.234e300, "1.234E300"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "4.9E-324"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn floats_look_like_javas() {
        let float = |value| written(|out| write_float(value, out));
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(1.0e10), "1.0E10");
        assert_eq!(float(3.402_823_5e38), "3.4028235E38");
        assert_eq!(float(f32::from_bits(1)), "1.4E-45");
        assert_eq!(float(f32::INFINITY), "Infinity");
    }
}
