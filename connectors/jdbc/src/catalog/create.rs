//! The `CREATE TABLE` that a missing target needs.

use sluice_model::{SqlType, TableSchema};

use super::quote;

/// A statement that creates a table which fits `schema`. `table` is quoted.
pub(crate) fn create_table(table: &str, schema: &TableSchema) -> String {
    let mut parts: Vec<String> = schema
        .columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {}{null}", quote(&column.name), type_for(&column.data_type))
        })
        .collect();
    if !schema.primary_key.is_empty() {
        let key: Vec<String> = schema.primary_key_names().into_iter().map(quote).collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    format!("CREATE TABLE {table} ({})", parts.join(", "))
}

/// The type that holds every value of `sql`.
pub(crate) fn type_for(sql: &SqlType) -> String {
    match sql {
        SqlType::Boolean => "boolean".to_owned(),
        SqlType::TinyInt | SqlType::SmallInt => "smallint".to_owned(),
        SqlType::Int => "integer".to_owned(),
        SqlType::BigInt => "bigint".to_owned(),
        SqlType::Float => "real".to_owned(),
        SqlType::Double => "double precision".to_owned(),
        SqlType::Decimal(precision, scale) => format!("numeric({precision}, {scale})"),
        SqlType::Char(length) => format!("char({length})"),
        // The largest length that the server takes is 10 MiB.
        SqlType::VarChar(length) if *length <= 10_485_760 => format!("varchar({length})"),
        SqlType::Binary(_) | SqlType::VarBinary(_) => "bytea".to_owned(),
        SqlType::Date => "date".to_owned(),
        SqlType::Time(precision) => format!("time({})", precision.min(&6)),
        SqlType::Timestamp(precision) => format!("timestamp({})", precision.min(&6)),
        SqlType::TimestampLtz(precision) => format!("timestamptz({})", precision.min(&6)),
        SqlType::Array(element) => format!("{}[]", type_for(element)),
        SqlType::Map(..) | SqlType::Row(_) => "jsonb".to_owned(),
        SqlType::IntervalYearMonth | SqlType::IntervalDaySecond => "interval".to_owned(),
        SqlType::VarChar(_) | SqlType::Null => "text".to_owned(),
    }
}
