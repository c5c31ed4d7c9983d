//! `GET /jobs/:id/checkpoints` and `GET /jobs/:id/checkpoints/details/:checkpoint`.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use sluice_runtime::{CheckpointInfo, CheckpointOverview, CheckpointStatus};

use crate::error::{ApiError, ApiResult};
use crate::state::App;

pub(super) async fn overview(State(state): App, Path(id): Path<String>) -> ApiResult {
    let job = state.running_job(&id)?;
    Ok(Json(render(&job.checkpoints())))
}

pub(super) async fn details(State(state): App, Path((id, checkpoint)): Path<(String, String)>) -> ApiResult {
    let job = state.running_job(&id)?;
    let wanted: u64 =
        checkpoint.parse().map_err(|_| ApiError::bad_request("the id of a checkpoint is a whole number"))?;
    let overview = job.checkpoints();
    let newest = [&overview.latest_completed, &overview.latest_savepoint, &overview.latest_failed];
    let found = overview.history.iter().chain(newest.into_iter().flatten()).find(|info| info.id == wanted);
    match found {
        Some(info) => Ok(Json(checkpoint_of(info))),
        None => Err(ApiError::not_found(format!("Could not find checkpoint {wanted} of job {}", job.id()))),
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
    let (status, class) = match info.status {
        CheckpointStatus::InProgress => ("IN_PROGRESS", "in_progress"),
        CheckpointStatus::Completed => ("COMPLETED", "completed"),
        CheckpointStatus::Failed => ("FAILED", "failed"),
    };
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

    #[test]
    fn a_distribution_of_few_values() {
        assert_eq!(
            distribution(vec![30, 10, 20]).to_string(),
            r#"{"min":10,"max":30,"avg":20,"p50":20,"p90":30,"p95":30,"p99":30,"p999":30}"#
        );
        assert_eq!(distribution(Vec::new())["p50"], 0);
    }
}
