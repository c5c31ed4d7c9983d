//! The state of the parser: checksums, table maps, rotations, unknown events.

use std::sync::Arc;

use sluice_mysql_decode::event::event_type as t;
use sluice_mysql_decode::event::{Checksum, EventBody};
use sluice_mysql_decode::synthetic::{EventWriter, Image};
use sluice_mysql_decode::{BinlogParser, DecodeError, ErrorKind, Flavour, TableMap};

struct Log {
    parser: BinlogParser,
    writer: EventWriter,
}

impl Log {
    fn new() -> Self {
        let mut log = Self { parser: BinlogParser::new(Flavour::MySql), writer: EventWriter::new(true) };
        let format = log.writer.format_description();
        log.parser.parse(&format).unwrap();
        log
    }

    fn table_map(&mut self, table_id: u64, columns: usize) -> Arc<TableMap> {
        let event = self.writer.table_map(table_id, &vec![(8, &[][..], false); columns], &[]);
        let EventBody::TableMap(table) = self.parser.parse(&event).unwrap().body else { panic!("no table map") };
        table
    }

    fn rows(&mut self, table_id: u64) -> Result<(), DecodeError> {
        let image: Image = vec![Some(vec![1; 8])];
        let event = self.writer.rows(t::WRITE_ROWS, table_id, 1, &[image]);
        self.parser.parse(&event).map(|_| ())
    }

    fn event(&mut self, type_code: u8, body: &[u8]) -> Result<String, DecodeError> {
        let event = self.writer.event(type_code, body);
        self.parser.parse(&event).map(|event| format!("{:?}", event.body))
    }
}

#[test]
fn every_bit_of_an_event_is_covered_by_its_checksum() {
    let mut log = Log::new();
    assert_eq!(log.parser.checksum(), Checksum::Crc32);
    let event = log.writer.event(t::XID, &7u64.to_le_bytes());
    assert!(matches!(log.parser.parse(&event).unwrap().body, EventBody::Xid(7)));
    for byte in 0..event.len() {
        let mut damaged = event.clone();
        damaged[byte] ^= 0x10;
        assert!(log.parser.parse(&damaged).is_err(), "byte {byte}");
        assert!(log.parser.parse(&event[..byte]).is_err(), "cut at {byte}");
    }
    let mut damaged = event;
    damaged[20] ^= 1;
    let error = log.parser.parse(&damaged).unwrap_err();
    assert_eq!((error.kind(), error.position().is_some()), (ErrorKind::Checksum, true));
}

#[test]
fn a_table_map_is_parsed_once_and_lives_until_its_statement_ends() {
    let mut log = Log::new();
    let first = log.table_map(5, 1);
    log.rows(5).unwrap();
    let error = log.rows(5).unwrap_err();
    assert!(error.to_string().contains("table id 5"), "{error}");
    assert!(Arc::ptr_eq(&first, &log.table_map(5, 1)), "the same bytes give the same map");
    assert!(!Arc::ptr_eq(&first, &log.table_map(5, 2)), "other bytes give another");
}

#[test]
fn a_rows_event_of_the_dummy_table_only_ends_the_statement() {
    let mut log = Log::new();
    log.table_map(5, 1);
    let body = [&0x00ff_ffffu64.to_le_bytes()[..6], &[1, 0, 2, 0]].concat();
    assert_eq!(log.event(t::WRITE_ROWS, &body).unwrap(), "StatementEnd");
    assert!(log.rows(5).is_err());
}

#[test]
fn an_artificial_rotation_keeps_the_table_maps_and_a_real_one_does_not() {
    let body = [&4u64.to_le_bytes()[..], b"binlog.000002"].concat();
    let mut log = Log::new();
    log.table_map(5, 1);
    let mut artificial = EventWriter::new(false).event(t::ROTATE, &body);
    artificial[..4].fill(0);
    artificial[13..17].fill(0);
    artificial[17] = 0x20;
    artificial.extend_from_slice(&[0; 4]);
    let size = artificial.len() as u32;
    artificial[9..13].copy_from_slice(&size.to_le_bytes());
    let end = artificial.len() - 4;
    let crc = crc32fast::hash(&artificial[..end]);
    artificial[end..].copy_from_slice(&crc.to_le_bytes());
    let EventBody::Rotate(rotate) = log.parser.parse(&artificial).unwrap().body else { panic!("no rotation") };
    assert_eq!((rotate.file.as_ref(), rotate.position, rotate.is_artificial), ("binlog.000002", 4, true));
    log.rows(5).unwrap();

    log.table_map(5, 1);
    assert!(log.event(t::ROTATE, &body).unwrap().contains("is_artificial: false"));
    assert_eq!(log.parser.checksum(), Checksum::Unknown);
    assert!(log.rows(5).is_err());
}

