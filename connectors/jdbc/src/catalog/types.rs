//! Which SQL types go into which types of PostgreSQL.
//!
//! A value is never changed on its way: what would round, cut or guess a time zone is refused, and
//! the user decides with a CAST in the query. What may not fit (a large number into a smaller
//! integer, a long text into `varchar(n)`) is allowed, and checked value by value.

use sluice_model::SqlType;

use super::TargetColumn;
use crate::encode::Wire;

/// Object ids of types that are treated by name (`pg_type.dat`).
pub(crate) mod id {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const CHAR: u32 = 18;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const MONEY: u32 = 790;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const TIMETZ: u32 = 1266;
    pub(crate) const BIT: u32 = 1560;
    pub(crate) const VARBIT: u32 = 1562;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const JSONB: u32 = 3802;
}

/// How values travel to a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// The type that is sent.
    pub(crate) wire: Wire,
    /// Whether the server casts it to the column's type.
    pub(crate) cast: bool,
}

impl Transfer {
    fn plain(wire: Wire) -> Self {
        Self { wire, cast: false }
    }
}

/// Why values cannot go into a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Values of the type have no place in the column's type.
    Incompatible,
    /// They do, but not unchanged; what to cast to.
    Lossy(SqlType),
    /// PostgreSQL has no such values.
    Unsupported,
}

/// How values of `sql` travel to `column`.
pub(crate) fn transfer(sql: &SqlType, column: &TargetColumn) -> Result<Transfer, Mismatch> {
    let (SqlType::Array(element), Some(element_id)) = (sql, column.element_id) else {
        return match sql {
            SqlType::Array(_) => Err(Mismatch::Incompatible),
            _ if column.element_id.is_some() => Err(Mismatch::Incompatible),
            _ => scalar(sql, column.type_id, column.modifier),
        };
    };
    if matches!(**element, SqlType::Array(_)) {
        return Err(Mismatch::Unsupported);
    }
    let Transfer { wire, cast } = scalar(element, element_id, column.modifier)?;
    let sent_id = if cast { wire.id() } else { element_id };
    Ok(Transfer { wire: Wire::Array(Box::new(wire), sent_id), cast })
}

fn scalar(sql: &SqlType, type_id: u32, modifier: i32) -> Result<Transfer, Mismatch> {
    match sql {
        SqlType::Boolean if type_id == id::BOOL => Ok(Transfer::plain(Wire::Bool)),
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => integer(sql, type_id, modifier),
        SqlType::Float | SqlType::Double => floating(sql, type_id, modifier),
        SqlType::Decimal(precision, scale) => decimal(*precision, *scale, type_id, modifier),
        SqlType::Char(_) | SqlType::VarChar(_) => text(type_id),
        SqlType::Binary(_) | SqlType::VarBinary(_) if type_id == id::BYTEA => Ok(Transfer::plain(Wire::Bytea)),
        SqlType::Date if type_id == id::DATE => Ok(Transfer::plain(Wire::Date)),
        SqlType::Date if type_id == id::TIMESTAMP => Ok(Transfer { wire: Wire::Date, cast: true }),
        SqlType::Time(precision) if type_id == id::TIME => temporal(Wire::Time, *precision, modifier, SqlType::Time),
        SqlType::Timestamp(precision) if type_id == id::TIMESTAMP => {
            temporal(Wire::Timestamp, *precision, modifier, SqlType::Timestamp)
        }
        SqlType::TimestampLtz(precision) if type_id == id::TIMESTAMPTZ => {
            temporal(Wire::Timestamptz, *precision, modifier, SqlType::TimestampLtz)
        }
        SqlType::Timestamp(7..) => Err(Mismatch::Lossy(SqlType::Timestamp(6))),
        SqlType::TimestampLtz(7..) => Err(Mismatch::Lossy(SqlType::TimestampLtz(6))),
        SqlType::IntervalYearMonth
        | SqlType::IntervalDaySecond
        | SqlType::Map(..)
        | SqlType::Row(_)
        | SqlType::Array(_)
        | SqlType::Null => Err(Mismatch::Unsupported),
        _ => Err(Mismatch::Incompatible),
    }
}

