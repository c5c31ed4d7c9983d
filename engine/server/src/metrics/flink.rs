//! The same numbers under the names that Flink's Prometheus reporter gives them, for dashboards and
//! alert rules that exist already. As there, all of them are gauges, and times are milliseconds.

use sluice_runtime::{JobHandle, JobStatus, TaskCounts};

use super::text::{Exposition, Kind};

/// Job-level metrics by Flink's names.
pub(crate) fn flink_job_metrics(job: &JobHandle, now: i64) -> Vec<(&'static str, i64)> {
    let checkpoints = job.checkpoints();
    let newest = checkpoints.latest_completed.as_ref();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let runs = matches!(job.status(), JobStatus::Running);
    let since = job.timestamps().get(&job.status()).copied().unwrap_or(now);
    vec![
        ("uptime", if runs { now - since } else { 0 }),
        ("downtime", if runs || job.status().is_terminal() { 0 } else { now - since }),
        ("numRestarts", count(job.restarts())),
        ("fullRestarts", count(job.restarts())),
        ("numberOfCompletedCheckpoints", count(checkpoints.counts.completed)),
        ("numberOfFailedCheckpoints", count(checkpoints.counts.failed)),
        ("numberOfInProgressCheckpoints", count(checkpoints.counts.in_progress)),
        ("totalNumberOfCheckpoints", count(checkpoints.counts.total)),
        ("lastCompletedCheckpointId", newest.map_or(0, |info| count(info.id))),
        ("lastCheckpointDuration", newest.and_then(|info| info.duration_ms).unwrap_or(-1)),
        ("lastCheckpointSize", newest.map_or(-1, |info| count(info.size_bytes))),
        ("lastCheckpointFullSize", newest.map_or(-1, |info| count(info.full_size_bytes))),
        ("lastCheckpointCompletedTimestamp", newest.and_then(|info| info.latest_ack_timestamp).unwrap_or(-1)),
        ("lastCheckpointRestoreTimestamp", checkpoints.restored.as_ref().map_or(-1, |restored| restored.timestamp)),
    ]
}

/// Task metrics by Flink's names.
pub(crate) fn flink_task_metrics(counts: &TaskCounts) -> [(&'static str, u64); 7] {
    [
        ("numRecordsIn", counts.records_in),
        ("numRecordsOut", counts.records_out),
        ("numBytesIn", counts.bytes_in),
        ("numBytesOut", counts.bytes_out),
        ("accumulateBusyTimeMs", counts.busy_ms),
        ("accumulateIdleTimeMs", counts.idle_ms),
        ("accumulateBackPressuredTimeMs", counts.backpressured_ms),
    ]
}

/// Adds the metrics of the job manager.
pub(super) fn add_cluster(exposition: &mut Exposition, jobs: &[JobHandle]) {
    let running = jobs.iter().filter(|job| matches!(job.status(), JobStatus::Running)).count();
    for (name, value) in [("numRunningJobs", running), ("numRegisteredTaskManagers", 1)] {
        let help = format!("{name} (scope: jobmanager)");
        exposition.add(&format!("flink_jobmanager_{name}"), &help, Kind::Gauge, &[("host", "localhost")], value as f64);
    }
}

/// Adds the metrics of a job and its tasks.
pub(super) fn add(exposition: &mut Exposition, job: &JobHandle, now: i64) {
    let id = job.id().to_string();
    let of_job = [("host", "localhost"), ("job_id", id.as_str()), ("job_name", job.name())];
    for (name, value) in flink_job_metrics(job, now) {
        let help = format!("{name} (scope: jobmanager_job)");
        exposition.add(&format!("flink_jobmanager_job_{name}"), &help, Kind::Gauge, &of_job, value as f64);
    }
    for vertex in job.vertices() {
        for (index, subtask) in vertex.subtasks.iter().enumerate() {
            let index = index.to_string();
            let labels = [
                of_job[0],
                ("tm_id", "sluice-local"),
                of_job[1],
                of_job[2],
                ("task_id", vertex.id.as_str()),
                ("task_name", vertex.name.as_str()),
                ("subtask_index", index.as_str()),
            ];
            for (name, value) in flink_task_metrics(&subtask.counts) {
                let help = format!("{name} (scope: taskmanager_job_task)");
                let name = format!("flink_taskmanager_job_task_{name}");
                exposition.add(&name, &help, Kind::Gauge, &labels, value as f64);
            }
        }
    }
}
