//! Which casts there are.

use sluice_model::{Error, SqlType};

use crate::types::{is_binary, is_integer, is_numeric, is_string, is_temporal, is_timestamp};

/// Whether `CAST(from AS to)` exists.
///
/// # Errors
/// It does not; says what to use instead if there is something.
pub(super) fn check(from: &SqlType, to: &SqlType) -> Result<(), Error> {
    if exists(from, to) {
        return Ok(());
    }
    if is_numeric(from) && is_timestamp(to) {
        let function = if matches!(to, SqlType::Timestamp(_)) {
            "TO_TIMESTAMP(FROM_UNIXTIME(seconds))"
        } else {
            "TO_TIMESTAMP_LTZ(number, precision)"
        };
        return Err(Error::fix(format!("the cast from {from} to {to} is not allowed"))
            .because("a number does not say which unit it counts")
            .with_hint(format!("use {function} instead")));
    }
    if is_timestamp(from) && is_numeric(to) {
        return Err(Error::fix(format!("the cast from {from} to {to} is not allowed"))
            .with_hint("use UNIX_TIMESTAMP(CAST(timestamp_col AS STRING)) instead"));
    }
    Err(Error::fix(format!("cannot convert a value of type {from} to type {to}"))
        .because("there is no CAST between these types"))
}

fn exists(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Array, Boolean, Date, IntervalDaySecond, IntervalYearMonth, Map, Null, Row, Time};
    match (from, to) {
        (from, to) if from == to => true,
        (Null, _) => true,
        (_, to) if is_string(to) => true,
        (from, to) if is_string(from) => is_binary(to) || is_numeric(to) || is_temporal(to) || matches!(to, Boolean),
        (from, to) if is_binary(from) || is_binary(to) => is_binary(from) && is_binary(to),
        (Boolean, to) => is_numeric(to),
        (from, Boolean) => is_numeric(from),
        (from, to) if is_numeric(from) && is_numeric(to) => true,
        (IntervalYearMonth | IntervalDaySecond, to) => is_integer(to),
        (from, IntervalYearMonth | IntervalDaySecond) => is_integer(from),
        (Date, to) => is_timestamp(to),
        (Time(_), to) => is_timestamp(to) || matches!(to, Time(_)),
        (from, to) if is_timestamp(from) => is_temporal(to),
        (Array(from), Array(to)) => exists(from, to),
        (Map(k1, v1), Map(k2, v2)) => exists(k1, k2) && exists(v1, v2),
        (Row(from), Row(to)) => from.len() == to.len() && from.iter().zip(to).all(|((_, a), (_, b))| exists(a, b)),
        _ => false,
    }
}

/// Whether a value of type `from` may go into a column of type `to` without a `CAST`.
///
/// Source: `LogicalTypeCasts.supportsImplicitCast`.
pub(crate) fn can_cast_implicitly(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{
        Array, BigInt, Binary, Char, Date, Decimal, Double, Float, Int, Map, Null, Row, SmallInt, Time, TinyInt,
    };
    match (from, to) {
        (from, to) if from == to => true,
        (Null, _) => true,
        (Char(_), Char(_)) | (Binary(_), Binary(_)) => true,
        (from, SqlType::VarChar(_)) => is_string(from),
        (from, SqlType::VarBinary(_)) => is_binary(from),
        (TinyInt, SmallInt) | (TinyInt | SmallInt, Int) | (TinyInt | SmallInt | Int, BigInt) => true,
        (from, Float) => is_integer(from) || matches!(from, Decimal(..)),
        (from, Double | Decimal(..)) => is_numeric(from),
        (Time(_), Time(_)) => true,
        (Date, to) => is_timestamp(to),
        (from, to) if is_timestamp(from) => is_timestamp(to) || matches!(to, Date | Time(_)),
        (Array(from), Array(to)) => can_cast_implicitly(from, to),
        (Map(k1, v1), Map(k2, v2)) => can_cast_implicitly(k1, k2) && can_cast_implicitly(v1, v2),
        (Row(from), Row(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|((_, a), (_, b))| can_cast_implicitly(a, b))
        }
        _ => false,
    }
}

/// Whether `=` and its like compare such a value with text, by casting the text.
pub(crate) fn is_comparable_with_text(sql_type: &SqlType) -> bool {
    is_numeric(sql_type) || is_temporal(sql_type) || *sql_type == SqlType::Boolean
}
