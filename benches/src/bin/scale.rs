//! How throughput and memory change with the number of keys, beside a plain hash table of the same keys.
//!
//! ```text
//! scale                                   10 k to 10 M keys, ten million rows
//! scale --rows 1000000 --keys 1000,100000
//! ```
//!
//! | case | what it does | keeps |
//! |---|---|---|
//! | limit | `map.entry(key)`, a count and a sum, on one thread | an entry a key |
//! | aggregate | `SELECT k, COUNT(*), SUM(v) FROM l GROUP BY k` | a group a key |
//! | join | `SELECT .. FROM l JOIN r ON l.k = r.k`, where `r` has each key once | both tables |
//!
//! Each runs in a process of its own, over the same random keys in the same order of magnitude; what it
//! costs is the time of all threads.

use std::path::Path;

use clap::Parser;
use hashbrown::HashMap;
use sluice_benches::nexmark::{Measurement, child};
use sluice_benches::process;
use sluice_demo::Result;

/// Option that makes the program measure the limit: rows and keys follow.
const LIMIT: &str = "--limit";

/// Measures how an aggregate and a join scale with the number of keys.
#[derive(Debug, Parser)]
struct Args {
    /// Rows of each run; as many random keys.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Different keys; each is a row of the table, and the first is what the others are compared with.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000,10000000")]
    keys: Vec<u64>,
    /// Subtasks of each operator.
    #[arg(long, default_value_t = 2)]
    parallelism: usize,
}

/// What is measured for a number of keys.
struct Row {
    keys: u64,
    limit: Figures,
    aggregate: Figures,
    join: Figures,
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Rows per CPU second.
    rate: f64,
    peak_mib: f64,
}

impl Figures {
    fn new(rows: u64, measured: &Measurement) -> Self {
        Self { rate: rows as f64 / measured.cpu_seconds.max(0.01), peak_mib: measured.peak_mib }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [option, file, home] if option == child::CHILD => return child::main(Path::new(file), Path::new(home)),
        [option, rows, keys] if option == LIMIT => return upsert(rows.parse()?, keys.parse()?),
        _ => {}
    }
    let args = Args::parse();
    println!("{} rows, parallelism {}", args.rows, args.parallelism);
    println!("{:>10}   {:>21}   {:>44}   {:>44}", "", "limit: hash table", "aggregate", "join");
    let engine = format!("{:>10} {:>8} {:>8} {:>6} {:>8}", "K rows/CPUs", "of first", "of limit", "MiB", "bytes/key");
    println!("{:>10}   {:>12} {:>8}   {engine}   {engine}", "keys", "K rows/CPUs", "MiB");
    let mut first: Option<Row> = None;
    for keys in &args.keys {
        let row = measure(&args, *keys)?;
        print_row(&row, first.as_ref().unwrap_or(&row));
        first.get_or_insert(row);
    }
    Ok(())
}

fn measure(args: &Args, keys: u64) -> Result<Row> {
    let run = |query: &str| -> Result<Measurement> {
        let home = tempfile::tempdir()?;
        child::run_file(&job(args, keys, query), home.path())
    };
    let aggregate = run("SELECT k, COUNT(*), SUM(v) FROM l GROUP BY k")?;
    let join = run("SELECT l.k, l.v, r.v FROM l JOIN r ON l.k = r.k")?;
    Ok(Row {
        keys,
        limit: Figures::new(args.rows, &limit(args.rows, keys)?),
        aggregate: Figures::new(args.rows, &aggregate),
        join: Figures::new(args.rows + keys, &join),
    })
}

/// The job file of a query.
fn job(args: &Args, keys: u64, query: &str) -> String {
    let (rows, last) = (args.rows, keys - 1);
    let table = |name: &str, options: &str| {
        format!(
            "CREATE TABLE {name} (k BIGINT, v BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000000', \
             {options});\n"
        )
    };
    let random = format!("'number-of-rows' = '{rows}', 'fields.k.min' = '0', 'fields.k.max' = '{last}'");
    let sequence = format!("'fields.k.kind' = 'sequence', 'fields.k.start' = '0', 'fields.k.end' = '{last}'");
    format!(
        "SET 'parallelism.default' = '{}';\n{}{}CREATE TABLE s (a BIGINT, b BIGINT, c BIGINT) WITH ('connector' = \
         'blackhole');\nINSERT INTO s {query};\n",
        args.parallelism,
        table("l", &random),
        table("r", &sequence),
    )
}

/// Runs the hash table in a process of its own.
fn limit(rows: u64, keys: u64) -> Result<Measurement> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .args([LIMIT, &rows.to_string(), &keys.to_string()])
        .output()?;
    Measurement::from_output(&String::from_utf8_lossy(&output.stdout))
}

/// Counts and sums by key, and prints what it took.
fn upsert(rows: u64, keys: u64) -> Result<()> {
    let mut groups: HashMap<u64, (u64, u64)> = HashMap::new();
    for row in 0..rows {
        let (count, sum) = groups.entry(scattered(row) % keys).or_default();
        *count += 1;
        *sum = sum.wrapping_add(row);
    }
    std::hint::black_box(&groups);
    let usage = process::usage_of("self")?;
    let measured =
        Measurement { cpu_seconds: usage.cpu_seconds, peak_mib: usage.peak_memory_mib, ..Measurement::default() };
    println!("{}", measured.to_json());
    Ok(())
}

/// A number that looks random: the output of SplitMix64 (Steele, Lea and Flood 2014).
const fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn print_row(row: &Row, first: &Row) {
    print!("{:>10}   {:>12.0} {:>8.0}", row.keys, row.limit.rate / 1e3, row.limit.peak_mib);
    for (case, of_first) in [(row.aggregate, first.aggregate), (row.join, first.join)] {
        let more_keys = row.keys.saturating_sub(first.keys);
        let bytes = (case.peak_mib - of_first.peak_mib) * 1024.0 * 1024.0 / more_keys as f64;
        let bytes = if more_keys == 0 { "-".to_owned() } else { format!("{bytes:.0}") };
        print!(
            "   {:>10.0} {:>8.2} {:>8.2} {:>6.0} {bytes:>8}",
            case.rate / 1e3,
            case.rate / of_first.rate,
            case.rate / row.limit.rate,
            case.peak_mib,
        );
    }
    println!();
}
