//! Streams that meet the versions of a table: what comes out, at any parallelism and across savepoints,
//! is what a look at the whole history of the table gives.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, SystemClock, from_pretty};
use sluice_runtime::{Engine, StopRequest};
use sluice_sql::{Environment, Home, Outcome, Session};

const ORDERS: &str = "id INT, c STRING, ts TIMESTAMP(3)";
const RATES: &str = "c STRING, rate INT, ts TIMESTAMP(3)";

/// A version of a rate: its currency, the second from which it is valid, and the rate, unless there is none.
type Version = (u32, u32, Option<u32>);

/// Where the versions come from.
#[derive(Debug, Clone, Copy)]
enum Rates {
    /// A table whose rows are replaced by key.
    Upsert,
    /// A table that tells the old content of its rows.
    Retract,
    /// The last row of each key of a stream.
    View,
}

/// Orders of `(id, currency, second)` and versions, in almost the order of their time.
struct Exchange {
    orders: Vec<(u32, u32, u32)>,
    versions: Vec<Version>,
}

impl Exchange {
    fn random(random: &mut StdRng, with_ends: bool) -> Self {
        let order =
            |id: u32, random: &mut StdRng| (id, random.random_range(0..4), (id + random.random_range(0..20)).min(59));
        let count = random.random_range(1..50);
        let orders = (0..count).map(|id| order(id, random)).collect();
        let mut versions: Vec<Version> = Vec::new();
        for second in 0..60 {
            if random.random_range(0..3) > 0 {
                continue;
            }
            let currency = random.random_range(0..3);
            let is_there =
                versions.iter().rev().find(|version| version.0 == currency).is_some_and(|last| last.2.is_some());
            let ends = with_ends && is_there && random.random_range(0..3) == 0;
            versions.push((currency, second, (!ends).then(|| random.random_range(100..200))));
        }
        Self { orders, versions }
    }

    /// The result of the join, sorted.
    fn expected(&self, is_left: bool, least: u32) -> Vec<String> {
        let row = |&(id, currency, second): &(u32, u32, u32)| {
            let mut versions = self.versions.iter().filter(|version| version.0 == currency && version.1 <= second);
            let version = versions.next_back().filter(|version| version.2.is_some_and(|rate| rate >= least));
            match version {
                Some((_, since, Some(rate))) => Some(format!("{id} {rate} {}", at(*since))),
                _ => is_left.then(|| format!("{id} NULL NULL")),
            }
        };
        let mut rows: Vec<String> = self.orders.iter().filter_map(row).collect();
        rows.sort();
        rows
    }

    fn order_batches(&self, random: &mut StdRng) -> Vec<ChangelogBatch> {
        let row = |(id, currency, second): &(u32, u32, u32)| format!("+I {id} c{currency} {}", at(*second));
        batches(ORDERS, &self.orders.iter().map(row).collect::<Vec<_>>(), random)
    }

    fn rate_batches(&self, rates: Rates, random: &mut StdRng) -> Vec<ChangelogBatch> {
        let mut rows = Vec::new();
        for (number, (currency, second, rate)) in self.versions.iter().enumerate() {
            let before = self.versions[..number].iter().rev().find(|version| version.0 == *currency);
            let before = before.and_then(|(_, second, rate)| Some((*second, (*rate)?)));
            let row = |kind: &str, rate: u32, second: u32| format!("{kind} c{currency} {rate} {}", at(second));
            match (rate, before, rates) {
                (Some(rate), _, Rates::View) | (Some(rate), None, _) => rows.push(row("+I", *rate, *second)),
                (Some(rate), Some((since, old)), Rates::Retract) => {
                    rows.push(format!("{} / {}", row("-U", old, since), row("+U", *rate, *second)));
                }
                (Some(rate), Some(_), Rates::Upsert) => rows.push(row("+U", *rate, *second)),
                (None, _, _) => rows.push(row("-D", 0, *second)),
            }
        }
        batches(RATES, &rows, random)
    }
}

fn at(second: u32) -> String {
    format!("2026-01-01T00:00:{second:02}")
}

fn batches(columns: &str, rows: &[String], random: &mut StdRng) -> Vec<ChangelogBatch> {
    rows.chunks(random.random_range(1..20)).map(|rows| from_pretty(columns, &rows.join(" / "))).collect()
}

