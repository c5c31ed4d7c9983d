//! Metrics of jobs under Sluice's own names.

use sluice_model::{MetricKind, MetricSample};
use sluice_runtime::{JobHandle, JobStatus};

use super::text::{Exposition, Kind};
use crate::keeper::LostJob;

/// What the well-known metrics mean. `docs/metrics.md` has the same list.
const HELP: [(&str, &str); 39] = [
    ("records_in", "Rows that a task has taken in."),
    ("records_out", "Rows that a task has put out."),
    ("bytes_in", "Bytes in memory of the rows that a task has taken in."),
    ("bytes_out", "Bytes in memory of the rows that a task has put out."),
    ("busy_ms", "Time that a task has worked."),
    ("idle_ms", "Time that a task has waited for rows."),
    ("backpressured_ms", "Time that a task has waited for those behind it."),
    ("state_memory_bytes", "Memory of the state of a task's operators, where it is limited."),
    ("state_spilled_bytes", "Bytes of state, and of rows that wait for it, written to disk."),
    ("state_partitions_resident", "Parts of the state of a task's operators that are in memory."),
    ("state_partitions_spilled", "Parts of the state of a task's operators that are on disk."),
    ("restarts", "Restarts of a job."),
    ("checkpoints_completed", "Checkpoints that completed."),
    ("checkpoints_failed", "Checkpoints that failed."),
    ("last_checkpoint_id", "Id of the newest completed checkpoint."),
    ("last_checkpoint_duration_ms", "How long the newest completed checkpoint took."),
    ("last_checkpoint_size_bytes", "Size of the newest completed checkpoint."),
    ("last_checkpoint_timestamp_ms", "When the newest checkpoint completed, since 1970."),
    ("channel_bytes", "Bytes of rows that wait between tasks."),
    ("snapshot_rows", "Rows of a table that its snapshot has read."),
    ("snapshot_rows_estimated", "Rows that the source server estimates a table to have."),
    ("snapshot_chunks_done", "Chunks of a table that its snapshot has finished."),
    ("snapshot_chunks_total", "Chunks that the snapshot of a table was cut into so far."),
    ("snapshot_finished", "1 once the snapshot of a table is finished."),
    ("source_lag_ms", "Age of the newest change when the source read it; -1 before the first."),
    ("binlog_events", "Events read from the binary log."),
    ("binlog_bytes", "Bytes read from the binary log."),
    ("binlog_reconnects", "Connections to the binary log after the first."),
    ("binlog_position", "Position in the binary log file."),
    ("messages_written", "Messages that a Kafka sink has sent."),
    ("bytes_written", "Bytes that a sink has sent."),
    ("tombstones_written", "Deletions that a Kafka sink has sent as messages without a value."),
    ("queue_messages", "Messages that wait in the Kafka client."),
    ("rows_written", "Rows that a JDBC sink has written."),
    ("rows_reduced", "Changes that a JDBC sink did not have to write: a later one of the same key was there."),
    ("flushes", "Batches that a JDBC sink has written."),
    ("flush_retries", "Batches that a JDBC sink has written again after a failure."),
    ("last_flush_ms", "How long the newest batch took."),
    ("flush_rows", "Rows of the newest batch."),
];

/// Every job has one sample per state, 1 for the one it is in.
const STATES: [JobStatus; 10] = [
    JobStatus::Created,
    JobStatus::Initializing,
    JobStatus::Running,
    JobStatus::Restarting,
    JobStatus::Failing,
    JobStatus::Failed,
    JobStatus::Cancelling,
    JobStatus::Canceled,
    JobStatus::Finished,
    JobStatus::Suspended,
];

/// Adds the metrics of a job.
pub(super) fn add(exposition: &mut Exposition, job: &JobHandle, now: i64) {
    let id = job.id().to_string();
    let labels = [("job", job.name()), ("job_id", id.as_str())];
    let seconds = (job.end_time().unwrap_or(now) - job.start_time()).max(0) as f64 / 1000.0;
    exposition.add("sluice_job_uptime_seconds", "Time since a job was submitted.", Kind::Gauge, &labels, seconds);
    add_states(exposition, &labels, job.status());
    for sample in job.metrics().samples() {
        add_sample(exposition, &labels, &sample);
    }
}

/// Adds a job that could not be started again.
pub(super) fn add_lost(exposition: &mut Exposition, job: &LostJob) {
    add_states(exposition, &[("job", &job.name), ("job_id", &job.id)], JobStatus::Failed);
}

fn add_states(exposition: &mut Exposition, labels: &[(&str, &str); 2], status: JobStatus) {
    for state in STATES {
        let name = state.to_string();
        let labels = [labels[0], labels[1], ("state", name.as_str())];
        let value = if state == status { 1.0 } else { 0.0 };
        exposition.add("sluice_job_state", "1 for the state that a job is in.", Kind::Gauge, &labels, value);
    }
}

fn add_sample(exposition: &mut Exposition, job: &[(&str, &str); 2], sample: &MetricSample) {
    let own = sample.labels.iter().filter(|(key, _)| key != "job" && key != "job_id");
    let labels: Vec<(&str, &str)> =
        job.iter().copied().chain(own.map(|(key, value)| (key.as_str(), value.as_str()))).collect();
    let (name, value) = in_base_units(sample);
    let kind = match sample.kind {
        MetricKind::Counter => Kind::Counter,
        MetricKind::Gauge => Kind::Gauge,
    };
    let known = HELP.iter().find(|(name, _)| *name == sample.name).map(|(_, help)| (*help).to_owned());
    let help = known.unwrap_or_else(|| format!("'{}' of a connector.", sample.name));
    exposition.add(&name, &help, kind, &labels, value);
}

/// `busy_ms` 1500 becomes `sluice_busy_seconds_total` 1.5.
fn in_base_units(sample: &MetricSample) -> (String, f64) {
    let (mut name, value) = match sample.name.strip_suffix("_ms") {
        Some(stem) => (format!("sluice_{stem}_seconds"), sample.value as f64 / 1000.0),
        None => (format!("sluice_{}", sample.name), sample.value as f64),
    };
    if sample.kind == MetricKind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_base_units() {
        let sample = |name: &str, kind, value| MetricSample { name: name.to_owned(), labels: Vec::new(), kind, value };
        let busy = in_base_units(&sample("busy_ms", MetricKind::Counter, 1500));
        assert_eq!(busy, ("sluice_busy_seconds_total".to_owned(), 1.5));
        let lag = in_base_units(&sample("source_lag_ms", MetricKind::Gauge, -1));
        assert_eq!(lag, ("sluice_source_lag_seconds".to_owned(), -0.001));
        let rows = in_base_units(&sample("records_out", MetricKind::Counter, 3));
        assert_eq!(rows, ("sluice_records_out_total".to_owned(), 3.0));
    }

    #[test]
    fn samples_carry_the_job() {
        let mut exposition = Exposition::default();
        let labels = vec![("job".to_owned(), "x".to_owned()), ("task".to_owned(), "Sink: a".to_owned())];
        let sample = MetricSample { name: "records_in".to_owned(), labels, kind: MetricKind::Counter, value: 2 };
        add_sample(&mut exposition, &[("job", "sales"), ("job_id", "6b")], &sample);
        let text = exposition.finish();
        assert!(text.ends_with("sluice_records_in_total{job=\"sales\",job_id=\"6b\",task=\"Sink: a\"} 2\n"), "{text}");
    }
}
