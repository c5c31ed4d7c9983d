//! Windows of time, from SQL to rows: what comes out, when, and that it is never taken back.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_model::{Clock, ManualClock, from_pretty};
use sluice_runtime::{Engine, JobHandle, StopRequest};
use sluice_sql::{Environment, Home, Outcome, Session};

const COLUMNS: &str = "ts TIMESTAMP(3), k STRING, v INT";

/// A session whose tables `l` and `r` (`ts`, `k`, `v`) never end, and a clock that a test moves.
pub(super) struct World {
    name: &'static str,
    session: Session,
    pub(super) clock: Arc<ManualClock>,
    pub(super) job: Option<JobHandle>,
    /// Rows that all tasks had counted when they had settled.
    settled: Cell<u64>,
    _home: tempfile::TempDir,
}

impl World {
    pub(super) async fn new(name: &'static str) -> Self {
        let home = sluice_tests::scratch().expect("a directory");
        let clock = Arc::new(ManualClock::at(0));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let connectors = sluice_registry::connectors();
        let session = Session::new(Arc::new(Environment {
            connectors: connectors.clone(),
            engine: Arc::new(Engine::new(connectors, Arc::clone(&shared))),
            home: Home::at(home.path()),
            clock: shared,
        }));
        let mut world = Self { name, session, clock, job: None, settled: Cell::new(0), _home: home };
        for table in ["l", "r"] {
            sluice_values::register_source(format!("{name}-{table}"), Vec::new());
            world
                .run(&format!(
                    "CREATE TABLE {table} (ts TIMESTAMP(3), k STRING, v INT, p AS PROCTIME(), WATERMARK FOR ts AS ts) \
                     WITH ('connector'='values', 'data-id'='{name}-{table}', 'bounded'='false', 'changelog-mode'='I')"
                ))
                .await;
        }
        world
    }

