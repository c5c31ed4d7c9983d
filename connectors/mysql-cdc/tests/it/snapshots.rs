//! The rows that exist.

use std::time::Duration;

use sluice_model::SqlType;

use crate::on_both_servers;
use crate::support::{Database, Job, Server, Table};

on_both_servers!(
    reads_every_row_once,
    reads_keys_of_every_kind,
    a_bounded_snapshot_ends,
    several_tables_share_one_connection,
    shards_are_read_as_one_table,
    a_table_in_one_chunk,
    the_position_is_small,
);

async fn reads_every_row_once(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INT)").await;
    fill(&mut database, "t", 5000).await;
    let columns = [("id", SqlType::BigInt), ("name", SqlType::STRING), ("n", SqlType::Int)];
    let table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "300");
    let mut job = Job::start(&[table]).await;
    let expected = database.table("SELECT id, name, n FROM t").await;
    job.expect(0, &expected).await;
    assert_eq!(expected.len(), 5000);
    job.settle().await;
    assert_eq!(job.metric("snapshot_finished"), 1);
    assert_eq!(job.metric("snapshot_rows"), 5000);
    database.drop().await;
}

async fn fill(database: &mut Database, table: &str, rows: u32) {
    let values: Vec<String> = (1..=rows).map(|id| format!("({id}, 'name {id}', {})", id % 7)).collect();
    for part in values.chunks(1000) {
        database.run(&format!("INSERT INTO {table} VALUES {}", part.join(","))).await;
    }
}

/// Keys that compare here, and keys that only the server can compare.
async fn reads_keys_of_every_kind(server: Server) {
    let mut database = Database::new(server).await;
    let keys = [
        ("a", "BIGINT UNSIGNED", SqlType::Decimal(20, 0), ["0", "1", "9223372036854775808", "18446744073709551615"]),
        ("b", "INT", SqlType::Int, ["-2147483648", "-1", "0", "2147483647"]),
        ("c", "VARCHAR(20)", SqlType::STRING, ["'a'", "'B'", "'_'", "'é'"]),
        ("d", "CHAR(5) CHARACTER SET latin1", SqlType::STRING, ["'z'", "'Z1'", "'ä'", "''"]),
        ("e", "VARCHAR(20) COLLATE utf8mb4_bin", SqlType::STRING, ["'a'", "'A'", "'a\t'", "'Z'"]),
        ("f", "DECIMAL(20,4)", SqlType::Decimal(20, 4), ["-1.5", "0", "1.25", "99999999.9999"]),
        ("g", "DATE", SqlType::Date, ["'2024-01-01'", "'1970-01-01'", "'2038-05-06'", "'1999-12-31'"]),
        (
            "h",
            "DATETIME(6)",
            SqlType::Timestamp(6),
            ["'2024-01-01'", "'1970-01-01 00:00:01.5'", "'2038-05-06'", "'1999-12-31'"],
        ),
    ];
    for (name, mysql, sql, values) in keys {
        database.run(&format!("CREATE TABLE {name} (k {mysql} PRIMARY KEY, v INT)")).await;
        for (index, value) in values.iter().enumerate() {
            database.run(&format!("INSERT INTO {name} VALUES ({value}, {index})")).await;
        }
        let columns = [("k", sql), ("v", SqlType::Int)];
        let table = Table::new(&database, name, &columns, 1).with("scan.incremental.snapshot.chunk.size", "2");
        let mut job = Job::start(&[table]).await;
        job.settle().await;
        assert_eq!(job.state[0].len(), 4, "{name}: {:?}", job.state[0]);
        assert_eq!(job.metric("snapshot_finished"), 1, "{name}");
    }
    database.drop().await;
}

async fn a_bounded_snapshot_ends(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), n INT)").await;
    fill(&mut database, "t", 100).await;
    database.run("CREATE TABLE nothing (id INT PRIMARY KEY)").await;
    let columns = [("id", SqlType::Int)];
    let table = |name| {
        Table::new(&database, name, &columns, 1)
            .with("scan.startup.mode", "snapshot")
            .with("scan.incremental.snapshot.chunk.size", "10")
    };
    let mut job = Job::start(&[table("t"), table("nothing")]).await;
    while job.step(Duration::from_secs(20)).await {}
    assert!(job.ended);
    assert_eq!((job.state[0].len(), job.state[1].len()), (100, 0));
    let end = job.checkpoint();
    let mut job = job.restart(end).await;
    assert!(!job.step(Duration::from_secs(20)).await && job.ended, "a finished snapshot stays finished");
    database.drop().await;
}

