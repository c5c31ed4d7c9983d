//! One value at a time: bytes of a row event, the declared type, the target, and what comes out.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use sluice_mysql_decode::event::event_type::WRITE_ROWS;
use sluice_mysql_decode::synthetic::{ColumnBytes, EventWriter, datetime2, decimal, prefixed};
use sluice_mysql_decode::{
    BinlogParser, DecodeError, DecodeOptions, ErrorKind, EventBody, Flavour, MySqlColumn, RowBatchBuilder, RowDecoder,
    TargetColumn, UpdateMode, UtcOffset,
};

/// A column in the log: declared type, type byte, metadata.
struct Cell {
    column_type: &'static str,
    charset: &'static str,
    wire: ColumnBytes<'static>,
    nullable: bool,
    options: DecodeOptions,
}

fn cell(column_type: &'static str, code: u8, meta: &'static [u8]) -> Cell {
    let options = DecodeOptions::default();
    Cell { column_type, charset: "utf8mb4", wire: (code, meta, true), nullable: true, options }
}

impl Cell {
    fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    fn charset(mut self, charset: &'static str) -> Self {
        self.charset = charset;
        self
    }

    fn decode(&self, bytes: &[u8], target: DataType) -> Result<(ArrayRef, RowBatchBuilder), DecodeError> {
        let source = MySqlColumn::parse("c", self.column_type, Some(self.charset))?;
        let columns = [TargetColumn { source_index: 0, source, target, nullable: self.nullable }];
        let mut writer = EventWriter::new(false);
        let mut parser = BinlogParser::new(Flavour::MySql);
        let table = writer.table_map(1, &[self.wire], &[]);
        let EventBody::TableMap(table) = parser.parse(&table)?.body else { panic!("no table map") };
        let rows = writer.rows(WRITE_ROWS, 1, 1, &[vec![Some(bytes.to_vec())]]);
        let EventBody::Rows(rows) = parser.parse(&rows)?.body else { panic!("no rows") };
        let mut out = RowBatchBuilder::new(&columns, &[])?;
        let mut decoder = RowDecoder::with_options(&table, &columns, self.options.clone())?;
        decoder.decode(&rows, UpdateMode::AfterOnly, &mut out)?;
        let array = out.finish()?.0.remove(0);
        assert_eq!(array.len(), 1);
        Ok((array, out))
    }

    /// The value as Arrow prints it, without the type.
    fn prints(&self, bytes: &[u8], target: DataType) -> String {
        let (array, _) = self.decode(bytes, target).unwrap_or_else(|error| panic!("{error}"));
        let text = format!("{array:?}");
        let inside = text.split_once("[\n").unwrap().1.trim().trim_end_matches(']').trim();
        inside.trim_end_matches(',').trim_matches('"').to_owned()
    }

    fn fails(&self, bytes: &[u8], target: DataType) -> DecodeError {
        self.decode(bytes, target).map(|_| ()).unwrap_err()
    }
}

const MICROS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const NANOS: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);
const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);

#[test]
fn integers_widen_and_narrow_but_never_wrap() {
    let unsigned = cell("int unsigned", 3, &[]);
    assert_eq!(unsigned.prints(&[255; 4], DataType::Int64), "4294967295");
    assert_eq!(unsigned.prints(&[255; 4], DataType::Decimal128(12, 2)), "429496729500", "unscaled");
    assert_eq!(unsigned.prints(&[255; 4], DataType::Float64), "4294967295.0");
    assert_eq!(unsigned.prints(&[255; 4], DataType::Utf8), "4294967295");
    assert_eq!(unsigned.fails(&[255; 4], DataType::Int32).kind(), ErrorKind::Value);
    let big = cell("bigint unsigned", 8, &[]);
    assert_eq!(big.prints(&[255; 8], DataType::Decimal128(20, 0)), "18446744073709551615");
    assert_eq!(big.fails(&[255; 8], DataType::Int64).hint(), Some("declare a wider type"));
    assert_eq!(cell("tinyint(1)", 1, &[]).prints(&[100], DataType::Boolean), "true");
    assert_eq!(cell("tinyint(1)", 1, &[]).prints(&[100], DataType::Int8), "100");
    assert_eq!(cell("mediumint", 9, &[]).prints(&[0, 0, 0x80], DataType::Int32), "-8388608");
    assert_eq!(cell("bit(1)", 16, &[1, 0]).prints(&[1], DataType::Boolean), "true");
    assert_eq!(cell("bit(9)", 16, &[1, 1]).prints(&[1, 1], DataType::Int64), "257");
}

