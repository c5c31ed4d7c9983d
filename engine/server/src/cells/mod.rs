//! Values as text, as Flink's client shows them.
//!
//! | type | text |
//! |---|---|
//! | `BOOLEAN` | `TRUE` |
//! | `TIMESTAMP(3)` | `2021-04-13 20:12:11.123`: exactly as many digits as declared |
//! | `TIMESTAMP_LTZ(p)` | the same, in the time zone of the session |
//! | `BYTES` | `x'01ff'` |
//! | `ARRAY`, `MAP`, `ROW` | `[1, 2]`, `{k=v}`, `(1, a)` |
//! | `INTERVAL` | `+1-02`, `+1 00:00:00.000` |
//!
//! Source: `RowDataToStringConverterImpl` over Flink's cast rules, which print with `PRINT` in mind.

mod number;
mod temporal;

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalYearMonthType,
};
use arrow_array::{Array, RecordBatch};
use chrono_tz::Tz;
use sluice_model::{ChangelogBatch, Column, Error, Result, SqlType};

use crate::protocol::TextRow;

pub(crate) use number::{push_double, push_float};
pub(crate) use temporal::{date, timestamp};

/// Formats rows of given columns.
#[derive(Debug, Clone)]
pub struct CellFormatter {
    types: Vec<SqlType>,
    zone: Tz,
}

impl CellFormatter {
    /// For rows of these columns; `zone` is that of `table.local-time-zone`, UTC if it is unknown.
    pub fn new(columns: &[Column], zone: &str) -> Self {
        let types = columns.iter().map(|column| column.data_type.clone()).collect();
        Self { types, zone: sluice_sql::time_zone(zone).unwrap_or(Tz::UTC) }
    }

    /// All rows of a batch, in their order.
    ///
    /// # Errors
    /// A bug: a batch that does not fit the columns.
    pub fn rows(&self, batch: &ChangelogBatch) -> Result<Vec<TextRow>> {
        (0..batch.num_rows())
            .map(|row| Ok(TextRow { kind: batch.kind(row).to_string(), cells: self.cells(batch.rows(), row)? }))
            .collect()
    }

    fn cells(&self, rows: &RecordBatch, row: usize) -> Result<Vec<Option<String>>> {
        rows.columns()
            .iter()
            .zip(&self.types)
            .map(|(array, data_type)| {
                if array.is_null(row) || *data_type == SqlType::Null {
                    return Ok(None);
                }
                let mut text = String::new();
                push_value(&mut text, array.as_ref(), row, data_type, self.zone)?;
                Ok(Some(text))
            })
            .collect()
    }
}

fn misfit(data_type: &SqlType, array: &dyn Array) -> Error {
    Error::bug(format!("a column of type {data_type} holds {}", array.data_type()))
}

/// Appends the value at `row`, which is not null.
pub(crate) fn push_value(
    text: &mut String,
    array: &dyn Array,
    row: usize,
    data_type: &SqlType,
    zone: Tz,
) -> Result<()> {
    let fits = || misfit(data_type, array);
    match data_type {
        SqlType::Null => text.push_str("NULL"),
        SqlType::Boolean => {
            let value = array.as_boolean_opt().ok_or_else(fits)?.value(row);
            text.push_str(if value { "TRUE" } else { "FALSE" });
        }
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            let _ = write!(text, "{}", integer(array, row).ok_or_else(fits)?);
        }
        SqlType::Float => push_float(text, array.as_primitive_opt::<Float32Type>().ok_or_else(fits)?.value(row)),
        SqlType::Double => push_double(text, array.as_primitive_opt::<Float64Type>().ok_or_else(fits)?.value(row)),
        SqlType::Decimal(..) => {
            text.push_str(&array.as_primitive_opt::<Decimal128Type>().ok_or_else(fits)?.value_as_string(row));
        }
        SqlType::Char(_) | SqlType::VarChar(_) => text.push_str(string(array, row).ok_or_else(fits)?),
        SqlType::Binary(_) | SqlType::VarBinary(_) => push_bytes(text, binary(array, row).ok_or_else(fits)?),
        SqlType::Date => {
            let days = array.as_primitive_opt::<Date32Type>().ok_or_else(fits)?.value(row);
            text.push_str(&date(days).ok_or_else(fits)?);
        }
        SqlType::Time(precision) => {
            text.push_str(&temporal::time(array, row, *precision).ok_or_else(fits)?);
        }
        SqlType::Timestamp(precision) => {
            text.push_str(&timestamp(array, row, *precision, None).ok_or_else(fits)?);
        }
        SqlType::TimestampLtz(precision) => {
            text.push_str(&timestamp(array, row, *precision, Some(zone)).ok_or_else(fits)?);
        }
        SqlType::IntervalYearMonth => {
            let months = array.as_primitive_opt::<IntervalYearMonthType>().ok_or_else(fits)?.value(row);
            text.push_str(&temporal::year_month(months));
        }
        SqlType::IntervalDaySecond => {
            let value = array.as_primitive_opt::<IntervalMonthDayNanoType>().ok_or_else(fits)?.value(row);
            text.push_str(&temporal::day_second(value));
        }
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Row(_) => push_nested(text, array, row, data_type, zone)?,
    }
    Ok(())
}

