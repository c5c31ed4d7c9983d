//! `GET /jobs/:id/config` and `GET /jobs/:id/checkpoints/config`.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::json;
use sluice_model::Secret;
use sluice_runtime::RestartStrategy;

use crate::error::ApiResult;
use crate::state::App;

pub(super) async fn of_job(State(state): App, Path(id): Path<String>) -> ApiResult {
    let job = state.running_job(&id)?;
    let config = job.config();
    let parallelism = job.vertices().iter().map(|vertex| vertex.parallelism).max().unwrap_or(1);
    Ok(Json(json!({
        "jid": job.id().to_string(),
        "name": job.name(),
        "execution-config": {
            "execution-mode": "PIPELINED",
            "restart-strategy": restart_text(&config.restart),
            "job-parallelism": parallelism,
            "object-reuse-mode": true,
            "user-config": {
                "execution.checkpointing.dir": Secret::mask_url(&config.checkpoint_dir),
                "execution.checkpointing.savepoint-dir": config.savepoint_dir.as_deref().map(Secret::mask_url),
                "sluice.state-key": config.state_key,
            },
        },
    })))
}

pub(super) async fn of_checkpoints(State(state): App, Path(id): Path<String>) -> ApiResult {
    let job = state.running_job(&id)?;
    let config = job.config();
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(json!({
        "mode": if config.at_least_once { "at_least_once" } else { "exactly_once" },
        // Flink reports "never" as the largest long.
        "interval": config.checkpoint_interval.map_or(i64::MAX as u64, millis),
        "timeout": millis(config.checkpoint_timeout),
        "min_pause": millis(config.min_pause),
        "max_concurrent": 1,
        "externalization": { "enabled": true, "delete_on_cancellation": false },
        "state_backend": "SluiceStateBackend",
        "checkpoint_storage": Secret::mask_url(&config.checkpoint_dir),
        "unaligned_checkpoints": false,
        "tolerable_failed_checkpoints": config.tolerable_failed_checkpoints,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": true,
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 0,
        "changelog_storage": "",
        "num_retained": config.retained,
    })))
}

fn restart_text(strategy: &RestartStrategy) -> String {
    match strategy {
        RestartStrategy::None => "no restart".to_owned(),
        RestartStrategy::FixedDelay { attempts, delay } => {
            format!("fixed delay ({} ms), at most {attempts} attempts", delay.as_millis())
        }
        RestartStrategy::FailureRate { max_failures, interval, delay } => format!(
            "failure rate: at most {max_failures} failures in {} ms, delay {} ms",
            interval.as_millis(),
            delay.as_millis()
        ),
        RestartStrategy::ExponentialDelay { initial, max, multiplier, .. } => {
            format!("exponential delay: {} ms to {} ms, times {multiplier}", initial.as_millis(), max.as_millis())
        }
    }
}
