//! `GET /jobs/:id/checkpoints`, and below it `details/:checkpoint` and `details/:checkpoint/subtasks/:vertex`.

use std::ops::Range;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use sluice_runtime::{CheckpointAnswer, CheckpointInfo, CheckpointOverview, CheckpointStatus, JobHandle, VertexInfo};

use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub(super) async fn overview(State(state): App, Path(id): Path<String>) -> ApiResult {
    let job = state.running_job(&id)?;
    Ok(Json(render(&job.checkpoints())))
}

pub(super) async fn details(State(state): App, Path((id, checkpoint)): Path<(String, String)>) -> ApiResult {
    let job = state.running_job(&id)?;
    let info = find(&job, &checkpoint)?;
    let mut value = checkpoint_of(&info);
    let tasks = ranges(&job.vertices()).into_iter();
    let tasks = tasks.map(|(vertex, range)| (vertex, task_of(&info, &answers(&info, &range), range.len())));
    value["tasks"] = Value::Object(tasks.collect());
    Ok(Json(value))
}

pub(super) async fn subtasks(
    State(state): App,
    Path((id, checkpoint, vertex)): Path<(String, String, String)>,
) -> ApiResult {
    let job = state.running_job(&id)?;
    let info = find(&job, &checkpoint)?;
    let Some((_, range)) = ranges(&job.vertices()).into_iter().find(|(id, _)| *id == vertex) else {
        return Err(ApiError::not_found(format!("vertex {vertex} not found")));
    };
    let answers = answers(&info, &range);
    let mut value = task_of(&info, &answers, range.len());
    value["summary"] = answers_summary(&info, &answers);
    let subtask = |task: usize| match answers.iter().find(|answer| answer.task == task) {
        Some(answer) => subtask_of(&info, answer, task - range.start),
        None => json!({ "index": task - range.start, "status": "pending_or_failed" }),
    };
    value["subtasks"] = range.clone().map(subtask).collect();
    Ok(Json(value))
}

fn find(job: &JobHandle, checkpoint: &str) -> Result<CheckpointInfo, ApiError> {
    let wanted: u64 =
        checkpoint.parse().map_err(|_| ApiError::bad_request("the id of a checkpoint is a whole number"))?;
    let overview = job.checkpoints();
    let newest = [overview.latest_completed, overview.latest_savepoint, overview.latest_failed];
    let found = overview.history.into_iter().chain(newest.into_iter().flatten()).find(|info| info.id == wanted);
    found.ok_or_else(|| ApiError::not_found(format!("Could not find checkpoint {wanted} of job {}", job.id())))
}

/// The numbers of the subtasks of each vertex among all of the job.
fn ranges(vertices: &[VertexInfo]) -> Vec<(String, Range<usize>)> {
    let mut start = 0;
    let range = |vertex: &VertexInfo| {
        let range = start..start + vertex.parallelism;
        start = range.end;
        (vertex.id.clone(), range)
    };
    vertices.iter().map(range).collect()
}

fn answers<'a>(info: &'a CheckpointInfo, range: &Range<usize>) -> Vec<&'a CheckpointAnswer> {
    info.answers.iter().filter(|answer| range.contains(&answer.task)).collect()
}

fn task_of(info: &CheckpointInfo, answers: &[&CheckpointAnswer], subtasks: usize) -> Value {
    let latest = answers.iter().map(|answer| answer.timestamp).max();
    json!({
        "id": info.id,
        "status": status_of(info).0,
        "latest_ack_timestamp": latest.unwrap_or(-1),
        "checkpointed_size": answers.iter().map(|answer| answer.size_bytes).sum::<u64>(),
        "state_size": answers.iter().map(|answer| answer.full_size_bytes).sum::<u64>(),
        "end_to_end_duration": latest.map_or(-1, |latest| latest - info.trigger_timestamp),
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": subtasks,
        "num_acknowledged_subtasks": answers.len(),
    })
}

