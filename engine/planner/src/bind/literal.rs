//! Literals that DataFusion types differently.
//!
//! | text | becomes | why |
//! |---|---|---|
//! | `5` | `CAST(5 AS INT)` | integer literals that fit are `INT`, DataFusion takes `BIGINT` |
//! | `0.10`, `5.` | `CAST(0.10 AS DECIMAL(3, 2))`, `5` | every digit counts that is written |
//! | `-2147483648` | one literal | an `INT`, which `2147483648` is not |
//! | `1e3` | `CAST('1e3' AS DOUBLE)` | with an exponent a number is approximate |
//! | `TIMESTAMP '… 10:11:12.123'` | `CAST('…' AS TIMESTAMP(3))` | as many digits as are written |
//! | `INTERVAL '1-2' YEAR TO MONTH` | `CAST(14 AS INTERVAL YEAR TO MONTH)` | DataFusion has one type of intervals |
//! | `INTERVAL '1 10:20' DAY TO MINUTE` | `INTERVAL '1 DAY 37200' SECOND` | DataFusion refuses the form |
//! | `INTERVAL '24' HOUR` | `INTERVAL '1' DAY` | so that intervals of one length are equal |
//! | `VALUES (CAST('a' AS CHAR(3))), ('b')` | `VALUES (__cell(…)), ('b')` | DataFusion wants the same details in all rows |

use sluice_model::{Error, Result, SqlType};
use sqlparser::ast::{
    CastKind, DataType, DateTimeField, Expr, Ident, Interval, ObjectName, SetExpr, Spanned, TimezoneInfo, TypedString,
    UnaryOperator, Value,
};

use super::rewrite::{call, position_of, string};

/// Digits of the longest decimal.
const MAX_DIGITS: usize = 38;

/// Without its sign.
const SMALLEST_INT: &str = "2147483648";

/// Rewrites one expression if it is a literal.
pub(super) fn rewrite(expression: &mut Expr) -> Result<()> {
    let wanted = match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => "INT",
            Value::Number(digits, _) if digits.contains(['e', 'E']) => {
                let digits = digits.clone();
                return approximate(expression, digits);
            }
            Value::Number(digits, _) => match digits.split_once('.') {
                Some((whole, "")) => {
                    *expression = Expr::Value(Value::Number(whole.to_owned(), false).with_span(value.span));
                    return rewrite(expression);
                }
                Some((whole, fraction)) if whole.len() + fraction.len() <= MAX_DIGITS => {
                    &format!("DECIMAL({}, {})", whole.len() + fraction.len(), fraction.len())
                }
                _ => return Ok(()),
            },
            _ => return Ok(()),
        },
        Expr::TypedString(literal) => return time(literal),
        Expr::Interval(_) => return interval(expression),
        _ => return Ok(()),
    };
    let literal = std::mem::replace(expression, Expr::Value(Value::Null.into()));
    *expression = cast(literal, wanted);
    Ok(())
}

/// `1e39`, which is too large for the decimal that DataFusion would make of it.
fn approximate(expression: &mut Expr, digits: String) -> Result<()> {
    if !digits.parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(
            Error::fix(format!("the number {digits} does not fit DOUBLE")).at_opt(position_of(expression.span()))
        );
    }
    *expression = cast(string(digits), "DOUBLE");
    Ok(())
}

/// `DATE '…'`, `TIME '…'` and `TIMESTAMP '…'`, with as many digits of the second as are written.
fn time(literal: &mut TypedString) -> Result<()> {
    let Value::SingleQuotedString(text) = &literal.value.value else { return Ok(()) };
    let digits = text.rsplit_once('.').map_or(0, |(_, fraction)| fraction.trim_end().len()).min(9);
    let (sql_type, example) = match &mut literal.data_type {
        DataType::Date => (SqlType::Date, "DATE '2024-12-31'"),
        DataType::Time(precision @ None, TimezoneInfo::None) => {
            *precision = Some(digits as u64);
            (SqlType::Time(digits as u8), "TIME '10:20:30.5'")
        }
        DataType::Timestamp(precision @ None, TimezoneInfo::None) => {
            *precision = Some(digits as u64);
            (SqlType::Timestamp(digits as u8), "TIMESTAMP '2024-12-31 10:20:30.5'")
        }
        _ => return Ok(()),
    };
    if sluice_functions::is_time(text, &sql_type) {
        return Ok(());
    }
    Err(Error::fix(format!("'{text}' is no {sql_type}"))
        .with_hint(format!("write it like {example}"))
        .at_opt(position_of(literal.value.span)))
}

