//! Restarts from a position: nothing is lost, and nothing comes twice.

use std::time::Duration;

use sluice_model::SqlType;

use crate::on_both_servers;
use crate::support::{Database, Dice, Job, Server, Table};

on_both_servers!(
    in_the_middle_of_a_transaction,
    between_tables_of_one_transaction,
    at_every_point_of_a_snapshot,
    with_a_table_more,
    over_rotated_logs,
);

async fn in_the_middle_of_a_transaction(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))").await;
    let columns = [("id", SqlType::Int), ("v", SqlType::STRING)];
    let mut job = Job::start(&[Table::new(&database, "t", &columns, 1)]).await;
    job.settle().await;
    let values: Vec<String> = (0..40_000).map(|id| format!("({id}, 'x{id}')")).collect();
    database.run("BEGIN").await;
    for part in values.chunks(10_000) {
        database.run(&format!("INSERT INTO t VALUES {}", part.join(","))).await;
    }
    database.run("UPDATE t SET v = CONCAT(v, '!')").await;
    database.run("COMMIT").await;
    let expected = database.table("SELECT id, v FROM t").await;
    let mut restarts = 0;
    while job.state[0] != expected {
        assert!(job.step(Duration::from_secs(30)).await, "{} rows", job.state[0].len());
        let checkpoint = job.checkpoint();
        if restarts < 12 {
            job = job.restart(checkpoint).await;
            restarts += 1;
        }
    }
    assert!(restarts > 3);
    job.settle().await;
    assert_eq!(job.state[0], expected);
    database.drop().await;
}

async fn between_tables_of_one_transaction(server: Server) {
    let mut database = Database::new(server).await;
    let columns = [("id", SqlType::Int), ("v", SqlType::Int)];
    for name in ["a", "b"] {
        database.run(&format!("CREATE TABLE {name} (id INT PRIMARY KEY, v INT)")).await;
    }
    let tables = ["a", "b"].map(|name| Table::new(&database, name, &columns, 1));
    let mut job = Job::start(&tables).await;
    job.settle().await;
    for id in 0..30 {
        database.run("BEGIN").await;
        for name in ["a", "b", "a"] {
            database.run(&format!("INSERT INTO {name} VALUES ({id}, 1) ON DUPLICATE KEY UPDATE v = v + 1")).await;
        }
        database.run("COMMIT").await;
        // A checkpoint between the batches of the two tables.
        assert!(job.step(Duration::from_secs(10)).await);
        let checkpoint = job.checkpoint();
        job = job.restart(checkpoint).await;
    }
    for (index, name) in ["a", "b"].iter().enumerate() {
        let expected = database.table(&format!("SELECT id, v FROM {name}")).await;
        job.expect(index, &expected).await;
    }
    job.settle().await;
    database.drop().await;
}

async fn at_every_point_of_a_snapshot(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let values: Vec<String> = (0..500).map(|id| format!("({id}, 0)")).collect();
    database.run(&format!("INSERT INTO t VALUES {}", values.join(","))).await;
    let columns = [("id", SqlType::Int), ("v", SqlType::Int)];
    let table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "20");
    let mut job = Job::start(&[table]).await;
    let mut dice = Dice(5);
    let mut version = 0;
    while job.metric("snapshot_finished") == 0 {
        // A restart reads unfinished chunks again: leave them time to finish now and then.
        for _ in 0..dice.roll(6) {
            job.step(Duration::from_secs(1)).await;
        }
        version += 1;
        let id = dice.roll(500);
        database.run(&format!("UPDATE t SET v = {version} WHERE id BETWEEN {id} AND {}", id + 30)).await;
        let checkpoint = job.checkpoint();
        job = job.restart(checkpoint).await;
    }
    let expected = database.table("SELECT id, v FROM t").await;
    job.expect(0, &expected).await;
    database.drop().await;
}

async fn with_a_table_more(server: Server) {
    let mut database = Database::new(server).await;
    let columns = [("id", SqlType::Int)];
    for name in ["a", "b"] {
        database.run(&format!("CREATE TABLE {name} (id INT PRIMARY KEY)")).await;
        database.run(&format!("INSERT INTO {name} VALUES (1), (2)")).await;
    }
    let tables = ["a", "b"].map(|name| Table::new(&database, name, &columns, 1));
    let mut job = Job::start(&tables[..1]).await;
    job.settle().await;
    let position = job.checkpoint();
    drop(job);
    database.run("INSERT INTO a VALUES (3)").await;
    database.run("INSERT INTO b VALUES (3)").await;
    let mut job = Job::try_start(&tables, Some(position.position)).await.unwrap();
    job.state[0] = position.state[0].clone();
    let expected = database.table("SELECT id FROM a").await;
    job.expect(0, &expected).await;
    job.expect(1, &expected).await;
    database.drop().await;
}

async fn over_rotated_logs(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut job = Job::start(&[Table::new(&database, "t", &[("id", SqlType::Int)], 1)]).await;
    job.settle().await;
    for id in 0..4 {
        database.run(&format!("INSERT INTO t VALUES ({id})")).await;
        database.run("FLUSH BINARY LOGS").await;
        database.run(&format!("INSERT INTO t VALUES ({})", 100 + id)).await;
        let expected = database.table("SELECT id FROM t").await;
        job.expect(0, &expected).await;
        let checkpoint = job.checkpoint();
        job = job.restart(checkpoint).await;
    }
    // A snapshot on a server whose log has just been rotated ends too.
    database.run("FLUSH BINARY LOGS").await;
    let mut fresh = Job::start(&[Table::new(&database, "t", &[("id", SqlType::Int)], 1)]).await;
    let expected = database.table("SELECT id FROM t").await;
    fresh.expect(0, &expected).await;
    database.drop().await;
}
