//! `make demo`: the users' system, end to end, in two minutes.
//!
//! Creates `business_db` with `store_sales` and `store_returns`, starts both job files with the
//! `sql-client` beside this program, changes the tables while they run, stops the load, waits until
//! the sinks have caught up, and compares them with MySQL row by row.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use sluice_demo::Result;
use sluice_demo::compare::{self, Contents};
use sluice_demo::endpoints::{Endpoints, Flavor};
use sluice_demo::load::Load;
use sluice_demo::progress;
use sluice_demo::tpcds::{STORE_RETURNS, STORE_SALES, Table};
use tokio::process::{Child, Command};

/// Rows of each table when the jobs start.
const ROWS: u64 = 200_000;
/// How long the tables are changed.
const LOAD_TIME: Duration = Duration::from_secs(20);
/// Changes per second and table.
const LOAD_RATE: u64 = 500;
/// How long the sinks may take to catch up once the load has stopped.
const CATCH_UP: Duration = Duration::from_secs(60);

/// A job file, the table it reads, and where it writes.
struct Job {
    file: &'static str,
    table: Table,
    topic: &'static str,
    warehouse: &'static str,
}

const JOBS: [Job; 2] = [
    Job {
        file: "jobs/01-sales-cdc-sync.sql",
        table: STORE_SALES,
        topic: "tpcds.store_sales",
        warehouse: "tpcds.store_sales_heap",
    },
    Job {
        file: "jobs/02-returns-cdc-sync.sql",
        table: STORE_RETURNS,
        topic: "tpcds.store_returns",
        warehouse: "tpcds.store_returns_heap",
    },
];

#[tokio::main]
async fn main() -> std::process::ExitCode {
    sluice_demo::choose_tls();
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo failed: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let keep = std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0");
    let home = PathBuf::from(std::env::var("SLUICE_HOME").unwrap_or_else(|_| ".demo".to_owned()));
    let endpoints = Endpoints::default();
    prepare(endpoints, &home).await?;
    let mut server = start_server(&home)?;
    let outcome = sync_and_compare(endpoints, &home).await;
    if outcome.is_ok() && keep {
        println!("\nStill running (process {}):", server.id().unwrap_or_default());
        println!("  web page and REST   http://127.0.0.1:8081");
        println!("  metrics             http://127.0.0.1:9249/metrics");
        println!("  stop it             kill {}", server.id().unwrap_or_default());
        // The server outlives this program.
        std::mem::forget(server);
        return Ok(());
    }
    stop(&mut server).await?;
    outcome
}

/// Databases and tables, and nothing left of an earlier run.
async fn prepare(endpoints: Endpoints, home: &Path) -> Result<()> {
    let started = Instant::now();
    if home.exists() {
        std::fs::remove_dir_all(home)?;
    }
    std::fs::create_dir_all(home)?;
    delete_topics(&endpoints.kafka()).await?;
    let warehouse = endpoints.warehouse().await?;
    let mut mysql = endpoints.mysql(Flavor::MariaDb).await?;
    mysql.query_drop("CREATE DATABASE IF NOT EXISTS business_db").await?;
    mysql.query_drop("USE business_db").await?;
    for job in &JOBS {
        job.table.create_in_mysql(&mut mysql, ROWS).await?;
        job.table.create_in_warehouse(&warehouse, job.warehouse).await?;
    }
    println!(
        "business_db.store_sales and business_db.store_returns hold {ROWS} rows each ({:.1} s)",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn delete_topics(brokers: &str) -> Result<()> {
    use rdkafka::admin::{AdminClient, AdminOptions};
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        rdkafka::config::ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topics: Vec<&str> = JOBS.iter().map(|job| job.topic).collect();
    // A topic that is not there is what is wanted.
    admin.delete_topics(&topics, &AdminOptions::new()).await?;
    Ok(())
}

/// A program that was built beside this one.
fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().ok_or("this program has no directory")?.join(name))
}

fn start_server(home: &Path) -> Result<Child> {
    let log = std::fs::File::create(home.join("server.log"))?;
    let mut command = Command::new(program("sluice")?);
    command.arg("server").env("SLUICE_HOME", home).stdin(Stdio::null());
    Ok(command.stdout(log.try_clone()?).stderr(log).spawn()?)
}

