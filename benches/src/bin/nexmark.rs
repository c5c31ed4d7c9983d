//! Nexmark, measured: each query in a process of its own, beside Apache Flink if asked for.
//!
//! ```text
//! nexmark --events 5000000 --queries q0,q4,q9
//! nexmark --against flink --rates 10000000,100000
//! nexmark --checksum 1000000                      whether both sides make the same events
//! ```

use std::path::Path;

use clap::{Parser, ValueEnum};
use sluice_benches::nexmark::flink::Flink;
use sluice_benches::nexmark::job::{QUERIES, Setup};
use sluice_benches::nexmark::report::{Row, print_header, print_means, print_row};
use sluice_benches::nexmark::{Measurement, checksum, child};
use sluice_demo::Result;

/// Events of Flink's run before the one that is measured: enough for the JIT to be done.
const WARM_UP_EVENTS: u64 = 2_000_000;

/// Runs the queries of the Nexmark benchmark.
#[derive(Debug, Parser)]
struct Args {
    /// Queries to run, e.g. q0,q4 [default: all].
    #[arg(long, value_delimiter = ',', value_parser = query)]
    queries: Vec<u32>,
    /// Events of a run.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
    /// Events a second of event time; each is a table of its own.
    #[arg(long, value_delimiter = ',', default_value = "10000000,100000")]
    rates: Vec<u32>,
    /// Runs of each query; the one with the median CPU time counts.
    #[arg(long, default_value_t = 1)]
    repetitions: usize,
    /// Subtasks of each operator.
    #[arg(long, default_value_t = 2)]
    parallelism: usize,
    /// Time between checkpoints, e.g. '1 s' [default: none].
    #[arg(long)]
    checkpoints: Option<String>,
    /// What to compare with.
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// Memory that Flink's heap may take.
    #[arg(long, default_value = "8g")]
    flink_heap: String,
    /// Compare so many events of both generators instead.
    #[arg(long, value_name = "EVENTS")]
    checksum: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Apache Flink, built from benches/flink.
    Flink,
}

fn query(text: &str) -> std::result::Result<u32, String> {
    let number = text.trim().trim_start_matches('q').parse().ok().filter(|number| QUERIES.contains(number));
    number.ok_or_else(|| format!("there are q{} to q{}", QUERIES.start(), QUERIES.end()))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, file, home] = arguments.as_slice()
        && option == child::CHILD
    {
        return child::main(Path::new(file), Path::new(home));
    }
    let args = Args::parse();
    if let Some(events) = args.checksum {
        return compare_events(&args, events);
    }
    let flink = args.against.map(|Peer::Flink| Flink::build(&args.flink_heap, WARM_UP_EVENTS)).transpose()?;
    for rate in &args.rates {
        println!(
            "Nexmark, {} events at {rate} a second, parallelism {}, checkpoints {}",
            args.events,
            args.parallelism,
            args.checkpoints.as_deref().unwrap_or("off")
        );
        run_all(&args, *rate, flink.as_ref());
        println!();
    }
    Ok(())
}

fn run_all(args: &Args, rate: u32, flink: Option<&Flink>) {
    let queries = if args.queries.is_empty() { QUERIES.collect() } else { args.queries.clone() };
    let mut rows = Vec::new();
    print_header(flink.is_some());
    for query in queries {
        let setup = Setup {
            query,
            events: args.events,
            rate,
            parallelism: args.parallelism,
            checkpoint_interval: args.checkpoints.clone(),
        };
        let sluice = repeat(args.repetitions, || child::run(&setup));
        let flink = flink.map(|flink| repeat(args.repetitions, || flink.run(&setup)));
        let row = Row { query, events: args.events, sluice, flink };
        print_row(&row);
        rows.push(row);
    }
    print_means(&rows);
}

fn repeat(times: usize, run: impl Fn() -> Result<Measurement>) -> std::result::Result<Measurement, String> {
    let runs: Result<Vec<Measurement>> = (0..times.max(1)).map(|_| run()).collect();
    let runs = runs.map_err(|error| error.to_string())?;
    Measurement::median(runs).ok_or_else(|| "no run".to_owned())
}

/// Prints the checksums of both generators, and fails if they differ.
fn compare_events(args: &Args, events: u64) -> Result<()> {
    let flink = Flink::build(&args.flink_heap, WARM_UP_EVENTS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for rate in &args.rates {
        let sluice = runtime.block_on(checksum::of_sluice(events, *rate))?;
        let flink = flink.checksum(events, *rate)?;
        println!("{events} events at {rate} a second: Sluice {sluice}, Flink {flink}");
        if sluice != flink {
            return Err("the events differ".into());
        }
    }
    Ok(())
}
