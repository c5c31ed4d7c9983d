//! Every mistake is told with its place, its cause and its fix; and no secret with it.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use sluice_demo::Result;
use sluice_demo::endpoints::Flavor;
use sluice_tests::{Scene, run_client};

/// Runs a job that must fail, and returns all that it printed.
fn failing(file: &Path, home: &Path) -> Result<String> {
    let output = run_client(file, home, Duration::from_secs(60))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "a job that cannot run ends with 1:\n{text}");
    assert!(!text.contains("sluice-secret"), "a secret is shown:\n{text}");
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "a panic is shown:\n{text}");
    Ok(text)
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is not said:\n{text}");
    }
}

/// A scene whose job file is changed by replacing `from` with `to`.
async fn mistaken(name: &str, flavor: Flavor, from: &str, to: &str) -> Result<String> {
    let scene = Scene::create(name, flavor, 10).await?;
    let job = scene.job_text()?;
    assert!(job.contains(from), "the job has no {from}");
    let file = scene.write_job("mistaken.sql", &job.replace(from, to))?;
    failing(&file, scene.home())
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_options_are_all_told_at_once() -> Result<()> {
    let scene = Scene::create("options", Flavor::MariaDb, 10).await?;
    let job = scene.job_text()?.replace("'server-id'", "'sever-id'").replace("'hostname'", "'hostnam'");
    let text = failing(&scene.write_job("mistaken.sql", &job)?, scene.home())?;
    assert_says(
        &text,
        &[
            "unknown option 'sever-id'",
            "did you mean 'server-id'?",
            "unknown option 'hostnam'",
            "did you mean 'hostname'?",
            "needs option 'hostname'",
            "connector 'mysql-cdc'",
            "line ",
        ],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_told_with_what_is_expected() -> Result<()> {
    let text = mistaken("value", Flavor::MariaDb, "'sink.parallelism' = '2'", "'sink.parallelism' = 'two'").await?;
    assert_says(&text, &["invalid value 'two' for option 'sink.parallelism'", "expected a whole number", "line "]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_source_table_is_suggested() -> Result<()> {
    for flavor in Flavor::ALL {
        let text = mistaken("table", flavor, "'table-name' = 'store_sales'", "'table-name' = 'store_sale'").await?;
        assert_says(&text, &["store_sale", "did you mean", "store_sales"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_sink_table_comes_with_its_ddl() -> Result<()> {
    let text = mistaken("sink", Flavor::MariaDb, ".store_sales_heap'", ".store_sales_hep'").await?;
    assert_says(&text, &["store_sales_hep", "CREATE TABLE"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_showing_it() -> Result<()> {
    for flavor in Flavor::ALL {
        let scene = Scene::create("password", flavor, 10).await?;
        let job = scene.job_text()?.replacen("'password' = 'sluice-secret'", "'password' = 'not-this-one'", 1);
        let text = failing(&scene.write_job("mistaken.sql", &job)?, scene.home())?;
        assert!(!text.contains("not-this-one"), "the password is shown:\n{text}");
        assert_says(&text, &["sluice", "password"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_named() -> Result<()> {
    let scene = Scene::create("broker", Flavor::MariaDb, 10).await?;
    // A broker may come back, so that a job tries again and again unless it is told not to.
    let job = format!("SET 'restart-strategy.type' = 'none';\n{}", scene.job_text()?);
    let job = job.replace("'127.0.0.1:29092'", "'127.0.0.1:1'");
    let text = failing(&scene.write_job("mistaken.sql", &job)?, scene.home())?;
    assert_says(&text, &["127.0.0.1:1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_grants_come_with_the_statement_to_run() -> Result<()> {
    for flavor in Flavor::ALL {
        let scene = Scene::create("grants", flavor, 10).await?;
        let mut admin = scene.mysql().await?;
        let user = format!("u_{:08x}", scene.server_id);
        admin.query_drop(format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'sluice-secret'")).await?;
        admin.query_drop(format!("GRANT SELECT ON {}.* TO '{user}'@'%'", scene.name)).await?;
        let job = scene.job_text()?.replacen("'username' = 'sluice'", &format!("'username' = '{user}'"), 1);
        let text = failing(&scene.write_job("mistaken.sql", &job)?, scene.home())?;
        admin.query_drop(format!("DROP USER '{user}'@'%'")).await?;
        // The first privilege that is missed, in the server's own words.
        let grant = match flavor {
            Flavor::MariaDb => "GRANT BINLOG MONITOR ON *.* TO",
            Flavor::MySql => "GRANT REPLICATION",
        };
        assert_says(&text, &[grant, &user]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_shows_the_line() -> Result<()> {
    let text = mistaken(
        "syntax",
        Flavor::MariaDb,
        "INSERT INTO kafka_store_sales SELECT",
        "INSERT INTO kafka_store_sales SELCT",
    )
    .await?;
    assert_says(&text, &["SELCT", "did you mean SELECT", "line "]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_column_is_suggested() -> Result<()> {
    let text = mistaken(
        "column",
        Flavor::MariaDb,
        "INSERT INTO kafka_store_sales SELECT * FROM",
        "INSERT INTO kafka_store_sales SELECT ss_item_k FROM",
    )
    .await?;
    assert_says(&text, &["column 'ss_item_k' not found", "did you mean 'ss_item_sk'?", "line "]);
    Ok(())
}
