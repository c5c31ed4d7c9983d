//! Changes behind the snapshot.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use sluice_model::SqlType;

use crate::on_both_servers;
use crate::support::{Database, Job, Server, Table};

on_both_servers!(
    every_kind_of_change,
    an_upsert_consumer_sees_no_old_rows,
    startup_modes_without_a_snapshot,
    a_change_arrives_at_once,
    an_added_column_does_no_harm,
    a_lost_connection_is_made_again,
    a_large_transaction_comes_whole,
    metadata_columns,
    values_are_the_same_from_table_and_log,
    append_only_turns_everything_into_insertions,
);

const COLUMNS: [(&str, SqlType); 2] = [("id", SqlType::Int), ("v", SqlType::STRING)];

async fn table_with_rows(server: Server) -> Database {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))").await;
    database.run("INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
    database
}

async fn every_kind_of_change(server: Server) {
    let mut database = table_with_rows(server).await;
    let mut job = Job::start(&[Table::new(&database, "t", &COLUMNS, 1)]).await;
    job.keep = true;
    job.settle().await;
    database.run("INSERT INTO t VALUES (3, 'c')").await;
    database.run("UPDATE t SET v = 'x' WHERE id = 1").await;
    database.run("UPDATE t SET id = 9 WHERE id = 2").await;
    database.run("DELETE FROM t WHERE id = 3").await;
    database.run("REPLACE INTO t VALUES (1, 'y')").await;
    job.settle().await;
    assert_eq!(
        job.seen.join(" / "),
        "+I 1 a / +I 2 b / +I 3 c / -U 1 a / +U 1 x / -D 2 b / +I 9 b / -D 3 c / -U 1 x / +U 1 y"
    );
    database.drop().await;
}

async fn an_upsert_consumer_sees_no_old_rows(server: Server) {
    let mut database = table_with_rows(server).await;
    let mut job = Job::start(&[Table::new(&database, "t", &COLUMNS, 1).upsert()]).await;
    job.keep = true;
    job.settle().await;
    database.run("UPDATE t SET v = 'x' WHERE id = 1").await;
    database.run("UPDATE t SET id = 9 WHERE id = 2").await;
    job.settle().await;
    assert_eq!(job.seen.join(" / "), "+I 1 a / +I 2 b / +U 1 x / -D 2 b / +I 9 b");
    database.drop().await;
}

async fn startup_modes_without_a_snapshot(server: Server) {
    let mut database = table_with_rows(server).await;
    let table = |mode: &str| Table::new(&database, "t", &COLUMNS, 1).with("scan.startup.mode", mode);
    let mut latest = Job::start(&[table("latest-offset")]).await;
    let mut earliest = Job::start(&[table("earliest-offset")]).await;
    let position = latest.position();
    assert!(position.contains("\"version\":1"), "{position}");
    database.run("INSERT INTO t VALUES (3, 'c')").await;
    latest.expect_rows(&["3 c"]).await;
    let all = database.table("SELECT id, v FROM t").await;
    earliest.expect(0, &all).await;
    let status = match server {
        Server::MariaDb => "SHOW MASTER STATUS",
        Server::MySql => "SHOW BINARY LOG STATUS",
    };
    let end = database.rows(status).await.remove(0);
    database.run("INSERT INTO t VALUES (4, 'd')").await;
    let specific = Table::new(&database, "t", &COLUMNS, 1)
        .with("scan.startup.mode", "specific-offset")
        .with("scan.startup.specific-offset.file", &end[0])
        .with("scan.startup.specific-offset.pos", &end[1]);
    let mut job = Job::start(&[specific]).await;
    job.expect_rows(&["4 d"]).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let now = database.rows("SELECT UNIX_TIMESTAMP() * 1000").await.remove(0).remove(0);
    database.run("INSERT INTO t VALUES (5, 'e')").await;
    let timed = Table::new(&database, "t", &COLUMNS, 1)
        .with("scan.startup.mode", "timestamp")
        .with("scan.startup.timestamp-millis", &now);
    let mut job = Job::start(&[timed]).await;
    job.expect_rows(&["5 e"]).await;
    database.drop().await;
}

async fn a_change_arrives_at_once(server: Server) {
    let mut database = table_with_rows(server).await;
    let mut job = Job::start(&[Table::new(&database, "t", &COLUMNS, 1)]).await;
    job.settle().await;
    let mut fastest = Duration::MAX;
    for id in 10..15 {
        database.run(&format!("INSERT INTO t VALUES ({id}, 'x')")).await;
        let begin = Instant::now();
        assert!(job.step(Duration::from_secs(5)).await);
        fastest = fastest.min(begin.elapsed());
    }
    assert!(fastest < Duration::from_millis(200), "{fastest:?}");
    database.drop().await;
}

