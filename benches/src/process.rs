//! A measured `sql-client`: CPU time and memory from the operating system's own books.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluice_demo::Result;

/// CPU time and memory of a process, from `/proc`.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time so far, in seconds.
    pub cpu_seconds: f64,
    /// Largest resident memory so far, in MiB.
    pub peak_memory_mib: f64,
}

/// What a process, by its id or as `self`, has used so far.
///
/// # Errors
/// It is gone.
pub fn usage_of(process: &str) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name in parentheses; fields 14 and 15 of proc(5) are user and system ticks.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).ok_or("short stat")?.parse::<f64>()?) };
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kib: f64 = peak.trim().trim_end_matches(" kB").trim().parse()?;
    // The kernel counts 100 ticks a second for user space on every Linux of today.
    Ok(Usage { cpu_seconds: (ticks(11)? + ticks(12)?) / 100.0, peak_memory_mib: kib / 1024.0 })
}

/// A running job file.
#[derive(Debug)]
pub struct MeasuredClient {
    child: Child,
    rest_port: u16,
    /// When it was started.
    pub started: Instant,
}

impl MeasuredClient {
    /// Runs a job file with the release build beside this program.
    ///
    /// # Errors
    /// The program is not there.
    pub fn start(file: &Path, home: &Path) -> Result<Self> {
        let rest_port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let program = std::env::current_exe()?.with_file_name("sql-client");
        let log = std::fs::File::create(home.join("client.log"))?;
        let started = Instant::now();
        let child = Command::new(program)
            .env("SLUICE_HOME", home)
            .arg("-D")
            .arg(format!("rest.port={rest_port}"))
            .arg("-f")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { child, rest_port, started })
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// The process is gone.
    pub fn usage(&self) -> Result<Usage> {
        usage_of(&self.child.id().to_string())
    }

    /// Rows that have arrived at each sink, by the sink's name.
    ///
    /// # Errors
    /// The REST API does not answer.
    pub async fn rows_into_sinks(&self) -> Result<Vec<(String, u64)>> {
        let base = format!("http://127.0.0.1:{}", self.rest_port);
        let jobs: serde_json::Value = reqwest::get(format!("{base}/jobs")).await?.json().await?;
        let mut sinks = Vec::new();
        for job in jobs["jobs"].as_array().into_iter().flatten() {
            let id = job["id"].as_str().unwrap_or_default();
            let detail: serde_json::Value = reqwest::get(format!("{base}/jobs/{id}")).await?.json().await?;
            for vertex in detail["vertices"].as_array().into_iter().flatten() {
                let name = vertex["name"].as_str().unwrap_or_default();
                if name.starts_with("Sink") {
                    let rows = vertex["metrics"]["read-records"].as_u64().unwrap_or(0);
                    sinks.push((name.to_owned(), rows));
                }
            }
        }
        Ok(sinks)
    }

    /// Waits until every sink has taken `rows` rows, and returns how long that took from the start.
    ///
    /// # Errors
    /// It ended, or did not get there in time.
    pub async fn wait_for_rows(&mut self, rows: u64, timeout: Duration) -> Result<Duration> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the job ended with {status}").into());
            }
            let sinks = self.rows_into_sinks().await.unwrap_or_default();
            if !sinks.is_empty() && sinks.iter().all(|(_, taken)| *taken >= rows) {
                return Ok(self.started.elapsed());
            }
            if self.started.elapsed() > timeout {
                return Err(format!("not done after {timeout:?}: {sinks:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops it with a final checkpoint, as Ctrl-C does.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }
}