fn environment(home: &tempfile::TempDir) -> Arc<Environment> {
    Arc::new(Environment {
        connectors: sluice_registry::connectors(),
        engine: Arc::new(Engine::new(sluice_registry::connectors(), SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    })
}

/// A session with tables `orders` and `rates`, a view `latest`, and a sink.
async fn session(environment: &Arc<Environment>, data: &str, rates: Rates, bounded: bool) -> Session {
    let mut session = Session::new(Arc::clone(environment));
    let with = |table: &str, kinds: &str| {
        format!(
            "WITH ('connector'='values', 'data-id'='{data}-{table}', 'bounded'='{bounded}', 'changelog-mode'='{kinds}')"
        )
    };
    let watermark = "WATERMARK FOR ts AS ts - INTERVAL '20' SECOND";
    let (kinds, key) = match rates {
        Rates::Upsert => ("I,UA,D", ", PRIMARY KEY (c) NOT ENFORCED"),
        Rates::Retract => ("I,UB,UA,D", ", PRIMARY KEY (c) NOT ENFORCED"),
        Rates::View => ("I", ""),
    };
    for statement in [
        format!("CREATE TABLE orders ({ORDERS}, {watermark}) {}", with("orders", "I")),
        format!("CREATE TABLE rates ({RATES}, {watermark}{key}) {}", with("rates", kinds)),
        "CREATE VIEW latest AS SELECT c, rate, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY c ORDER BY ts DESC) \
         AS rn FROM rates) WHERE rn = 1"
            .to_owned(),
        format!("CREATE TABLE s (id INT, rate INT, ts TIMESTAMP(3)) WITH ('connector'='values', 'data-id'='{data}-s')"),
    ] {
        session.execute_text(&statement).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
    session
}

/// Runs a join; the rows of its result, sorted. With a cut the job is stopped when the sources have delivered
/// so many batches, or a part of them, and goes on at another parallelism.
async fn result(
    environment: &Arc<Environment>,
    data: &str,
    rates: Rates,
    query: &str,
    cut: Option<[usize; 2]>,
    random: &mut StdRng,
    sources: [Vec<ChangelogBatch>; 2],
) -> Vec<String> {
    let names = [format!("{data}-orders"), format!("{data}-rates")];
    let mut restored = None;
    for (place, (name, batches)) in names.iter().zip(&sources).enumerate() {
        let first = cut.map_or(batches.len(), |cut| cut[place].min(batches.len()));
        sluice_values::register_source(name.clone(), batches[..first].to_vec());
    }
    let insert = format!("INSERT INTO s {query}");
    let mut submit = async |bounded: bool, restored: Option<String>| {
        let mut session = session(environment, data, rates, bounded).await;
        let parallelism = random.random_range(1..=4);
        let mut settings = vec![format!("SET 'parallelism.default' = '{parallelism}'")];
        settings.extend(restored.map(|path| format!("SET 'execution.state-recovery.path' = '{path}'")));
        for setting in settings {
            session.execute_text(&setting).await.unwrap_or_else(|error| panic!("{setting}\n{error}"));
        }
        let outcome = session.execute_text(&insert).await.unwrap_or_else(|error| panic!("{insert}\n{error}"));
        let Outcome::Submitted { mut jobs, .. } = outcome else { panic!("no job") };
        jobs.pop().unwrap().handle
    };
    if let Some(cut) = cut {
        let job = submit(false, None).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let request = StopRequest { drain: false, savepoint: true, savepoint_dir: None };
        restored = job.stop(request).await.unwrap();
        for (place, (name, batches)) in names.iter().zip(&sources).enumerate() {
            batches.iter().skip(cut[place]).for_each(|batch| sluice_values::append_source(name, batch.clone()));
        }
    }
    submit(true, restored).await.wait().await.unwrap_or_else(|error| panic!("{query}\n{error}"));
    let sink = format!("{data}-s");
    let rows = sluice_values::materialized(&sink, &[]);
    sluice_values::clear_sink(&sink);
    rows
}

fn query(kind: &str, rates: Rates, condition: &str) -> String {
    let table = if matches!(rates, Rates::View) { "latest" } else { "rates" };
    format!(
        "SELECT o.id, r.rate, r.ts FROM orders AS o {kind} JOIN {table} FOR SYSTEM_TIME AS OF o.ts AS r \
         ON o.c = r.c{condition}"
    )
}

#[test]
fn orders_meet_the_rates_of_their_time() {
    super::with_deep_stacks(async {
        let home = tempfile::tempdir().expect("a directory");
        let environment = environment(&home);
        let mut random = StdRng::seed_from_u64(1);
        let exchange = Exchange {
            orders: vec![(1, 0, 12), (2, 0, 10), (3, 0, 9), (4, 0, 30), (5, 1, 20), (6, 2, 20)],
            versions: vec![(0, 10, Some(110)), (1, 11, Some(90)), (0, 15, Some(120)), (1, 18, None), (2, 21, Some(7))],
        };
        let rows = |late: bool| {
            let found = [(1, 110, 10), (2, 110, 10), (4, 120, 15)]
                .map(|(id, rate, at)| (id, format!("{rate} {}", self::at(at))));
            let mut rows: Vec<String> = found.iter().map(|(id, version)| format!("{id} {version}")).collect();
            if late {
                rows.extend([3, 5, 6].map(|id| format!("{id} NULL NULL")));
            }
            rows.sort();
            rows
        };
        for (kind, expected) in [("", rows(false)), ("LEFT", rows(true))] {
            let sources = [exchange.order_batches(&mut random), exchange.rate_batches(Rates::Upsert, &mut random)];
            let query = query(kind, Rates::Upsert, "");
            let rows = result(&environment, "exchange", Rates::Upsert, &query, None, &mut random, sources).await;
            assert_eq!(rows, expected, "{kind}");
        }
    });
}

#[test]
fn versions_are_those_of_the_whole_history() {
    super::with_deep_stacks(async {
        let seed: u64 =
            std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
        let home = tempfile::tempdir().expect("a directory");
        let environment = environment(&home);
        for number in 0..36 {
            let seed = seed.wrapping_add(number);
            let mut random = StdRng::seed_from_u64(seed);
            let rates = [Rates::Upsert, Rates::Retract, Rates::View][random.random_range(0..3)];
            let exchange = Exchange::random(&mut random, matches!(rates, Rates::Upsert));
            let is_left = random.random();
            let (condition, least) = if random.random() { (" AND r.rate >= 150", 150) } else { ("", 0) };
            let query = query(if is_left { "LEFT" } else { "" }, rates, condition);
            let sources = [exchange.order_batches(&mut random), exchange.rate_batches(rates, &mut random)];
            let cut = random
                .random::<bool>()
                .then(|| sources.each_ref().map(|batches| random.random_range(0..=batches.len())));
            let data = format!("versions-{seed}");
            let actual = result(&environment, &data, rates, &query, cut, &mut random, sources).await;
            assert_eq!(actual, exchange.expected(is_left, least), "SLUICE_SEED={seed} {rates:?} {cut:?}\n{query}");
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporal_join_is_explained_and_its_mistakes_as_well() {
    let home = tempfile::tempdir().expect("a directory");
    let environment = environment(&home);
    let mut session = session(&environment, "explained", Rates::Upsert, false).await;
    let explain = format!("EXPLAIN {}", query("LEFT", Rates::Upsert, " AND r.rate > 5"));
    let Outcome::Rows(plan) = session.execute_text(&explain).await.unwrap() else { panic!("no plan") };
    let plan = plan.rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
    assert!(plan.contains("TemporalJoin: joinType=[LeftOuterJoin], versions=[r2 at l2], where=["), "{plan}");
    let twice = "SELECT o.id, COUNT(*) OVER (ORDER BY o.ts) AS n FROM orders AS o \
                 JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c AND 10 / r.rate > 1 \
                 LEFT JOIN latest FOR SYSTEM_TIME AS OF o.ts AS l ON l.c = r.c AND l.rate > r.rate";
    let Outcome::Rows(plan) = session.execute_text(&format!("EXPLAIN {twice}")).await.unwrap() else {
        panic!("no plan")
    };
    let plan = plan.rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n");
    assert!(plan.matches("TemporalJoin: ").count() == 2, "{plan}");
    assert!(plan.contains("OverAggregate: ") && !plan.contains("Rank: "), "{plan}");
    let kept = "WITH ('connector'='values', 'data-id'='explained-orders', 'changelog-mode'='I')";
    for statement in [
        format!("CREATE TABLE no_key ({RATES}, WATERMARK FOR ts AS ts) {kept}"),
        format!("CREATE TABLE no_time ({RATES}, PRIMARY KEY (c) NOT ENFORCED) {kept}"),
        format!(
            "CREATE TABLE zoned (c STRING, ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS ts, PRIMARY KEY (c) NOT ENFORCED) {kept}"
        ),
        "CREATE VIEW high AS SELECT * FROM rates WHERE rate > 100".to_owned(),
    ] {
        session.execute_text(&statement).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
    for (join, expected) in [
        ("no_key FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c", "but no primary key can be found"),
        ("no_time FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c", "but no row time attribute can be found"),
        ("zoned FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c", "the rowtime types are TIMESTAMP and TIMESTAMP_LTZ"),
        ("rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.id = r.rate", "primary key [c] must be included"),
        ("high FOR SYSTEM_TIME AS OF o.ts AS r ON o.c = r.c", "a view with WHERE is not supported"),
        (
            "rates FOR SYSTEM_TIME AS OF o.ts + INTERVAL '1' SECOND AS r ON o.c = r.c",
            "only supports 'FOR SYSTEM_TIME AS OF' left table's time attribute field",
        ),
    ] {
        let query = format!("SELECT o.id FROM orders AS o JOIN {join}");
        let error = session.execute_text(&query).await.err().unwrap_or_else(|| panic!("{query} was taken")).to_string();
        assert!(error.contains(expected), "{error}");
    }
    session.execute_text("SET 'execution.runtime-mode' = 'batch'").await.unwrap();
    let error = session.execute_text(&query("", Rates::Upsert, "")).await.err().unwrap().to_string();
    assert!(error.contains("in batch mode"), "{error}");
}
