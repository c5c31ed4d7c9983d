//! Job 01 on real servers: snapshot, live changes, both sinks, one connection.

use std::time::Duration;

use sluice_demo::Result;
use sluice_demo::endpoints::Flavor;
use sluice_demo::load::Load;
use sluice_tests::{Scene, replication_clients};

const ROWS: u64 = 20_000;

async fn sinks_equal_the_source(flavor: Flavor) -> Result<()> {
    let scene = Scene::create("main_job", flavor, ROWS).await?;
    let mut job = scene.start_job()?;
    let load = Load::default();
    let mut mysql = scene.mysql().await?;
    let running = load.clone();
    let table = scene.table;
    let changes = tokio::spawn(async move { running.run(&mut mysql, table, ROWS, 500, 1).await });
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut admin = scene.mysql().await?;
    let clients = replication_clients(&mut admin, flavor, scene.server_id..scene.server_id + 10).await?;
    load.stop();
    changes.await??;
    assert!(job.is_running(), "the job ended:\n{}", job.output());
    assert_eq!(clients.len(), 1, "one connection reads the log, with an id of the range: {clients:?}");
    scene.wait_until_equal(Duration::from_secs(60)).await.map_err(|error| format!("{error}\n{}", job.output()))?;
    let code = job.stop(Duration::from_secs(30))?;
    assert_eq!(code, 0, "a job that is stopped ended well:\n{}", job.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn job_01_on_mariadb() -> Result<()> {
    sinks_equal_the_source(Flavor::MariaDb).await
}

#[tokio::test(flavor = "multi_thread")]
async fn job_01_on_mysql() -> Result<()> {
    sinks_equal_the_source(Flavor::MySql).await
}

/// Stopped, changed while it is stopped, and started again: it goes on where it stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_job_catches_up() -> Result<()> {
    let scene = Scene::create("resume", Flavor::MariaDb, 5_000).await?;
    let mut job = scene.start_job()?;
    scene.wait_until_equal(Duration::from_secs(60)).await.map_err(|error| format!("{error}\n{}", job.output()))?;
    assert_eq!(job.stop(Duration::from_secs(30))?, 0, "{}", job.output());
    let mut mysql = scene.mysql().await?;
    let load = Load::default();
    let running = load.clone();
    let table = scene.table;
    let changes = tokio::spawn(async move { running.run(&mut mysql, table, 5_000, 0, 2).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.stop();
    changes.await??;
    let mut job = scene.start_job()?;
    scene.wait_until_equal(Duration::from_secs(60)).await.map_err(|error| format!("{error}\n{}", job.output()))?;
    assert_eq!(job.stop(Duration::from_secs(30))?, 0, "{}", job.output());
    Ok(())
}
