//! What users are told when something is wrong.

use mysql_async::prelude::Queryable;
use sluice_model::SqlType;

use crate::on_both_servers;
use crate::support::{Database, Job, Server, Table};

on_both_servers!(
    wrong_passwords,
    names_that_do_not_exist,
    types_that_do_not_fit,
    missing_grants,
    a_truncated_table,
    a_dropped_column,
    rows_changed_by_a_statement,
    a_purged_log,
    a_server_that_is_not_there,
);

const ID: [(&str, SqlType); 1] = [("id", SqlType::Int)];

async fn database(server: Server) -> Database {
    let mut database = Database::new(server).await;
    database.run("CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(10,2), note VARCHAR(20))").await;
    database
}

fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
}

async fn wrong_passwords(server: Server) {
    let database = database(server).await;
    let error = Job::error_of(&[Table::new(&database, "orders", &ID, 1).with("password", "not-it")]).await;
    assert_contains(&error, &["refuses user 'sluice'", "check 'username' and 'password'"]);
    assert!(!error.contains("not-it"));
    database.drop().await;
}

async fn names_that_do_not_exist(server: Server) {
    let database = database(server).await;
    let error = Job::error_of(&[Table::new(&database, "ordes", &ID, 1)]).await;
    assert_contains(&error, &["ordes", &format!("did you mean '{}.orders'?", database.name)]);
    let columns = [("id", SqlType::Int), ("totl", SqlType::Decimal(10, 2)), ("nte", SqlType::STRING)];
    let error = Job::error_of(&[Table::new(&database, "orders", &columns, 1)]).await;
    assert_contains(&error, &["no column 'totl'", "did you mean 'total'?", "no column 'nte'", "did you mean 'note'?"]);
    database.drop().await;
}

async fn types_that_do_not_fit(server: Server) {
    let database = database(server).await;
    let columns = [("id", SqlType::Date), ("total", SqlType::Boolean), ("note", SqlType::STRING)];
    let error = Job::error_of(&[Table::new(&database, "orders", &columns, 1)]).await;
    assert_contains(&error, &["column 'id'", "declared DATE", "column 'total'", "decimal(10,2), declared BOOLEAN"]);
    database.drop().await;
}

