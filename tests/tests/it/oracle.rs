//! The oracle: whatever a changelog does, the materialised result of a stream equals DataFusion's
//! batch result over the final table.
//!
//! Each case draws a changelog, cuts it into batches at random, picks a query and a parallelism, and
//! compares. `SLUICE_ORACLE_CASES` sets the number of cases (default 400), `SLUICE_ORACLE_SEED` the
//! seed; a failure prints the seed of its case.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::{ChangelogBatch, SystemClock, from_pretty};
use sluice_runtime::Engine;
use sluice_sql::{Environment, Home, Outcome, Session};

const COLUMNS: &str = "id BIGINT, a INT, b INT, s STRING";
const DDL_COLUMNS: &str = "id BIGINT NOT NULL, a INT, b INT, s STRING";

/// Query shapes; `$n` become random small numbers. Each keeps `id`, so that the result has a key,
/// unless it says `-- no key`.
const SHAPES: [&str; 16] = [
    "SELECT id, a, b, s FROM t",
    "SELECT id, b, s FROM t WHERE a > $1",
    "SELECT id, a FROM t WHERE id > $1",
    "SELECT id, a + b AS c FROM t WHERE a IS NOT NULL",
    "SELECT id, a * $1 - b AS c, UPPER(s) AS u FROM t WHERE a < $2 OR b IS NULL",
    "SELECT id, CASE WHEN a > $1 THEN 'high' WHEN a > $2 THEN 'mid' ELSE s END AS c FROM t",
    "SELECT id, COALESCE(a, b, $1) AS c FROM t WHERE s <> 'x'",
    "SELECT id, a FROM t WHERE a BETWEEN $1 AND $2",
    "SELECT id, s FROM t WHERE a IN ($1, $2, $3)",
    "SELECT id, c FROM (SELECT id, a + $1 AS c, b FROM t WHERE b > $2) AS q WHERE c < $3",
    "WITH q AS (SELECT id, a, s FROM t WHERE a IS NOT NULL) SELECT id, s FROM q WHERE a <> $1",
    "SELECT id, a FROM t WHERE NOT (a > $1 AND b < $2)",
    "SELECT id, s || '-' || s AS c FROM t WHERE CHAR_LENGTH(s) > 1",
    "SELECT a, b FROM t -- no key",
    "SELECT a FROM t WHERE a > $1 UNION ALL SELECT b FROM t WHERE b > $2 -- no key",
    "SELECT s FROM t UNION ALL SELECT s FROM t WHERE a = $1 -- no key",
];

/// Planning recurses deeper than the 2 MiB of a test's thread; the programs have 32 as well.
const STACK_SIZE: usize = 32 << 20;

#[test]
fn streams_equal_batches() {
    let test = std::thread::Builder::new().stack_size(STACK_SIZE).spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.enable_all().thread_stack_size(STACK_SIZE).build().expect("a runtime");
        runtime.block_on(check_cases());
    });
    if let Err(panic) = test.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

async fn check_cases() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("SLUICE_ORACLE_SEED").unwrap_or_else(rand::random);
    let cases = number("SLUICE_ORACLE_CASES").unwrap_or(400);
    let home = tempfile::tempdir().expect("a directory");
    let environment = Arc::new(Environment {
        connectors: sluice_registry::connectors(),
        engine: Arc::new(Engine::new(sluice_registry::connectors(), SystemClock::shared())),
        home: Home::at(home.path()),
        clock: SystemClock::shared(),
    });
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        run_case(&environment, seed).await.unwrap_or_else(|error| {
            panic!("{error}\nto see it again: SLUICE_ORACLE_SEED={seed} SLUICE_ORACLE_CASES=1");
        });
    }
}

type Cells = (Option<i32>, Option<i32>, Option<String>);

/// A table and the changelog that leads to it.
struct History {
    rows: BTreeMap<i64, Cells>,
    changes: Vec<String>,
}

impl History {
    fn random(random: &mut StdRng) -> Self {
        let mut history = Self { rows: BTreeMap::new(), changes: Vec::new() };
        for _ in 0..random.random_range(1..120) {
            let id = random.random_range(0..20);
            let new = Self::cells(random);
            match history.rows.get(&id).cloned() {
                None => history.apply("+I", id, Some(new)),
                Some(old) if random.random_ratio(1, 4) => {
                    history.changes.push(Self::line("-D", id, &old));
                    history.rows.remove(&id);
                }
                Some(old) => {
                    history.changes.push(Self::line("-U", id, &old));
                    history.apply("+U", id, Some(new));
                }
            }
        }
        history
    }

    fn apply(&mut self, kind: &str, id: i64, cells: Option<Cells>) {
        if let Some(cells) = cells {
            self.changes.push(Self::line(kind, id, &cells));
            self.rows.insert(id, cells);
        }
    }

