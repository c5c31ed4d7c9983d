//! Rows per second, from counters that are looked at again and again.

use std::collections::HashMap;

use sluice_model::MetricSample;
use sluice_runtime::{JobHandle, VertexInfo};

/// What is seen of a job at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) at_ms: i64,
    /// Rows that the sources have read.
    pub(super) rows_in: u64,
    /// In the order of the plan.
    pub(super) sinks: Vec<SinkSample>,
    pub(super) snapshots: Vec<Snapshot>,
    /// Age of the newest change, of the source that is furthest behind.
    pub(super) lag_ms: Option<i64>,
}

/// What is seen of a sink.
#[derive(Debug, Clone, Default)]
pub(super) struct SinkSample {
    pub(super) name: String,
    /// Rows that it has taken in.
    pub(super) rows: u64,
    /// For how long it has been at one batch.
    pub(super) busy_for_ms: i64,
}

/// How far the snapshot of a table is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) table: String,
    pub(super) rows: u64,
    pub(super) estimated: u64,
    pub(super) chunks_done: u64,
    pub(super) chunks_total: u64,
    pub(super) finished: bool,
}

impl Snapshot {
    /// The table without its catalog and database.
    pub(super) fn short_name(&self) -> &str {
        self.table.rsplit('.').next().unwrap_or(&self.table)
    }

    /// 0 to 1. The estimate is the server's guess: until the snapshot is finished, it is not reached.
    pub(super) fn share(&self) -> f64 {
        if self.finished {
            return 1.0;
        }
        (self.rows as f64 / self.estimated.max(1) as f64).min(0.99)
    }
}

impl Sample {
    /// Looks at a job.
    pub(super) fn of(job: &JobHandle, now: i64) -> Self {
        let vertices = job.vertices();
        let metrics = job.metrics().samples();
        Self {
            at_ms: now,
            rows_in: vertices.iter().filter(|vertex| is_source(vertex)).map(|vertex| vertex.counts.records_in).sum(),
            sinks: vertices.iter().filter_map(sink).collect(),
            snapshots: snapshots(&metrics),
            lag_ms: metrics
                .iter()
                .filter(|sample| sample.name.ends_with("lag_ms"))
                .map(|sample| sample.value)
                .filter(|lag| *lag >= 0)
                .max(),
        }
    }
}

fn is_source(vertex: &VertexInfo) -> bool {
    vertex.inputs.is_empty()
}

fn sink(vertex: &VertexInfo) -> Option<SinkSample> {
    let (_, name) = vertex.name.rsplit_once("Sink: ")?;
    let busy_for_ms = i64::try_from(vertex.counts.busy_for_ms).unwrap_or(i64::MAX);
    Some(SinkSample { name: name.to_owned(), rows: vertex.counts.records_in, busy_for_ms })
}

/// Puts the gauges of a table's snapshot together, by their label `table`.
fn snapshots(metrics: &[MetricSample]) -> Vec<Snapshot> {
    let mut snapshots: Vec<Snapshot> = Vec::new();
    for sample in metrics.iter().filter(|sample| sample.name.starts_with("snapshot_")) {
        let table = sample.labels.iter().find(|(key, _)| key == "table").map_or("", |(_, value)| value.as_str());
        let index = snapshots.iter().position(|snapshot| snapshot.table == table).unwrap_or_else(|| {
            snapshots.push(Snapshot { table: table.to_owned(), ..Snapshot::default() });
            snapshots.len() - 1
        });
        let (snapshot, value) = (&mut snapshots[index], u64::try_from(sample.value).unwrap_or(0));
        match sample.name.as_str() {
            "snapshot_rows" => snapshot.rows += value,
            "snapshot_rows_estimated" => snapshot.estimated += value,
            "snapshot_chunks_done" => snapshot.chunks_done += value,
            "snapshot_chunks_total" => snapshot.chunks_total += value,
            "snapshot_finished" => snapshot.finished = value > 0,
            _ => {}
        }
    }
    snapshots
}

/// Rates of a job between its last two samples.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<Sample>,
    rows_in: f64,
    sinks: HashMap<String, f64>,
    tables: HashMap<String, f64>,
}

impl Rates {
    /// Takes the next sample.
    pub(super) fn update(&mut self, sample: Sample) {
        if let Some(last) = &self.last {
            let seconds = (sample.at_ms - last.at_ms).max(1) as f64 / 1000.0;
            // A restarted job may count from 0 again.
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
            self.rows_in = rate(sample.rows_in, last.rows_in);
            for (now, before) in sample.sinks.iter().zip(&last.sinks) {
                self.sinks.insert(now.name.clone(), rate(now.rows, before.rows));
            }
            for snapshot in &sample.snapshots {
                let before =
                    last.snapshots.iter().find(|other| other.table == snapshot.table).map_or(0, |other| other.rows);
                self.tables.insert(snapshot.table.clone(), rate(snapshot.rows, before));
            }
        }
        self.last = Some(sample);
    }

    pub(super) fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    pub(super) fn rows_in(&self) -> f64 {
        self.rows_in
    }

    pub(super) fn of_sink(&self, name: &str) -> f64 {
        self.sinks.get(name).copied().unwrap_or(0.0)
    }

    pub(super) fn of_table(&self, name: &str) -> f64 {
        self.tables.get(name).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::MetricKind;

    use super::*;

    fn gauge(name: &str, table: &str, value: i64) -> MetricSample {
        MetricSample {
            name: name.to_owned(),
            labels: vec![("task".to_owned(), "Source".to_owned()), ("table".to_owned(), table.to_owned())],
            kind: MetricKind::Gauge,
            value,
        }
    }

    #[test]
    fn snapshots_by_table() {
        let metrics = [
            gauge("snapshot_rows", "sales", 61),
            gauge("snapshot_rows_estimated", "sales", 100),
            gauge("snapshot_rows", "returns", 5),
            gauge("snapshot_finished", "returns", 1),
            gauge("source_lag_ms", "sales", 3),
        ];
        let snapshots = snapshots(&metrics);
        assert_eq!(snapshots.len(), 2);
        assert!((snapshots[0].share() - 0.61).abs() < 1e-9);
        assert!((snapshots[1].share() - 1.0).abs() < 1e-9);
        let over = Snapshot { rows: 500, estimated: 100, ..Snapshot::default() };
        assert!(over.share() < 1.0, "an estimate that was too low does not finish a snapshot");
    }

    #[test]
    fn rates_are_differences() {
        let mut rates = Rates::default();
        let sink = |rows| SinkSample { name: "kafka".into(), rows, busy_for_ms: 0 };
        let sample = |at_ms, rows_in, rows| Sample { at_ms, rows_in, sinks: vec![sink(rows)], ..Sample::default() };
        rates.update(sample(0, 100, 50));
        assert_eq!(rates.rows_in(), 0.0);
        rates.update(sample(500, 600, 50));
        assert_eq!((rates.rows_in(), rates.of_sink("kafka")), (1000.0, 0.0));
        rates.update(sample(1000, 10, 0));
        assert_eq!(rates.rows_in(), 0.0, "a job that starts again does not run backwards");
    }
}
