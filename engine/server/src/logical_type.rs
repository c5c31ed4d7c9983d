//! SQL types in the form of the SQL gateway's result columns.
//!
//! ```text
//! {"name":"id","logicalType":{"type":"BIGINT","nullable":false},"comment":null}
//! ```
//! Source: `LogicalTypeJsonSerializer` of Flink.

use serde_json::{Value, json};
use sluice_model::{Column, SqlType};

/// A result column.
pub fn column_to_json(column: &Column) -> Value {
    json!({
        "name": column.name,
        "logicalType": type_to_json(&column.data_type, column.nullable),
        "comment": null,
    })
}

/// Reads back [`column_to_json`]; a type that is not known counts as `STRING`.
pub fn column_from_json(value: &Value) -> Column {
    let name = value["name"].as_str().unwrap_or_default();
    let logical = &value["logicalType"];
    let column = Column::new(name, type_from_json(logical));
    if logical["nullable"] == Value::Bool(false) { column.not_null() } else { column }
}

fn type_to_json(data_type: &SqlType, nullable: bool) -> Value {
    let plain = |name: &str| json!({ "type": name, "nullable": nullable });
    let length = |name: &str, length: u32| json!({ "type": name, "nullable": nullable, "length": length });
    let precision = |name: &str, precision: u8| json!({ "type": name, "nullable": nullable, "precision": precision });
    match data_type {
        SqlType::Null => plain("NULL"),
        SqlType::Boolean => plain("BOOLEAN"),
        SqlType::TinyInt => plain("TINYINT"),
        SqlType::SmallInt => plain("SMALLINT"),
        SqlType::Int => plain("INTEGER"),
        SqlType::BigInt => plain("BIGINT"),
        SqlType::Float => plain("FLOAT"),
        SqlType::Double => plain("DOUBLE"),
        SqlType::Date => plain("DATE"),
        SqlType::Decimal(precision, scale) => {
            json!({ "type": "DECIMAL", "nullable": nullable, "precision": precision, "scale": scale })
        }
        SqlType::Char(n) => length("CHAR", *n),
        SqlType::VarChar(n) => length("VARCHAR", *n),
        SqlType::Binary(n) => length("BINARY", *n),
        SqlType::VarBinary(n) => length("VARBINARY", *n),
        SqlType::Time(p) => precision("TIME_WITHOUT_TIME_ZONE", *p),
        SqlType::Timestamp(p) => precision("TIMESTAMP_WITHOUT_TIME_ZONE", *p),
        SqlType::TimestampLtz(p) => precision("TIMESTAMP_WITH_LOCAL_TIME_ZONE", *p),
        SqlType::IntervalYearMonth => {
            json!({ "type": "INTERVAL_YEAR_MONTH", "nullable": nullable, "resolution": "YEAR_TO_MONTH", "yearPrecision": 4 })
        }
        SqlType::IntervalDaySecond => {
            json!({ "type": "INTERVAL_DAY_TIME", "nullable": nullable, "resolution": "DAY_TO_SECOND",
                    "dayPrecision": 3, "fractionalPrecision": 3 })
        }
        SqlType::Array(element) => {
            json!({ "type": "ARRAY", "nullable": nullable, "elementType": type_to_json(element, true) })
        }
        SqlType::Map(key, value) => {
            json!({ "type": "MAP", "nullable": nullable,
                    "keyType": type_to_json(key, false), "valueType": type_to_json(value, true) })
        }
        SqlType::Row(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|(name, field)| json!({ "name": name, "fieldType": type_to_json(field, true), "description": null }))
                .collect();
            json!({ "type": "ROW", "nullable": nullable, "fields": fields })
        }
    }
}

fn type_from_json(value: &Value) -> SqlType {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    let length = || u32::try_from(number("length")).unwrap_or(1);
    let precision = || u8::try_from(number("precision")).unwrap_or(6);
    match value["type"].as_str().unwrap_or_default() {
        "NULL" => SqlType::Null,
        "BOOLEAN" => SqlType::Boolean,
        "TINYINT" => SqlType::TinyInt,
        "SMALLINT" => SqlType::SmallInt,
        "INTEGER" => SqlType::Int,
        "BIGINT" => SqlType::BigInt,
        "FLOAT" => SqlType::Float,
        "DOUBLE" => SqlType::Double,
        "DATE" => SqlType::Date,
        "DECIMAL" => SqlType::Decimal(precision(), u8::try_from(number("scale")).unwrap_or(0)),
        "CHAR" => SqlType::Char(length()),
        "VARCHAR" => SqlType::VarChar(length()),
        "BINARY" => SqlType::Binary(length()),
        "VARBINARY" => SqlType::VarBinary(length()),
        "TIME_WITHOUT_TIME_ZONE" => SqlType::Time(precision()),
        "TIMESTAMP_WITHOUT_TIME_ZONE" => SqlType::Timestamp(precision()),
        "TIMESTAMP_WITH_LOCAL_TIME_ZONE" => SqlType::TimestampLtz(precision()),
        "INTERVAL_YEAR_MONTH" => SqlType::IntervalYearMonth,
        "INTERVAL_DAY_TIME" => SqlType::IntervalDaySecond,
        "ARRAY" => SqlType::Array(Box::new(type_from_json(&value["elementType"]))),
        "MAP" => {
            SqlType::Map(Box::new(type_from_json(&value["keyType"])), Box::new(type_from_json(&value["valueType"])))
        }
        "ROW" => SqlType::Row(
            value["fields"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|field| {
                    let name = field["name"].as_str().unwrap_or_default().to_owned();
                    (name, type_from_json(&field["fieldType"]))
                })
                .collect(),
        ),
        _ => SqlType::STRING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_the_wire() {
        for data_type in [
            SqlType::Boolean,
            SqlType::Int,
            SqlType::Decimal(7, 2),
            SqlType::STRING,
            SqlType::BYTES,
            SqlType::Timestamp(3),
            SqlType::TimestampLtz(6),
            SqlType::IntervalDaySecond,
            SqlType::Array(Box::new(SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::BigInt)))),
            SqlType::Row(vec![("a".into(), SqlType::Time(0))]),
        ] {
            let column = Column::new("c", data_type).not_null();
            assert_eq!(column_from_json(&column_to_json(&column)), column);
        }
    }

    #[test]
    fn names_are_flinks() {
        let column = Column::new("id", SqlType::Int).not_null();
        assert_eq!(
            column_to_json(&column).to_string(),
            r#"{"name":"id","logicalType":{"type":"INTEGER","nullable":false},"comment":null}"#
        );
    }
}