fn push_nested(text: &mut String, array: &dyn Array, row: usize, data_type: &SqlType, zone: Tz) -> Result<()> {
    let fits = || misfit(data_type, array);
    match data_type {
        SqlType::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(fits)?.value(row);
            text.push('[');
            for item in 0..items.len() {
                separate(text, item);
                push_or_null(text, items.as_ref(), item, element, zone)?;
            }
            text.push(']');
        }
        SqlType::Map(key, value) => {
            let entries = array.as_map_opt().ok_or_else(fits)?.value(row);
            text.push('{');
            for entry in 0..entries.len() {
                separate(text, entry);
                push_or_null(text, entries.column(0).as_ref(), entry, key, zone)?;
                text.push('=');
                push_or_null(text, entries.column(1).as_ref(), entry, value, zone)?;
            }
            text.push('}');
        }
        SqlType::Row(fields) => {
            let record = array.as_struct_opt().ok_or_else(fits)?;
            text.push('(');
            for (index, ((_, field), column)) in fields.iter().zip(record.columns()).enumerate() {
                separate(text, index);
                push_or_null(text, column.as_ref(), row, field, zone)?;
            }
            text.push(')');
        }
        _ => return Err(Error::bug(format!("{data_type} is not a nested type"))),
    }
    Ok(())
}

fn separate(text: &mut String, index: usize) {
    if index > 0 {
        text.push_str(", ");
    }
}

fn push_or_null(text: &mut String, array: &dyn Array, row: usize, data_type: &SqlType, zone: Tz) -> Result<()> {
    if array.is_null(row) {
        text.push_str("NULL");
        return Ok(());
    }
    push_value(text, array, row, data_type, zone)
}

/// The value of an integer column of any width.
pub(crate) fn integer(array: &dyn Array, row: usize) -> Option<i64> {
    array
        .as_primitive_opt::<Int32Type>()
        .map(|values| i64::from(values.value(row)))
        .or_else(|| array.as_primitive_opt::<Int64Type>().map(|values| values.value(row)))
        .or_else(|| array.as_primitive_opt::<Int16Type>().map(|values| i64::from(values.value(row))))
        .or_else(|| array.as_primitive_opt::<Int8Type>().map(|values| i64::from(values.value(row))))
}

/// The value of a text column in any of Arrow's layouts.
pub(crate) fn string(array: &dyn Array, row: usize) -> Option<&str> {
    array
        .as_string_opt::<i32>()
        .map(|values| values.value(row))
        .or_else(|| array.as_string_opt::<i64>().map(|values| values.value(row)))
        .or_else(|| array.as_string_view_opt().map(|values| values.value(row)))
}

