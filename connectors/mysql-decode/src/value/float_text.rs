//! Text of floating-point numbers, as MySQL prints a DOUBLE.
//!
//! The shortest digits that read back to the same number; in plain form while the point stands near them, otherwise
//! with an exponent (`my_gcvt` of the MySQL source): `0.1`, `100`, `123456789012345`, `1e15`, `1.5e-20`.

/// The largest distance of the point that is written with zeros.
const PLAIN_DIGITS: i32 = 15;

pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    write_shortest(out, ryu::Buffer::new().format(value));
}

pub(crate) fn write_f32(out: &mut Vec<u8>, value: f32) {
    write_shortest(out, ryu::Buffer::new().format(value));
}

/// Rewrites shortest digits in any notation (`-1.25e-7`, `100.0`) into MySQL's.
fn write_shortest(out: &mut Vec<u8>, shortest: &str) {
    let (negative, unsigned) = match shortest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, shortest),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        // NaN and infinity, which MySQL does not store.
        out.extend_from_slice(shortest.as_bytes());
        return;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut all = [0; 40];
    let mut len = 0;
    for (to, from) in all.iter_mut().zip(whole.bytes().chain(fraction.bytes())) {
        *to = from;
        len += 1;
    }
    let all = all.get(..len).unwrap_or_default();
    let leading = all.iter().take_while(|digit| **digit == b'0').count();
    let trailing = all.iter().rev().take_while(|digit| **digit == b'0').count();
    let digits = all.get(leading..all.len() - trailing.min(all.len() - leading)).unwrap_or_default();
    // The value is 0.DIGITS × 10^point.
    let point = exponent.parse::<i32>().unwrap_or(0) + whole.len() as i32 - leading as i32;
    if negative {
        out.push(b'-');
    }
    if digits.is_empty() {
        out.push(b'0');
    } else if point > -PLAIN_DIGITS && (point <= PLAIN_DIGITS || digits.len() as i32 > point) {
        write_plain(out, digits, point);
    } else {
        write_exponent(out, digits, point - 1);
    }
}

fn write_plain(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    let zeros = |out: &mut Vec<u8>, count: i32| out.extend(std::iter::repeat_n(b'0', count.max(0) as usize));
    if point <= 0 {
        out.extend_from_slice(b"0.");
        zeros(out, -point);
        out.extend_from_slice(digits);
        return;
    }
    let (whole, fraction) = digits.split_at(digits.len().min(point as usize));
    out.extend_from_slice(whole);
    zeros(out, point - digits.len() as i32);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

fn write_exponent(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let (first, rest) = digits.split_at(1);
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    out.push(b'e');
    out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_print_as_mysql_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (1e14, "100000000000000"),
            (123456789012345680.0, "1.2345678901234568e17"),
            (1234567890123456.5, "1234567890123456.5"),
            (1e15, "1e15"),
            (1.5e300, "1.5e300"),
            (0.00001, "0.00001"),
            (1e-14, "0.00000000000001"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (-1.7976931348623157e308, "-1.7976931348623157e308"),
        ] {
            assert_eq!(double(value), text, "{value:?}");
        }
    }

    #[test]
    fn singles_print_their_own_shortest_digits() {
        let mut out = Vec::new();
        write_f32(&mut out, 0.1);
        assert_eq!(out, b"0.1");
    }
}