#[test]
fn the_first_rotation_is_read_with_and_without_a_checksum() {
    let body = [&4u64.to_le_bytes()[..], b"binlog.000001"].concat();
    for checksums in [true, false] {
        let event = EventWriter::new(checksums).event(t::ROTATE, &body);
        let mut parser = BinlogParser::new(Flavour::MySql);
        let EventBody::Rotate(rotate) = parser.parse(&event).unwrap().body else { panic!("no rotation") };
        assert_eq!(rotate.file, "binlog.000001");
    }
}

#[test]
fn unknown_events_are_refused_unless_marked_as_ignorable() {
    let mut log = Log::new();
    let error = log.event(99, b"whatever").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("type 99"), "{error}");
    let mut writer = EventWriter::new(false);
    let mut ignorable = writer.event(99, b"whatever");
    ignorable[17] = 0x80;
    let mut parser = BinlogParser::new(Flavour::MySql);
    assert!(matches!(parser.parse(&ignorable).unwrap().body, EventBody::Ignorable(99)));
}

#[test]
fn events_that_cannot_be_decoded_say_what_to_change() {
    let mut log = Log::new();
    let error = log.event(t::PARTIAL_UPDATE_ROWS, &[]).unwrap_err();
    assert!(error.hint().unwrap().contains("binlog_row_value_options=''"));
    assert_eq!(log.event(t::INCIDENT, b"\x01\0\x04lost").unwrap_err().kind(), ErrorKind::Incident);
    for old_rows in [20, 21, 22] {
        assert!(log.event(old_rows, &[0; 40]).is_err());
    }
}

#[test]
fn a_foreign_table_with_an_unknown_type_only_fails_when_it_is_wanted() {
    let mut log = Log::new();
    let event = log.writer.table_map(6, &[(8, &[], false), (200, &[], true), (15, &[1, 0], true)], &[1, 1, 0]);
    let EventBody::TableMap(table) = log.parser.parse(&event).unwrap().body else { panic!("no table map") };
    let error = sluice_mysql_decode::RowDecoder::new(&table, &[]).unwrap_err();
    assert!(error.to_string().contains("column type 200"), "{error}");
}

#[test]
fn a_payload_larger_than_its_limit_is_refused() {
    let mut inner = EventWriter::new(false);
    let content = [inner.event(t::QUERY, &[0; 200]), inner.event(t::XID, &[0; 8])].concat();
    let compressed = zstd::encode_all(&content[..], 3).unwrap();
    let head = [&[2, 1, 0][..], &[3, 3, 252, content.len() as u8, 0], &[1, 1, compressed.len() as u8], &[0]].concat();
    let mut log = Log::new();
    let event = log.writer.event(t::TRANSACTION_PAYLOAD, &[head, compressed].concat());
    let EventBody::TransactionPayload(payload) = log.parser.parse(&event).unwrap().body else { panic!("no payload") };
    assert_eq!(payload.uncompressed_len, content.len() as u64);
    let mut parser = BinlogParser::new(Flavour::MySql);
    assert_eq!(payload.events(100).unwrap().next(&mut parser).unwrap_err().kind(), ErrorKind::Limit);
    let mut events = payload.events(1000).unwrap();
    assert!(matches!(events.next(&mut parser).unwrap().unwrap().body, EventBody::Query(_)));
    assert!(matches!(events.next(&mut parser).unwrap().unwrap().body, EventBody::Xid(0)));
    assert!(events.next(&mut parser).unwrap().is_none());
}