#[test]
fn decimals_are_exact_or_null() {
    let price = cell("decimal(10,2)", 246, &[10, 2]);
    let bytes = decimal(-1_234_567_895, 10, 2);
    assert_eq!(price.prints(&bytes, DataType::Decimal128(10, 2)), "-1234567895", "unscaled");
    assert_eq!(price.prints(&bytes, DataType::Decimal128(9, 1)), "-123456790", "half away from zero");
    assert_eq!(price.prints(&bytes, DataType::Decimal128(38, 10)), "-123456789500000000");
    let (array, out) = price.decode(&bytes, DataType::Decimal128(6, 2)).unwrap();
    assert!(array.is_null(0) && out.decimal_overflows() == 1);
    assert_eq!(
        cell("decimal(10,2)", 246, &[10, 2]).not_null().fails(&bytes, DataType::Decimal128(6, 2)).kind(),
        ErrorKind::Value
    );
    assert_eq!(price.prints(&bytes, DataType::Float64), "-12345678.95");
    let wide = cell("decimal(39,0)", 246, &[39, 0]);
    assert_eq!(wide.prints(&decimal(i128::MAX, 39, 0), DataType::Utf8), "170141183460469231731687303715884105727");
    assert!(wide.fails(&[0; 17], DataType::Decimal128(38, 0)).hint().unwrap().contains("Utf8"));
}

#[test]
fn zero_dates_become_null_or_an_error_or_stay_text() {
    let zero = [0, 0, 0];
    let (array, out) = cell("date", 10, &[]).decode(&zero, DataType::Date32).unwrap();
    assert!(array.is_null(0) && out.invalid_dates() == 1);
    let error = cell("date", 10, &[]).not_null().fails(&zero, DataType::Date32);
    assert_eq!((error.kind(), error.column()), (ErrorKind::Value, Some("c")));
    assert_eq!(cell("date", 10, &[]).prints(&zero, DataType::Utf8), "0000-00-00");
    let partial = datetime2([2024, 0, 10], [0, 0, 0], 0, 0);
    assert!(cell("datetime", 18, &[0]).decode(&partial, MICROS).unwrap().0.is_null(0));
    assert!(cell("timestamp", 17, &[0]).decode(&[0; 4], MICROS).unwrap().0.is_null(0));
}

#[test]
fn datetimes_keep_their_fraction_and_have_no_zone() {
    let bytes = datetime2([9999, 12, 31], [23, 59, 59], 999_999, 6);
    let datetime = cell("datetime(6)", 18, &[6]);
    assert_eq!(datetime.prints(&bytes, MICROS), "9999-12-31T23:59:59.999999");
    assert_eq!(datetime.prints(&bytes, DataType::Utf8), "9999-12-31 23:59:59.999999");
    assert!(datetime.fails(&bytes, NANOS).to_string().contains("1677 to 2262"));
    assert_eq!(
        cell("datetime(3)", 18, &[3]).prints(&datetime2([99, 1, 2], [3, 4, 5], 67_000, 3), MICROS),
        "0099-01-02T03:04:05.067"
    );
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert!(datetime.fails(&bytes, utc).hint().unwrap().contains("without a time zone"));
}

#[test]
fn timestamps_are_utc_and_local_only_where_the_target_has_no_zone() {
    let bytes = [&1_700_000_000u32.to_be_bytes()[..], &[50]].concat();
    let mut timestamp = cell("timestamp(2)", 17, &[2]);
    timestamp.options.utc_offset = UtcOffset::Zone(Arc::new(|utc| if utc > 0 { 8 * 3_600_000_000 } else { 0 }));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    assert_eq!(timestamp.prints(&bytes, utc), "2023-11-14T22:13:20.500+00:00");
    assert_eq!(timestamp.prints(&bytes, MICROS), "2023-11-15T06:13:20.500");
    assert_eq!(timestamp.prints(&bytes, DataType::Utf8), "2023-11-15 06:13:20.50");
}

