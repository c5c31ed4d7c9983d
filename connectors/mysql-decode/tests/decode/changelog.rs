//! What happens to rows: kinds of changes, keys, resuming, failing half-way.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::DataType;
use sluice_mysql_decode::event::event_type::{DELETE_ROWS, UPDATE_ROWS, WRITE_ROWS};
use sluice_mysql_decode::synthetic::{EventWriter, Image, prefixed};
use sluice_mysql_decode::{
    BinlogParser, ErrorKind, EventBody, Flavour, MySqlColumn, RowBatchBuilder, RowDecoder, TargetColumn, UpdateMode,
};

/// `id INT PRIMARY KEY, name VARCHAR(20), note VARCHAR(20)`; the note is not wanted.
struct Table {
    decoder: Option<RowDecoder>,
    parser: BinlogParser,
    writer: EventWriter,
    out: RowBatchBuilder,
    mode: UpdateMode,
}

impl Table {
    fn new(mode: UpdateMode) -> Self {
        let out = RowBatchBuilder::new(&columns(), &[0]).unwrap();
        let parser = BinlogParser::new(Flavour::MySql);
        Self { decoder: None, parser, writer: EventWriter::new(false), out, mode }
    }

    fn change(&mut self, type_code: u8, images: &[Image]) -> sluice_mysql_decode::Result<usize> {
        self.change_from(0, type_code, images).map(|decoded| decoded.emitted)
    }

    fn change_from(
        &mut self,
        first: usize,
        type_code: u8,
        images: &[Image],
    ) -> sluice_mysql_decode::Result<sluice_mysql_decode::DecodedRows> {
        let table = self.writer.table_map(1, &[(3, &[], false), (15, &[80, 0], true), (15, &[80, 0], true)], &[]);
        if let EventBody::TableMap(table) = self.parser.parse(&table)?.body {
            self.decoder.get_or_insert(RowDecoder::new(&table, &columns())?);
        }
        let rows = self.writer.rows(type_code, 1, 3, images);
        let EventBody::Rows(rows) = self.parser.parse(&rows)?.body else { panic!("no rows") };
        self.decoder.as_mut().unwrap().decode_from(&rows, first, self.mode, &mut self.out)
    }

    fn insert(&mut self, rows: &[(i32, &str)]) {
        let images: Vec<Image> = rows.iter().map(|(id, name)| image(Some(*id), name)).collect();
        self.change(WRITE_ROWS, &images).unwrap();
    }

    fn update(&mut self, before: (i32, &str), after: (i32, &str)) {
        self.change(UPDATE_ROWS, &[image(Some(before.0), before.1), image(Some(after.0), after.1)]).unwrap();
    }

    fn changelog(&mut self) -> Vec<String> {
        let (arrays, kinds) = self.out.finish().unwrap();
        let kinds = kinds.unwrap_or_else(|| vec![0; arrays[0].len()]);
        let (ids, names) = (arrays[0].as_primitive::<Int32Type>(), arrays[1].as_string::<i32>());
        let kind = |row: usize| ["+I", "-U", "+U", "-D"][usize::from(kinds[row])];
        (0..kinds.len()).map(|row| format!("{} {} {}", kind(row), ids.value(row), names.value(row))).collect()
    }
}

fn columns() -> Vec<TargetColumn> {
    let column = |source_index, name, column_type, target| TargetColumn {
        source_index,
        source: MySqlColumn::parse(name, column_type, Some("utf8mb4")).unwrap(),
        target,
        nullable: source_index != 0,
    };
    vec![column(0, "id", "int", DataType::Int32), column(1, "name", "varchar(20)", DataType::Utf8)]
}

fn image(id: Option<i32>, name: &str) -> Image {
    let id = id.map(|id| id.to_le_bytes().to_vec());
    vec![id, Some(prefixed(1, name.as_bytes())), Some(prefixed(1, b"not wanted"))]
}

#[test]
fn before_and_after() {
    let mut table = Table::new(UpdateMode::BeforeAndAfter);
    table.insert(&[(1, "a"), (2, "b")]);
    table.update((1, "a"), (1, "A"));
    table.update((2, "b"), (3, "b"));
    table.change(DELETE_ROWS, &[image(Some(3), "b")]).unwrap();
    assert_eq!(table.changelog(), ["+I 1 a", "+I 2 b", "-U 1 a", "+U 1 A", "-D 2 b", "+I 3 b", "-D 3 b"]);
}

