//! The line that says how a job is doing.
//!
//! ```text
//! 01-sales RUNNING · snapshot store_sales 61 % · in 212.4k rows/s · kafka 212.4k/s · warehouse 198.0k/s · lag 41 ms · checkpoint 12, 4 s ago
//! ```

use std::fmt::Write;

use sluice_runtime::JobHandle;

use super::rates::{Rates, Sample};

/// From when on a sink that is at one batch is said to wait for its target.
const SLOW_ANSWER_MS: i64 = 3000;

/// The line of a job.
pub(super) fn line(job: &JobHandle, rates: &Rates, now: i64) -> String {
    let newest = job.checkpoints().latest_completed.map(|info| (info.id, info.latest_ack_timestamp.unwrap_or(now)));
    describe(job.name(), &job.status().to_string(), rates, newest, now)
}

fn describe(name: &str, status: &str, rates: &Rates, checkpoint: Option<(u64, i64)>, now: i64) -> String {
    let empty = Sample::default();
    let sample = rates.last().unwrap_or(&empty);
    let mut line = format!("{name} {status}");
    for snapshot in sample.snapshots.iter().filter(|snapshot| !snapshot.finished) {
        let _ = write!(line, " · snapshot {} {:.0} %", snapshot.short_name(), snapshot.share() * 100.0);
    }
    let _ = write!(line, " · in {} rows/s", count(rates.rows_in()));
    for sink in &sample.sinks {
        let _ = write!(line, " · {} {}/s", sink.name, count(rates.of_sink(&sink.name)));
        if sink.busy_for_ms >= SLOW_ANSWER_MS {
            let _ = write!(line, " (no answer for {})", span(sink.busy_for_ms));
        }
    }
    if let Some(lag) = sample.lag_ms {
        let _ = write!(line, " · lag {}", span(lag));
    }
    match checkpoint {
        Some((id, at)) => {
            let _ = write!(line, " · checkpoint {id}, {} ago", span((now - at).max(0)));
        }
        None => line.push_str(" · no checkpoint yet"),
    }
    line
}

/// `950`, `12.3k`, `1.2M`.
pub(super) fn count(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.1}G", n / 1e9),
        n if n >= 1e6 => format!("{:.1}M", n / 1e6),
        n if n >= 1e4 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// `41 ms`, `4.2 s`, `3 min`, `2.5 h`.
pub(super) fn span(millis: i64) -> String {
    match millis {
        ms if ms < 1000 => format!("{ms} ms"),
        ms if ms < 60_000 => format!("{:.1} s", ms as f64 / 1e3),
        ms if ms < 3_600_000 => format!("{} min", ms / 60_000),
        ms => format!("{:.1} h", ms as f64 / 3.6e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::{SinkSample, Snapshot};
    use super::*;

    #[test]
    fn says_what_matters() {
        let mut rates = Rates::default();
        let snapshot = Snapshot { table: "c.d.store_sales".into(), rows: 610, estimated: 1000, ..Snapshot::default() };
        let sample = |at_ms, rows| Sample {
            at_ms,
            rows_in: rows,
            sinks: vec![SinkSample { name: "kafka".into(), rows, busy_for_ms: 0 }],
            snapshots: vec![snapshot.clone()],
            lag_ms: Some(41),
        };
        rates.update(sample(0, 0));
        rates.update(sample(1000, 212_400));
        assert_eq!(
            describe("01-sales", "RUNNING", &rates, Some((12, 5000)), 9200),
            "01-sales RUNNING · snapshot store_sales 61 % · in 212.4k rows/s · kafka 212.4k/s · lag 41 ms · checkpoint 12, 4.2 s ago"
        );
        let sinks = vec![SinkSample { name: "kafka".into(), rows: 212_400, busy_for_ms: 12_000 }];
        rates.update(Sample { at_ms: 2000, rows_in: 212_400, sinks, ..Sample::default() });
        assert_eq!(
            describe("01-sales", "RUNNING", &rates, Some((12, 5000)), 9200),
            "01-sales RUNNING · in 0 rows/s · kafka 0/s (no answer for 12.0 s) · checkpoint 12, 4.2 s ago"
        );
        let nothing = describe("x", "CREATED", &Rates::default(), None, 0);
        assert_eq!(nothing, "x CREATED · in 0 rows/s · no checkpoint yet");
    }
}