fn answers_summary(info: &CheckpointInfo, answers: &[&CheckpointAnswer]) -> Value {
    let of =
        |value: &dyn Fn(&CheckpointAnswer) -> i64| distribution(answers.iter().map(|answer| value(answer)).collect());
    let none = || distribution(Vec::new());
    let bytes = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    json!({
        "checkpointed_size": of(&|answer| bytes(answer.size_bytes)),
        "state_size": of(&|answer| bytes(answer.full_size_bytes)),
        "end_to_end_duration": of(&|answer| answer.timestamp - info.trigger_timestamp),
        "checkpoint_duration": { "sync": of(&|answer| answer.sync_ms), "async": of(&|answer| answer.async_ms) },
        "alignment": {
            "buffered": none(),
            "processed": none(),
            "persisted": none(),
            "duration": of(&|answer| answer.alignment_ms),
        },
        "start_delay": of(&|answer| answer.start_delay_ms),
    })
}

fn subtask_of(info: &CheckpointInfo, answer: &CheckpointAnswer, index: usize) -> Value {
    json!({
        "index": index,
        "status": "completed",
        "ack_timestamp": answer.timestamp,
        "end_to_end_duration": answer.timestamp - info.trigger_timestamp,
        "checkpointed_size": answer.size_bytes,
        "state_size": answer.full_size_bytes,
        "checkpoint": { "sync": answer.sync_ms, "async": answer.async_ms },
        "alignment": { "buffered": 0, "processed": 0, "persisted": 0, "duration": answer.alignment_ms },
        "start_delay": answer.start_delay_ms,
        "unaligned_checkpoint": false,
        "aborted": false,
    })
}

/// Flink's names of a status, and of the class of the answer.
fn status_of(info: &CheckpointInfo) -> (&'static str, &'static str) {
    match info.status {
        CheckpointStatus::InProgress => ("IN_PROGRESS", "in_progress"),
        CheckpointStatus::Completed => ("COMPLETED", "completed"),
        CheckpointStatus::Failed => ("FAILED", "failed"),
    }
}

fn render(overview: &CheckpointOverview) -> Value {
    let one = |info: &Option<CheckpointInfo>| info.as_ref().map_or(Value::Null, checkpoint_of);
    let restored = overview.restored.as_ref().map(|restored| {
        json!({
            "id": restored.id,
            "restore_timestamp": restored.timestamp,
            "is_savepoint": restored.is_savepoint,
            "external_path": restored.path,
        })
    });
    json!({
        "counts": {
            "restored": overview.counts.restored,
            "total": overview.counts.total,
            "in_progress": overview.counts.in_progress,
            "completed": overview.counts.completed,
            "failed": overview.counts.failed,
        },
        "summary": summary(&overview.history),
        "latest": {
            "completed": one(&overview.latest_completed),
            "savepoint": one(&overview.latest_savepoint),
            "failed": one(&overview.latest_failed),
            "restored": restored,
        },
        "history": overview.history.iter().map(checkpoint_of).collect::<Vec<_>>(),
    })
}

fn checkpoint_of(info: &CheckpointInfo) -> Value {
    let (status, class) = status_of(info);
    let mut value = json!({
        "className": class,
        "id": info.id,
        "status": status,
        "is_savepoint": info.is_savepoint,
        "savepointFormat": if info.is_savepoint { Some("CANONICAL") } else { None },
        "trigger_timestamp": info.trigger_timestamp,
        "latest_ack_timestamp": info.latest_ack_timestamp.unwrap_or(-1),
        "checkpointed_size": info.size_bytes,
        "state_size": info.full_size_bytes,
        "end_to_end_duration": info.duration_ms.unwrap_or(-1),
        "alignment_buffered": 0,
        "processed_data": 0,
        "persisted_data": 0,
        "num_subtasks": info.subtasks,
        "num_acknowledged_subtasks": info.acknowledged,
        "checkpoint_type": if info.is_savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "tasks": {},
    });
    match info.status {
        CheckpointStatus::InProgress => {}
        CheckpointStatus::Completed => {
            value["external_path"] = json!(info.path);
            value["discarded"] = json!(false);
        }
        CheckpointStatus::Failed => {
            value["failure_timestamp"] = json!(info.latest_ack_timestamp.unwrap_or(info.trigger_timestamp));
            value["failure_message"] = json!(info.failure);
        }
    }
    value
}

