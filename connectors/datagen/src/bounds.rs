//! Bounds of numbers, in the unit that a column stores: whole numbers, or decimals without their point.

use sluice_model::SqlType;

/// Smallest and greatest number of a type, as random numbers have them by default.
pub(crate) fn of_type(sql_type: &SqlType) -> Option<(i128, i128)> {
    Some(match sql_type {
        SqlType::TinyInt => (i8::MIN.into(), i8::MAX.into()),
        SqlType::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        SqlType::Int => (i32::MIN.into(), i32::MAX.into()),
        SqlType::BigInt => (i64::MIN.into(), i64::MAX.into()),
        SqlType::Decimal(precision, _) => {
            let greatest = 10i128.checked_pow(u32::from(*precision)).map_or(i128::MAX, |power| power - 1);
            (-greatest, greatest)
        }
        // Ten thousand years, and as many minutes.
        SqlType::IntervalYearMonth => (0, 120_000),
        SqlType::IntervalDaySecond => (0, 120_000 * 60_000),
        _ => return None,
    })
}

/// Places behind the point that a column stores.
pub(crate) const fn scale(sql_type: &SqlType) -> u8 {
    match sql_type {
        SqlType::Decimal(_, scale) => *scale,
        _ => 0,
    }
}

/// `12.5` at scale 2 is 1250; `None` if it is no number or has more places.
pub(crate) fn parse(text: &str, scale: u8) -> Option<i128> {
    let text = text.trim();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let missing = usize::from(scale).checked_sub(places.len())?;
    if whole.is_empty() || !whole.bytes().chain(places.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let all: i128 = format!("{whole}{places}{}", "0".repeat(missing)).parse().ok()?;
    Some(if is_negative { -all } else { all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_their_scale() {
        assert_eq!(parse("12.5", 2), Some(1250));
        assert_eq!(parse("-7", 0), Some(-7));
        assert_eq!(parse("+7", 3), Some(7000));
        assert_eq!(parse("1.234", 2), None);
        assert_eq!(parse("1.0", 0), None);
        assert_eq!(parse("many", 0), None);
        assert_eq!(parse("", 0), None);
    }

    #[test]
    fn decimals_are_bounded_by_their_digits() {
        assert_eq!(of_type(&SqlType::Decimal(3, 1)), Some((-999, 999)));
        assert!(of_type(&SqlType::Decimal(38, 0)).is_some());
        assert_eq!(of_type(&SqlType::STRING), None);
    }
}
