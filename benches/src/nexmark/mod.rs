//! The Nexmark benchmark: the queries of `benches/nexmark`, each in a process of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | `job` | the text of a query, filled in for one of the engines |
//! | `child` | a query on Sluice, measured from inside its process |
//! | `flink` | the same on Apache Flink, and how it is built |
//! | `checksum` | whether both make the same events |
//! | `report` | the table of results |

pub mod checksum;
pub mod child;
pub mod flink;
pub mod job;
pub mod report;

use serde_json::{Value, json};
use sluice_demo::Result;

/// What a run of a query took.
#[derive(Debug, Clone, Default)]
pub struct Measurement {
    /// Of Sluice from the start of the process to its end; of Flink from the job's start to its end.
    pub wall_seconds: f64,
    /// User and system time over the same stretch, of all threads.
    pub cpu_seconds: f64,
    /// Largest resident memory of the process.
    pub peak_mib: f64,
    /// From starting the process to the first row in the sink.
    pub first_row_millis: Option<f64>,
    /// From the trigger of each checkpoint until it was durable.
    pub checkpoint_millis: Vec<f64>,
}

impl Measurement {
    /// As a child prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_kib": self.peak_mib * 1024.0,
            "first_row_millis": self.first_row_millis,
            "checkpoint_millis": self.checkpoint_millis,
        })
    }

    /// Reads what a child has printed: its last line.
    ///
    /// # Errors
    /// It printed an error, or nothing of the kind.
    pub fn from_output(output: &str) -> Result<Self> {
        let last = output.lines().last().unwrap_or_default();
        let value: Value =
            serde_json::from_str(last).map_err(|_| format!("no result; it ended with '{}'", first_line(last)))?;
        if let Some(error) = value["error"].as_str() {
            return Err(first_line(error).into());
        }
        let number = |key: &str| value[key].as_f64().ok_or_else(|| format!("the result has no {key}"));
        Ok(Self {
            wall_seconds: number("wall_seconds")?,
            cpu_seconds: number("cpu_seconds")?,
            peak_mib: number("peak_kib")? / 1024.0,
            first_row_millis: value["first_row_millis"].as_f64(),
            checkpoint_millis: value["checkpoint_millis"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_f64)
                .collect(),
        })
    }

    /// The one with the median CPU time.
    #[must_use]
    pub fn median(mut all: Vec<Self>) -> Option<Self> {
        all.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
        let middle = all.len() / 2;
        all.into_iter().nth(middle)
    }
}

/// The first line of a message.
#[must_use]
pub fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_being_printed() {
        let made = Measurement { wall_seconds: 1.5, cpu_seconds: 2.0, peak_mib: 64.0, ..Measurement::default() };
        let read = Measurement::from_output(&format!("a log line\n{}\n", made.to_json())).unwrap();
        assert_eq!((read.wall_seconds, read.cpu_seconds, read.peak_mib), (1.5, 2.0, 64.0));
        let error = Measurement::from_output("{\"error\":\"no such table\\n  hint: make one\"}").unwrap_err();
        assert_eq!(error.to_string(), "no such table");
        assert!(Measurement::from_output("killed").is_err());
    }

    #[test]
    fn the_median_goes_by_cpu_time() {
        let of = |cpu_seconds| Measurement { cpu_seconds, ..Measurement::default() };
        assert_eq!(Measurement::median(vec![of(9.0), of(1.0), of(2.0)]).map(|median| median.cpu_seconds), Some(2.0));
        assert!(Measurement::median(Vec::new()).is_none());
    }
}
