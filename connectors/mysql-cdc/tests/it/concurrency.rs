//! Snapshots while the table is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use sluice_model::SqlType;
use tokio::task::JoinHandle;

use crate::on_both_servers;
use crate::support::{Database, Dice, Job, Server, Table};

on_both_servers!(
    integer_keys_under_load,
    string_keys_under_load,
    binary_keys_under_load,
    restarts_under_load,
    composite_keys_under_load,
    tables_without_transactions_under_load,
);

/// Several connections that insert, update, delete and swap keys until told to stop.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Writers {
    pub(crate) async fn start(database: &Database, table: &str, key: fn(u64) -> String, keys: u64, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for number in 0..3 {
            let (mut conn, stop, table) = (database.connect().await, Arc::clone(&stop), table.to_owned());
            tasks.push(tokio::spawn(async move {
                let mut dice = Dice(seed * 31 + number + 1);
                let mut written = 0;
                conn.query_drop("SET SESSION innodb_lock_wait_timeout = 2").await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let _ = conn.query_drop("BEGIN").await;
                    for _ in 0..=dice.roll(4) {
                        let statement = statement(&mut dice, &table, key, keys);
                        // Deadlocks and duplicate keys are part of the game.
                        let _ = conn.query_drop(statement).await;
                        written += 1;
                    }
                    let end = if dice.roll(6) == 0 { "ROLLBACK" } else { "COMMIT" };
                    let _ = conn.query_drop(end).await;
                }
                written
            }));
        }
        Self { stop, tasks }
    }

    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        for task in self.tasks {
            written += task.await.unwrap();
        }
        written
    }
}

fn statement(dice: &mut Dice, table: &str, key: fn(u64) -> String, keys: u64) -> String {
    let (one, other, value) = (key(dice.roll(keys)), key(dice.roll(keys)), dice.roll(1_000_000));
    match dice.roll(6) {
        0 | 1 => format!("INSERT IGNORE INTO {table} (k, v) VALUES ({one}, {value})"),
        2 | 3 => format!("UPDATE {table} SET v = {value} WHERE k = {one}"),
        4 => format!("UPDATE IGNORE {table} SET k = {other} WHERE k = {one}"),
        _ => format!("DELETE FROM {table} WHERE k = {one}"),
    }
}

async fn under_load(
    server: Server,
    key_type: &str,
    sql: SqlType,
    key: fn(u64) -> String,
    restarts: bool,
    engine: &str,
) {
    let mut database = Database::new(server).await;
    database.run(&format!("CREATE TABLE t (k {key_type}, v BIGINT, PRIMARY KEY (k)) {engine}")).await;
    const KEYS: u64 = 600;
    for id in (0..KEYS).step_by(2) {
        database.run(&format!("INSERT IGNORE INTO t VALUES ({}, {id})", key(id))).await;
    }
    let columns = [("k", sql), ("v", SqlType::BigInt)];
    for round in 0..4 {
        let writers = Writers::start(&database, "t", key, KEYS, round + 1).await;
        let mut table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "7");
        if round == 3 {
            table = table.upsert();
        }
        let mut job = Job::start(&[table]).await;
        let mut dice = Dice(round + 77);
        let mut checkpoint = job.checkpoint();
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(1500) || job.metric("snapshot_finished") == 0 {
            job.step(Duration::from_millis(100)).await;
            if restarts && dice.roll(25) == 0 {
                job = job.restart(checkpoint.clone()).await;
            }
            if dice.roll(5) == 0 {
                checkpoint = job.checkpoint();
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "the snapshot does not end: {}", job.position());
        }
        let written = writers.stop().await;
        assert!(written > 0);
        let expected = database.table("SELECT k, v FROM t").await;
        job.expect(0, &expected).await;
        job.settle().await;
        assert_eq!(job.state[0], expected);
    }
    database.drop().await;
}

async fn integer_keys_under_load(server: Server) {
    under_load(server, "BIGINT", SqlType::BigInt, |id| (id * 3).to_string(), false, "").await;
}

async fn restarts_under_load(server: Server) {
    under_load(server, "BIGINT", SqlType::BigInt, |id| (id * 3).to_string(), true, "").await;
}

async fn tables_without_transactions_under_load(server: Server) {
    under_load(server, "BIGINT", SqlType::BigInt, |id| (id * 3).to_string(), false, "ENGINE = MyISAM").await;
}

/// Keys whose order under the collation is not that of their bytes, some of them equal but for case.
fn word(id: u64) -> String {
    let letters = ["a", "B", "_", "é", "Z", "A", "ß", "z", "0", "Ä", "-", "o"];
    let letter = |n: u64| letters[(n % letters.len() as u64) as usize];
    format!("'{}{}{}'", letter(id), letter(id / 12), letter(id / 144))
}

async fn string_keys_under_load(server: Server) {
    under_load(server, "VARCHAR(20)", SqlType::STRING, word, true, "").await;
}

async fn binary_keys_under_load(server: Server) {
    fn bytes(id: u64) -> String {
        format!("x'{:04x}80{:02x}'", (id * 40_503) % 65_536, id % 256)
    }
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (k VARBINARY(16) PRIMARY KEY, v BIGINT)").await;
    for id in 0..300 {
        database.run(&format!("INSERT IGNORE INTO t VALUES ({}, {id})", bytes(id))).await;
    }
    let writers = Writers::start(&database, "t", bytes, 600, 5).await;
    let columns = [("k", SqlType::BYTES), ("v", SqlType::BigInt)];
    let table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "7");
    let mut job = Job::start(&[table]).await;
    while job.metric("snapshot_finished") == 0 {
        job.step(Duration::from_millis(100)).await;
    }
    writers.stop().await;
    let expected = database.table("SELECT LOWER(HEX(k)), v FROM t").await;
    job.expect(0, &expected).await;
    database.drop().await;
}

/// Chunks by the first column of the key, of which many rows share a value; the key column is not declared.
async fn composite_keys_under_load(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (shop INT, k BIGINT, v BIGINT, PRIMARY KEY (shop, k), UNIQUE KEY (k))").await;
    for id in 0..300 {
        database.run(&format!("INSERT INTO t VALUES ({}, {id}, 0)", id % 5)).await;
    }
    database.run("ALTER TABLE t MODIFY shop INT NOT NULL DEFAULT 3").await;
    let writers = Writers::start(&database, "t", |id| id.to_string(), 400, 9).await;
    let columns = [("k", SqlType::BigInt), ("v", SqlType::BigInt)];
    let table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "7");
    let mut job = Job::start(&[table]).await;
    while job.metric("snapshot_finished") == 0 {
        job.step(Duration::from_millis(100)).await;
    }
    writers.stop().await;
    let expected = database.table("SELECT k, v FROM t").await;
    job.expect(0, &expected).await;
    database.drop().await;
}
