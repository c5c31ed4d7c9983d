use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, IntervalYearMonthArray, RecordBatch, StringArray, StructArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::IntervalMonthDayNano;
use arrow_schema::DataType;
use sluice_connector_api::{EncodedRows, Format, TableOptions};
use sluice_model::{Column, SqlType, TableSchema, from_pretty};

use crate::Json;

/// Encodes one column `c` of the type, with these options.
fn encode(sql_type: SqlType, array: ArrayRef, options: &[(&str, &str)]) -> String {
    let schema = TableSchema::new(vec![Column::new("c", sql_type)]).to_arrow();
    lines(&RecordBatch::try_new(schema, vec![array]).unwrap(), options).unwrap()
}

fn lines(batch: &RecordBatch, options: &[(&str, &str)]) -> sluice_model::Result<String> {
    let options = TableOptions::from_pairs(options.iter().copied());
    let mut encoder = Json.encoders(&options)?.encoder(batch.schema())?;
    let mut out = EncodedRows::default();
    encoder.encode(batch, &mut out)?;
    let rows: Vec<_> = (0..out.len()).map(|row| String::from_utf8(out.row(row).to_vec()).unwrap()).collect();
    for row in &rows {
        serde_json::from_str::<serde_json::Value>(row).unwrap();
    }
    Ok(rows.join(" / "))
}

#[test]
fn a_row_is_an_object_in_the_order_of_the_columns() {
    let batch = from_pretty("id INT, name STRING, price DECIMAL(7,2)", "+I 1 a 12.50 / -D 2 NULL 0.00");
    assert_eq!(
        lines(batch.rows(), &[]).unwrap(),
        r#"{"id":1,"name":"a","price":12.5} / {"id":2,"name":null,"price":0}"#
    );
}

#[test]
fn every_scalar_type() {
    let int8: ArrayRef = Arc::new(Int8Array::from(vec![-128]));
    assert_eq!(encode(SqlType::TinyInt, int8, &[]), r#"{"c":-128}"#);
    let int64: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN]));
    assert_eq!(encode(SqlType::BigInt, int64, &[]), r#"{"c":-9223372036854775808}"#);
    let boolean: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
    assert_eq!(encode(SqlType::Boolean, boolean, &[]), r#"{"c":true} / {"c":null}"#);
    let float: ArrayRef = Arc::new(Float32Array::from(vec![0.1]));
    assert_eq!(encode(SqlType::Float, float, &[]), r#"{"c":0.1}"#);
    let double: ArrayRef = Arc::new(Float64Array::from(vec![1e10, f64::NAN]));
    assert_eq!(encode(SqlType::Double, double, &[]), r#"{"c":1.0E10} / {"c":"NaN"}"#);
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"foo"]));
    assert_eq!(encode(SqlType::BYTES, bytes, &[]), r#"{"c":"Zm9v"}"#);
    let date: ArrayRef = Arc::new(Date32Array::from(vec![18_730]));
    assert_eq!(encode(SqlType::Date, date, &[]), r#"{"c":"2021-04-13"}"#);
    let time: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![72_731_000_000]));
    assert_eq!(encode(SqlType::Time(0), time, &[]), r#"{"c":"20:12:11"}"#);
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![14]));
    assert_eq!(encode(SqlType::IntervalYearMonth, months, &[]), r#"{"c":14}"#);
    let interval = IntervalMonthDayNano { months: 0, days: 1, nanoseconds: 5_000_000 };
    let interval: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![interval]));
    assert_eq!(encode(SqlType::IntervalDaySecond, interval, &[]), r#"{"c":86400005}"#);
}

