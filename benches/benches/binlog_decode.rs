//! Rows events into Arrow batches, beside the two crates that read them into values.
//!
//! Six columns (BIGINT, INT, VARCHAR, DECIMAL(10,2), DATETIME, INT), about 44 bytes per row, 100 rows per event, batches
//! of 8192 rows, one core. Criterion prints elements per second: an element is a row.
//!
//! ```text
//! cargo bench -p sluice-benches --bench binlog_decode
//! ```

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mysql_cdc::events::binlog_event::BinlogEvent;
use mysql_cdc::events::event_header::EventHeader;
use mysql_cdc::events::event_parser::EventParser;
use mysql_common::binlog::EventStreamReader;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::EventData;
use sluice_mysql_decode::{
    BinlogParser, EventBody, Flavour, RowBatchBuilder, RowDecoder, TableMap, UpdateMode, synthetic,
};

const EVENTS: usize = 400;
const ROWS_PER_EVENT: usize = 100;
const BATCH: usize = 8192;

fn decode_rows(criterion: &mut Criterion) {
    let log = synthetic::bench_log(EVENTS, ROWS_PER_EVENT);
    let mut group = criterion.benchmark_group("binlog_decode");
    group.throughput(Throughput::Elements((EVENTS * ROWS_PER_EVENT) as u64));
    group.bench_function("sluice: events with checksums to batches", |bench| bench.iter(|| sluice(black_box(&log))));
    group.bench_function("sluice: rows to batches", |bench| {
        let mut state = Prepared::new(&log);
        bench.iter(|| state.decode());
    });
    group.bench_function("mysql_cdc: events to values", |bench| {
        bench.iter_batched(EventParser::new, |parser| mysql_cdc(parser, black_box(&log)), BatchSize::SmallInput);
    });
    group.sample_size(10);
    group.bench_function("mysql_common: events to values", |bench| bench.iter(|| mysql_common(black_box(&log))));
    group.finish();
}

/// Everything: framing, CRC32, table maps, rows, finished batches.
fn sluice(log: &[Vec<u8>]) -> usize {
    let columns = synthetic::bench_columns();
    let mut parser = BinlogParser::new(Flavour::MySql);
    let mut out = RowBatchBuilder::new(&columns, &[0]).expect("supported columns");
    let mut decoder: Option<RowDecoder> = None;
    let mut rows_out = 0;
    for event in log {
        match parser.parse(event).expect("a valid event").body {
            EventBody::TableMap(table) if decoder.is_none() => decoder = Some(new_decoder(&table)),
            EventBody::Rows(rows) => {
                let decoder = decoder.as_mut().expect("a table map comes first");
                decoder.decode(&rows, UpdateMode::AfterOnly, &mut out).expect("valid rows");
                if out.len() >= BATCH {
                    rows_out += finish(&mut out);
                }
            }
            _ => {}
        }
    }
    rows_out + finish(&mut out)
}

/// Rows events that are already framed: the decoder alone.
struct Prepared<'l> {
    events: Vec<sluice_mysql_decode::RowsEvent<'l>>,
    decoder: RowDecoder,
    out: RowBatchBuilder,
}

impl<'l> Prepared<'l> {
    fn new(log: &'l [Vec<u8>]) -> Self {
        let mut parser = BinlogParser::new(Flavour::MySql);
        let mut events = Vec::new();
        for event in log {
            if let EventBody::Rows(rows) = parser.parse(event).expect("a valid event").body {
                events.push(rows);
            }
        }
        let decoder = new_decoder(&events[0].table);
        let out = RowBatchBuilder::new(&synthetic::bench_columns(), &[0]).expect("supported columns");
        Self { events, decoder, out }
    }

    fn decode(&mut self) -> usize {
        let mut rows_out = 0;
        for rows in &self.events {
            self.decoder.decode(black_box(rows), UpdateMode::AfterOnly, &mut self.out).expect("valid rows");
            if self.out.len() >= BATCH {
                rows_out += finish(&mut self.out);
            }
        }
        rows_out + finish(&mut self.out)
    }
}

fn new_decoder(table: &TableMap) -> RowDecoder {
    RowDecoder::new(table, &synthetic::bench_columns()).expect("supported columns")
}

fn finish(out: &mut RowBatchBuilder) -> usize {
    let rows = out.len();
    black_box(out.finish().expect("a batch"));
    rows
}

fn mysql_cdc(mut parser: EventParser, log: &[Vec<u8>]) -> usize {
    let mut rows_out = 0;
    for event in log {
        let header = EventHeader::parse(event).expect("a header");
        if let BinlogEvent::WriteRowsEvent(rows) = parser.parse_event(&header, &event[19..]).expect("a valid event") {
            rows_out += rows.rows.len();
            black_box(rows);
        }
    }
    rows_out
}

fn mysql_common(log: &[Vec<u8>]) -> usize {
    let mut reader = EventStreamReader::new(BinlogVersion::Version4);
    let mut rows_out = 0;
    for event in log {
        let event = reader.read(&event[..]).expect("a valid event").expect("an event");
        if let Some(EventData::RowsEvent(rows)) = event.read_data().expect("a valid body") {
            let table = reader.get_tme(rows.table_id()).expect("a table map comes first");
            for row in rows.rows(table) {
                black_box(row.expect("a row"));
                rows_out += 1;
            }
        }
    }
    rows_out
}

criterion_group!(benches, decode_rows);
criterion_main!(benches);
