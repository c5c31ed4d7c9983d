//! The oracle: whatever the changelogs do, the materialised result of a stream equals DataFusion's
//! batch result over the final tables.
//!
//! Each case draws changelogs, cuts them into batches at random, picks a query and a parallelism,
//! and compares. Every third case stops the job somewhere in the middle with a savepoint and goes on
//! from it at another parallelism; every eighth runs in batch mode over the final tables. `SLUICE_ORACLE_CASES` sets the number of cases (default 1500),
//! `SLUICE_ORACLE_SEED` the seed, `SLUICE_ORACLE_QUERY` a part of the text of the queries to check;
//! a failure prints the seed of its case.

mod history;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, SystemClock};
use sluice_runtime::{Engine, JobHandle, StopRequest};
use sluice_sql::{Environment, Home, Outcome, Session};

use self::history::History;

const DDL_COLUMNS: &str = "id BIGINT NOT NULL, a INT, b INT, s STRING";
const TABLES: [&str; 2] = ["t", "u"];

/// A job that takes longer is stuck.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn streams_equal_batches() {
    crate::with_deep_stacks(check_cases());
}

async fn check_cases() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("SLUICE_ORACLE_SEED").unwrap_or_else(rand::random);
    let cases = number("SLUICE_ORACLE_CASES").unwrap_or(1500);
    let part = std::env::var("SLUICE_ORACLE_QUERY").unwrap_or_default();
    let shapes: Vec<_> = shapes::all().into_iter().filter(|shape| shape.contains(&part)).collect();
    let home = sluice_tests::scratch().expect("a directory");
    let environment = Arc::new(Environment {
        connectors: sluice_registry::connectors(),
        engine: Arc::new(Engine::new(sluice_registry::connectors(), SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    });
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        let case = Case::random(seed, &shapes);
        case.check(&environment).await.unwrap_or_else(|error| {
            panic!("{error}\nto see it again: SLUICE_ORACLE_SEED={seed} SLUICE_ORACLE_CASES=1");
        });
    }
}

/// A query over tables whose changes are known.
struct Case {
    seed: u64,
    query: String,
    /// What DataFusion is asked.
    reference: String,
    /// Column that identifies a row of the result.
    key: Option<String>,
    histories: [History; 2],
    batches: [Vec<ChangelogBatch>; 2],
    parallelism: usize,
    sink_parallelism: usize,
    /// How many batches of each table come before the savepoint, and the parallelism behind it.
    restart: Option<([usize; 2], usize)>,
    /// Runs in batch mode, over the final tables.
    is_batch: bool,
}