/// The value of a binary column in any of Arrow's layouts.
pub(crate) fn binary(array: &dyn Array, row: usize) -> Option<&[u8]> {
    array
        .as_binary_opt::<i32>()
        .map(|values| values.value(row))
        .or_else(|| array.as_binary_opt::<i64>().map(|values| values.value(row)))
        .or_else(|| array.as_fixed_size_binary_opt().map(|values| values.value(row)))
        .or_else(|| array.as_binary_view_opt().map(|values| values.value(row)))
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    text.push_str("x'");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Int32Array, IntervalYearMonthArray, ListArray, StringArray,
        TimestampMicrosecondArray,
    };
    use sluice_model::from_pretty;

    use super::*;

    fn show(data_type: SqlType, array: ArrayRef, zone: &str) -> Vec<String> {
        let columns = [Column::new("c", data_type)];
        let field = columns[0].to_field().with_data_type(array.data_type().clone());
        let schema = Arc::new(arrow_schema::Schema::new(vec![field]));
        let batch = ChangelogBatch::append(RecordBatch::try_new(schema, vec![array]).unwrap());
        let rows = CellFormatter::new(&columns, zone).rows(&batch).unwrap();
        rows.into_iter().map(|row| row.cells[0].clone().unwrap_or_else(|| "∅".to_owned())).collect()
    }

    #[test]
    fn rows_keep_their_kinds_and_nulls() {
        let batch = from_pretty("id INT, name STRING, price DECIMAL(7,2)", "+I 1 a 1.5 / -D 2 NULL 10.00");
        let columns = [
            Column::new("id", SqlType::Int),
            Column::new("name", SqlType::STRING),
            Column::new("price", SqlType::Decimal(7, 2)),
        ];
        let rows = CellFormatter::new(&columns, "UTC").rows(&batch).unwrap();
        assert_eq!(rows[0].kind, "+I");
        assert_eq!(rows[0].cells, [Some("1".to_owned()), Some("a".to_owned()), Some("1.50".to_owned())]);
        assert_eq!(rows[1].kind, "-D");
        assert_eq!(rows[1].cells[1], None);
    }

    #[test]
    fn timestamps_have_the_declared_digits_and_the_zone_of_the_session() {
        let micros = 1_618_344_731_123_456_i64;
        let plain: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(micros), None]));
        assert_eq!(show(SqlType::Timestamp(3), plain.clone(), "UTC"), ["2021-04-13 20:12:11.123", "∅"]);
        assert_eq!(show(SqlType::Timestamp(0), plain.clone(), "UTC")[0], "2021-04-13 20:12:11");
        assert_eq!(show(SqlType::Timestamp(6), plain, "Asia/Shanghai")[0], "2021-04-13 20:12:11.123456");
        let instant: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"));
        assert_eq!(show(SqlType::TimestampLtz(3), instant, "Asia/Shanghai")[0], "2021-04-14 04:12:11.123");
    }

    #[test]
    fn booleans_bytes_and_intervals() {
        assert_eq!(show(SqlType::Boolean, Arc::new(BooleanArray::from(vec![true, false])), "UTC"), ["TRUE", "FALSE"]);
        let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&[1, 255]]));
        assert_eq!(show(SqlType::BYTES, bytes, "UTC"), ["x'01ff'"]);
        let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![14, -14]));
        assert_eq!(show(SqlType::IntervalYearMonth, months, "UTC"), ["+1-02", "-1-02"]);
    }

    #[test]
    fn nested_values() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None, Some(3)])]);
        assert_eq!(show(SqlType::Array(Box::new(SqlType::Int)), Arc::new(list), "UTC"), ["[1, NULL, 3]"]);
        let fields = vec![("a".to_owned(), SqlType::Int), ("b".to_owned(), SqlType::STRING)];
        let record = arrow_array::StructArray::from(vec![
            (
                Arc::new(arrow_schema::Field::new("a", arrow_schema::DataType::Int32, true)),
                Arc::new(Int32Array::from(vec![1])) as ArrayRef,
            ),
            (
                Arc::new(arrow_schema::Field::new("b", arrow_schema::DataType::Utf8, true)),
                Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
            ),
        ]);
        assert_eq!(show(SqlType::Row(fields), Arc::new(record), "UTC"), ["(1, x)"]);
    }

    #[test]
    fn a_column_of_another_type_is_a_bug_not_a_panic() {
        let columns = [Column::new("c", SqlType::Int)];
        let batch = from_pretty("c STRING", "+I a");
        assert!(CellFormatter::new(&columns, "UTC").rows(&batch).is_err());
    }
}