fn integer(sql: &SqlType, type_id: u32, modifier: i32) -> Result<Transfer, Mismatch> {
    match type_id {
        id::INT2 => Ok(Transfer::plain(Wire::Int2)),
        id::INT4 => Ok(Transfer::plain(Wire::Int4)),
        id::INT8 => Ok(Transfer::plain(Wire::Int8)),
        // Negative scales round: numeric(3, -2).
        id::NUMERIC if numeric_scale(modifier).is_none_or(|scale| scale >= 0) => Ok(Transfer::plain(Wire::Numeric)),
        id::FLOAT8 if *sql != SqlType::BigInt => Ok(Transfer::plain(Wire::Float8)),
        id::FLOAT4 if matches!(sql, SqlType::TinyInt | SqlType::SmallInt) => Ok(Transfer::plain(Wire::Float4)),
        id::FLOAT8 | id::FLOAT4 => Err(Mismatch::Lossy(SqlType::Double)),
        _ => Err(Mismatch::Incompatible),
    }
}

fn floating(sql: &SqlType, type_id: u32, modifier: i32) -> Result<Transfer, Mismatch> {
    match type_id {
        id::FLOAT8 => Ok(Transfer::plain(Wire::Float8)),
        id::FLOAT4 if *sql == SqlType::Float => Ok(Transfer::plain(Wire::Float4)),
        id::FLOAT4 => Err(Mismatch::Lossy(SqlType::Float)),
        id::NUMERIC => match numeric_scale(modifier) {
            None => Ok(Transfer { wire: Wire::Float8, cast: true }),
            Some(scale) => Err(Mismatch::Lossy(SqlType::Decimal(38, u8::try_from(scale).unwrap_or(0)))),
        },
        _ => Err(Mismatch::Incompatible),
    }
}

fn decimal(precision: u8, scale: u8, type_id: u32, modifier: i32) -> Result<Transfer, Mismatch> {
    match type_id {
        id::NUMERIC => match numeric_scale(modifier) {
            Some(target) if target < i32::from(scale) => {
                Err(Mismatch::Lossy(SqlType::Decimal(precision, u8::try_from(target).unwrap_or(0))))
            }
            _ => Ok(Transfer::plain(Wire::Numeric)),
        },
        id::INT2 if scale == 0 => Ok(Transfer::plain(Wire::Int2)),
        id::INT4 if scale == 0 => Ok(Transfer::plain(Wire::Int4)),
        id::INT8 if scale == 0 => Ok(Transfer::plain(Wire::Int8)),
        id::INT2 => Err(Mismatch::Lossy(SqlType::SmallInt)),
        id::INT4 => Err(Mismatch::Lossy(SqlType::Int)),
        id::INT8 => Err(Mismatch::Lossy(SqlType::BigInt)),
        id::FLOAT4 => Err(Mismatch::Lossy(SqlType::Float)),
        id::FLOAT8 => Err(Mismatch::Lossy(SqlType::Double)),
        _ => Err(Mismatch::Incompatible),
    }
}

/// Text goes into everything that is written as text and is not a number, a time or bytes: there
/// the server's own reading (`uuid`, `inet`, enumerations, …) decides.
fn text(type_id: u32) -> Result<Transfer, Mismatch> {
    match type_id {
        id::TEXT | id::VARCHAR | id::BPCHAR => Ok(Transfer::plain(Wire::Text)),
        id::JSON => Ok(Transfer::plain(Wire::Json)),
        id::JSONB => Ok(Transfer::plain(Wire::Jsonb)),
        id::BOOL
        | id::BYTEA
        | id::INT2
        | id::INT4
        | id::INT8
        | id::OID
        | id::FLOAT4
        | id::FLOAT8
        | id::NUMERIC
        | id::MONEY
        | id::DATE
        | id::TIME
        | id::TIMETZ
        | id::TIMESTAMP
        | id::TIMESTAMPTZ => Err(Mismatch::Incompatible),
        // A cast to these cuts what is too long without a word.
        id::CHAR | id::NAME | id::BIT | id::VARBIT => Err(Mismatch::Incompatible),
        _ => Ok(Transfer { wire: Wire::Text, cast: true }),
    }
}