async fn several_tables_share_one_connection(server: Server) {
    let mut database = Database::new(server).await;
    let columns = [("id", SqlType::Int), ("name", SqlType::STRING), ("n", SqlType::Int)];
    for name in ["a", "b", "c"] {
        database.run(&format!("CREATE TABLE {name} (id INT PRIMARY KEY, name VARCHAR(20), n INT)")).await;
        fill(&mut database, name, 20).await;
    }
    let before = dumps(&mut database).await;
    let tables: Vec<Table> = ["a", "b", "c"].iter().map(|name| Table::new(&database, name, &columns, 1)).collect();
    let mut job = Job::start(&tables).await;
    job.settle().await;
    database.run("UPDATE a SET n = 100").await;
    database.run("UPDATE c SET n = 300").await;
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        let expected = database.table(&format!("SELECT id, name, n FROM {name}")).await;
        job.expect(index, &expected).await;
    }
    // Other tests run at the same time: only connections of this test's server ids may count, so look at growth.
    let with_job = dumps(&mut database).await;
    assert!(with_job >= 1, "no connection reads the log");
    drop((before, job));
    database.drop().await;
}

async fn dumps(database: &mut Database) -> usize {
    let list = database.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'").await;
    list.len()
}

async fn shards_are_read_as_one_table(server: Server) {
    let mut database = Database::new(server).await;
    for (shard, first) in [("orders_1", 0), ("orders_2", 1000), ("orders_x", 2000)] {
        database.run(&format!("CREATE TABLE {shard} (id INT PRIMARY KEY, n INT)")).await;
        database.run(&format!("INSERT INTO {shard} VALUES ({first}, 1), ({}, 2)", first + 1)).await;
    }
    let columns = [("id", SqlType::Int), ("n", SqlType::Int)];
    let table = Table::new(&database, "orders_[0-9]+", &columns, 1)
        .with_metadata("table_name", "tab", SqlType::STRING)
        .with_metadata("database_name", "db", SqlType::STRING);
    let mut job = Job::start(&[table]).await;
    job.settle().await;
    database.run("UPDATE orders_2 SET n = 9 WHERE id = 1001").await;
    database.run("UPDATE orders_x SET n = 9").await;
    job.settle().await;
    let rows: Vec<&String> = job.state[0].keys().collect();
    let db = &database.name;
    assert_eq!(
        rows,
        [
            &format!("0 1 orders_1 {db}"),
            &format!("1 2 orders_1 {db}"),
            &format!("1000 1 orders_2 {db}"),
            &format!("1001 9 orders_2 {db}")
        ]
    );
    database.drop().await;
}

async fn a_table_in_one_chunk(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), n INT)").await;
    fill(&mut database, "t", 1000).await;
    let columns = [("id", SqlType::Int), ("n", SqlType::Int)];
    let table = Table::new(&database, "t", &columns, 1)
        .with("scan.incremental.snapshot.enabled", "false")
        .with("scan.incremental.snapshot.chunk.size", "10");
    let mut job = Job::start(&[table]).await;
    assert!(job.step(Duration::from_secs(20)).await);
    assert_eq!(job.state[0].len(), 1000);
    database.drop().await;
}

async fn the_position_is_small(server: Server) {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), n INT)").await;
    fill(&mut database, "t", 3000).await;
    let columns = [("id", SqlType::Int)];
    let table = Table::new(&database, "t", &columns, 1).with("scan.incremental.snapshot.chunk.size", "10");
    let mut job = Job::start(&[table]).await;
    let mut longest = 0;
    while job.state[0].len() < 3000 {
        job.step(Duration::from_secs(5)).await;
        longest = longest.max(job.position().len());
    }
    assert!(longest < 2000, "{longest} bytes");
    assert!(!job.position().contains("secret"));
    database.drop().await;
}