pub(super) fn cast(expr: Expr, data_type: &str) -> Expr {
    let data_type = match data_type {
        "INT" => DataType::Int(None),
        other => DataType::Custom(ObjectName::from(vec![Ident::new(other)]), Vec::new()),
    };
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Takes the sign in front of an interval into its text, `-INTERVAL '1' DAY`, and that of the smallest `INT`.
pub(super) fn take_sign(expression: &mut Expr) {
    let Expr::UnaryOp { op: UnaryOperator::Minus, expr } = &*expression else { return };
    if let Expr::Value(number) = expr.as_ref()
        && let Value::Number(digits, _) = &number.value
        && digits == SMALLEST_INT
    {
        *expression = Expr::Value(Value::Number(format!("-{digits}"), false).with_span(number.span));
        return;
    }
    let Expr::Interval(interval) = expr.as_ref() else { return };
    let value = Box::new(Expr::UnaryOp { op: UnaryOperator::Minus, expr: interval.value.clone() });
    *expression = Expr::Interval(Interval { value, ..interval.clone() });
}

/// Intervals of months become casts, all others days and seconds.
fn interval(expression: &mut Expr) -> Result<()> {
    let Expr::Interval(interval) = &*expression else { return Ok(()) };
    let Some(first) = &interval.leading_field else { return Ok(()) };
    let last = interval.last_field.as_ref().unwrap_or(first);
    let is_months = ["YEAR", "QUARTER", "MONTH"].iter().any(|name| is_field(first, name));
    let is_days = FIELDS.iter().any(|(name, _)| is_field(first, name)) || is_field(first, "WEEK");
    let Some((text, negative)) = signed(&interval.value).filter(|_| is_months || is_days) else { return Ok(()) };
    let bad = |what: String| {
        Error::fix(what)
            .with_hint("write it like INTERVAL '1-2' YEAR TO MONTH or INTERVAL '1 10:20:30' DAY TO SECOND")
            .at_opt(position_of(expression.span()))
    };
    if let Some(most) = interval.leading_precision {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count() as u64;
        if digits > most {
            return Err(bad(format!("'{text}' has {digits} digits, more than {first}({most}) has")));
        }
    }
    let length = if is_months { months(text, first, last) } else { millis(text, first, last) };
    // Days are kept in 32 bits, as months are.
    let most = i64::from(i32::MAX) * if is_months { 1 } else { MILLIS_PER_DAY };
    let length = length.filter(|length| *length <= most).ok_or_else(|| match interval.last_field {
        Some(_) => bad(format!("'{text}' is not an interval of {first} TO {last}")),
        None => bad(format!("'{text}' is not an interval of {first}")),
    })?;
    let length = if negative { -length } else { length };
    *expression = if is_months { of_months(length) } else { of_millis(length) };
    Ok(())
}

/// The text of an interval without the signs in front of it, and whether they make it negative.
fn signed(value: &Expr) -> Option<(&str, bool)> {
    match value {
        Expr::UnaryOp { op, expr } => {
            let (text, negative) = signed(expr)?;
            Some((text, negative != (*op == UnaryOperator::Minus)))
        }
        // A plain number, which is typed by now.
        Expr::Cast { expr, .. } => signed(expr),
        Expr::Value(value) => {
            let (Value::SingleQuotedString(text) | Value::Number(text, _)) = &value.value else { return None };
            let text = text.trim();
            Some(text.strip_prefix('-').map_or((text.strip_prefix('+').unwrap_or(text), false), |text| (text, true)))
        }
        _ => None,
    }
}

fn of_months(months: i64) -> Expr {
    let number = Expr::Value(Value::Number(months.abs().to_string(), false).into());
    let number = if months < 0 { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) } } else { number };
    cast(number, "INTERVAL YEAR TO MONTH")
}

