//! A query on Sluice, measured from inside its process.
//!
//! The parent starts this program again for each run, so that no run is warmed up, or burdened, by
//! another one; the process counts from its start.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sluice_demo::Result;
use sluice_model::SystemClock;
use sluice_runtime::{CheckpointStatus, Engine, JobHandle};
use sluice_sql::session::{Environment, Home, Outcome, Script, ScriptEvent, Session};

use super::job::{self, Runner, Setup};
use super::{Measurement, first_line};
use crate::process;

/// Option that makes the program a child: a job file and a directory follow.
pub const CHILD: &str = "--child";
/// When the parent started the child, in microseconds since the epoch.
const STARTED: &str = "SLUICE_BENCH_STARTED";

fn now_micros() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e6
}

/// Runs a query in a process of its own.
///
/// # Errors
/// The first line of the engine's message.
pub fn run(setup: &Setup) -> Result<Measurement> {
    let home = tempfile::tempdir()?;
    let settings = job::settings(setup, home.path());
    let settings: String = settings.iter().map(|(key, value)| format!("SET '{key}' = '{value}';\n")).collect();
    run_file(&(settings + &job::text(setup, Runner::Sluice, home.path())?), home.path())
}

/// Runs a job file in a process of its own; `home` takes what the job writes.
///
/// # Errors
/// The first line of the engine's message.
pub fn run_file(text: &str, home: &Path) -> Result<Measurement> {
    let file = home.join("job.sql");
    std::fs::write(&file, text)?;
    let start = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .arg(&file)
        .arg(home)
        .env(STARTED, now_micros().to_string())
        .stdin(Stdio::null())
        .output()?;
    let wall = start.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut measured = Measurement::from_output(&text).map_err(|error| {
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { error } else { format!("{}: {}", output.status, first_line(&errors)).into() }
    })?;
    measured.wall_seconds = wall.as_secs_f64();
    Ok(measured)
}

/// The child: runs the file, and prints what it took as one line of JSON.
///
/// # Errors
/// There is no runtime; errors of the job are printed.
pub fn main(file: &Path, home: &Path) -> Result<()> {
    let runtime = sluice_runtime::threads().build()?;
    let line = match runtime.block_on(measure(file, home)) {
        Ok(measured) => measured.to_json(),
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    };
    println!("{line}");
    runtime.shutdown_background();
    Ok(())
}

async fn measure(file: &Path, home: &Path) -> Result<Measurement> {
    let mut measured = Measurement::default();
    let job = submit(&std::fs::read_to_string(file)?, home).await?;
    let mut done = Box::pin(job.wait());
    let mut checkpoints = Vec::new();
    loop {
        // The first row is waited for closely; behind it, looking on must not cost anything.
        let pause = Duration::from_millis(if measured.first_row_millis.is_some() { 50 } else { 1 });
        let ended = tokio::time::timeout(pause, &mut done).await;
        if measured.first_row_millis.is_none() && rows_in_sink(&job) > 0 {
            let started: f64 = std::env::var(STARTED).unwrap_or_default().parse()?;
            measured.first_row_millis = Some((now_micros() - started) / 1e3);
        }
        for checkpoint in job.checkpoints().history {
            if checkpoint.status == CheckpointStatus::Completed && !checkpoints.contains(&checkpoint.id) {
                checkpoints.push(checkpoint.id);
                measured.checkpoint_millis.extend(checkpoint.duration_ms.map(|millis| millis as f64));
            }
        }
        if let Ok(result) = ended {
            result?;
            break;
        }
    }
    let usage = process::usage_of("self")?;
    measured.cpu_seconds = usage.cpu_seconds;
    measured.peak_mib = usage.peak_memory_mib;
    Ok(measured)
}

fn rows_in_sink(job: &JobHandle) -> u64 {
    let vertices = job.vertices();
    vertices.iter().filter(|vertex| vertex.name.contains("Sink")).map(|vertex| vertex.counts.records_out).sum()
}

async fn submit(text: &str, home: &Path) -> Result<JobHandle> {
    let connectors = sluice_registry::connectors();
    let clock = SystemClock::shared();
    let engine = Arc::new(Engine::new(connectors.clone(), Arc::clone(&clock)));
    let environment = Environment { connectors, engine, home: Home::at(home), clock };
    let mut session = Session::new(Arc::new(environment));
    let mut submitted = None;
    let mut on_event = |event: ScriptEvent<'_>| {
        if let ScriptEvent::Outcome(Outcome::Submitted { mut jobs, .. }) = event {
            submitted = jobs.pop().map(|job| job.handle);
        }
        Ok(())
    };
    session.run_script(&Script::parse(text)?, Some("nexmark"), &mut on_event).await?;
    submitted.ok_or_else(|| "the file has no INSERT".into())
}