#[test]
fn after_only_still_splits_a_changed_key() {
    let mut table = Table::new(UpdateMode::AfterOnly);
    table.insert(&[(1, "a")]);
    table.update((1, "a"), (1, "A"));
    table.update((1, "A"), (9, "A"));
    table.update((9, "A"), (9, "B"));
    assert_eq!(table.changelog(), ["+I 1 a", "+U 1 A", "-D 1 A", "+I 9 A", "+U 9 B"]);
}

#[test]
fn a_batch_of_inserts_has_no_kinds_and_the_builder_goes_on() {
    let mut table = Table::new(UpdateMode::AfterOnly);
    table.insert(&[(1, "a")]);
    assert_eq!(table.out.finish().unwrap().1, None);
    table.update((1, "a"), (1, "b"));
    assert_eq!(table.changelog(), ["+U 1 b"]);
    assert!(table.out.is_empty());
}

#[test]
fn decoding_resumes_inside_an_event() {
    let images = [image(Some(1), "a"), image(Some(1), "b"), image(Some(2), "c"), image(Some(2), "d")];
    for (first, expected) in [(0, vec!["+U 1 b", "+U 2 d"]), (1, vec!["+U 2 d"]), (2, vec![]), (9, vec![])] {
        let mut table = Table::new(UpdateMode::AfterOnly);
        let decoded = table.change_from(first, UPDATE_ROWS, &images).unwrap();
        assert_eq!((decoded.read, decoded.emitted), (2, expected.len()));
        assert_eq!(table.changelog(), expected);
    }
    let mut table = Table::new(UpdateMode::AfterOnly);
    assert_eq!(table.change_from(3, WRITE_ROWS, &images).unwrap().emitted, 1);
    assert_eq!(table.changelog(), ["+I 2 d"]);
}

#[test]
fn a_failed_event_leaves_the_batch_as_it_was() {
    let mut table = Table::new(UpdateMode::BeforeAndAfter);
    table.insert(&[(1, "a")]);
    let error = table.change(WRITE_ROWS, &[image(Some(2), "b"), image(None, "c")]).unwrap_err();
    assert_eq!((error.kind(), error.table(), error.column()), (ErrorKind::Value, Some("shop.orders"), Some("id")));
    assert!(error.position().is_some());

    let mut broken = image(Some(3), "c");
    broken[1] = Some(prefixed(1, b"\xff\xfe"));
    let error = table.change(WRITE_ROWS, &[image(Some(2), "b"), broken]).unwrap_err();
    assert!(error.to_string().contains("VARCHAR(20) value is not valid in character set utf8mb4: 0xfffe"), "{error}");

    let mut cut = image(Some(4), "d");
    cut[2] = Some(vec![200, 1]);
    assert_eq!(table.change(UPDATE_ROWS, &[image(Some(4), "d"), cut]).unwrap_err().kind(), ErrorKind::Malformed);

    table.insert(&[(5, "e")]);
    assert_eq!(table.changelog(), ["+I 1 a", "+I 5 e"]);
}

#[test]
fn text_split_between_two_rows_is_not_text() {
    let mut table = Table::new(UpdateMode::AfterOnly);
    let (mut first, mut second) = (image(Some(1), ""), image(Some(2), ""));
    first[1] = Some(prefixed(1, b"\xc3"));
    second[1] = Some(prefixed(1, b"\xa9"));
    assert_eq!(table.change(WRITE_ROWS, &[first, second]).unwrap_err().kind(), ErrorKind::Value);
}

#[test]
fn columns_that_are_not_in_the_table_are_a_schema_error() {
    let mut writer = EventWriter::new(false);
    let bytes = writer.table_map(1, &[(3, &[], false)], &[]);
    let EventBody::TableMap(table) = BinlogParser::new(Flavour::MySql).parse(&bytes).unwrap().body else { panic!() };
    let error = RowDecoder::new(&table, &columns()).unwrap_err();
    assert_eq!((error.kind(), error.column()), (ErrorKind::Schema, Some("name")));
    let twice = [columns()[0].clone(), columns()[0].clone()];
    assert_eq!(RowDecoder::new(&table, &twice).unwrap_err().kind(), ErrorKind::Schema);
}