async fn an_added_column_does_no_harm(server: Server) {
    let mut database = table_with_rows(server).await;
    let mut job = Job::start(&[Table::new(&database, "t", &COLUMNS, 1)]).await;
    job.settle().await;
    database.run("ALTER TABLE t ADD COLUMN extra INT DEFAULT 7").await;
    database.run("INSERT INTO t VALUES (3, 'c', 1)").await;
    database.run("ALTER TABLE t ADD COLUMN first_one INT FIRST").await;
    database.run("UPDATE t SET v = 'z' WHERE id = 3").await;
    database.run("ALTER TABLE t MODIFY id BIGINT").await;
    database.run("UPDATE t SET v = 'zz' WHERE id = 3").await;
    let expected = database.table("SELECT id, v FROM t").await;
    job.expect(0, &expected).await;
    database.drop().await;
}

async fn a_lost_connection_is_made_again(server: Server) {
    let mut database = table_with_rows(server).await;
    let id = 700_000 + std::process::id() % 100_000 + if server == Server::MySql { 1 } else { 0 };
    let table = Table::new(&database, "t", &COLUMNS, 1).with("server-id", &id.to_string());
    let mut job = Job::start(&[table]).await;
    job.settle().await;
    for round in 0..3 {
        database.run(&format!("INSERT INTO t VALUES ({}, 'x')", 100 + round)).await;
        job.settle().await;
        let list = database
            .rows("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' AND USER = 'sluice'")
            .await;
        assert!(!list.is_empty());
        // Every reader on this server has to stand it; tests that run at the same time are readers too.
        for row in list {
            let mut conn = database.connect().await;
            let _ = conn.query_drop(format!("KILL {}", row[0])).await;
        }
        database.run(&format!("INSERT INTO t VALUES ({}, 'y')", 200 + round)).await;
        let expected = database.table("SELECT id, v FROM t").await;
        job.expect(0, &expected).await;
    }
    assert!(job.metric("binlog_reconnects") >= 1);
    database.drop().await;
}

async fn a_large_transaction_comes_whole(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50))").await;
    let mut job = Job::start(&[Table::new(&database, "t", &COLUMNS, 1)]).await;
    if server == Server::MySql {
        database.run("SET SESSION binlog_transaction_compression = ON").await;
    }
    let values: Vec<String> = (0..30_000).map(|id| format!("({id}, 'some text {}')", id % 3)).collect();
    database.run("BEGIN").await;
    for part in values.chunks(10_000) {
        database.run(&format!("INSERT INTO t VALUES {}", part.join(","))).await;
    }
    database.run("UPDATE t SET v = 'other' WHERE id % 2 = 0").await;
    database.run("COMMIT").await;
    let expected = database.table("SELECT id, v FROM t").await;
    job.expect(0, &expected).await;
    database.drop().await;
}

async fn metadata_columns(server: Server) {
    let mut database = table_with_rows(server).await;
    let table = Table::new(&database, "t", &COLUMNS, 1)
        .with_metadata("op_ts", "at", SqlType::TimestampLtz(3))
        .with_metadata("row_kind", "kind", SqlType::STRING)
        .upsert();
    let mut job = Job::start(&[table]).await;
    job.keep = true;
    job.settle().await;
    assert!(job.seen.iter().all(|row| row.contains("1970-01-01T00:00:00") && row.ends_with("+I")), "{:?}", job.seen);
    job.seen.clear();
    database.run("UPDATE t SET v = 'x' WHERE id = 1").await;
    job.settle().await;
    let year = database.rows("SELECT YEAR(UTC_TIMESTAMP())").await.remove(0).remove(0);
    assert!(job.seen[0].starts_with(&format!("+U 1 x {year}-")) && job.seen[0].ends_with("+U"), "{:?}", job.seen);
    database.drop().await;
}

