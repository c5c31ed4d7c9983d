//! Literals that DataFusion types differently.
//!
//! | text | becomes | why |
//! |---|---|---|
//! | `5` | `CAST(5 AS INT)` | integer literals that fit are `INT`, DataFusion takes `BIGINT` |
//! | `1e3` | `CAST(1e3 AS DOUBLE)` | with an exponent a number is approximate |
//! | `TIMESTAMP '… 10:11:12.123'` | `CAST('…' AS TIMESTAMP(3))` | as many digits as are written |
//! | `INTERVAL '1-2' YEAR TO MONTH` | `CAST(14 AS INTERVAL YEAR TO MONTH)` | DataFusion has one type of intervals |
//! | `INTERVAL '1 10:20' DAY TO MINUTE` | `CAST(123600000 AS INTERVAL DAY TO SECOND)` | DataFusion refuses the form |
//! | `VALUES (CAST('a' AS CHAR(3))), ('b')` | `VALUES (__cell(…)), ('b')` | DataFusion wants the same details in all rows |

use sluice_model::{Error, Result};
use sqlparser::ast::{
    CastKind, DataType, DateTimeField, Expr, Ident, ObjectName, SetExpr, Spanned, TimezoneInfo, UnaryOperator, Value,
};

use super::rewrite::{call, position_of};

/// Rewrites one expression if it is a literal.
pub(super) fn rewrite(expression: &mut Expr) -> Result<()> {
    let wanted = match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => "INT",
            Value::Number(digits, _) if digits.contains(['e', 'E']) => "DOUBLE",
            _ => return Ok(()),
        },
        Expr::TypedString(literal) => {
            if let (DataType::Timestamp(precision @ None, TimezoneInfo::None), Value::SingleQuotedString(text)) =
                (&mut literal.data_type, &literal.value.value)
            {
                let digits = text.rsplit_once('.').map_or(0, |(_, fraction)| fraction.trim_end().len());
                *precision = Some(digits.min(9) as u64);
            }
            return Ok(());
        }
        Expr::Interval(_) => return interval(expression),
        _ => return Ok(()),
    };
    let literal = std::mem::replace(expression, Expr::Value(Value::Null.into()));
    *expression = cast(literal, wanted);
    Ok(())
}

pub(super) fn cast(expr: Expr, data_type: &str) -> Expr {
    let data_type = match data_type {
        "INT" => DataType::Int(None),
        other => DataType::Custom(ObjectName::from(vec![Ident::new(other)]), Vec::new()),
    };
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Intervals of months, and those of several fields.
fn interval(expression: &mut Expr) -> Result<()> {
    let Expr::Interval(interval) = &*expression else { return Ok(()) };
    let Expr::Value(value) = interval.value.as_ref() else { return Ok(()) };
    let (Value::SingleQuotedString(text), Some(first)) = (&value.value, &interval.leading_field) else {
        return Ok(());
    };
    let last = interval.last_field.as_ref().unwrap_or(first);
    let is_months = is_field(first, "YEAR") || is_field(first, "MONTH");
    if !is_months && interval.last_field.is_none() {
        return Ok(());
    }
    let (text, negative) = match text.trim().strip_prefix('-') {
        Some(text) => (text, true),
        None => (text.trim(), false),
    };
    let length = if is_months { months(text, first, last) } else { millis(text, first, last) };
    let length = length.ok_or_else(|| {
        Error::fix(format!("'{text}' is not an interval of {first} TO {last}"))
            .with_hint("write it like INTERVAL '1-2' YEAR TO MONTH or INTERVAL '1 10:20:30' DAY TO SECOND")
            .at_opt(position_of(expression.span()))
    })?;
    let number = Expr::Value(Value::Number(length.to_string(), false).into());
    let number = if negative { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) } } else { number };
    *expression = cast(number, if is_months { "INTERVAL YEAR TO MONTH" } else { "INTERVAL DAY TO SECOND" });
    Ok(())
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
        (false, _) => number(text),
    }
}

/// `d hh:mm:ss.fff`, from one field to another.
fn millis(text: &str, first: &DateTimeField, last: &DateTimeField) -> Option<i64> {
    const FIELDS: [(&str, i64); 4] = [("DAY", 86_400_000), ("HOUR", 3_600_000), ("MINUTE", 60_000), ("SECOND", 1000)];
    let place = |field: &DateTimeField| FIELDS.iter().position(|(name, _)| is_field(field, name));
    let (from, to) = (place(first)?, place(last)?);
    let mut total = 0i64;
    let mut rest = text;
    for (index, (_, unit)) in FIELDS.iter().enumerate().take(to + 1).skip(from) {
        let separator = if index == 0 { ' ' } else { ':' };
        let part = if index == to { std::mem::take(&mut rest) } else { cut(&mut rest, separator)? };
        let (whole, fraction) = part.split_once('.').filter(|_| index == 3).unwrap_or((part, ""));
        total = total.checked_add(i64::from(whole.trim().parse::<u32>().ok()?).checked_mul(*unit)?)?;
        if !fraction.is_empty() {
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
