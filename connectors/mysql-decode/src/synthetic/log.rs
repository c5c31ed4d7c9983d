//! Events around row images.

use arrow_schema::DataType;

use crate::column::{MySqlColumn, TargetColumn};
use crate::event::event_type;
use crate::synthetic::bytes::{datetime2, decimal, lenenc, prefixed};

/// One column of a table map: type byte, metadata bytes, nullable.
pub type ColumnBytes<'c> = (u8, &'c [u8], bool);

/// Values of one row image, `None` for NULL, all columns present.
pub type Image = Vec<Option<Vec<u8>>>;

/// Writes the events of one log, with CRC32 trailers and positions.
#[derive(Debug)]
pub struct EventWriter {
    position: u32,
    checksums: bool,
}

impl EventWriter {
    /// A log that begins now. Without checksums, events are as inside a compressed transaction.
    pub fn new(checksums: bool) -> Self {
        Self { position: 4, checksums }
    }

    /// An event of any type.
    pub fn event(&mut self, type_code: u8, body: &[u8]) -> Vec<u8> {
        let trailer = if self.checksums { 4 } else { 0 };
        let size = (19 + body.len() + trailer) as u32;
        self.position = self.position.wrapping_add(size);
        let mut event = Vec::with_capacity(size as usize);
        event.extend_from_slice(&1_700_000_000u32.to_le_bytes());
        event.push(type_code);
        event.extend_from_slice(&1u32.to_le_bytes());
        event.extend_from_slice(&size.to_le_bytes());
        event.extend_from_slice(&self.position.to_le_bytes());
        event.extend_from_slice(&[0, 0]);
        event.extend_from_slice(body);
        if self.checksums {
            event.extend_from_slice(&crc32fast::hash(&event).to_le_bytes());
        }
        event
    }

    /// The format description of a MySQL 8.4 server.
    pub fn format_description(&mut self) -> Vec<u8> {
        let mut body = vec![4, 0];
        let mut version = b"8.4.3".to_vec();
        version.resize(50, 0);
        body.extend_from_slice(&version);
        body.extend_from_slice(&[0, 0, 0, 0, 19]);
        let mut lengths = [0u8; 42];
        for (type_code, len) in
            [(2, 13), (4, 8), (15, 99), (19, 8), (23, 8), (24, 8), (25, 8), (30, 10), (31, 10), (32, 10)]
        {
            lengths[type_code - 1] = len;
        }
        body.extend_from_slice(&lengths);
        body.push(u8::from(self.checksums));
        if !self.checksums {
            body.extend_from_slice(&[0; 4]);
        }
        self.event(event_type::FORMAT_DESCRIPTION, &body)
    }

    /// A table map of `shop.orders` with `metadata` behind the nullable bits.
    pub fn table_map(&mut self, table_id: u64, columns: &[ColumnBytes<'_>], metadata: &[u8]) -> Vec<u8> {
        let mut body = [&table_id.to_le_bytes()[..6], &[1, 0], b"\x04shop\0\x06orders\0"].concat();
        body.extend(lenenc(columns.len() as u64));
        body.extend(columns.iter().map(|column| column.0));
        let meta: Vec<u8> = columns.iter().flat_map(|column| column.1.iter().copied()).collect();
        body.extend(lenenc(meta.len() as u64));
        body.extend(meta);
        body.extend(bitmap(columns.iter().map(|column| column.2), false));
        body.extend_from_slice(metadata);
        self.event(event_type::TABLE_MAP, &body)
    }

    /// A rows event, version 2, that ends its statement. Updates have two images per row.
    pub fn rows(&mut self, type_code: u8, table_id: u64, columns: usize, images: &[Image]) -> Vec<u8> {
        let mut body = [&table_id.to_le_bytes()[..6], &[1, 0, 2, 0]].concat();
        body.extend(lenenc(columns as u64));
        let bitmaps = if type_code == event_type::UPDATE_ROWS { 2 } else { 1 };
        for _ in 0..bitmaps {
            body.extend(bitmap((0..columns).map(|_| true), true));
        }
        for image in images {
            body.extend(bitmap(image.iter().map(Option::is_none), true));
            image.iter().flatten().for_each(|value| body.extend_from_slice(value));
        }
        self.event(type_code, &body)
    }
}

/// Bits from the lowest of the first byte on; the server sets the unused ones in rows events.
fn bitmap(bits: impl Iterator<Item = bool>, fill: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, bit) in bits.enumerate() {
        if index % 8 == 0 {
            bytes.push(if fill { 0xff } else { 0 });
        }
        if let Some(last) = bytes.last_mut() {
            *last = *last & !(1 << (index % 8)) | u8::from(bit) << (index % 8);
        }
    }
    bytes
}

/// One transaction that inserts two rows of one BIGINT.
pub fn example_log() -> Vec<Vec<u8>> {
    let mut writer = EventWriter::new(true);
    let image = |id: i64| vec![Some(id.to_le_bytes().to_vec())];
    vec![
        writer.format_description(),
        writer.table_map(7, &[(8, &[], false)], &[]),
        writer.rows(event_type::WRITE_ROWS, 7, 1, &[image(1), image(2)]),
        writer.event(event_type::XID, &9u64.to_le_bytes()),
    ]
}

/// The columns of [`bench_log`]: six, about 44 bytes per row.
pub fn bench_columns() -> Vec<TargetColumn> {
    let timestamp = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None);
    [
        ("id", "bigint", DataType::Int64),
        ("user_id", "int", DataType::Int32),
        ("name", "varchar(32)", DataType::Utf8),
        ("price", "decimal(10,2)", DataType::Decimal128(10, 2)),
        ("created_at", "datetime", timestamp),
        ("quantity", "int", DataType::Int32),
    ]
    .into_iter()
    .enumerate()
    .filter_map(|(source_index, (name, column_type, target))| {
        let source = MySqlColumn::parse(name, column_type, Some("utf8mb4")).ok()?;
        Some(TargetColumn { source_index, source, target, nullable: true })
    })
    .collect()
}

/// A log of `events` inserts of `rows` rows each into a table of [`bench_columns`]: a format description, then a table
/// map and a rows event per insert.
pub fn bench_log(events: usize, rows: usize) -> Vec<Vec<u8>> {
    let mut writer = EventWriter::new(true);
    let columns: [ColumnBytes<'_>; 6] = [
        (8, &[], false),
        (3, &[], true),
        (15, &[128, 0], true),
        (246, &[10, 2], true),
        (18, &[0], true),
        (3, &[], true),
    ];
    let mut log = vec![writer.format_description()];
    let mut id = 0u64;
    for _ in 0..events {
        log.push(writer.table_map(7, &columns, &[]));
        let images: Vec<Image> = (0..rows)
            .map(|_| {
                id += 1;
                bench_row(id)
            })
            .collect();
        log.push(writer.rows(event_type::WRITE_ROWS, 7, 6, &images));
    }
    log
}

fn bench_row(id: u64) -> Image {
    let names = ["a customer name 012", "somebody", "x", "the longest name of them all"];
    let name = names[(id % 4) as usize];
    vec![
        Some(id.to_le_bytes().to_vec()),
        Some((id as u32 % 1000).to_le_bytes().to_vec()),
        Some(prefixed(1, name.as_bytes())),
        Some(decimal(i128::from(id % 1_000_000) - 500_000, 10, 2)),
        Some(datetime2([2024, 1 + id % 12, 1 + id % 28], [id % 24, id % 60, id % 59], 0, 0)),
        Some((id as u32 % 17).to_le_bytes().to_vec()),
    ]
}