#[test]
fn times_are_times_of_day_or_text() {
    let negative = 0x8000_0000u32 - ((1 << 12 | 2 << 6 | 3) << 8 | 50);
    let time = cell("time(1)", 19, &[1]);
    assert_eq!(time.prints(&negative.to_be_bytes(), DataType::Utf8), "-01:02:03.5");
    let error = time.fails(&negative.to_be_bytes(), TIME);
    assert!(error.hint().unwrap().contains("declare the column as STRING"));
    assert_eq!(cell("time", 19, &[0]).prints(&[0x81, 0x70, 0xbb], TIME), "23:02:59");
}

#[test]
fn types_of_tables_made_before_mysql_5_6() {
    assert_eq!(cell("datetime", 12, &[]).prints(&20_240_229_235_958u64.to_le_bytes(), MICROS), "2024-02-29T23:59:58");
    assert_eq!(cell("timestamp", 7, &[]).prints(&1u32.to_le_bytes(), MICROS), "1970-01-01T00:00:01");
    assert_eq!(cell("time", 11, &[]).prints(&(-8_385_959i32).to_le_bytes()[..3], DataType::Utf8), "-838:59:59");
    assert_eq!(cell("datetime", 12, &[]).fails(&u64::MAX.to_le_bytes(), MICROS).kind(), ErrorKind::Malformed);
}

#[test]
fn text_is_decoded_by_its_character_set() {
    let latin1 = cell("varchar(10)", 15, &[10, 0]).charset("latin1");
    assert_eq!(latin1.prints(&prefixed(1, b"caf\xe9 \x80"), DataType::Utf8), "café €");
    let utf8 = cell("varchar(10)", 15, &[40, 0]);
    assert_eq!(utf8.prints(&prefixed(1, "naïve".as_bytes()), DataType::Utf8), "naïve");
    assert!(utf8.fails(&prefixed(1, b"\xe9"), DataType::Utf8).to_string().contains("0xe9"));
    let gbk = cell("varchar(10)", 15, &[20, 0]).charset("gbk").fails(&prefixed(1, b"x"), DataType::Utf8);
    assert!(gbk.to_string().contains("character set gbk is not supported yet"), "{gbk}");
    let long = prefixed(2, "é".repeat(300).as_bytes());
    assert_eq!(cell("varchar(400)", 15, &[0x40, 6]).prints(&long, DataType::Utf8), "é".repeat(300));
}

#[test]
fn binary_is_filled_up_again() {
    let (array, _) = cell("binary(4)", 254, &[254, 4]).decode(&prefixed(1, b"ab"), DataType::Binary).unwrap();
    assert_eq!(format!("{array:?}"), "BinaryArray\n[\n  [97, 98, 0, 0],\n]");
    let error = cell("binary(4)", 254, &[254, 4]).fails(&prefixed(1, b"ab"), DataType::Utf8);
    assert_eq!(error.hint(), Some("supported target types: Binary"));
}

#[test]
fn labels_come_from_the_declaration() {
    let size = cell("enum('small','large')", 254, &[247, 1]);
    assert_eq!(size.prints(&[2], DataType::Utf8), "large");
    assert_eq!(size.prints(&[0], DataType::Utf8), "");
    assert_eq!(size.fails(&[3], DataType::Utf8).kind(), ErrorKind::Schema);
    let set = cell("set('x','y','z')", 254, &[248, 1]);
    assert_eq!(set.prints(&[0b101], DataType::Utf8), "x,z");
    assert_eq!(set.fails(&[0b1000], DataType::Utf8).kind(), ErrorKind::Schema);
}

#[test]
fn what_is_not_supported_is_refused_before_the_first_row() {
    let geometry = cell("point", 255, &[4]).fails(&[], DataType::Binary);
    assert!(geometry.to_string().contains("GEOMETRY is not supported yet"), "{geometry}");
    let drift = cell("bigint", 3, &[]).fails(&[1, 0, 0, 0], DataType::Int64);
    assert_eq!(drift.kind(), ErrorKind::Schema);
    assert_eq!(cell("varchar(9) ", 141, &[9, 0]).fails(&[1, 0], DataType::Utf8).kind(), ErrorKind::Unsupported);
}
