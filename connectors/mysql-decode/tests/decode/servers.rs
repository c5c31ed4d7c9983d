//! Real servers' bytes (see `fixtures/generate.py`) against real servers' text.

use crate::support::{Fixture, text_targets, typed_targets};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use sluice_mysql_decode::event::{EventBody, RowsKind};
use sluice_mysql_decode::{
    Charset, ErrorKind, GtidSet, MariaGtidPos, MySqlType, RowBatchBuilder, RowDecoder, UpdateMode,
};

#[test]
fn mysql_rows_read_as_the_server_prints_them() {
    assert_rows_match_the_servers_text(&Fixture::mysql());
}

#[test]
fn mariadb_rows_read_as_the_server_prints_them() {
    assert_rows_match_the_servers_text(&Fixture::mariadb());
}

fn assert_rows_match_the_servers_text(fixture: &Fixture) {
    let found = fixture.changelog(&text_targets(&fixture.columns));
    let expected = fixture.expected_changelog();
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
            let name = if column == 0 { "kind" } else { &fixture.columns[column - 1].name };
            assert_eq!(found, expected, "{} row {index} column {name}", fixture.name);
        }
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_row_from_the_log_equals_the_same_row_from_a_select() {
    for fixture in [Fixture::mysql(), Fixture::mariadb()] {
        for targets in [text_targets(&fixture.columns), typed_targets(&fixture.columns)] {
            let log = fixture.first_inserts(&targets);
            let select = fixture.selected(&targets);
            for ((log, select), target) in log.iter().zip(&select).zip(&targets) {
                assert_eq!(log, select, "{} column {} as {}", fixture.name, target.source.name, target.target);
            }
        }
    }
}

#[test]
fn events_read_as_recorded() {
    Fixture::mysql().check_events();
    Fixture::mariadb().check_events();
}

#[test]
fn full_metadata_describes_the_table() {
    for fixture in [Fixture::mysql(), Fixture::mariadb()] {
        let mut checked = false;
        fixture.each_event(|event| {
            let EventBody::TableMap(table) = &event.body else { return };
            if table.table != "types" {
                return;
            }
            checked = true;
            assert_eq!(table.primary_key.as_ref().map(|key| key[0].column), Some(0));
            for (wire, column) in table.columns.iter().zip(&fixture.columns) {
                let place = format!("{} column {}", fixture.name, column.name);
                assert_eq!(wire.name.as_ref(), Some(&column.name), "{place}");
                assert_eq!(wire.nullable, column.name != "id", "{place}");
                if matches!(column.kind, MySqlType::BigInt | MySqlType::TinyInt | MySqlType::MediumInt) {
                    assert_eq!(wire.unsigned, Some(column.unsigned), "{place}");
                }
                if matches!(column.kind, MySqlType::VarChar | MySqlType::Text | MySqlType::Char | MySqlType::Enum) {
                    assert_eq!(wire.collation.map(Charset::from_collation), Some(column.charset), "{place}");
                }
                if let Some(labels) = &wire.labels {
                    let labels: Vec<_> = labels.iter().map(|label| String::from_utf8_lossy(label)).collect();
                    assert_eq!(labels, column.labels, "{place}");
                }
            }
        });
        assert!(checked);
    }
}

#[test]
fn a_minimal_row_image_is_refused_with_the_setting_to_change() {
    let fixture = Fixture::mysql();
    let columns = crate::support::columns(&[("id", "int"), ("a", "int"), ("b", "varchar(10)")], DataType::Utf8);
    let mut out = RowBatchBuilder::new(&columns, &[0]).unwrap();
    let mut errors = Vec::new();
    let mut inserted = 0;
    fixture.each_event(|event| {
        if let EventBody::Rows(rows) = &event.body
            && rows.table.table == "partial"
        {
            let mut decoder = RowDecoder::new(&rows.table, &columns).unwrap();
            match decoder.decode(rows, UpdateMode::AfterOnly, &mut out) {
                Ok(rows) => inserted += rows,
                Err(error) => errors.push(error),
            }
        }
    });
    assert_eq!((inserted, errors.len()), (3, 1));
    let error = &errors[0];
    assert_eq!((error.table(), error.column()), (Some("decode.partial"), Some("id")));
    assert!(error.hint().unwrap().contains("binlog_row_image=FULL") && error.position().is_some());
}

#[test]
fn columns_that_a_minimal_row_image_has_are_decoded() {
    let fixture = Fixture::mysql();
    let mut columns = crate::support::columns(&[("id", "int"), ("a", "int")], DataType::Int64);
    columns.remove(0);
    let mut out = RowBatchBuilder::new(&columns, &[]).unwrap();
    fixture.each_event(|event| {
        if let EventBody::Rows(rows) = &event.body
            && rows.table.table == "partial"
        {
            let mut decoder = RowDecoder::new(&rows.table, &columns).unwrap();
            decoder.decode(rows, UpdateMode::AfterOnly, &mut out).unwrap();
            if rows.kind == RowsKind::Update {
                let error = decoder.decode(rows, UpdateMode::BeforeAndAfter, &mut out).unwrap_err();
                assert_eq!((error.kind(), error.column()), (ErrorKind::MissingColumn, Some("a")));
            }
        }
    });
    let (arrays, kinds) = out.finish().unwrap();
    assert_eq!(arrays[0].as_primitive::<Int64Type>().values(), &[1, 2, 2, 3]);
    assert_eq!(kinds.unwrap(), [0, 2, 0, 0]);
}

#[test]
fn every_collation_of_the_servers_leads_to_its_character_set() {
    for fixture in [Fixture::mysql(), Fixture::mariadb()] {
        for line in fixture.file_text("collations.tsv").lines() {
            let (id, name) = line.split_once('\t').unwrap();
            assert_eq!(Charset::from_collation(id.parse().unwrap()).name(), name, "{} {id}", fixture.name);
            assert_eq!(Charset::from_name(name).name(), name);
        }
    }
}

#[test]
fn executed_transactions_add_up_to_what_the_server_says() {
    let fixture = Fixture::mysql();
    let mut executed = GtidSet::new();
    fixture.each_event(|event| match &event.body {
        EventBody::PreviousGtids(before) => executed.union(before),
        EventBody::Gtid(gtid) => executed.add(&gtid.gtid),
        _ => {}
    });
    assert_eq!(executed.to_string(), fixture.file_text("gtids.txt").trim_end());
    let fixture = Fixture::mariadb();
    let mut position = MariaGtidPos::new();
    fixture.each_event(|event| match &event.body {
        EventBody::GtidList(before) => position.union(before),
        EventBody::MariaGtid(gtid) => position.add(gtid.gtid),
        _ => {}
    });
    assert_eq!(position.to_string(), fixture.file_text("gtids.txt").trim_end());
}
