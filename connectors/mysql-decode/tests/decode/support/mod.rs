//! Fixtures: the recorded bytes of one server, and what it said about them.

mod lines;
mod render;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, TimeUnit};
use sluice_mysql_decode::event::{Event, EventBody};
use sluice_mysql_decode::{
    BinlogParser, Flavour, MySqlColumn, MySqlType, ResultRowDecoder, RowBatchBuilder, RowDecoder, TargetColumn,
    UpdateMode,
};

pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<MySqlColumn>,
}

/// A row kind and the values, `None` for NULL.
pub(crate) type Line = Vec<Option<String>>;

impl Fixture {
    pub(crate) fn mysql() -> Self {
        Self::open("mysql")
    }

    pub(crate) fn mariadb() -> Self {
        Self::open("mariadb")
    }

    fn open(name: &'static str) -> Self {
        let mut fixture = Self { name, columns: Vec::new() };
        let text = fixture.file_text("columns.tsv");
        for line in text.lines() {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap();
            let (column, column_type, charset) = (next(), next(), next());
            let charset = Some(charset).filter(|charset| !charset.is_empty());
            fixture.columns.push(MySqlColumn::parse(column, column_type, charset).unwrap());
        }
        fixture
    }

    fn path(&self, name: &str) -> String {
        format!("{}/tests/fixtures/{}/{name}", env!("CARGO_MANIFEST_DIR"), self.name)
    }

    fn file(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn file_text(&self, name: &str) -> String {
        String::from_utf8(self.file(name)).unwrap()
    }

    /// The events of the file, whole.
    pub(crate) fn events(&self) -> Vec<Vec<u8>> {
        let file = self.file("binlog.bin");
        let mut rest = &file[4..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let size = u32::from_le_bytes(rest[9..13].try_into().unwrap()) as usize;
            events.push(rest[..size].to_vec());
            rest = &rest[size..];
        }
        events
    }

    /// Every event, those inside compressed transactions too.
    pub(crate) fn each_event(&self, mut visit: impl FnMut(&Event<'_>)) {
        // The wrong flavour at first: the format description must correct it.
        let mut parser = BinlogParser::new(Flavour::MySql);
        for bytes in self.events() {
            let event = parser.parse(&bytes).unwrap();
            visit(&event);
            if let EventBody::TransactionPayload(payload) = &event.body {
                let mut inner = payload.events(1 << 20).unwrap();
                while let Some(event) = inner.next(&mut parser).unwrap() {
                    visit(&event);
                }
            }
        }
    }

    fn decode(&self, targets: &[TargetColumn]) -> RowBatchBuilder {
        let mut out = RowBatchBuilder::new(targets, &[0]).unwrap();
        let mut decoders = HashMap::new();
        self.each_event(|event| {
            if let EventBody::Rows(rows) = &event.body
                && rows.table.table == "types"
            {
                let decoder = decoders
                    .entry(Arc::as_ptr(&rows.table))
                    .or_insert_with(|| RowDecoder::new(&rows.table, targets).unwrap_or_else(|error| panic!("{error}")));
                decoder.decode(rows, UpdateMode::BeforeAndAfter, &mut out).unwrap_or_else(|error| panic!("{error}"));
            }
        });
        out
    }

    /// All changes of table `types`.
    pub(crate) fn changelog(&self, targets: &[TargetColumn]) -> Vec<Line> {
        let (arrays, kinds) = self.decode(targets).finish().unwrap();
        render::lines(&arrays, &kinds.unwrap(), targets)
    }

    pub(crate) fn expected_changelog(&self) -> Vec<Line> {
        let parse = |line: &str| serde_json::from_str::<Line>(line).unwrap();
        let mut lines: Vec<Line> = self.file_text("rows.jsonl").lines().map(parse).collect();
        for line in &mut lines {
            for (value, column) in line.iter_mut().skip(1).zip(&self.columns) {
                render::expected(value, column);
            }
        }
        lines
    }

    /// Rows of the inserts before the first other change.
    pub(crate) fn first_inserts(&self, targets: &[TargetColumn]) -> Vec<ArrayRef> {
        let mut out = self.decode(targets);
        let inserts = out.kinds().iter().take_while(|kind| **kind == 0).count();
        out.truncate(inserts);
        out.finish().unwrap().0
    }

    /// The same rows from the prepared SELECT; recorded in the order of the key, 5 before the highest.
    pub(crate) fn selected(&self, targets: &[TargetColumn]) -> Vec<ArrayRef> {
        let mut decoder = ResultRowDecoder::new(targets).unwrap();
        let mut packets = self.packets();
        let highest = packets.pop().unwrap();
        packets.insert(2, highest);
        let mut out = RowBatchBuilder::new(targets, &[0]).unwrap();
        for packet in packets {
            decoder.decode_row(&packet, &mut out).unwrap_or_else(|error| panic!("{error}"));
        }
        out.finish().unwrap().0
    }

    pub(crate) fn packets(&self) -> Vec<Vec<u8>> {
        let file = self.file("packets.bin");
        let mut rest = &file[..];
        let mut packets = Vec::new();
        while let Some((len, tail)) = rest.split_first_chunk::<4>() {
            let (packet, tail) = tail.split_at(u32::from_le_bytes(*len) as usize);
            packets.push(packet.to_vec());
            rest = tail;
        }
        packets
    }

    /// Compares the events, one per line, with `events.txt`. `UPDATE_FIXTURES=1` writes the file instead.
    pub(crate) fn check_events(&self) {
        let found = self.event_lines().join("\n") + "\n";
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(self.path("events.txt"), found).unwrap();
            return;
        }
        assert_eq!(found, self.file_text("events.txt"), "{}", self.name);
    }

    fn event_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.each_event(|event| lines.push(lines::line(event)));
        lines
    }
}