async fn missing_grants(server: Server) {
    let mut database = database(server).await;
    let user = format!("u{}", database.name);
    database.run(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")).await;
    let name = database.name.clone();
    let table = Table::new(&database, "orders", &ID, 1).with("username", &user).with("password", "pw");
    let error = Job::error_of(std::slice::from_ref(&table)).await;
    assert_contains(&error, &["GRANT SELECT ON"]);
    database.run(&format!("GRANT SELECT ON {name}.* TO '{user}'@'%'")).await;
    let error = Job::error_of(std::slice::from_ref(&table)).await;
    let (grant, hint) = match server {
        Server::MariaDb => ("BINLOG MONITOR", "GRANT BINLOG MONITOR ON *.* TO"),
        Server::MySql => ("REPLICATION CLIENT", "GRANT REPLICATION CLIENT ON *.* TO"),
    };
    assert_contains(&error, &["lacks a privilege", hint]);
    database.run(&format!("GRANT {grant} ON *.* TO '{user}'@'%'")).await;
    let error = Job::error_of(std::slice::from_ref(&table)).await;
    assert_contains(&error, &["GRANT REPLICATION SLAVE ON *.* TO"]);
    database.run(&format!("GRANT REPLICATION SLAVE ON *.* TO '{user}'@'%'")).await;
    database.run("INSERT INTO orders VALUES (1, 2, 'x')").await;
    let mut job = Job::start(&[table]).await;
    let expected = database.table("SELECT id FROM orders").await;
    job.expect(0, &expected).await;
    drop(job);
    database.run(&format!("DROP USER '{user}'@'%'")).await;
    database.drop().await;
}

async fn a_truncated_table(server: Server) {
    let mut database = database(server).await;
    let mut job = Job::start(&[Table::new(&database, "orders", &ID, 1)]).await;
    job.settle().await;
    database.run("TRUNCATE TABLE orders").await;
    let error = job.failure().await;
    assert_contains(&error, &["orders was truncated", "TRUNCATE TABLE orders", "without its checkpoint"]);
    database.drop().await;
}

async fn a_dropped_column(server: Server) {
    let mut database = database(server).await;
    let columns = [("id", SqlType::Int), ("note", SqlType::STRING)];
    let mut job = Job::start(&[Table::new(&database, "orders", &columns, 1)]).await;
    job.settle().await;
    database.run("ALTER TABLE orders DROP COLUMN note").await;
    database.run("INSERT INTO orders VALUES (5, 1)").await;
    let error = job.failure().await;
    assert_contains(&error, &["note"]);
    database.drop().await;
}

async fn rows_changed_by_a_statement(server: Server) {
    let mut database = database(server).await;
    let mut job = Job::start(&[Table::new(&database, "orders", &ID, 1)]).await;
    job.settle().await;
    let mut other = database.connect().await;
    if other.query_drop("SET SESSION binlog_format = 'STATEMENT'").await.is_err() {
        // A server without other formats has nothing to warn of.
        database.drop().await;
        return;
    }
    database.run("SELECT 1").await;
    other.query_drop("INSERT INTO orders VALUES (8, 1, 'x')").await.unwrap();
    let error = job.failure().await;
    assert_contains(&error, &["changed by a statement", "binlog_format"]);
    database.drop().await;
}

async fn a_purged_log(server: Server) {
    let database = database(server).await;
    let table = Table::new(&database, "orders", &ID, 1)
        .with("scan.startup.mode", "specific-offset")
        .with("scan.startup.specific-offset.file", "binlog.999999")
        .with("scan.startup.specific-offset.pos", "4");
    let error = Job::error_of(&[table]).await;
    assert_contains(&error, &["no longer has the part", "binlog.999999", "binlog_expire_logs_seconds"]);
    database.drop().await;
}

async fn a_server_that_is_not_there(server: Server) {
    let database = database(server).await;
    let table = Table::new(&database, "orders", &ID, 1).with("port", "1");
    let error = Job::error_of(&[table]).await;
    assert_contains(&error, &["no connection to the server at 127.0.0.1:1", "check 'hostname' and 'port'"]);
    database.drop().await;
}

mod logins {
    use super::*;

    /// The first login of an account needs its password, whatever way it takes; later ones its hash.
    async fn logs_in(ssl_mode: &str) {
        let mut database = database(Server::MySql).await;
        let user = format!("u{}{}", database.name, ssl_mode.to_lowercase());
        database.run(&format!("CREATE USER '{user}'@'%' IDENTIFIED WITH caching_sha2_password BY 'päss'")).await;
        database.run(&format!("GRANT SELECT, REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO '{user}'@'%'")).await;
        database.run("INSERT INTO orders VALUES (1, 2, 'x')").await;
        let table = Table::new(&database, "orders", &ID, 1)
            .with("username", &user)
            .with("password", "päss")
            .with("jdbc.properties.sslMode", ssl_mode);
        let expected = database.table("SELECT id FROM orders").await;
        for _ in 0..2 {
            let mut job = Job::start(std::slice::from_ref(&table)).await;
            job.expect(0, &expected).await;
        }
        if ssl_mode == "DISABLED" {
            database.run(&format!("ALTER USER '{user}'@'%' IDENTIFIED BY 'other'")).await;
            let refused = table.with("password", "other").with("jdbc.properties.allowPublicKeyRetrieval", "false");
            let error = Job::error_of(&[refused]).await;
            assert_contains(&error, &["allowPublicKeyRetrieval"]);
        }
        database.run(&format!("DROP USER '{user}'@'%'")).await;
        database.drop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_tls() {
        logs_in("REQUIRED").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_clear_text() {
        logs_in("DISABLED").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_untrusted_certificate_is_refused() {
        let database = database(Server::MySql).await;
        let table = Table::new(&database, "orders", &ID, 1).with("jdbc.properties.sslMode", "VERIFY_CA");
        let error = Job::error_of(&[table]).await;
        assert_contains(&error, &["no encrypted connection", "jdbc.properties.sslCa"]);
        database.drop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tls_that_the_server_lacks() {
        let database = database(Server::MariaDb).await;
        let table = Table::new(&database, "orders", &ID, 1).with("jdbc.properties.sslMode", "REQUIRED");
        let error = Job::error_of(&[table]).await;
        assert_contains(&error, &["which the server does not offer"]);
        database.drop().await;
    }
}

mod server_ids {
    use super::*;

    /// MariaDB ends the older of two readers with one id.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_taken_id_is_left_for_another_of_the_range() {
        let mut database = database(Server::MariaDb).await;
        let low = 900_000 + std::process::id() % 100_000 * 10;
        let table = |ids: String| Table::new(&database, "orders", &ID, 1).with("server-id", &ids);
        let (range, one) = (table(format!("{low}-{}", low + 3)), table(low.to_string()));
        let mut flexible = Job::start(&[range]).await;
        flexible.settle().await;
        let mut rigid = Job::start(std::slice::from_ref(&one)).await;
        rigid.settle().await;
        database.run("INSERT INTO orders VALUES (1, 2, 'x')").await;
        let expected = database.table("SELECT id FROM orders").await;
        flexible.expect(0, &expected).await;
        rigid.expect(0, &expected).await;
        let mut third = Job::start(&[one]).await;
        let error = rigid.failure().await;
        assert_contains(&error, &["another replica or reader uses server-id", "range of its own"]);
        third.expect(0, &expected).await;
        drop((flexible, rigid, third));
        database.drop().await;
    }
}