/// The same row, once in the table before reading begins and once written while it goes on.
async fn values_are_the_same_from_table_and_log(server: Server) {
    let mut database = Database::new(server).await;
    let types: Vec<(&str, SqlType, &str)> = vec![
        ("TINYINT", SqlType::TinyInt, "-128"),
        ("TINYINT(1)", SqlType::Boolean, "1"),
        ("SMALLINT UNSIGNED", SqlType::Int, "65535"),
        ("MEDIUMINT", SqlType::Int, "-8388608"),
        ("INT UNSIGNED", SqlType::BigInt, "4294967295"),
        ("BIGINT", SqlType::BigInt, "-9223372036854775808"),
        ("BIGINT UNSIGNED", SqlType::Decimal(20, 0), "18446744073709551615"),
        ("FLOAT", SqlType::Float, "0.1"),
        ("DOUBLE", SqlType::Double, "-1.7976931348623157e308"),
        ("DECIMAL(30,10)", SqlType::Decimal(30, 10), "-12345678901234567890.0123456789"),
        ("DECIMAL(65,5)", SqlType::STRING, "123456789012345678901234567890123456789012345678901234567890.12345"),
        ("DATE", SqlType::Date, "'1000-01-01'"),
        ("TIME(3)", SqlType::Time(3), "'12:34:56.789'"),
        ("DATETIME(6)", SqlType::Timestamp(6), "'9999-12-31 23:59:59.999999'"),
        ("DATETIME", SqlType::Timestamp(0), "'2024-02-29 01:02:03'"),
        ("TIMESTAMP(3) NULL", SqlType::TimestampLtz(3), "'2024-06-30 12:00:00.123'"),
        ("TIMESTAMP(6) NULL", SqlType::Timestamp(6), "'2024-06-30 12:00:00.123456'"),
        ("YEAR", SqlType::Int, "2155"),
        ("CHAR(5)", SqlType::STRING, "'ab'"),
        ("VARCHAR(100)", SqlType::STRING, "'héllo 🙂'"),
        ("VARCHAR(100) CHARACTER SET latin1", SqlType::STRING, "'€äß'"),
        ("BINARY(4)", SqlType::BYTES, "x'0100'"),
        ("VARBINARY(8)", SqlType::BYTES, "x'00ff80'"),
        ("BLOB", SqlType::BYTES, "x'deadbeef00'"),
        ("LONGTEXT", SqlType::STRING, "REPEAT('x', 300)"),
        ("ENUM('small','big one','ü')", SqlType::STRING, "'ü'"),
        ("SET('a','b','c')", SqlType::STRING, "'a,c'"),
        ("BIT(12)", SqlType::BYTES, "b'101000000001'"),
        ("JSON", SqlType::STRING, r#"'{"b": [1, 2.5, "x", null, true], "a": {"c": -1}}'"#),
    ];
    let columns: Vec<String> = types.iter().enumerate().map(|(i, (mysql, ..))| format!("c{i} {mysql}")).collect();
    database.run(&format!("CREATE TABLE t (id INT PRIMARY KEY, {})", columns.join(", "))).await;
    let values: Vec<&str> = types.iter().map(|(_, _, value)| *value).collect();
    let nulls = vec!["NULL"; types.len()].join(", ");
    database.run(&format!("INSERT INTO t VALUES (1, {}), (2, {nulls})", values.join(", "))).await;
    let mut declared: Vec<(String, SqlType)> = vec![("id".into(), SqlType::Int)];
    declared.extend(types.iter().enumerate().map(|(i, (_, sql, _))| (format!("c{i}"), sql.clone())));
    let borrowed: Vec<(&str, SqlType)> = declared.iter().map(|(name, sql)| (name.as_str(), sql.clone())).collect();
    let mut job = Job::start(&[Table::new(&database, "t", &borrowed, 1)]).await;
    job.keep = true;
    job.settle().await;
    let snapshot = std::mem::take(&mut job.seen);
    database.run("INSERT INTO t SELECT * FROM (SELECT * FROM t) x ON DUPLICATE KEY UPDATE id = VALUES(id) + 100").await;
    job.settle().await;
    let inserted: Vec<String> = job.seen.iter().filter(|row| row.starts_with("+I ")).cloned().collect();
    let without_id = |row: &str, id: &str| row.strip_prefix(&format!("+I {id} ")).map(ToOwned::to_owned);
    for (row, id) in snapshot.iter().zip(["1", "2"]) {
        let from_log = inserted.iter().find_map(|row| without_id(row, &format!("10{id}")));
        assert_eq!(without_id(row, id), from_log, "{server:?}");
    }
    assert_eq!(snapshot.len(), 2);
    database.drop().await;
}

async fn append_only_turns_everything_into_insertions(server: Server) {
    let mut database = table_with_rows(server).await;
    let table = Table::new(&database, "t", &[("v", SqlType::STRING)], 0)
        .with("scan.incremental.snapshot.chunk.key-column", "id")
        .with("scan.read-changelog-as-append-only.enabled", "true")
        .with_metadata("row_kind", "kind", SqlType::STRING);
    let mut job = Job::start(&[table]).await;
    job.keep = true;
    job.settle().await;
    database.run("UPDATE t SET v = 'x' WHERE id = 1").await;
    job.settle().await;
    assert_eq!(job.seen.join(" / "), "+I a +I / +I b +I / +I a -U / +I x +U");
    database.drop().await;
}