fn summary(history: &[CheckpointInfo]) -> Value {
    let completed = || history.iter().filter(|info| matches!(info.status, CheckpointStatus::Completed));
    let bytes = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let sizes: Vec<i64> = completed().map(|info| bytes(info.size_bytes)).collect();
    let full_sizes: Vec<i64> = completed().map(|info| bytes(info.full_size_bytes)).collect();
    let durations: Vec<i64> = completed().filter_map(|info| info.duration_ms).collect();
    let mut summary = Map::new();
    for (name, values) in [
        ("checkpointed_size", sizes),
        ("state_size", full_sizes),
        ("end_to_end_duration", durations),
        ("alignment_buffered", Vec::new()),
        ("processed_data", Vec::new()),
        ("persisted_data", Vec::new()),
    ] {
        summary.insert(name.to_owned(), distribution(values));
    }
    Value::Object(summary)
}

/// Minimum, maximum, mean and quantiles (nearest rank) of what the history still holds.
fn distribution(mut values: Vec<i64>) -> Value {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    let quantile = |q: f64| values.get((last as f64 * q).round() as usize).copied().unwrap_or(0);
    let mean = values.iter().map(|value| i128::from(*value)).sum::<i128>() / values.len().max(1) as i128;
    json!({
        "min": quantile(0.0),
        "max": quantile(1.0),
        "avg": i64::try_from(mean).unwrap_or(0),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p95": quantile(0.95),
        "p99": quantile(0.99),
        "p999": quantile(0.999),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(task: usize, alignment_ms: i64, size_bytes: u64) -> CheckpointAnswer {
        let mut answer = CheckpointAnswer::default();
        (answer.task, answer.timestamp) = (task, 1000 + alignment_ms);
        (answer.alignment_ms, answer.size_bytes, answer.full_size_bytes) = (alignment_ms, size_bytes, 2 * size_bytes);
        answer
    }

    #[test]
    fn vertices_have_the_times_and_sizes_of_their_subtasks() {
        let info = CheckpointInfo {
            id: 7,
            status: CheckpointStatus::Completed,
            kind: sluice_model::BarrierKind::Checkpoint,
            is_savepoint: false,
            trigger_timestamp: 900,
            latest_ack_timestamp: Some(1200),
            duration_ms: Some(400),
            size_bytes: 60,
            full_size_bytes: 120,
            subtasks: 4,
            acknowledged: 3,
            answers: vec![answer(0, 0, 10), answer(2, 30, 20), answer(1, 200, 30)],
            path: None,
            failure: None,
        };
        let answers = answers(&info, &(1..4));
        let task = task_of(&info, &answers, 3);
        assert_eq!((&task["checkpointed_size"], &task["state_size"]), (&json!(50), &json!(100)));
        assert_eq!((&task["num_subtasks"], &task["num_acknowledged_subtasks"]), (&json!(3), &json!(2)));
        assert_eq!((&task["latest_ack_timestamp"], &task["end_to_end_duration"]), (&json!(1200), &json!(300)));
        let summary = answers_summary(&info, &answers);
        assert_eq!(
            (&summary["alignment"]["duration"]["max"], &summary["start_delay"]["max"]),
            (&json!(200), &json!(0))
        );
        let subtask = subtask_of(&info, answers[0], 1);
        assert_eq!((&subtask["index"], &subtask["alignment"]["duration"]), (&json!(1), &json!(30)));
    }

    #[test]
    fn a_distribution_of_few_values() {
        assert_eq!(
            distribution(vec![30, 10, 20]).to_string(),
            r#"{"min":10,"max":30,"avg":20,"p50":20,"p90":30,"p95":30,"p99":30,"p999":30}"#
        );
        assert_eq!(distribution(Vec::new())["p50"], 0);
    }
}