impl Case {
    fn random(seed: u64, shapes: &[&str]) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let histories = [History::random(&mut random), History::random(&mut random)];
        let mut query = shapes[random.random_range(0..shapes.len())].to_owned();
        for place in ["$1", "$2", "$3"] {
            query = query.replace(place, &random.random_range(-8..8).to_string());
        }
        let (query, reference) = match query.split_once(" <=> ") {
            Some((query, reference)) => (query.to_owned(), Some(reference.to_owned())),
            None => (query, None),
        };
        let (query, key) = match query.split_once(" -- ") {
            Some((query, key)) => (query.to_owned(), Some(key.to_owned())),
            None => (query, None),
        };
        let reference = reference.unwrap_or_else(|| query.clone());
        let batches = [histories[0].batches(&mut random), histories[1].batches(&mut random)];
        let cut = |random: &mut StdRng, batches: &[ChangelogBatch]| random.random_range(0..=batches.len());
        let restart = random.random_ratio(1, 3).then(|| {
            let cuts = [cut(&mut random, &batches[0]), cut(&mut random, &batches[1])];
            (cuts, random.random_range(1..=4))
        });
        let (parallelism, sink_parallelism) = (random.random_range(1..=4), random.random_range(1..=4));
        let is_batch = restart.is_none() && random.random_ratio(3, 16);
        Self { seed, query, reference, key, histories, batches, parallelism, sink_parallelism, restart, is_batch }
    }

    async fn check(&self, environment: &Arc<Environment>) -> Result<(), String> {
        let expected = self.batch_result().await.map_err(|error| format!("{}\nbatch: {error}", self.query))?;
        let actual = tokio::time::timeout(PATIENCE, self.stream_result(environment)).await;
        let actual = actual.unwrap_or_else(|_| Err(format!("the job does not end (batch mode {})", self.is_batch)));
        let actual = actual.map_err(|error| format!("{}\n{error}", self.query))?;
        if actual == expected {
            return Ok(());
        }
        let changes = TABLES.iter().zip(&self.histories);
        let changes = changes.map(|(name, history)| format!("{name}:\n  {}", history.changes.join("\n  ")));
        Err(format!(
            "{}\nparallelism {}, sink {}, restart {:?}, batch mode {}, over\n{}\nstream: {actual:?}\nbatch:  {expected:?}\n{}",
            self.query,
            self.parallelism,
            self.sink_parallelism,
            self.restart,
            self.is_batch,
            changes.collect::<Vec<_>>().join("\n"),
            self.explained(environment).await?
        ))
    }

    /// Rows as text, sorted.
    async fn batch_result(&self) -> Result<Vec<String>, String> {
        let context = SessionContext::new();
        for (name, history) in TABLES.iter().zip(&self.histories) {
            context.register_batch(*name, history.table()).map_err(|error| error.to_string())?;
        }
        let frame = context.sql(&self.reference).await.map_err(|error| error.to_string())?;
        let batches = frame.collect().await.map_err(|error| error.to_string())?;
        let mut rows: Vec<String> = batches.iter().flat_map(rows_of).collect();
        rows.sort();
        Ok(rows)
    }

    /// What the sink has in the end, sorted.
    async fn stream_result(&self, environment: &Arc<Environment>) -> Result<Vec<String>, String> {
        let sink = format!("oracle-{}", self.seed);
        let mut restore = None;
        let mut parallelism = self.parallelism;
        if let Some((cuts, next)) = self.restart {
            for ((name, batches), cut) in TABLES.iter().zip(&self.batches).zip(cuts) {
                sluice_values::register_source(format!("{name}-{}", self.seed), batches[..cut].to_vec());
            }
            let job = self.submit(environment, parallelism, false, None).await?;
            restore = self.stop(job).await?;
            for ((name, batches), cut) in TABLES.iter().zip(&self.batches).zip(cuts) {
                for batch in &batches[cut..] {
                    sluice_values::append_source(&format!("{name}-{}", self.seed), batch.clone());
                }
            }
            parallelism = next;
        } else if self.is_batch {
            for (name, history) in TABLES.iter().zip(&self.histories) {
                let table = ChangelogBatch::append(history.table());
                sluice_values::register_source(format!("{name}-{}", self.seed), vec![table]);
            }
        } else {
            for (name, batches) in TABLES.iter().zip(&self.batches) {
                sluice_values::register_source(format!("{name}-{}", self.seed), batches.clone());
            }
        }
        let job = self.submit(environment, parallelism, true, restore).await?;
        job.wait().await.map_err(|error| error.to_string())?;
        let contents = sluice_values::sink_contents(&sink);
        sluice_values::clear_sink(&sink);
        match &self.key {
            Some(_) => newest_by_key(&contents),
            None => counted(&contents),
        }
    }

    /// Stops at some moment: whatever has been read by then is in the savepoint.
    async fn stop(&self, job: JobHandle) -> Result<Option<String>, String> {
        let pause = self.seed % 7;
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        let request = StopRequest { drain: false, savepoint: true, savepoint_dir: None };
        job.stop(request).await.map_err(|error| error.to_string())
    }

    async fn submit(
        &self,
        environment: &Arc<Environment>,
        parallelism: usize,
        bounded: bool,
        restore: Option<String>,
    ) -> Result<JobHandle, String> {
        let mut session = self.session(environment, parallelism, bounded).await?;
        let mut run =
            async |text: String| session.execute_text(&text).await.map_err(|error| format!("{text}\n{error}"));
        if let Some(path) = restore {
            run(format!("SET 'execution.state-recovery.path' = '{path}'")).await?;
        }
        match run("INSERT INTO sink SELECT * FROM q".to_owned()).await? {
            Outcome::Submitted { mut jobs, .. } => jobs.pop().map(|job| job.handle).ok_or("no job".to_owned()),
            _ => Err("INSERT does not submit".to_owned()),
        }
    }

    async fn explained(&self, environment: &Arc<Environment>) -> Result<String, String> {
        let mut session = self.session(environment, self.parallelism, true).await?;
        let explain = "EXPLAIN CHANGELOG_MODE INSERT INTO sink SELECT * FROM q";
        match session.execute_text(explain).await.map_err(|error| error.to_string())? {
            Outcome::Rows(table) => Ok(table.rows.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")),
            _ => Err("EXPLAIN does not explain".to_owned()),
        }
    }

    /// A session that knows the tables, the query and the sink.
    async fn session(
        &self,
        environment: &Arc<Environment>,
        parallelism: usize,
        bounded: bool,
    ) -> Result<Session, String> {
        let mut session = Session::new(Arc::clone(environment));
        let mut run =
            async |text: String| session.execute_text(&text).await.map_err(|error| format!("{text}\n{error}"));
        let kinds = if self.is_batch { "I" } else { "I,UB,UA,D" };
        for name in TABLES {
            run(format!(
                "CREATE TABLE {name} ({DDL_COLUMNS}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='values', \
                 'data-id'='{name}-{}', 'bounded'='{bounded}', 'changelog-mode'='{kinds}')",
                self.seed
            ))
            .await?;
        }
        run(format!("CREATE VIEW q AS {}", self.query)).await?;
        let Outcome::Rows(columns) = run("DESCRIBE q".to_owned()).await? else {
            return Err("DESCRIBE has no rows".to_owned());
        };
        let declared: Vec<_> = columns
            .rows
            .iter()
            .map(|row| format!("`{}` {}", row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default()))
            .collect();
        let key = self.key.as_ref().map(|key| format!(", PRIMARY KEY ({key}) NOT ENFORCED")).unwrap_or_default();
        run(format!(
            "CREATE TABLE sink ({}{key}) WITH ('connector'='values', 'data-id'='oracle-{}', 'sink.parallelism'='{}')",
            declared.join(", "),
            self.seed,
            self.sink_parallelism
        ))
        .await?;
        run(format!("SET 'parallelism.default' = '{parallelism}'")).await?;
        if self.is_batch {
            run("SET 'execution.runtime-mode' = 'batch'".to_owned()).await?;
        }
        // What makes no difference to the result: state that would expire tomorrow, and checkpoints in
        // front of the savepoint that hold what has changed.
        if self.seed % 2 == 1 {
            run("SET 'table.exec.state.ttl' = '1 d'".to_owned()).await?;
        }
        // And memory that state does not fit into: hardly any, or enough for some of it.
        if self.seed % 5 == 1 {
            let size = [1, 2_000, 20_000][(self.seed / 5 % 3) as usize];
            run(format!("SET 'taskmanager.memory.managed.size' = '{size} bytes'")).await?;
        }
        // How rows are gathered makes no difference in the end either.
        if self.seed % 5 == 2 {
            run("SET 'table.exec.mini-batch.enabled' = 'true'".to_owned()).await?;
            run("SET 'table.exec.mini-batch.allow-latency' = '20 ms'".to_owned()).await?;
            run(format!("SET 'table.exec.mini-batch.size' = '{}'", 1 + self.seed % 37)).await?;
        }
        // Few of them: every checkpoint is made durable, which the servers of other tests feel.
        if self.seed % 16 == 1 {
            run("SET 'execution.checkpointing.incremental' = 'true'".to_owned()).await?;
            run("SET 'execution.checkpointing.data-inline-threshold' = '0'".to_owned()).await?;
            run("SET 'execution.checkpointing.interval' = '5 ms'".to_owned()).await?;
        }
        Ok(session)
    }
}

pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("a printable column"))
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
        .collect()
}

/// The changes, materialised: by row, counting.
pub(crate) fn counted(contents: &[ChangelogBatch]) -> Result<Vec<String>, String> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for batch in contents {
        for (index, row) in rows_of(batch.rows()).into_iter().enumerate() {
            *counts.entry(row).or_default() += if batch.kind(index).is_addition() { 1 } else { -1 };
        }
    }
    if let Some((row, count)) = counts.iter().find(|(_, count)| **count < 0) {
        return Err(format!("row {row} was taken away {} times more than it was added", -count));
    }
    Ok(counts.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count as usize)).collect())
}

/// The changes, materialised as a sink does that goes by key: the first column.
fn newest_by_key(contents: &[ChangelogBatch]) -> Result<Vec<String>, String> {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    for batch in contents {
        for (index, row) in rows_of(batch.rows()).into_iter().enumerate() {
            let key = row.split('|').next().unwrap_or_default().to_owned();
            if batch.kind(index).is_addition() {
                rows.insert(key, row);
            } else {
                rows.remove(&key);
            }
        }
    }
    let mut rows: Vec<String> = rows.into_values().collect();
    rows.sort();
    Ok(rows)
}
