//! Fixed-point numbers: an `i128` of units of `10^-scale`.
//!
//! Rounding is HALF_UP (away from zero), and a value that needs more digits than its type has is
//! `None`, which becomes `NULL`:
//!
//! | value | to | result |
//! |---|---|---|
//! | `12345` (`123.45`), scale 2 → 1 | `DECIMAL(5,1)` | `1235` (`123.5`) |
//! | `12345`, scale 0 → 0 | `DECIMAL(3,0)` | `None` |

use arrow_buffer::i256;

/// Most digits a decimal can have.
pub(crate) const MAX_PRECISION: u8 = 38;

/// `10^exponent`; `None` above `10^38`.
pub(crate) const fn power_of_ten(exponent: u8) -> Option<i128> {
    10i128.checked_pow(exponent as u32)
}

/// The value if it has at most `precision` digits.
pub(crate) fn fit(value: i128, precision: u8) -> Option<i128> {
    let limit = power_of_ten(precision)?;
    (value < limit && value > -limit).then_some(value)
}

/// Divides and rounds HALF_UP. `divisor` must not be 0.
pub(crate) fn divide_half_up(value: i128, divisor: i128) -> i128 {
    let quotient = value / divisor;
    let remainder = value % divisor;
    // |r| * 2 >= |d| without overflow: |r| >= |d| - |r|.
    if remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs() && remainder != 0 {
        quotient + if (value < 0) == (divisor < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// Changes the scale with HALF_UP, and checks the precision.
pub(crate) fn rescale(value: i128, from: u8, to: u8, precision: u8) -> Option<i128> {
    let rescaled = if to >= from {
        value.checked_mul(power_of_ten(to - from)?)?
    } else {
        divide_half_up(value, power_of_ten(from - to)?)
    };
    fit(rescaled, precision)
}

/// The same for an intermediate result of 256 bits.
pub(crate) fn rescale_wide(value: i256, from: u8, to: u8, precision: u8) -> Option<i128> {
    let rescaled = if to >= from {
        value.checked_mul(wide_power_of_ten(to - from)?)?
    } else {
        divide_half_up_wide(value, wide_power_of_ten(from - to)?)?
    };
    fit(rescaled.to_i128()?, precision)
}

/// `10^exponent` in 256 bits.
pub(crate) fn wide_power_of_ten(exponent: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::from(exponent))
}

/// Divides and rounds HALF_UP; `None` on division by zero.
pub(crate) fn divide_half_up_wide(value: i256, divisor: i256) -> Option<i256> {
    let quotient = value.checked_div(divisor)?;
    let remainder = value.checked_rem(divisor)?;
    let (remainder_size, divisor_size) = (magnitude(remainder), magnitude(divisor));
    if remainder != i256::ZERO && remainder_size >= divisor_size.wrapping_sub(remainder_size) {
        let same_sign = (value < i256::ZERO) == (divisor < i256::ZERO);
        quotient.checked_add(if same_sign { i256::ONE } else { i256::MINUS_ONE })
    } else {
        Some(quotient)
    }
}

fn magnitude(value: i256) -> i256 {
    if value < i256::ZERO { value.wrapping_neg() } else { value }
}

/// Writes the plain form, with exactly `scale` digits after the point: `-0.05`.
pub(crate) fn write_plain(value: i128, scale: u8, out: &mut String) {
    use std::fmt::Write;
    let digits = value.unsigned_abs();
    if value < 0 {
        out.push('-');
    }
    if scale == 0 {
        let _ = write!(out, "{digits}");
        return;
    }
    let unit = 10u128.pow(u32::from(scale));
    let _ = write!(out, "{}.{:0width$}", digits / unit, digits % unit, width = usize::from(scale));
}

/// Reads `[+-]digits[.digits][e[+-]digits]`, HALF_UP to `scale`.
///
/// `None` if it is not a number; `Some(None)` if it has too many digits.
#[allow(clippy::option_option, reason = "two different ways to have no value")]
pub(crate) fn parse(text: &str, precision: u8, scale: u8) -> Option<Option<i128>> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (integral, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if integral.is_empty() && fraction.is_empty() {
        return None;
    }
    if !integral.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(integral.len()).ok()? + i64::from(exponent);
    let digits = || integral.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0'));
    Some(assemble(digits(), point + i64::from(scale), precision).map(|value| if negative { -value } else { value }))
}

/// The first `keep` digits as a number, rounded by the digit after them.
fn assemble(digits: impl Iterator<Item = i128>, keep: i64, precision: u8) -> Option<i128> {
    let mut value: i128 = 0;
    let mut taken: i64 = 0;
    for digit in digits {
        if taken >= keep {
            let round_up = taken == keep && digit >= 5;
            return fit(value + i128::from(round_up), precision);
        }
        value = value.checked_mul(10)?.checked_add(digit)?;
        taken += 1;
    }
    while taken < keep {
        if value == 0 {
            return Some(0);
        }
        value = value.checked_mul(10)?;
        taken += 1;
    }
    fit(value, precision)
}

/// The number as a double.
pub(crate) fn to_double(value: i128, scale: u8) -> f64 {
    // Both are exact up to 2^53 and 10^22, which makes the quotient correctly rounded there.
    if value.unsigned_abs() < (1 << 53) && scale <= 22 {
        return value as f64 / 10f64.powi(i32::from(scale));
    }
    let mut text = String::with_capacity(48);
    write_plain(value, scale, &mut text);
    text.parse().unwrap_or(f64::NAN)
}

/// The decimal nearest to the shortest text of a double, HALF_UP: what `BigDecimal.valueOf` takes.
pub(crate) fn from_double(value: f64, precision: u8, scale: u8) -> Option<i128> {
    if !value.is_finite() {
        return None;
    }
    let mut buffer = ryu::Buffer::new();
    parse(buffer.format_finite(value), precision, scale)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_up_and_refuses_what_does_not_fit() {
        assert_eq!(rescale(12345, 2, 1, 5), Some(1235));
        assert_eq!(rescale(-12345, 2, 1, 5), Some(-1235));
        assert_eq!(rescale(12344, 2, 1, 5), Some(1234));
        assert_eq!(rescale(12345, 0, 0, 3), None);
        assert_eq!(divide_half_up(i128::MIN + 1, 2), -(i128::MAX / 2) - 1);
    }

    #[test]
    fn reads_and_writes_numbers() {
        assert_eq!(parse("12.345", 5, 2), Some(Some(1235)));
        assert_eq!(parse("-0.05", 5, 2), Some(Some(-5)));
        assert_eq!(parse("1e3", 8, 2), Some(Some(100_000)));
        assert_eq!(parse("1.5E-2", 8, 3), Some(Some(15)));
        assert_eq!(parse("0.004", 8, 2), Some(Some(0)));
        assert_eq!(parse("0.0004e1", 8, 2), Some(Some(0)));
        assert_eq!(parse("1e999999999", 8, 2), Some(None));
        assert_eq!(parse("12345.67", 5, 2), Some(None));
        assert_eq!(parse("abc", 5, 2), None);
        assert_eq!(parse(".", 5, 2), None);
        let mut text = String::new();
        write_plain(-5, 2, &mut text);
        assert_eq!(text, "-0.05");
    }
}