/// A literal of whole days and a rest of less than one. It stays a literal: windows and frames take no other.
fn of_millis(millis: i64) -> Expr {
    let sign = if millis < 0 { "-" } else { "" };
    let (days, rest) = (millis.abs() / MILLIS_PER_DAY, millis.abs() % MILLIS_PER_DAY);
    let mut seconds = format!("{sign}{}.{:03}", rest / 1000, rest % 1000);
    if rest % 1000 == 0 {
        seconds.truncate(seconds.len() - ".000".len());
    }
    let (text, field) = match (days, rest) {
        (0, _) => (seconds, DateTimeField::Second),
        (_, 0) => (format!("{sign}{days}"), DateTimeField::Day),
        _ => (format!("{sign}{days} DAY {seconds}"), DateTimeField::Second),
    };
    Expr::Interval(Interval {
        value: Box::new(string(text)),
        leading_field: Some(field),
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// `YEAR` and `YEARS` alike.
fn is_field(field: &DateTimeField, name: &str) -> bool {
    let text = field.to_string();
    text.eq_ignore_ascii_case(name) || text.strip_suffix(['S', 's']).is_some_and(|text| text.eq_ignore_ascii_case(name))
}

fn months(text: &str, first: &DateTimeField, last: &DateTimeField) -> Option<i64> {
    let number = |text: &str| text.trim().parse::<u32>().ok().map(i64::from);
    match (is_field(first, "YEAR"), is_field(last, "MONTH")) {
        (true, true) => {
            let (years, months) = text.split_once('-')?;
            Some(number(years)? * 12 + number(months).filter(|months| *months < 12)?)
        }
        (true, false) => Some(number(text)? * 12),
        (false, _) if is_field(first, "QUARTER") => Some(number(text)? * 3),
        (false, _) => number(text),
    }
}

const MILLIS_PER_DAY: i64 = 86_400_000;

const FIELDS: [(&str, i64); 4] = [("DAY", MILLIS_PER_DAY), ("HOUR", 3_600_000), ("MINUTE", 60_000), ("SECOND", 1000)];

/// `d hh:mm:ss.fff`, from one field to another.
fn millis(text: &str, first: &DateTimeField, last: &DateTimeField) -> Option<i64> {
    if is_field(first, "WEEK") {
        return i64::from(text.parse::<u32>().ok()?).checked_mul(7 * MILLIS_PER_DAY);
    }
    let place = |field: &DateTimeField| FIELDS.iter().position(|(name, _)| is_field(field, name));
    let (from, to) = (place(first)?, place(last)?);
    let mut total = 0i64;
    let mut rest = text;
    for (index, (_, unit)) in FIELDS.iter().enumerate().take(to + 1).skip(from) {
        let separator = if index == 0 { ' ' } else { ':' };
        let part = if index == to { std::mem::take(&mut rest) } else { cut(&mut rest, separator)? };
        let (whole, fraction) = part.split_once('.').filter(|_| index == 3).unwrap_or((part, ""));
        let whole = whole.trim();
        let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
        total = total.checked_add(is_number.then(|| whole.parse::<i64>().ok())??.checked_mul(*unit)?)?;
        if !fraction.is_empty() {
            if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            total = total.checked_add(digits.parse().ok()?)?;
        }
    }
    Some(total)
}

fn cut<'t>(rest: &mut &'t str, separator: char) -> Option<&'t str> {
    let (part, tail) = rest.trim_start().split_once(separator)?;
    *rest = tail;
    Some(part)
}

/// Takes the details off the cells of several rows, until the types of all are known.
pub(super) fn unlabel_values(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) if values.rows.len() > 1 => {
            for cell in values.rows.iter_mut().flat_map(|row| row.content.iter_mut()) {
                let is_plain = match cell {
                    Expr::Value(_) => true,
                    Expr::UnaryOp { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
                    _ => false,
                };
                if !is_plain {
                    let plain = std::mem::replace(cell, Expr::Value(Value::Null.into()));
                    *cell = call("__cell", vec![plain]);
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            unlabel_values(left);
            unlabel_values(right);
        }
        _ => {}
    }
}