    pub(super) async fn run(&mut self, text: &str) -> Outcome {
        self.session.execute_text(text).await.unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    /// Starts a job with the rows of a query.
    pub(super) async fn start(&mut self, query: &str) {
        self.run(&format!("CREATE VIEW q AS {query}")).await;
        let Outcome::Rows(columns) = self.run("DESCRIBE q").await else { panic!("DESCRIBE has no rows") };
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
        let columns: Vec<_> = columns.rows.iter().map(|row| format!("`{}` {}", cell(&row[0]), cell(&row[1]))).collect();
        let sink =
            format!("CREATE TABLE s ({}) WITH ('connector'='values', 'data-id'='{}-s')", columns.join(", "), self.name);
        self.run(&sink).await;
        let Outcome::Submitted { mut jobs, .. } = self.run("INSERT INTO s SELECT * FROM q").await else {
            panic!("no job")
        };
        self.job = jobs.pop().map(|job| job.handle);
    }

    /// Rows of `l` or `r`, each as its second, key and value.
    pub(super) fn push(&self, table: &str, rows: &str) {
        let row = |row: &str| {
            let (second, rest) = row.split_once(' ').unwrap_or_default();
            format!("+I 1970-01-01T00:00:{second} {rest}")
        };
        let rows: Vec<_> = rows.split(" / ").map(row).collect();
        sluice_values::append_source(&format!("{}-{table}", self.name), from_pretty(COLUMNS, &rows.join(" / ")));
    }

    /// Waits until the rows that were pushed have come to where they stay. Where they stay in the task that
    /// reads them nothing tells that they have come: then for two seconds.
    pub(super) async fn settle(&self) {
        let rows = || {
            let vertices = self.job.as_ref().map(JobHandle::vertices).unwrap_or_default();
            vertices.iter().map(|vertex| vertex.counts.records_in + vertex.counts.records_out).sum::<u64>()
        };
        let (start, mut last, mut since) = (Instant::now(), self.settled.get(), Instant::now());
        while start.elapsed() < Duration::from_secs(2) || since.elapsed() < Duration::from_millis(200) {
            let now = rows();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if now != self.settled.get() && since.elapsed() >= Duration::from_millis(200) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.settled.set(last);
    }

    pub(super) fn results(&self) -> Vec<String> {
        let rows = sluice_values::sink_rows(&format!("{}-s", self.name));
        let mut rows: Vec<_> = rows.iter().map(|row| row.replace("1970-01-01T00:00:", "")).collect();
        rows.sort();
        rows
    }

    /// Waits until the sink has these rows, and no others.
    pub(super) async fn expect(&self, rows: &[&str]) {
        let start = Instant::now();
        while self.results() != rows && start.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.results(), rows);
    }

    pub(super) async fn finish(mut self) {
        let request = StopRequest { drain: false, savepoint: false, savepoint_dir: None };
        if let Some(job) = self.job.take() {
            job.stop(request).await.unwrap();
        }
        sluice_values::clear_sink(&format!("{}-s", self.name));
    }
}

const TUMBLE_L: &str = "TABLE(TUMBLE(TABLE l, DESCRIPTOR(ts), INTERVAL '10' SECOND))";
const TUMBLE_R: &str = "TABLE(TUMBLE(TABLE r, DESCRIPTOR(ts), INTERVAL '10' SECOND))";

/// A row that is late for the first of its windows is in time for the others. The name of the second
/// sub-query's window differs, what it computes does not: it is computed once.
#[tokio::test(flavor = "multi_thread")]
async fn overlapping_windows_are_put_together_from_slices() {
    const HOP: &str = "TABLE(HOP(TABLE l, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '10' SECOND))";
    for (name, parallelism) in [("slices-1", 1), ("slices-3", 3)] {
        let mut world = World::new(name).await;
        world.run(&format!("SET 'parallelism.default' = '{parallelism}'")).await;
        let counted = format!(
            "SELECT k, window_end, COUNT(*) AS n, AVG(v) AS m, AVG(CAST(v AS DECIMAL(5, 1))) FILTER (WHERE v > 1) AS d, \
             SUM(v + 1) FILTER (WHERE v > 1) AS s, MIN(v) AS least FROM {HOP} GROUP BY k, window_start, window_end"
        );
        let query = format!(
            "SELECT a.* FROM ({counted}) a JOIN ({counted}) b ON a.k = b.k AND a.window_end = b.window_end AND a.n = b.n \
             AND a.least = b.least AND a.m = b.m WHERE (a.s = b.s OR a.s IS NULL) AND (a.d = b.d OR a.d IS NULL)"
        );
        let Outcome::Rows(plan) = world.run(&format!("EXPLAIN {query}")).await else { panic!("no plan") };
        let plan = plan.rows[0][0].clone().unwrap_or_default();
        let (_, plan) = plan.split_once("== Optimized Execution Plan ==").expect("a plan");
        assert_eq!(plan.matches("LocalWindowAggregate: groupBy=[$0], slice=[2000 ms of $1]").count(), 1, "{plan}");
        world.start(&query).await;
        world.push("l", "00 a 1 / 03 a 5 / 05 a 1 / 06 b 7");
        // Windows end at 2, 6, 10, 14: the row of 3 s is in those that end at 6 and 10.
        world.push("l", "09 c 1 / 03 a 2 / 00 a 2");
        world.push("l", "17 c 1");
        world
            .expect(&[
                "+I a 02 1 1 NULL NULL 1",
                "+I a 06 3 2 5.000000 6 1",
                "+I a 10 5 2 3.000000 12 1",
                "+I a 14 1 1 NULL NULL 1",
                "+I b 10 1 7 7.000000 8 7",
                "+I b 14 1 7 7.000000 8 7",
                "+I c 10 1 1 NULL NULL 1",
                "+I c 14 1 1 NULL NULL 1",
            ])
            .await;
        // One row for one window, the other for two.
        let vertices = world.job.as_ref().map(JobHandle::vertices).unwrap_or_default();
        assert_eq!(vertices.iter().map(|vertex| vertex.counts.late_records).sum::<u64>(), 3);
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_top_n_is_put_out_once() {
    for (name, parallelism) in [("window-top-n-1", 1), ("window-top-n-3", 3)] {
        let mut world = World::new(name).await;
        world.run(&format!("SET 'parallelism.default' = '{parallelism}'")).await;
        let query = format!(
            "SELECT window_end, k, v, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k \
             ORDER BY v DESC) AS rn FROM {TUMBLE_L}) WHERE rn <= 2"
        );
        world.start(&query).await;
        world.push("l", "01 a 1 / 02 a 5 / 03 a 3 / 04 b 7 / 12 a 9");
        let first = ["+I 10 a 3 2", "+I 10 a 5 1", "+I 10 b 7 1"];
        world.expect(&first).await;
        world.push("l", "05 a 99 / 13 a 8 / 20 c 1");
        world.expect(&[&first[..], &["+I 20 a 8 2", "+I 20 a 9 1"]].concat()).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_groups_of_a_window_and_the_last_row_of_one() {
    let mut world = World::new("window-best").await;
    let query = format!(
        "SELECT window_end, k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) \
         AS rn FROM (SELECT window_start, window_end, k, COUNT(*) AS n FROM {TUMBLE_L} GROUP BY window_start, window_end, k)) \
         WHERE rn = 1"
    );
    world.start(&query).await;
    world.push("l", "01 a 1 / 02 b 5 / 03 b 3 / 14 c 7 / 20 a 9");
    world.expect(&["+I 10 b 2", "+I 20 c 1"]).await;
    world.finish().await;

    let mut world = World::new("window-last").await;
    let query = format!(
        "SELECT window_start, k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k \
         ORDER BY ts DESC) AS rn FROM {TUMBLE_L}) WHERE rn = 1"
    );
    world.start(&query).await;
    world.push("l", "01 a 1 / 05 a 4 / 05 a 5 / 03 a 3 / 04 b 7 / 12 a 9");
    world.expect(&["+I 00 a 5", "+I 00 b 7"]).await;
    world.finish().await;
}

/// Sums of a window and their total, each put out once; a late row counts in none.
#[tokio::test(flavor = "multi_thread")]
async fn groupings_of_a_window_are_put_out_once() {
    for (name, parallelism) in [("window-rollup-1", 1), ("window-rollup-3", 3)] {
        let mut world = World::new(name).await;
        world.run(&format!("SET 'parallelism.default' = '{parallelism}'")).await;
        let query = format!(
            "SELECT window_end, k, SUM(v) AS s, GROUPING(k) AS g FROM {TUMBLE_L} \
             GROUP BY window_start, window_end, ROLLUP (k)"
        );
        world.start(&query).await;
        world.push("l", "01 a 1 / 05 a 5 / 03 b 3 / 12 a 9");
        let first = ["+I 10 NULL 9 1", "+I 10 a 6 0", "+I 10 b 3 0"];
        world.expect(&first).await;
        world.push("l", "04 a 99 / 20 c 1");
        world.expect(&[&first[..], &["+I 20 NULL 9 1", "+I 20 a 9 0"]].concat()).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_joined_when_both_sides_are_past_their_end() {
    let on = "l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k";
    let pairs = "SELECT l.window_end AS le, l.k AS lk, l.v AS lv, r.window_end AS re, r.k AS rk, r.v AS rv";
    let left = "SELECT l.window_end AS le, l.k AS lk, l.v AS lv";
    let join = |kind: &str| format!("{pairs} FROM {TUMBLE_L} AS l {kind} JOIN {TUMBLE_R} AS r ON {on}");
    let exists = |not: &str| {
        format!("{left} FROM {TUMBLE_L} AS l WHERE {not} EXISTS (SELECT 1 FROM {TUMBLE_R} AS r WHERE {on})")
    };
    let (a, b, c) = ("+I 10 a 1 10 a 5", "+I 10 b 2 NULL NULL NULL", "+I NULL NULL NULL 10 c 6");
    let cases: [(&'static str, String, Vec<&str>); 6] = [
        ("window-join", join(""), vec![a]),
        ("window-left-join", join("LEFT"), vec![a, b]),
        ("window-right-join", join("RIGHT"), vec![a, c]),
        ("window-full-join", join("FULL"), vec![a, b, c]),
        ("window-semi-join", exists(""), vec!["+I 10 a 1"]),
        ("window-anti-join", exists("NOT"), vec!["+I 10 b 2"]),
    ];
    for (name, query, results) in cases {
        let mut world = World::new(name).await;
        world.run("SET 'parallelism.default' = '2'").await;
        world.start(&query).await;
        world.push("l", "01 a 1 / 02 b 2 / 11 d 3");
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.expect(&[]).await;
        world.push("r", "03 a 5 / 04 c 6");
        world.push("r", "12 d 9");
        world.expect(&results).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_processing_time_end_by_the_clock() {
    let mut world = World::new("window-clock").await;
    world.run("SET 'parallelism.default' = '2'").await;
    let window = "TABLE(TUMBLE(TABLE l, DESCRIPTOR(p), INTERVAL '10' SECOND))";
    let query =
        format!("SELECT window_start, window_end, k, COUNT(*) AS n FROM {window} GROUP BY window_start, window_end, k");
    world.start(&query).await;
    world.clock.advance(3_000);
    // The rows' own time does not matter.
    world.push("l", "50 a 1 / 51 a 2 / 01 b 3");
    world.settle().await;
    world.expect(&[]).await;
    // Nothing comes in, and yet the window ends.
    world.clock.advance(7_000);
    world.expect(&["+I 00 10 a 2", "+I 00 10 b 1"]).await;
    world.push("l", "02 a 1");
    world.settle().await;
    world.clock.advance(30_000);
    world.expect(&["+I 00 10 a 2", "+I 00 10 b 1", "+I 10 20 a 1"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_with_a_gap() {
    let session = "TABLE(SESSION(TABLE l PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND))";
    let grouped = [
        format!(
            "SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS total FROM {session} \
             GROUP BY window_start, window_end, k"
        ),
        "SELECT SESSION_START(x.ts, INTERVAL '5' SECOND) AS s, SESSION_END(x.ts, INTERVAL '5' SECOND) AS e, x.k, \
             COUNT(*) AS n, SUM(v) AS total FROM l AS x GROUP BY x.k, SESSION(x.ts, INTERVAL '5' SECOND)"
            .to_owned(),
    ];
    for (name, query) in ["session-in-from", "session-in-group"].into_iter().zip(grouped) {
        let mut world = World::new(name).await;
        world.run("SET 'parallelism.default' = '2'").await;
        world.start(&query).await;
        world.push("l", "01 a 1 / 09 a 2 / 03 b 3 / 05 a 4");
        world.push("l", "15 c 5");
        world.expect(&["+I 01 14 a 3 7", "+I 03 08 b 1 3"]).await;
        world.push("l", "40 c 6");
        world.expect(&["+I 01 14 a 3 7", "+I 03 08 b 1 3", "+I 15 20 c 1 5"]).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_processing_time_end_by_the_clock() {
    let mut world = World::new("session-clock").await;
    world.run("SET 'parallelism.default' = '2'").await;
    let window = "TABLE(SESSION(TABLE l PARTITION BY k, DESCRIPTOR(p), INTERVAL '5' SECOND))";
    // Grouped by less than the partition, so that all subtasks have to tell the time.
    world
        .start(&format!(
            "SELECT window_start, window_end, COUNT(*) AS n FROM {window} GROUP BY window_start, window_end"
        ))
        .await;
    world.clock.advance(3_000);
    world.push("l", "50 a 1 / 51 a 2");
    world.settle().await;
    world.clock.advance(4_000);
    world.push("l", "50 a 3");
    world.settle().await;
    world.clock.advance(4_000);
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(10_000);
    world.expect(&["+I 03 12 3"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_may_stand_in_group_by() {
    let cases = [
        (
            "group-tumble",
            "SELECT k, TUMBLE_START(ts, INTERVAL '10' SECOND), TUMBLE_END(ts, INTERVAL '10' SECOND) AS e, COUNT(*) AS n \
             FROM l WHERE v > 1 GROUP BY TUMBLE(ts, INTERVAL '10' SECOND), k HAVING COUNT(*) > 0",
            &["+I a 00 10 1", "+I b 00 10 1"][..],
        ),
        (
            "group-rowtime",
            "SELECT DATE_FORMAT(TUMBLE_ROWTIME(l.ts, INTERVAL '10' SECOND), 'ss.SSS') AS t, SUM(l.v) AS total FROM l \
             GROUP BY TUMBLE(l.ts, INTERVAL '10' SECOND)",
            &["+I 09.999 6"],
        ),
        (
            "group-hop",
            "WITH w AS (SELECT * FROM l) SELECT HOP_END(ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND) AS e, COUNT(*) AS n \
             FROM w GROUP BY HOP(ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)",
            &["+I 05 2", "+I 10 3"],
        ),
    ];
    for (name, query, results) in cases {
        let mut world = World::new(name).await;
        world.start(query).await;
        world.push("l", "01 a 1 / 04 a 3 / 06 b 2 / 12 a 9");
        world.expect(results).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_moment_of_the_clock_come_out_sorted() {
    let mut world = World::new("sort-clock").await;
    world.run("SET 'parallelism.default' = '2'").await;
    // Not by way of a view: the order inside of one does not count.
    world.run("CREATE TABLE s (v INT, k STRING) WITH ('connector'='values', 'data-id'='sort-clock-s')").await;
    let Outcome::Submitted { mut jobs, .. } = world.run("INSERT INTO s SELECT v, k FROM l ORDER BY p, v DESC").await
    else {
        panic!("no job")
    };
    world.job = jobs.pop().map(|job| job.handle);
    world.clock.advance(1_000);
    world.push("l", "50 a 1 / 01 a 3 / 02 b 2");
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(1);
    world.expect(&["+I 1 a", "+I 2 b", "+I 3 a"]).await;
    assert_eq!(sluice_values::sink_rows("sort-clock-s"), ["+I 3 a", "+I 2 b", "+I 1 a"]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_goes_by_the_clock() {
    let mut world = World::new("over-clock").await;
    world.run("SET 'parallelism.default' = '2'").await;
    let query = "SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s, \
                 COUNT(*) OVER (PARTITION BY k ORDER BY p) AS n, LAG(v, 1, 0) OVER (PARTITION BY k ORDER BY p) AS b, \
                 FIRST_VALUE(v) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS f, \
                 LAST_VALUE(v) OVER (PARTITION BY k ORDER BY p) AS e FROM l";
    world.start(query).await;
    // The rows' own time does not matter.
    world.push("l", "50 a 1 / 01 a 2 / 02 b 7");
    world.expect(&["+I a 1 1 1 0 1 1", "+I a 2 3 2 1 1 2", "+I b 7 7 1 0 7 7"]).await;
    world.clock.advance(1_000);
    world.push("l", "03 a 4");
    world.expect(&["+I a 1 1 1 0 1 1", "+I a 2 3 2 1 1 2", "+I a 4 6 3 2 2 4", "+I b 7 7 1 0 7 7"]).await;
    world.finish().await;

    let mut world = World::new("over-clock-range").await;
    let query = "SELECT k, v, SUM(v) OVER (PARTITION BY k ORDER BY p \
                 RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW) AS s FROM l";
    world.start(query).await;
    world.push("l", "50 a 1 / 01 a 2");
    world.settle().await;
    world.expect(&[]).await;
    world.clock.advance(4_000);
    world.expect(&["+I a 1 3", "+I a 2 3"]).await;
    world.push("l", "01 a 4");
    world.settle().await;
    world.clock.advance(2_000);
    world.expect(&["+I a 1 3", "+I a 2 3", "+I a 4 7"]).await;
    world.push("l", "01 a 8");
    world.settle().await;
    world.clock.advance(1);
    world.expect(&["+I a 1 3", "+I a 2 3", "+I a 4 7", "+I a 8 12"]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_idle_source() {
    for (name, parallelism) in [("idle-1", 1), ("idle-2", 2)] {
        let mut world = World::new(name).await;
        world.run(&format!("SET 'parallelism.default' = '{parallelism}'")).await;
        world.run("SET 'table.exec.source.idle-timeout' = '5 s'").await;
        let query = format!(
            "SELECT l.window_end AS e, l.k AS k, l.v AS v, r.v AS w FROM {TUMBLE_L} AS l JOIN {TUMBLE_R} AS r \
             ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k"
        );
        world.start(&query).await;
        world.push("r", "03 a 5");
        world.push("l", "01 a 1 / 11 d 3");
        world.settle().await;
        world.clock.advance(4_000);
        world.push("l", "12 d 4");
        world.settle().await;
        world.expect(&[]).await;
        // Now there were rows of l four seconds ago, of r nearly six.
        world.clock.advance(1_900);
        world.expect(&["+I 10 a 1 5"]).await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_meet_by_the_clock() {
    let mut world = World::new("interval-clock").await;
    world.run("SET 'parallelism.default' = '2'").await;
    world
        .start(
            "SELECT l.k, l.v, r.v AS rv FROM l LEFT JOIN r ON l.k = r.k AND l.p BETWEEN r.p - INTERVAL '5' SECOND AND r.p",
        )
        .await;
    world.clock.advance(1_000);
    // The rows' own time does not matter.
    world.push("l", "50 a 1 / 51 b 2");
    world.settle().await;
    world.clock.advance(2_000);
    world.push("r", "01 a 3");
    world.expect(&["+I a 1 3"]).await;
    // Nothing comes in, and yet the row without a partner is put out.
    world.clock.advance(10_000);
    world.expect(&["+I a 1 3", "+I b 2 NULL"]).await;
    world.push("r", "02 b 4");
    world.settle().await;
    world.expect(&["+I a 1 3", "+I b 2 NULL"]).await;
    world.finish().await;
}