#[test]
fn timestamps_follow_the_standard_and_the_precision() {
    let micros = |value| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![value])) };
    let utc = |value| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC")) };
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_618_344_731_123_456_789]));
    let iso = [("timestamp-format.standard", "ISO-8601")];
    let value = 1_618_344_731_123_456;
    assert_eq!(encode(SqlType::Timestamp(3), micros(value), &[]), r#"{"c":"2021-04-13 20:12:11.123"}"#);
    assert_eq!(encode(SqlType::Timestamp(6), micros(value), &[]), r#"{"c":"2021-04-13 20:12:11.123456"}"#);
    assert_eq!(encode(SqlType::Timestamp(0), micros(value), &[]), r#"{"c":"2021-04-13 20:12:11"}"#);
    assert_eq!(encode(SqlType::Timestamp(9), nanos, &[]), r#"{"c":"2021-04-13 20:12:11.123456789"}"#);
    assert_eq!(encode(SqlType::Timestamp(3), micros(value), &iso), r#"{"c":"2021-04-13T20:12:11.123"}"#);
    assert_eq!(encode(SqlType::TimestampLtz(3), utc(value), &[]), r#"{"c":"2021-04-13 20:12:11.123Z"}"#);
    assert_eq!(encode(SqlType::TimestampLtz(3), utc(value), &iso), r#"{"c":"2021-04-13T20:12:11.123Z"}"#);
}

#[test]
fn decimals_are_plain_when_asked() {
    let decimal = |plain| {
        let array: ArrayRef =
            Arc::new(Decimal128Array::from(vec![27, 10_000_000_000]).with_precision_and_scale(20, 9).unwrap());
        encode(SqlType::Decimal(20, 9), array, &[("encode.decimal-as-plain-number", plain)])
    };
    assert_eq!(decimal("false"), r#"{"c":2.7E-8} / {"c":1E+1}"#);
    assert_eq!(decimal("true"), r#"{"c":0.000000027} / {"c":10.000000000}"#);
}

#[test]
fn arrays_and_rows_nest() {
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(1), None]);
    list.append_null();
    list.append_value([]);
    let array = SqlType::Array(Box::new(SqlType::Int));
    let values: ArrayRef = Arc::new(list.finish());
    assert_eq!(encode(array.clone(), values.clone(), &[]), r#"{"c":[1,null]} / {"c":null} / {"c":[]}"#);

    let row = SqlType::Row(vec![("a".into(), array), ("b".into(), SqlType::STRING)]);
    let DataType::Struct(fields) = row.to_arrow() else { panic!("a row is a struct") };
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, None]));
    let values: ArrayRef = Arc::new(StructArray::new(fields, vec![values, names], None));
    assert_eq!(
        encode(row.clone(), values.slice(0, 2), &[]),
        r#"{"c":{"a":[1,null],"b":"x"}} / {"c":{"a":null,"b":null}}"#
    );
    assert_eq!(
        encode(row, values.slice(0, 2), &[("encode.ignore-null-fields", "true")]),
        r#"{"c":{"a":[1,null],"b":"x"}} / {"c":{}}"#
    );
}

#[test]
fn maps_are_objects() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.keys().append_value("l");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(true).unwrap();
    let sql_type = SqlType::Map(Box::new(SqlType::STRING), Box::new(SqlType::Int));
    let map = arrow_cast_map(&map.finish(), &sql_type);
    assert_eq!(encode(sql_type, map, &[]), r#"{"c":{"k":1,"l":null}} / {"c":{}}"#);
}

/// The builder's own field names differ from those of the SQL type.
fn arrow_cast_map(map: &arrow_array::MapArray, sql_type: &SqlType) -> ArrayRef {
    let DataType::Map(entries, _) = sql_type.to_arrow() else { panic!("a map is a map") };
    let DataType::Struct(fields) = entries.data_type() else { panic!("entries are structs") };
    let columns = map.entries().columns().to_vec();
    let entries_array = StructArray::new(fields.clone(), columns, None);
    Arc::new(arrow_array::MapArray::new(entries, map.offsets().clone(), entries_array, None, false))
}

#[test]
fn null_fields_can_be_left_out() {
    let batch = from_pretty("a INT, b INT, c INT", "+I NULL 1 NULL / +I NULL NULL NULL / +I 1 2 3");
    let options = [("encode.ignore-null-fields", "true")];
    assert_eq!(lines(batch.rows(), &options).unwrap(), r#"{"b":1} / {} / {"a":1,"b":2,"c":3}"#);
}

#[test]
fn a_slice_encodes_its_own_rows() {
    let batch = from_pretty("id INT, name STRING", "+I 1 a / +I 2 b / +I 3 NULL").slice(1, 2);
    assert_eq!(lines(batch.rows(), &[]).unwrap(), r#"{"id":2,"name":"b"} / {"id":3,"name":null}"#);
}

#[test]
fn names_are_escaped() {
    let schema = TableSchema::new(vec![Column::new("a\"b", SqlType::Int)]).to_arrow();
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
    assert_eq!(lines(&batch, &[]).unwrap(), r#"{"a\"b":1}"#);
}

#[test]
fn wrong_options_and_types_are_told() {
    let batch = from_pretty("id INT", "+I 1");
    let told = |options: &[(&str, &str)]| lines(batch.rows(), options).unwrap_err().to_string();
    assert!(told(&[("ignore-parse-error", "true")]).contains("did you mean 'ignore-parse-errors'?"));
    assert!(told(&[("timestamp-format.standard", "RFC")]).contains("expected one of SQL, ISO-8601"));
    let both = told(&[("ignore-parse-errors", "true"), ("fail-on-missing-field", "true")]);
    assert!(both.contains("shouldn't both be true"), "{both}");

    let map = SqlType::Map(Box::new(SqlType::Int), Box::new(SqlType::Int));
    let schema = TableSchema::new(vec![Column::new("m", map)]).to_arrow();
    let error = lines(&RecordBatch::new_empty(schema), &[]).unwrap_err().to_string();
    assert!(error.contains("column 'm': JSON format doesn't support non-string as key type of map"), "{error}");
}

#[test]
fn options_without_effect_are_noted() {
    let options = TableOptions::from_pairs([("ignore-parse-errors", "true")]);
    let notes = Json.encoders(&options).unwrap().notes();
    assert!(notes[0].contains("has no effect when writing"), "{notes:?}");
}
