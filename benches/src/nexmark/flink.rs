//! A query on Apache Flink: a cluster in one Java process, warmed up before it is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sluice_demo::Result;

use super::job::{self, Runner, Setup};
use super::{Measurement, first_line};

/// What Flink needs on Java 17, as in the configuration that comes with it.
const OPENS: [&str; 6] = [
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.time=ALL-UNNAMED",
];

/// A Flink that is built.
#[derive(Debug)]
pub struct Flink {
    directory: PathBuf,
    heap: String,
    warm_up_events: u64,
}

impl Flink {
    /// Fetches and builds what `benches/flink/pom.xml` names.
    ///
    /// # Errors
    /// Maven is not there, or fails.
    pub fn build(heap: &str, warm_up_events: u64) -> Result<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("flink");
        let script = directory.join("build.sh");
        let status = Command::new(&script).status().map_err(|error| format!("{}: {error}", script.display()))?;
        if !status.success() {
            return Err(format!("{} failed", script.display()).into());
        }
        Ok(Self { directory, heap: heap.to_owned(), warm_up_events })
    }

    fn java(&self, heap: &str) -> Command {
        let target = self.directory.join("target");
        let mut command = Command::new("java");
        command
            .arg(format!("-Xmx{heap}"))
            .args(OPENS)
            .arg("-cp")
            .arg(format!("{}:{}/*", target.join("classes").display(), target.join("lib").display()))
            .arg("nexmark.Main")
            .stdin(Stdio::null());
        command
    }

    /// Checksum of the first events at this rate.
    ///
    /// # Errors
    /// Java is not there.
    pub fn checksum(&self, events: u64, rate: u32) -> Result<String> {
        let output = self.java("1g").args(["checksum", &events.to_string(), &rate.to_string()]).output()?;
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        Ok(value["checksum"].as_str().unwrap_or_default().to_owned())
    }

    /// Runs a query once to warm up and once to measure.
    ///
    /// # Errors
    /// The first line of Flink's message.
    pub fn run(&self, setup: &Setup) -> Result<Measurement> {
        let home = tempfile::tempdir()?;
        let (file, warm_up) = (home.path().join("job.sql"), home.path().join("warm-up.sql"));
        std::fs::write(&file, job::text(setup, Runner::Flink, home.path())?)?;
        let events = setup.events.min(self.warm_up_events);
        std::fs::write(&warm_up, job::text(&Setup { events, ..setup.clone() }, Runner::Flink, home.path())?)?;
        let mut command = self.java(&self.heap);
        command.arg("run").arg(&file).arg(&warm_up);
        for (key, value) in job::settings(setup, home.path()) {
            command.arg(format!("{key}={value}"));
        }
        command.arg(format!("taskmanager.numberOfTaskSlots={}", setup.parallelism));
        let output = command.output()?;
        Measurement::from_output(&String::from_utf8_lossy(&output.stdout))
            .map_err(|error| cause(&String::from_utf8_lossy(&output.stderr)).unwrap_or(error))
    }
}

/// The innermost cause that a stack trace names.
fn cause(trace: &str) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    let mut causes = trace.lines().filter_map(|line| line.strip_prefix("Caused by: "));
    let mut firsts = trace.lines().filter_map(|line| line.strip_prefix("Exception in thread \"main\" "));
    let cause = causes.next_back().or_else(|| firsts.next_back())?;
    Some(first_line(cause).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_failure_is_found() {
        let trace = "Exception in thread \"main\" a.B: outer\n\tat x\nCaused by: c.D: inner\n\tat y\n";
        assert_eq!(cause(trace).unwrap().to_string(), "c.D: inner");
        assert!(cause("nothing").is_none());
    }
}