async fn sync_and_compare(endpoints: Endpoints, home: &Path) -> Result<()> {
    wait_for_server(home).await?;
    let started = Instant::now();
    for job in &JOBS {
        submit(job).await?;
    }
    let mut loads = Vec::new();
    for (index, job) in JOBS.iter().enumerate() {
        let (load, table) = (Load::default(), job.table);
        let mut mysql = endpoints.mysql(Flavor::MariaDb).await?;
        mysql.query_drop("USE business_db").await?;
        let running = load.clone();
        let task = tokio::spawn(async move { running.run(&mut mysql, table, ROWS, LOAD_RATE, index as u64).await });
        loads.push((load, task));
    }
    println!("\nChanging both tables for {} s while the jobs run:", LOAD_TIME.as_secs());
    watch(started).await?;
    let mut changes = 0;
    for (load, task) in loads {
        load.stop();
        task.await??;
        changes += load.counts.total();
    }
    let stopped = Instant::now();
    println!("\nLoad stopped after {changes} changes. Comparing the sinks with MySQL:");
    for job in &JOBS {
        compare_job(endpoints, job, stopped).await?;
    }
    println!("\nBoth sinks of both jobs equal MySQL, row for row.");
    Ok(())
}

async fn wait_for_server(home: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if reqwest::get("http://127.0.0.1:8081/health/ready").await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("the server did not come up; see {}", home.join("server.log").display()).into())
}

async fn submit(job: &Job) -> Result<()> {
    println!("\n$ sql-client -f {}", job.file);
    let output = Command::new(program("sql-client")?).arg("-f").arg(job.file).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|line| line.starts_with('[') || line.starts_with("Job ID")) {
        if !line.contains("Execute statement succeeded") {
            println!("  {line}");
        }
    }
    if !output.status.success() {
        return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

/// Prints what the jobs do, every five seconds.
async fn watch(started: Instant) -> Result<()> {
    let until = started + LOAD_TIME;
    let mut before = progress::jobs().await?;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(5).min(until.saturating_duration_since(Instant::now()))).await;
        let now = progress::jobs().await?;
        for (job, before) in now.iter().zip(&before) {
            let lag = job.lag_millis.map_or("-".to_owned(), |millis| format!("{millis} ms"));
            println!(
                "  {:>4.0} s  {:<18} {}  {:>7} rows into its sinks  {:>7.0} rows/s  lag {lag}",
                started.elapsed().as_secs_f64(),
                job.name,
                job.state,
                job.rows,
                job.rate_since(before)
            );
        }
        before = now;
    }
    Ok(())
}

/// Waits until both sinks equal MySQL.
async fn compare_job(endpoints: Endpoints, job: &Job, stopped: Instant) -> Result<()> {
    let mut mysql = endpoints.mysql(Flavor::MariaDb).await?;
    mysql.query_drop("USE business_db").await?;
    let expected = compare::in_mysql(&mut mysql, &job.table).await?;
    print_contents("MySQL", job.table.name, &expected);
    let warehouse = endpoints.warehouse().await?;
    let deadline = stopped + CATCH_UP;
    loop {
        let actual = compare::in_warehouse(&warehouse, &job.table, job.warehouse).await?;
        if finished(&actual, &expected, deadline, job.warehouse)? {
            print_contents("warehouse", job.warehouse, &actual);
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    loop {
        let (brokers, topic, table) = (endpoints.kafka(), job.topic, job.table);
        let actual = tokio::task::spawn_blocking(move || compare::in_kafka(&brokers, topic, &table)).await??;
        if finished(&actual, &expected, deadline, job.topic)? {
            print_contents("Kafka", job.topic, &actual);
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

fn finished(actual: &Contents, expected: &Contents, deadline: Instant, name: &str) -> Result<bool> {
    if actual == expected {
        return Ok(true);
    }
    if Instant::now() < deadline {
        return Ok(false);
    }
    let differences = actual.differences(expected, 5).join("\n  ");
    Err(format!(
        "{name} does not equal MySQL: {} rows instead of {}\n  {differences}",
        actual.count(),
        expected.count()
    )
    .into())
}

fn print_contents(place: &str, name: &str, contents: &Contents) {
    println!("  {place:<10} {name:<26} {:>8} rows   checksum {:016x}", contents.count(), contents.checksum());
}

/// Asks the server to stop, and waits until it has.
async fn stop(server: &mut Child) -> Result<()> {
    if let Some(id) = server.id() {
        Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
    }
    if tokio::time::timeout(Duration::from_secs(40), server.wait()).await.is_err() {
        server.kill().await?;
    }
    Ok(())
}