    fn cells(random: &mut StdRng) -> Cells {
        let mut number = || (!random.random_ratio(1, 6)).then(|| random.random_range(-10..10));
        let (a, b) = (number(), number());
        let words = ["x", "y", "abc", "'d e'", "''"];
        let word = (!random.random_ratio(1, 6)).then(|| words[random.random_range(0..words.len())].to_owned());
        (a, b, word)
    }

    fn line(kind: &str, id: i64, (a, b, s): &Cells) -> String {
        let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
        format!("{kind} {id} {} {} {}", text(a.map(|a| a.to_string())), text(b.map(|b| b.to_string())), text(s.clone()))
    }

    /// The changes cut at random.
    fn batches(&self, random: &mut StdRng) -> Vec<ChangelogBatch> {
        let mut batches = Vec::new();
        let mut rest = self.changes.as_slice();
        while !rest.is_empty() {
            let size = random.random_range(1..=rest.len().min(17));
            batches.push(from_pretty(COLUMNS, &rest[..size].join("\n")));
            rest = &rest[size..];
        }
        batches
    }

    /// The table as it is in the end.
    fn table(&self) -> RecordBatch {
        let lines: Vec<_> = self.rows.iter().map(|(id, cells)| Self::line("+I", *id, cells)).collect();
        from_pretty(COLUMNS, &lines.join("\n")).rows().clone()
    }
}

async fn run_case(environment: &Arc<Environment>, seed: u64) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let history = History::random(&mut random);
    let mut query = SHAPES[random.random_range(0..SHAPES.len())].to_owned();
    for place in ["$1", "$2", "$3"] {
        query = query.replace(place, &random.random_range(-8..8).to_string());
    }
    let has_key = !query.contains("no key");
    let query = query.replace("-- no key", "");
    let expected = batch_result(&query, history.table()).await.map_err(|error| format!("{query}\n{error}"))?;
    let parallelism = random.random_range(1..=4);
    let sink = format!("oracle-{seed}");
    sluice_values::register_source(&sink, history.batches(&mut random));
    let actual = stream_result(environment, &query, &sink, has_key, parallelism)
        .await
        .map_err(|error| format!("{query}\n{error}"))?;
    if actual == expected {
        return Ok(());
    }
    Err(format!(
        "{query}\nat parallelism {parallelism}, over\n  {}\nstream: {actual:?}\nbatch:  {expected:?}",
        history.changes.join("\n  ")
    ))
}

/// Rows as text, sorted.
async fn batch_result(query: &str, table: RecordBatch) -> Result<Vec<String>, String> {
    let context = SessionContext::new();
    context.register_batch("t", table).map_err(|error| error.to_string())?;
    let frame = context.sql(query).await.map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    let mut rows: Vec<String> = batches.iter().flat_map(rows_of).collect();
    rows.sort();
    Ok(rows)
}

fn rows_of(batch: &RecordBatch) -> Vec<String> {
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

/// The stream's changes, materialised: by row, counting.
async fn stream_result(
    environment: &Arc<Environment>,
    query: &str,
    data: &str,
    has_key: bool,
    parallelism: usize,
) -> Result<Vec<String>, String> {
    let mut session = Session::new(Arc::clone(environment));
    let mut run = async |text: String| session.execute_text(&text).await.map_err(|error| format!("{text}\n{error}"));
    run(format!(
        "CREATE TABLE t ({DDL_COLUMNS}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='values', 'data-id'='{data}', \
         'changelog-mode'='I,UB,UA,D')"
    ))
    .await?;
    run(format!("CREATE VIEW q AS {query}")).await?;
    let Outcome::Rows(columns) = run("DESCRIBE q".to_owned()).await? else {
        return Err("DESCRIBE has no rows".to_owned());
    };
    let declared: Vec<_> = columns
        .rows
        .iter()
        .map(|row| format!("{} {}", row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default()))
        .collect();
    let key = if has_key { ", PRIMARY KEY (id) NOT ENFORCED" } else { "" };
    run(format!(
        "CREATE TABLE sink ({}{key}) WITH ('connector'='values', 'data-id'='{data}', 'sink.parallelism'='{parallelism}')",
        declared.join(", ")
    ))
    .await?;
    run("SET 'table.dml-sync' = 'true'".to_owned()).await?;
    run("INSERT INTO sink SELECT * FROM q".to_owned()).await?;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for batch in sluice_values::sink_contents(data) {
        for (index, row) in rows_of(batch.rows()).into_iter().enumerate() {
            *counts.entry(row).or_default() += if batch.kind(index).is_addition() { 1 } else { -1 };
        }
    }
    if let Some((row, count)) = counts.iter().find(|(_, count)| **count < 0) {
        return Err(format!("row {row} was taken away {} times more than it was added", -count));
    }
    Ok(counts.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count as usize)).collect())
}
