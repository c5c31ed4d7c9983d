//! Queries over event time: what a stream puts out in the end, at any parallelism, is what batch mode
//! makes of the same rows.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sluice_model::{SystemClock, from_pretty, to_pretty};
use sluice_runtime::{Engine, JobHandle, StopRequest};
use sluice_sql::{Environment, Home, Outcome, Session};

const COLUMNS: &str = "id INT, k INT, v INT, ts TIMESTAMP(3)";

/// Tables `t (id, k, v, ts)` and `u` with other rows; no two rows of a table have the same `ts`.
const QUERIES: [&str; 25] = [
    "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT id, k, COUNT(*) OVER (PARTITION BY k ORDER BY ts) AS n, MAX(v) OVER (PARTITION BY k ORDER BY ts) AS m FROM t",
    "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW) AS s \
     FROM t WHERE v > 2",
    "SELECT id, MIN(v) OVER w AS low, MAX(v) OVER w AS high FROM t \
     WINDOW w AS (PARTITION BY k, v ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "SELECT id, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS rn, \
     SUM(v + 1) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT id, SUM(v) OVER (ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS a, SUM(id) OVER (PARTITION BY v ORDER BY ts) AS b FROM t",
    "SELECT k, window_start, COUNT(*) AS n, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) \
     GROUP BY k, window_start, window_end",
    "SELECT window_end, MAX(v) AS m FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1' MINUTE)) \
     GROUP BY window_start, window_end",
    "SELECT k, window_end, SUM(v) AS s \
     FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '20' SECOND, INTERVAL '1' MINUTE)) \
     GROUP BY k, window_start, window_end",
    "SELECT id, RANK() OVER (PARTITION BY k ORDER BY ts) AS r, DENSE_RANK() OVER (PARTITION BY k ORDER BY ts) AS d \
     FROM t WHERE v > 0",
    "SELECT id, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS a, LAG(v + 1, 3, id) OVER (PARTITION BY k ORDER BY ts) AS b FROM t",
    "SELECT id, FIRST_VALUE(v) OVER (PARTITION BY k ORDER BY ts) AS f, LAST_VALUE(v) OVER (PARTITION BY k ORDER BY ts) AS l, \
     FIRST_VALUE(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS g FROM t",
    "SELECT id, LAST_VALUE(v) FILTER (WHERE v > 2) OVER w AS l, FIRST_VALUE(id) OVER w AS f, ARRAY_AGG(v) OVER w AS a FROM t \
     WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW)",
    "SELECT t.k, TUMBLE_START(t.ts, INTERVAL '1' MINUTE) AS w, COUNT(*) AS n, SUM(u.v) AS s FROM t JOIN u \
     ON t.k = u.k AND t.ts BETWEEN u.ts - INTERVAL '20' SECOND AND u.ts GROUP BY t.k, TUMBLE(t.ts, INTERVAL '1' MINUTE)",
    "SELECT q.k, SESSION_END(q.ts, INTERVAL '9' SECOND) AS w, SUM(q.id + u.id) AS s FROM t AS q JOIN u \
     ON q.k = u.k AND u.ts BETWEEN q.ts AND q.ts + INTERVAL '15' SECOND GROUP BY SESSION(q.ts, INTERVAL '9' SECOND), q.k",
    "SELECT k, SUM(s) AS total FROM (SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM t) AS q GROUP BY k",
    "SELECT t.id, u.id AS uid FROM t, u WHERE t.k = u.k AND t.ts BETWEEN u.ts - INTERVAL '20' SECOND AND u.ts",
    "SELECT t.id, u.id AS uid, u.ts FROM t LEFT JOIN u ON t.k = u.k AND t.ts > u.ts - INTERVAL '10' SECOND \
     AND t.ts < u.ts + INTERVAL '15' SECOND AND t.v < u.v",
    "SELECT t.id, t.v, u.id AS uid FROM t RIGHT JOIN u ON t.k = u.k AND u.ts >= t.ts + INTERVAL '5' SECOND \
     AND u.ts - INTERVAL '1' MINUTE <= t.ts",
    "SELECT t.id, u.id AS uid FROM t FULL JOIN u ON t.k = u.k AND t.v = u.v \
     AND u.ts BETWEEN t.ts - INTERVAL '1' MINUTE AND t.ts + INTERVAL '30' SECOND",
    "SELECT t.id, u.id AS uid FROM t FULL JOIN u ON u.ts BETWEEN t.ts AND t.ts + INTERVAL '3' SECOND",
    "SELECT t.id, u.id AS uid FROM t LEFT JOIN u ON t.ts = u.ts AND t.k <> u.k",
    "SELECT id, uid, SUM(uid) OVER (PARTITION BY k ORDER BY ts) AS s FROM (SELECT t.id, t.k, t.ts, u.id AS uid FROM t \
     LEFT JOIN u ON t.k = u.k AND u.ts BETWEEN t.ts - INTERVAL '40' SECOND AND t.ts + INTERVAL '5' SECOND) AS q",
    "SELECT t.id, u.id AS uid, w.id AS wid FROM t JOIN u ON t.k = u.k AND t.ts BETWEEN u.ts - INTERVAL '20' SECOND AND u.ts \
     LEFT JOIN t AS w ON w.v = u.v AND w.ts BETWEEN u.ts AND u.ts + INTERVAL '20' SECOND",
];

/// The same table; the order of what comes out counts.
const ORDERED: [&str; 5] = [
    "SELECT id, ts FROM t ORDER BY ts",
    "SELECT id FROM t ORDER BY ts, id DESC",
    "SELECT v, id FROM t WHERE v > 2 ORDER BY ts ASC, v + id, k DESC",
    "SELECT k, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM t ORDER BY ts, k",
    "SELECT window_end, n FROM (SELECT k, window_time, window_end, COUNT(*) AS n \
     FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '20' SECOND)) GROUP BY k, window_start, window_end, window_time) AS q \
     ORDER BY window_time, k",
];

/// Rows in almost the order of their time.
fn rows(random: &mut StdRng) -> Vec<String> {
    let count = random.random_range(1..120);
    let mut seconds: Vec<u32> = (0..300).collect();
    seconds.shuffle(random);
    seconds.truncate(count);
    seconds.sort_unstable();
    let key = |second: &u32| second / 20;
    // Rows of twenty seconds come in any order: the watermark is half a minute behind.
    seconds.chunk_by_mut(|a, b| key(a) == key(b)).for_each(|part| part.shuffle(random));
    let row = |(id, second): (usize, &u32)| {
        let (key, value) = (random.random_range(0..4), random.random_range(0..6));
        let value = if value == 0 { "NULL".to_owned() } else { value.to_string() };
        format!("+I {id} {key} {value} '2026-01-01 00:{:02}:{:02}'", second / 60, second % 60)
    };
    seconds.iter().enumerate().map(row).collect()
}

/// A table whose rows come in almost the order of their time, and end.
fn table(name: &str, data: &str, bounded: bool) -> String {
    format!(
        "CREATE TABLE {name} ({COLUMNS}, p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '30' SECOND) \
         WITH ('connector'='values', 'data-id'='{data}-{name}', 'bounded'='{bounded}', 'changelog-mode'='I')"
    )
}

/// The rows that a query puts out, each with its kind, in their order.
async fn changes(environment: &Arc<Environment>, settings: &[String], data: &str, query: &str) -> Vec<String> {
    let mut session = Session::new(Arc::clone(environment));
    let tables = ["t", "u"].map(|name| table(name, data, true));
    for statement in settings.iter().chain(&tables) {
        session.execute_text(statement).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
    let outcome = session.execute_text(query).await.unwrap_or_else(|error| panic!("{query}\n{error}"));
    let Outcome::Query(mut result) = outcome else { panic!("no query") };
    let mut rows = Vec::new();
    while let Some(batch) = result.batches.recv().await {
        rows.extend(to_pretty(&batch).split(" / ").map(str::to_owned));
    }
    result.job.wait().await.unwrap_or_else(|error| panic!("{query}\n{error}"));
    rows.retain(|row| !row.is_empty());
    rows
}

/// What is left of them, sorted.
async fn result(environment: &Arc<Environment>, settings: &[String], data: &str, query: &str) -> Vec<String> {
    let rows = changes(environment, settings, data, query).await;
    let (added, taken): (Vec<String>, Vec<String>) =
        rows.into_iter().partition(|row| row.starts_with("+I") || row.starts_with("+U"));
    let mut left: Vec<String> = added.iter().map(|row| row[3..].to_owned()).collect();
    for row in taken {
        let place = left.iter().position(|other| *other == row[3..]).unwrap_or_else(|| panic!("{query}: {row}"));
        left.swap_remove(place);
    }
    left.sort();
    left
}

fn seed() -> u64 {
    std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random)
}

fn environment(home: &std::path::Path) -> Arc<Environment> {
    Arc::new(Environment {
        connectors: sluice_registry::connectors(),
        engine: Arc::new(Engine::new(sluice_registry::connectors(), SystemClock::shared())),
        home: Home::at(home),
        clock: SystemClock::shared(),
    })
}

/// Makes random rows those of both tables, in batches of any length.
fn register(random: &mut StdRng, data: &str) {
    for table in ["t", "u"] {
        let rows = rows(random);
        let batches = rows.chunks(random.random_range(1..30)).map(|rows| from_pretty(COLUMNS, &rows.join(" / ")));
        sluice_values::register_source(format!("{data}-{table}"), batches.collect());
    }
}

#[test]
fn rows_come_out_in_the_order_of_time() {
    super::with_deep_stacks(async {
        let (seed, home) = (seed(), sluice_tests::scratch().expect("a directory"));
        let environment = environment(home.path());
        for (number, query) in ORDERED.iter().cycle().take(6 * ORDERED.len()).enumerate() {
            let seed = seed.wrapping_add(number as u64);
            let mut random = StdRng::seed_from_u64(seed);
            let data = format!("ordered-{seed}");
            register(&mut random, &data);
            let parallelism = format!("SET 'parallelism.default' = '{}'", random.random_range(1..=4));
            let actual = changes(&environment, &[parallelism], &data, query).await;
            let batch = "SET 'execution.runtime-mode' = 'batch'".to_owned();
            let expected = changes(&environment, &[batch], &data, query).await;
            assert!(actual == expected, "SLUICE_SEED={seed}: {query}\nstream {actual:?}\nbatch  {expected:?}");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_with_bounds_on_time_keep_rows_for_that_time_only() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = Session::new(environment(home.path()));
    for name in ["t", "u"] {
        session.execute_text(&table(name, "explained", true)).await.unwrap();
    }
    let mut plan = async |condition: &str| {
        let text = format!("EXPLAIN SELECT t.id, u.id AS uid FROM t JOIN u ON {condition}");
        let Outcome::Rows(rows) = session.execute_text(&text).await.unwrap() else { panic!("no text") };
        rows.rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
    };
    for (condition, bounds) in [
        ("t.k = u.k AND t.ts BETWEEN u.ts - INTERVAL '4' HOUR AND u.ts", "-14400000..0 ms"),
        ("t.k = u.k AND t.ts > u.ts AND t.ts < u.ts + INTERVAL '1' SECOND", "1..999 ms"),
        ("t.k = u.k AND u.ts - INTERVAL '1' SECOND <= t.ts AND t.ts + INTERVAL '1' DAY <= u.ts", "-1000..-86400000 ms"),
        ("t.ts >= u.ts - INTERVAL '1' SECOND AND u.ts + INTERVAL '2' SECOND >= t.ts", "-1000..2000 ms"),
        ("t.ts = u.ts", "0..0 ms"),
        ("t.k = u.k AND t.p BETWEEN u.p - INTERVAL '5' SECOND AND u.p", "proctime"),
    ] {
        let plan = plan(condition).await;
        assert!(plan.contains("IntervalJoin: joinType=[InnerJoin]") && plan.contains(bounds), "{condition}\n{plan}");
    }
    for condition in [
        "t.k = u.k AND t.ts > u.ts",
        "t.k = u.k AND t.ts BETWEEN u.ts - INTERVAL '1' MONTH AND u.ts",
        "t.k = u.k AND t.ts BETWEEN u.p - INTERVAL '1' SECOND AND u.p",
        "t.k = u.k AND CAST(t.ts AS DATE) = CAST(u.ts AS DATE)",
    ] {
        let plan = plan(condition).await;
        assert!(!plan.contains("IntervalJoin") && plan.contains("Join: joinType"), "{condition}\n{plan}");
    }
}

#[test]
fn streams_of_insertions_equal_batches() {
    super::with_deep_stacks(async {
        let (seed, home) = (seed(), sluice_tests::scratch().expect("a directory"));
        let environment = environment(home.path());
        for (number, query) in QUERIES.iter().cycle().take(10 * QUERIES.len()).enumerate() {
            let seed = seed.wrapping_add(number as u64);
            let mut random = StdRng::seed_from_u64(seed);
            let data = format!("event-time-{seed}");
            register(&mut random, &data);
            let parallelism = format!("SET 'parallelism.default' = '{}'", random.random_range(1..=4));
            let actual = result(&environment, &[parallelism], &data, query).await;
            let batch = "SET 'execution.runtime-mode' = 'batch'".to_owned();
            let expected = result(&environment, &[batch], &data, query).await;
            assert!(actual == expected, "SLUICE_SEED={seed}: {query}\nstream {actual:?}\nbatch  {expected:?}");
        }
    });
}

/// Starts a job that writes a query's rows to the sink `data`.
async fn submit(
    environment: &Arc<Environment>,
    settings: &[String],
    data: &str,
    query: &str,
    bounded: bool,
) -> JobHandle {
    let mut session = Session::new(Arc::clone(environment));
    let mut run = async |text: &str| session.execute_text(text).await.unwrap_or_else(|error| panic!("{text}\n{error}"));
    for statement in settings.iter().chain(&["t", "u"].map(|name| table(name, data, bounded))) {
        run(statement).await;
    }
    run(&format!("CREATE VIEW q AS {query}")).await;
    let Outcome::Rows(columns) = run("DESCRIBE q").await else { panic!("DESCRIBE has no rows") };
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let columns: Vec<_> = columns.rows.iter().map(|row| format!("`{}` {}", cell(&row[0]), cell(&row[1]))).collect();
    run(&format!("CREATE TABLE s ({}) WITH ('connector'='values', 'data-id'='{data}')", columns.join(", "))).await;
    let Outcome::Submitted { mut jobs, .. } = run("INSERT INTO s SELECT * FROM q").await else { panic!("no job") };
    jobs.pop().unwrap().handle
}

#[test]
fn joins_go_on_from_savepoints_at_any_parallelism() {
    super::with_deep_stacks(async {
        let seed: u64 =
            std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
        let home = tempfile::tempdir().expect("a directory");
        let environment = environment(home.path());
        let joins = QUERIES.iter().filter(|query| query.contains(" u "));
        for (number, query) in joins.cycle().take(40).enumerate() {
            let seed = seed.wrapping_add(number as u64);
            let mut random = StdRng::seed_from_u64(seed);
            let data = format!("event-time-resumed-{seed}");
            let mut later = Vec::new();
            for table in ["t", "u"] {
                let rows = rows(&mut random);
                let batches =
                    rows.chunks(random.random_range(1..20)).map(|rows| from_pretty(COLUMNS, &rows.join(" / ")));
                let mut batches: Vec<_> = batches.collect();
                later.push(batches.split_off(random.random_range(0..=batches.len())));
                sluice_values::register_source(format!("{data}-{table}"), batches);
            }
            let mut parallelism = || format!("SET 'parallelism.default' = '{}'", random.random_range(1..=4));
            let job = submit(&environment, &[parallelism()], &data, query, false).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            let request = StopRequest { drain: false, savepoint: true, savepoint_dir: None };
            let path = job.stop(request).await.unwrap().expect("a savepoint");
            for (table, batches) in ["t", "u"].into_iter().zip(later) {
                batches.into_iter().for_each(|batch| sluice_values::append_source(&format!("{data}-{table}"), batch));
            }
            let settings = [parallelism(), format!("SET 'execution.state-recovery.path' = '{path}'")];
            let job = submit(&environment, &settings, &data, query, true).await;
            job.wait().await.unwrap_or_else(|error| panic!("{query}\n{error}"));
            let actual = sluice_values::materialized(&data, &[]);
            sluice_values::clear_sink(&data);
            let batch = "SET 'execution.runtime-mode' = 'batch'".to_owned();
            let expected = result(&environment, &[batch], &data, query).await;
            assert!(actual == expected, "SLUICE_SEED={seed}: {query}\nresumed {actual:?}\nbatch   {expected:?}");
        }
    });
}
