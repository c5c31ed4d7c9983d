//! Kill -9 at random moments, under load, ends in equality.
//!
//! `SLUICE_KILL_CYCLES` sets the number of kills (default 6 per server).

use std::time::Duration;

use rand::Rng;
use sluice_demo::Result;
use sluice_demo::endpoints::Flavor;
use sluice_demo::load::Load;
use sluice_tests::Scene;

const ROWS: u64 = 30_000;

fn cycles() -> u32 {
    std::env::var("SLUICE_KILL_CYCLES").ok().and_then(|cycles| cycles.parse().ok()).unwrap_or(6)
}

async fn survives_kills(flavor: Flavor) -> Result<()> {
    let scene = Scene::create("kill", flavor, ROWS).await?;
    let load = Load::default();
    let mut mysql = scene.mysql().await?;
    let running = load.clone();
    let table = scene.table;
    let changes = tokio::spawn(async move { running.run(&mut mysql, table, ROWS, 300, 3).await });
    for cycle in 0..cycles() {
        let mut job = scene.start_job()?;
        // The first kills meet the snapshot, the later ones the log.
        let pause = rand::rng().random_range(150..2_500);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        assert!(job.is_running(), "cycle {cycle}, after {pause} ms, the job ended by itself:\n{}", job.output());
        job.kill();
    }
    load.stop();
    changes.await??;
    let mut job = scene.start_job()?;
    scene.wait_until_equal(Duration::from_secs(90)).await.map_err(|error| format!("{error}\n{}", job.output()))?;
    assert_eq!(job.stop(Duration::from_secs(30))?, 0, "{}", job.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_mariadb() -> Result<()> {
    survives_kills(Flavor::MariaDb).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_on_mysql() -> Result<()> {
    survives_kills(Flavor::MySql).await
}
