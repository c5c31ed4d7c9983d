//! Watermarks, from the options of tables to rows: when they go out, what they wait for, who asks for them, and
//! how they meet time zones.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{SystemClock, from_pretty, to_pretty};
use sluice_runtime::Engine;
use sluice_sql::{Environment, Home, Outcome, Session};

use super::windows::World;

/// A table over the rows that are pushed to `rows` of a world.
fn table(world: &str, rows: &str, name: &str, columns: &str, options: &str) -> String {
    format!(
        "CREATE TABLE {name} (ts TIMESTAMP(3), k STRING, v INT, {columns}) WITH ('connector'='values', \
         'data-id'='{world}-{rows}', 'bounded'='false', 'changelog-mode'='I', {options})"
    )
}

/// Starts a job that inserts into the sink `s`.
async fn insert(world: &mut World, name: &str, columns: &str, query: &str) {
    world.run(&format!("CREATE TABLE s ({columns}) WITH ('connector'='values', 'data-id'='{name}-s')")).await;
    let Outcome::Submitted { mut jobs, .. } = world.run(&format!("INSERT INTO s {query}")).await else {
        panic!("no job")
    };
    world.job = jobs.pop().map(|job| job.handle);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_told_apart_by_the_current_watermark() {
    let name = "current-watermark";
    let mut world = World::new(name).await;
    let query = "SELECT v, DATE_FORMAT(CURRENT_WATERMARK(ts), 'ss') \
                 FROM l /*+ OPTIONS('scan.watermark.emit.strategy' = 'on-event') */ \
                 WHERE CURRENT_WATERMARK(ts) IS NULL OR ts > CURRENT_WATERMARK(ts)";
    insert(&mut world, name, "v INT, w STRING", query).await;
    // However rows lie in batches.
    world.push("l", "05 a 1 / 03 a 2 / 07 a 3 / 05 a 4 / 08 a 5");
    world.push("l", "08 a 6 / 09 a 7");
    world.expect(&["+I 1 NULL", "+I 3 05", "+I 5 07", "+I 7 08"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_watermark_is_that_behind_all_inputs() {
    let name = "current-watermark-interval";
    let mut world = World::new(name).await;
    let query = "SELECT l.v, r.v AS rv, DATE_FORMAT(CURRENT_WATERMARK(l.ts), 'ss') AS w FROM l JOIN r ON l.k = r.k \
                 AND l.ts BETWEEN r.ts - INTERVAL '5' SECOND AND r.ts + INTERVAL '5' SECOND \
                 WHERE CURRENT_WATERMARK(l.ts) IS NULL OR l.ts > CURRENT_WATERMARK(l.ts)";
    world.start(query).await;
    world.push("r", "01 b 9");
    world.settle().await;
    world.push("l", "07 b 8");
    world.settle().await;
    // Behind the watermark of l, but not behind that of the join: that of r, and five seconds less, because
    // what the join puts out may be as old.
    world.push("l", "05 a 1");
    world.settle().await;
    world.push("r", "04 a 3");
    world.expect(&["+I 1 3 56"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_steps_of_the_watermark_wait_for_the_interval() {
    let mut world = World::new("interval").await;
    world.run("SET 'pipeline.auto-watermark-interval' = '5 s'").await;
    world
        .start(
            "SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '1' SECOND)) \
             GROUP BY window_start, window_end",
        )
        .await;
    world.push("l", "00 a 1");
    world.settle().await;
    world.push("l", "03 a 1");
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(5_000);
    world.expect(&["+I 01 1"]).await;
    world.push("l", "10 a 1");
    world.expect(&["+I 01 1", "+I 04 1"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_of_the_splits_of_a_source_counts() {
    let name = "splits";
    let mut world = World::new(name).await;
    let options = "'splits' = '2', 'scan.watermark.idle-timeout' = '5 s'";
    world.run(&table(name, "l", "e", "WATERMARK FOR ts AS ts", options)).await;
    world
        .start(
            "SELECT window_end, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '10' SECOND)) \
             GROUP BY window_start, window_end, k",
        )
        .await;
    // Of split 0 and split 1 in turn.
    ["50 a 1", "01 b 2", "51 a 3", "02 b 4", "52 a 5", "12 b 6"].iter().for_each(|row| world.push("l", row));
    world.expect(&["+I 10 b 2"]).await;
    world.clock.advance(4_000);
    world.push("l", "53 a 7");
    world.settle().await;
    world.expect(&["+I 10 b 2"]).await;
    world.clock.advance(2_000);
    // Split 1 has had no rows for six seconds, split 0 for two.
    world.expect(&["+I 10 b 2", "+I 20 b 1"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_never_had_a_row_becomes_idle() {
    let name = "never-a-row";
    let mut world = World::new(name).await;
    let options = "'scan.watermark.idle-timeout' = '5 s'";
    world.run(&table(name, "r", "e", "WATERMARK FOR ts AS ts", options)).await;
    world.run("CREATE VIEW u AS SELECT ts, v FROM l UNION ALL SELECT ts, v FROM e").await;
    world
        .start(
            "SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE u, DESCRIPTOR(ts), INTERVAL '10' SECOND)) \
             GROUP BY window_start, window_end",
        )
        .await;
    world.push("l", "01 a 1 / 31 a 2");
    world.settle().await;
    world.clock.advance(4_000);
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(1_000);
    world.expect(&["+I 10 1"]).await;
    world.finish().await;
}

/// Each split is in the order of its time, and they are far apart: no row is late.
#[tokio::test(flavor = "multi_thread")]
async fn splits_that_are_apart_equal_batches() {
    let home = sluice_tests::scratch().expect("a directory");
    let connectors = sluice_registry::connectors();
    let environment = Arc::new(Environment {
        connectors: connectors.clone(),
        engine: Arc::new(Engine::new(connectors, SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    });
    let seed: u64 = std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    for number in 0..10 {
        let seed = seed.wrapping_add(number);
        let mut random = StdRng::seed_from_u64(seed);
        let splits = random.random_range(1..5);
        let mut seconds: Vec<u32> = (0..splits).map(|split| split * random.random_range(0..60)).collect();
        let batches = (0..random.random_range(1..30)).map(|batch| {
            let second = &mut seconds[batch % splits as usize];
            let rows = (0..random.random_range(1..4)).map(|_| {
                *second += random.random_range(0..8);
                format!("+I '2026-01-01 00:{:02}:{:02}' k 1", *second / 60, *second % 60)
            });
            from_pretty("ts TIMESTAMP(3), k STRING, v INT", &rows.collect::<Vec<_>>().join(" / "))
        });
        let data = format!("splits-apart-{seed}");
        sluice_values::register_source(&data, batches.collect());
        let mut results = Vec::new();
        for mode in ["streaming", "batch"] {
            let mut session = Session::new(Arc::clone(&environment));
            let table = format!(
                "CREATE TABLE t (ts TIMESTAMP(3), k STRING, v INT, WATERMARK FOR ts AS ts) WITH \
                 ('connector'='values', 'data-id'='{data}', 'splits'='{splits}', 'changelog-mode'='I')"
            );
            let query = "SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) \
                         GROUP BY window_start, window_end";
            for statement in [format!("SET 'execution.runtime-mode' = '{mode}'"), table] {
                session.execute_text(&statement).await.unwrap();
            }
            let Outcome::Query(mut result) = session.execute_text(query).await.unwrap() else { panic!("no query") };
            let mut rows = Vec::new();
            while let Some(batch) = result.batches.recv().await {
                rows.extend(to_pretty(&batch).split(" / ").filter(|row| !row.is_empty()).map(str::to_owned));
            }
            rows.sort();
            results.push(rows);
        }
        assert_eq!(results[0], results[1], "SLUICE_SEED={seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_waits_for_the_slower_ones_of_its_group() {
    let name = "aligned";
    let mut world = World::new(name).await;
    let options = "'scan.watermark.alignment.group' = 'g', 'scan.watermark.alignment.max-drift' = '10 s', \
                   'scan.watermark.alignment.update-interval' = '10 ms'";
    for (table_name, rows) in [("fast", "l"), ("slow", "r")] {
        world.run(&table(name, rows, table_name, "WATERMARK FOR ts AS ts", options)).await;
    }
    world.start("SELECT k, v FROM fast UNION ALL SELECT k, v FROM slow").await;
    world.push("r", "00 slow 1");
    world.expect(&["+I slow 1"]).await;
    ["00 fast 1", "08 fast 2", "20 fast 3", "40 fast 4", "41 fast 5"].iter().for_each(|row| world.push("l", row));
    let held = ["+I fast 1", "+I fast 2", "+I fast 3", "+I slow 1"];
    world.expect(&held).await;
    world.settle().await;
    world.expect(&held).await;
    world.push("r", "15 slow 2");
    world.expect(&["+I fast 1", "+I fast 2", "+I fast 3", "+I fast 4", "+I slow 1", "+I slow 2"]).await;
    world.push("r", "35 slow 3");
    let all = ["+I fast 1", "+I fast 2", "+I fast 3", "+I fast 4", "+I fast 5", "+I slow 1", "+I slow 2", "+I slow 3"];
    world.expect(&all).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_the_sessions_zone_close_when_its_clock_has_passed_them() {
    for (name, borders) in
        [("zone", "window_start, window_end, window_time"), ("zone-sliced", "window_start, window_end")]
    {
        let mut world = World::new(name).await;
        world.run("SET 'table.local-time-zone' = 'Asia/Kolkata'").await;
        let columns = "z AS CAST(ts AS TIMESTAMP_LTZ(3)), WATERMARK FOR z AS z";
        world.run(&table(name, "l", "e", columns, "'scan.watermark.emit.strategy' = 'on-periodic'")).await;
        world
            .start(&format!(
                "SELECT window_start, window_end, COUNT(*) AS n \
                 FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(z), INTERVAL '10' SECOND)) GROUP BY {borders}"
            ))
            .await;
        world.push("l", "01 a 1 / 02 b 2 / 09 b 3");
        world.settle().await;
        world.expect(&[]).await;
        world.push("l", "10 a 4");
        world.expect(&["+I 00 10 3"]).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_the_clock_lie_in_the_sessions_zone() {
    let mut world = World::new("zone-clock").await;
    world.run("SET 'table.local-time-zone' = 'Asia/Kolkata'").await;
    world
        .start(
            "SELECT DATE_FORMAT(window_start, 'HH:mm') AS a, DATE_FORMAT(window_end, 'HH:mm') AS b, \
             DATE_FORMAT(window_time, 'HH:mm:ss.SSS') AS t, COUNT(*) AS n \
             FROM TABLE(TUMBLE(TABLE l, DESCRIPTOR(p), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, window_time",
        )
        .await;
    // It is half past five in the morning.
    world.push("l", "01 a 1 / 02 b 2");
    world.settle().await;
    world.clock.advance(1_799_000);
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(1_000);
    world.expect(&["+I 05:00 06:00 05:59:59.999 2"]).await;
    world.finish().await;
}
