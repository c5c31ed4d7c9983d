//! Servers that restart, and servers that are away for a while, in the middle of a job.
//!
//! The servers are instance 1: these tests start it, kill its servers, and nobody else uses it. They
//! run one after the other.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use sluice_demo::Result;
use sluice_demo::endpoints::{Endpoints, Flavor};
use sluice_demo::load::Load;
use sluice_tests::Scene;
use tokio::sync::{Mutex, MutexGuard};

const ENDPOINTS: Endpoints = Endpoints::instance(1);
const ROWS: u64 = 10_000;

/// One fault at a time.
static TURN: Mutex<()> = Mutex::const_new(());

fn services(arguments: &[&str]) -> Result<()> {
    services_with("", arguments)
}

/// As [`services`], with options for MariaDB.
fn services_with(mariadb_options: &str, arguments: &[&str]) -> Result<()> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/services.sh");
    let output = Command::new(script)
        .args(arguments)
        .env("SLUICE_SERVICES_INSTANCE", "1")
        .env("SLUICE_SERVICES_MARIADB_OPTIONS", mariadb_options)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("scripts/services.sh {} failed:\n{text}", arguments.join(" ")).into())
}

async fn turn() -> Result<MutexGuard<'static, ()>> {
    let turn = TURN.lock().await;
    services(&["up", "mariadb", "mysql", "postgres", "kafka"])?;
    Ok(turn)
}

/// Runs job 01 under load, does something to a server in the middle, and expects equality.
async fn survives(name: &str, flavor: Flavor, fault: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let _turn = turn().await?;
    let scene = Scene::create_at(ENDPOINTS, name, flavor, ROWS).await?;
    let mut job = scene.start_job()?;
    let source_fails = name.starts_with("source");
    let load = Load::default();
    let mut mysql = scene.mysql().await?;
    let running = load.clone();
    let table = scene.table;
    let changes = tokio::spawn(async move { running.run(&mut mysql, table, ROWS, 200, 5).await });
    tokio::time::sleep(Duration::from_secs(4)).await;
    if source_fails {
        load.stop();
        changes.await??;
        fault().await?;
        // More changes once the source is back: new rows are numbered from where no row has been.
        let load = Load::default();
        let running = load.clone();
        let mut mysql = scene.mysql().await?;
        let changes = tokio::spawn(async move { running.run(&mut mysql, table, ROWS * 10, 200, 6).await });
        tokio::time::sleep(Duration::from_secs(2)).await;
        load.stop();
        changes.await??;
    } else {
        fault().await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        load.stop();
        changes.await??;
    }
    scene.wait_until_equal(Duration::from_secs(120)).await.map_err(|error| format!("{error}\n{}", job.output()))?;
    assert!(job.is_running(), "the job ended:\n{}", job.output());
    assert_eq!(job.stop(Duration::from_secs(40))?, 0, "{}", job.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_restarts() -> Result<()> {
    survives("broker", Flavor::MariaDb, async || services(&["restart", "kafka"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_warehouse_restarts() -> Result<()> {
    survives("warehouse", Flavor::MariaDb, async || services(&["restart", "postgres"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_restarts() -> Result<()> {
    survives("source", Flavor::MariaDb, async || services(&["restart", "mariadb"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_restarts() -> Result<()> {
    survives("source", Flavor::MySql, async || services(&["restart", "mysql"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_warehouse_is_away_for_twenty_seconds() -> Result<()> {
    survives("away", Flavor::MariaDb, async || {
        services(&["kill", "postgres"])?;
        tokio::time::sleep(Duration::from_secs(20)).await;
        services(&["up", "postgres"])
    })
    .await
}

/// A server that logs statements instead of rows is refused with the setting to change.
#[tokio::test(flavor = "multi_thread")]
async fn a_binlog_of_statements_is_refused() -> Result<()> {
    let _turn = turn().await?;
    let scene = Scene::create_at(ENDPOINTS, "statements", Flavor::MariaDb, 10).await?;
    let mut admin = scene.mysql().await?;
    admin.query_drop("SET GLOBAL binlog_format = 'STATEMENT'").await?;
    let text = refusal(&scene);
    admin.query_drop("SET GLOBAL binlog_format = 'ROW'").await?;
    let text = text?;
    assert!(text.contains("the server's binlog_format is STATEMENT, it has to be ROW"), "{text}");
    assert!(text.contains("SET GLOBAL binlog_format = 'ROW'"), "{text}");
    Ok(())
}

/// A server without a log cannot be followed; the text says what to put into its configuration.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_binlog_is_refused() -> Result<()> {
    let _turn = turn().await?;
    let scene = Scene::create_at(ENDPOINTS, "unlogged", Flavor::MariaDb, 10).await?;
    services_with("--skip-log-bin", &["restart", "mariadb"])?;
    let text = refusal(&scene);
    services(&["restart", "mariadb"])?;
    let text = text?;
    assert!(text.contains("the server writes no binary log"), "{text}");
    assert!(text.contains("add log_bin=binlog to the [mysqld] section"), "{text}");
    Ok(())
}

/// Runs the job, which has to fail, and returns all it says.
fn refusal(scene: &Scene) -> Result<String> {
    let file = scene.write_job("job.sql", &scene.job_text()?)?;
    let output = sluice_tests::run_client(&file, scene.home(), Duration::from_secs(60))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{text}");
    Ok(text)
}