/// Columns of `types` with one target.
pub(crate) fn columns(types: &[(&str, &str)], target: DataType) -> Vec<TargetColumn> {
    let column = |(source_index, (name, column_type)): (usize, &(&str, &str))| TargetColumn {
        source_index,
        source: MySqlColumn::parse(*name, column_type, Some("utf8mb4")).unwrap(),
        target: target.clone(),
        nullable: true,
    };
    types.iter().enumerate().map(column).collect()
}

/// Text where there is one, bytes for bits and binary types, Float64 for singles.
pub(crate) fn text_targets(columns: &[MySqlColumn]) -> Vec<TargetColumn> {
    targets(columns, |column| match column.kind {
        MySqlType::Bit => DataType::Binary,
        MySqlType::Float => DataType::Float64,
        kind if is_bytes(kind) => DataType::Binary,
        _ => DataType::Utf8,
    })
}

/// The type that holds all values of the column.
pub(crate) fn typed_targets(columns: &[MySqlColumn]) -> Vec<TargetColumn> {
    targets(columns, |column| match column.kind {
        MySqlType::TinyInt if column.is_boolean => DataType::Boolean,
        MySqlType::TinyInt if !column.unsigned => DataType::Int8,
        MySqlType::TinyInt | MySqlType::SmallInt | MySqlType::Year if !column.unsigned => DataType::Int16,
        MySqlType::TinyInt | MySqlType::SmallInt | MySqlType::MediumInt => DataType::Int32,
        MySqlType::Int | MySqlType::BigInt if !column.unsigned => DataType::Int64,
        MySqlType::Int => DataType::Decimal128(12, 2),
        MySqlType::BigInt => DataType::Decimal128(20, 0),
        MySqlType::Float => DataType::Float32,
        MySqlType::Double => DataType::Float64,
        MySqlType::Decimal if column.length <= 38 => DataType::Decimal128(column.length as u8, column.decimals as i8),
        MySqlType::Date => DataType::Date32,
        MySqlType::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
        MySqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        MySqlType::Set => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        MySqlType::Bit if column.length < 64 => DataType::Int64,
        kind if is_bytes(kind) || kind == MySqlType::Bit => DataType::Binary,
        _ => DataType::Utf8,
    })
}

fn targets(columns: &[MySqlColumn], target: impl Fn(&MySqlColumn) -> DataType) -> Vec<TargetColumn> {
    let column = |(source_index, source): (usize, &MySqlColumn)| TargetColumn {
        source_index,
        source: source.clone(),
        target: target(source),
        nullable: true,
    };
    columns.iter().enumerate().map(column).collect()
}

pub(crate) fn is_bytes(kind: MySqlType) -> bool {
    matches!(kind, MySqlType::Binary | MySqlType::VarBinary | MySqlType::Blob | MySqlType::Vector)
}
