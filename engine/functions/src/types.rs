//! Families of types, and the type that several types have in common.

use arrow_schema::Field;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::{Expr, ExprSchemable};
use sluice_model::SqlType;

/// The SQL type of an expression, with the lengths and precisions that Arrow's types do not say.
///
/// # Errors
/// The expression does not fit the schema.
pub fn type_of(expr: &Expr, schema: &DFSchema) -> Result<SqlType> {
    Ok(SqlType::of_field(expr.to_field(schema)?.1.as_ref()))
}

/// A field of a SQL type that keeps its lengths and precisions.
pub(crate) fn field_of(name: &str, sql_type: &SqlType, nullable: bool) -> Field {
    Field::new(name, sql_type.to_arrow(), nullable).with_metadata(sql_type.field_metadata())
}

pub(crate) fn is_string(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Char(_) | SqlType::VarChar(_))
}

pub(crate) fn is_binary(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Binary(_) | SqlType::VarBinary(_))
}

pub(crate) fn is_integer(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt)
}

pub(crate) fn is_float(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Float | SqlType::Double)
}

pub(crate) fn is_numeric(sql_type: &SqlType) -> bool {
    is_integer(sql_type) || is_float(sql_type) || matches!(sql_type, SqlType::Decimal(..))
}

pub(crate) fn is_timestamp(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Timestamp(_) | SqlType::TimestampLtz(_))
}

pub(crate) fn is_temporal(sql_type: &SqlType) -> bool {
    is_timestamp(sql_type) || matches!(sql_type, SqlType::Date | SqlType::Time(_))
}

/// The decimal that holds every value of an integer type: `(precision, 0)`.
pub(crate) fn as_decimal(sql_type: &SqlType) -> Option<(u8, u8)> {
    match sql_type {
        SqlType::TinyInt => Some((3, 0)),
        SqlType::SmallInt => Some((5, 0)),
        SqlType::Int => Some((10, 0)),
        SqlType::BigInt => Some((19, 0)),
        SqlType::Decimal(precision, scale) => Some((*precision, *scale)),
        _ => None,
    }
}

/// The least restrictive type that takes the values of all: of `CASE`, `COALESCE`, `VALUES`, `UNION`.
///
/// `None` if there is none. An untyped `NULL` fits everything.
///
/// ```
/// use sluice_functions::common_type;
/// use sluice_model::SqlType;
/// assert_eq!(common_type(&[SqlType::Int, SqlType::Decimal(7, 2)]), Some(SqlType::Decimal(12, 2)));
/// assert_eq!(common_type(&[SqlType::Int, SqlType::STRING]), None);
/// ```
pub fn common_type(types: &[SqlType]) -> Option<SqlType> {
    types.iter().try_fold(SqlType::Null, |common, sql_type| common_of_two(&common, sql_type))
}

fn common_of_two(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    use SqlType::{Array, Binary, Char, Date, Map, Null, Row, Time, Timestamp, TimestampLtz, VarBinary, VarChar};
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Null, other) | (other, Null) => other.clone(),
        (a, b) if is_numeric(a) && is_numeric(b) => common_number(a, b),
        (Char(m) | VarChar(m), Char(n) | VarChar(n)) => VarChar(*m.max(n)),
        (Binary(m) | VarBinary(m), Binary(n) | VarBinary(n)) => VarBinary(*m.max(n)),
        (Time(m), Time(n)) => Time(*m.max(n)),
        (Timestamp(m), Timestamp(n)) => Timestamp(*m.max(n)),
        (TimestampLtz(m), TimestampLtz(n) | Timestamp(n)) | (Timestamp(m), TimestampLtz(n)) => TimestampLtz(*m.max(n)),
        (Date, Timestamp(_) | TimestampLtz(_)) => b.clone(),
        (Timestamp(_) | TimestampLtz(_), Date) => a.clone(),
        (Array(a), Array(b)) => Array(Box::new(common_of_two(a, b)?)),
        (Map(a, x), Map(b, y)) => Map(Box::new(common_of_two(a, b)?), Box::new(common_of_two(x, y)?)),
        (Row(a), Row(b)) if a.len() == b.len() => {
            let fields = a.iter().zip(b).map(|((name, a), (_, b))| Some((name.clone(), common_of_two(a, b)?)));
            Row(fields.collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    })
}

/// Integers widen; an integer and a decimal meet in a decimal; with an approximate number, it wins,
/// but a decimal and a `FLOAT` meet in `DOUBLE`.
fn common_number(a: &SqlType, b: &SqlType) -> SqlType {
    const INTEGERS: [SqlType; 4] = [SqlType::TinyInt, SqlType::SmallInt, SqlType::Int, SqlType::BigInt];
    if is_float(a) || is_float(b) {
        let is_wide = |sql_type: &SqlType| matches!(sql_type, SqlType::Double | SqlType::Decimal(..));
        return if is_wide(a) || is_wide(b) { SqlType::Double } else { SqlType::Float };
    }
    if is_integer(a) && is_integer(b) {
        let rank = |sql_type: &SqlType| INTEGERS.iter().position(|integer| integer == sql_type).unwrap_or(0);
        return INTEGERS[rank(a).max(rank(b))].clone();
    }
    let ((p1, s1), (p2, s2)) = (as_decimal(a).unwrap_or((38, 0)), as_decimal(b).unwrap_or((38, 0)));
    let scale = s1.max(s2);
    let integral = (p1 - s1).max(p2 - s2);
    let precision = (integral + scale).min(38);
    // The digits in front of the point win: they are the larger part of the value.
    SqlType::Decimal(precision, scale.min(precision - integral.min(precision)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_least_restrictive_type() {
        use SqlType::{BigInt, Char, Date, Decimal, Double, Float, Int, Null, SmallInt, Timestamp, VarChar};
        const STRING: SqlType = SqlType::STRING;
        for (types, expected) in [
            (vec![Int, BigInt], Some(BigInt)),
            (vec![Int, Null, SmallInt], Some(Int)),
            (vec![Char(1), Char(3)], Some(VarChar(3))),
            (vec![VarChar(3), STRING], Some(STRING)),
            (vec![Decimal(5, 2), Decimal(10, 4)], Some(Decimal(10, 4))),
            (vec![Int, Decimal(7, 2)], Some(Decimal(12, 2))),
            (vec![Decimal(38, 0), Decimal(38, 10)], Some(Decimal(38, 0))),
            (vec![Float, Int], Some(Float)),
            (vec![Float, Decimal(5, 2)], Some(Double)),
            (vec![Date, Timestamp(3)], Some(Timestamp(3))),
            (vec![Int, STRING], None),
            (vec![Null, Null], Some(Null)),
        ] {
            assert_eq!(common_type(&types), expected, "{types:?}");
        }
    }
}