fn temporal(
    wire: Wire,
    precision: u8,
    modifier: i32,
    with_precision: impl Fn(u8) -> SqlType,
) -> Result<Transfer, Mismatch> {
    let held = u8::try_from(modifier).unwrap_or(6).min(6);
    if precision > held { Err(Mismatch::Lossy(with_precision(held))) } else { Ok(Transfer::plain(wire)) }
}

/// Scale of `numeric(p, s)`; `None` for plain `numeric`, which keeps every digit.
fn numeric_scale(modifier: i32) -> Option<i32> {
    // Eleven bits with a sign, below the precision and above the length of a header
    // (`numeric_typmod_scale` in PostgreSQL's numeric.c).
    (modifier >= 4).then(|| (((modifier - 4) & 0x7ff) ^ 1024) - 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(type_id: u32, modifier: i32) -> TargetColumn {
        TargetColumn {
            name: "c".into(),
            type_name: "t".into(),
            type_id,
            modifier,
            element_id: None,
            not_null: false,
            has_default: false,
            identity_always: false,
            generated: false,
        }
    }

    fn numeric(precision: i32, scale: i32) -> TargetColumn {
        column(id::NUMERIC, ((precision << 16) | (scale & 0x7ff)) + 4)
    }

    #[test]
    fn values_are_never_changed() {
        let lossy = |sql: SqlType, column: TargetColumn| match transfer(&sql, &column) {
            Err(Mismatch::Lossy(cast)) => cast,
            other => panic!("{sql}: {other:?}"),
        };
        assert_eq!(lossy(SqlType::Decimal(10, 4), numeric(7, 2)), SqlType::Decimal(10, 2));
        assert_eq!(lossy(SqlType::Timestamp(6), column(id::TIMESTAMP, 3)), SqlType::Timestamp(3));
        assert_eq!(lossy(SqlType::Timestamp(9), column(id::TIMESTAMP, -1)), SqlType::Timestamp(6));
        assert_eq!(lossy(SqlType::Double, column(id::FLOAT4, -1)), SqlType::Float);
        assert_eq!(lossy(SqlType::BigInt, column(id::FLOAT8, -1)), SqlType::Double);
        assert_eq!(lossy(SqlType::Decimal(5, 1), column(id::INT4, -1)), SqlType::Int);
    }

    #[test]
    fn what_fits_goes_as_it_is() {
        let plain = |sql: SqlType, column: TargetColumn| {
            let transfer = transfer(&sql, &column).unwrap();
            assert!(!transfer.cast);
            transfer.wire
        };
        assert_eq!(plain(SqlType::Decimal(7, 2), numeric(7, 2)), Wire::Numeric);
        assert_eq!(plain(SqlType::Decimal(20, 0), column(id::INT8, -1)), Wire::Int8);
        assert_eq!(plain(SqlType::Int, numeric(10, 0)), Wire::Numeric);
        assert_eq!(plain(SqlType::BigInt, column(id::INT4, -1)), Wire::Int4);
        assert_eq!(plain(SqlType::VarChar(30), column(id::VARCHAR, 14)), Wire::Text);
        assert_eq!(plain(SqlType::STRING, column(id::JSONB, -1)), Wire::Jsonb);
    }

    #[test]
    fn the_server_reads_other_texts() {
        let uuid = column(2950, -1);
        assert_eq!(transfer(&SqlType::STRING, &uuid), Ok(Transfer { wire: Wire::Text, cast: true }));
        assert_eq!(transfer(&SqlType::STRING, &column(id::DATE, -1)), Err(Mismatch::Incompatible));
        assert_eq!(transfer(&SqlType::Int, &column(id::TEXT, -1)), Err(Mismatch::Incompatible));
        assert_eq!(transfer(&SqlType::Row(vec![]), &column(id::JSONB, -1)), Err(Mismatch::Unsupported));
    }
}
