//! Connections that break, servers that hesitate, and what a random changelog leaves behind.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sluice_connector_api::SinkWriter;
use sluice_model::{ChangelogBatch, Reaction, from_pretty};
use support::{Warehouse, connect, id_and_value};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

fn changes(rows: &str) -> ChangelogBatch {
    from_pretty("id INT, v STRING", rows)
}

/// Ends the connections of the sinks of `warehouse`; returns how many there were.
async fn terminate(warehouse: &Warehouse) -> i64 {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
    connect().await.query_one(sql, &[&warehouse.schema]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_killed_again_and_again() {
    let warehouse = Warehouse::new(TABLE).await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    let killer = async {
        let mut killed = 0;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            killed += terminate(&warehouse).await;
        }
        killed
    };
    let feeder = async {
        for round in 0..40 {
            let rows: Vec<String> = (0..400).map(|id| format!("+I {} r{round}", (id * 7 + round) % 1000)).collect();
            writer.write(changes(&rows.join(" / "))).await.unwrap();
            if round % 3 == 0 {
                writer.flush().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        writer.flush().await.unwrap();
    };
    let (killed, ()) = tokio::join!(killer, feeder);
    assert!(killed > 0, "nothing was killed");
    let mut expected = BTreeMap::new();
    for round in 0..40 {
        expected.extend((0..400).map(|id| ((id * 7 + round) % 1000, format!("r{round}"))));
    }
    assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY id").await, show(&expected));
    assert!(warehouse.metric("flush_retries") > 0);
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_key_are_written_once_though_connections_are_killed() {
    let warehouse = Warehouse::new("CREATE TABLE t (id int, v text)").await;
    let mut schema = id_and_value();
    schema.primary_key.clear();
    let mut writer = warehouse.open("t", schema, &[]).await.unwrap();
    let killer = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(35)).await;
            terminate(&warehouse).await;
        }
    };
    let feeder = async {
        for id in 0..300 {
            writer.write(changes(&format!("+I {id} a"))).await.unwrap();
            writer.flush().await.unwrap();
        }
    };
    tokio::join!(killer, feeder);
    assert_eq!(warehouse.rows("SELECT count(*), count(DISTINCT id) FROM t").await, "300 300");
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_away_for_a_while() {
    let warehouse = Warehouse::new(TABLE).await;
    let relay = Relay::new().await;
    let url = format!("jdbc:postgresql://127.0.0.1:{}/warehouse?sslmode=disable", relay.port);
    let mut writer = warehouse.open("t", id_and_value(), &[("url", &url)]).await.unwrap();
    writer.write(changes("+I 1 a")).await.unwrap();
    writer.flush().await.unwrap();
    relay.set_up(false).await;
    writer.write(changes("+I 2 a / -D 1 a")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "1 a");
    relay.set_up(true).await;
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "2 a");
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_stays_away_restarts_the_job() {
    let warehouse = Warehouse::new(TABLE).await;
    let relay = Relay::new().await;
    let url = format!("jdbc:postgresql://127.0.0.1:{}/warehouse?sslmode=disable", relay.port);
    let options = [("url", url.as_str()), ("connection.max-retry-timeout", "1s")];
    let mut writer = warehouse.open("t", id_and_value(), &options).await.unwrap();
    relay.set_up(false).await;
    writer.write(changes("+I 2 a")).await.unwrap();
    let error = writer.flush().await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Retry);
    assert!(error.what().contains("was lost and did not come back within"), "{error}");
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_left() {
    let warehouse = Warehouse::new(TABLE).await;
    let name = &warehouse.schema;
    let url =
        format!("jdbc:postgresql://127.0.0.1:{}/warehouse?socketTimeout=1&ApplicationName={name}", support::port());
    let mut writer = warehouse.open("t", id_and_value(), &[("url", &url)]).await.unwrap();
    let other = connect().await;
    other.batch_execute(&format!("BEGIN; LOCK TABLE {}.t", warehouse.schema)).await.unwrap();
    writer.write(changes("+I 1 a")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    // What it was sent before must not be written later, over newer rows.
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let connections: i64 = warehouse.client.query_one(sql, &[name]).await.unwrap().get(0);
    assert!(connections <= 1, "{connections} connections");
    other.batch_execute("COMMIT").await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT * FROM t").await, "1 a");
    assert!(warehouse.metric("flush_retries") > 0);
    warehouse.drop().await;
}

/// Stands between the sink and the server, and can be away.
struct Relay {
    port: u16,
    up: tokio::sync::watch::Sender<bool>,
}

impl Relay {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (up, is_up) = tokio::sync::watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut is_up = is_up.clone();
                if !*is_up.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(("127.0.0.1", support::port())).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = is_up.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Self { port, up }
    }

    async fn set_up(&self, up: bool) {
        self.up.send(up).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_retries_a_lost_connection_restarts_the_job() {
    let warehouse = Warehouse::new(TABLE).await;
    let mut writer = warehouse.open("t", id_and_value(), &[("sink.max-retries", "0")]).await.unwrap();
    writer.write(changes("+I 1 a")).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(terminate(&warehouse).await, 1);
    writer.write(changes("+I 2 a")).await.unwrap();
    let error = writer.flush().await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::Retry);
    assert!(error.what().contains("was lost"), "{error}");
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again() {
    let warehouse = Warehouse::new(&format!("{TABLE}; INSERT INTO t VALUES (1, 'a'), (2, 'a')")).await;
    let mut writer = warehouse.open("t", id_and_value(), &[]).await.unwrap();
    // Somebody else holds row 2 and then wants row 1, which the sink has by then.
    let other = connect().await;
    let table = format!("{}.t", warehouse.schema);
    other.batch_execute(&format!("BEGIN; UPDATE {table} SET v = 'x' WHERE id = 2")).await.unwrap();
    writer.write(changes("+U 1 b / +U 2 b")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The sink has waited longer, so that it is the one whom the server stops.
    other.batch_execute(&format!("UPDATE {table} SET v = 'x' WHERE id = 1; COMMIT")).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(warehouse.rows("SELECT * FROM t ORDER BY id").await, "1 b / 2 b");
    assert_eq!(warehouse.metric("flush_retries"), 1);
    warehouse.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_the_same_keys() {
    for more in [&[][..], &[("compatible-mode", "greenplum")]] {
        let warehouse = Warehouse::new(TABLE).await;
        let mut writers = Vec::new();
        for _ in 0..2 {
            writers.push(warehouse.open("t", id_and_value(), more).await.unwrap());
        }
        for round in 0..10 {
            for (number, writer) in writers.iter_mut().enumerate() {
                let rows: Vec<String> = (0..1500).rev().map(|id| format!("+U {id} w{number}r{round}")).collect();
                writer.write(changes(&rows.join(" / "))).await.unwrap();
            }
        }
        for writer in &mut writers {
            writer.flush().await.unwrap();
        }
        assert_eq!(warehouse.rows("SELECT count(*) FROM t WHERE v LIKE 'w_r9'").await, "1500");
        warehouse.drop().await;
    }
}

fn show(table: &BTreeMap<i32, String>) -> String {
    table.iter().map(|(id, v)| format!("{id} {v}")).collect::<Vec<_>>().join(" / ")
}

/// What happens to one key; the changelog is made from what the table holds.
#[derive(Debug, Clone)]
enum Step {
    /// Inserts, or updates with or without `-U`.
    Put { id: i32, v: u8, with_before: bool },
    /// Deletes, if there is something.
    Delete { id: i32 },
    /// Gives the row another key.
    Move { from: i32, to: i32 },
    /// Ends a batch.
    Cut,
    /// Ends a batch and waits.
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = |keys: i32| {
        prop_oneof![
            12 => (0..keys, any::<u8>(), any::<bool>()).prop_map(|(id, v, with_before)| Step::Put { id, v, with_before }),
            4 => (0..keys).prop_map(|id| Step::Delete { id }),
            1 => (0..keys, 0..keys).prop_map(|(from, to)| Step::Move { from, to }),
            1 => Just(Step::Cut),
            1 => Just(Step::Flush),
        ]
    };
    // Few keys in few rows, and many in so many that they are staged.
    prop_oneof![proptest::collection::vec(step(12), 1..60), proptest::collection::vec(step(700), 800..2500),]
}

async fn play(writer: &mut Box<dyn SinkWriter>, steps: &[Step]) -> BTreeMap<i32, String> {
    let mut table: BTreeMap<i32, String> = BTreeMap::new();
    let mut rows: Vec<String> = Vec::new();
    for step in steps.iter().chain(&[Step::Flush]) {
        match step {
            Step::Put { id, v, with_before } => match table.insert(*id, format!("v{v}")) {
                None => rows.push(format!("+I {id} v{v}")),
                Some(before) => {
                    if *with_before {
                        rows.push(format!("-U {id} {before}"));
                    }
                    rows.push(format!("+U {id} v{v}"));
                }
            },
            Step::Delete { id } => {
                if let Some(before) = table.remove(id) {
                    rows.push(format!("-D {id} {before}"));
                }
            }
            Step::Move { from, to } => {
                if !table.contains_key(to)
                    && let Some(v) = table.remove(from)
                {
                    rows.extend([format!("-U {from} {v}"), format!("+U {to} {v}")]);
                    table.insert(*to, v);
                }
            }
            Step::Cut | Step::Flush => {
                if !rows.is_empty() {
                    writer.write(changes(&rows.join(" / "))).await.unwrap();
                    rows.clear();
                }
                if matches!(step, Step::Flush) {
                    writer.flush().await.unwrap();
                }
            }
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// However a changelog is cut, the target holds what it describes.
    #[test]
    fn the_target_is_the_materialised_changelog(steps in steps(), portable: bool, warm: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let warehouse = Warehouse::new(TABLE).await;
            if warm {
                // As after a restart: the target is ahead of the changelog that comes again.
                warehouse.execute("INSERT INTO t SELECT i, 'ahead' FROM generate_series(0, 699, 3) i").await;
            }
            let mode = if portable { "greenplum" } else { "postgres" };
            let mut writer = warehouse.open("t", id_and_value(), &[("compatible-mode", mode)]).await.unwrap();
            let expected = play(&mut writer, &steps).await;
            let touched = if warm { "v <> 'ahead'" } else { "true" };
            let found = warehouse.rows(&format!("SELECT * FROM t WHERE {touched} ORDER BY id")).await;
            assert_eq!(found, show(&expected));
            warehouse.drop().await;
        });
    }
}
