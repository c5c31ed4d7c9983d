//! What the jobs of a server are doing, from its REST API.

use std::time::Instant;

use serde_json::Value;

use crate::Result;

const REST: &str = "http://127.0.0.1:8081";

/// A job at one moment.
#[derive(Debug, Clone)]
pub struct JobProgress {
    /// Name of the job.
    pub name: String,
    /// Flink's state: `RUNNING`, …
    pub state: String,
    /// Rows that have gone into its sinks, all together.
    pub rows: u64,
    /// Age of the newest change when the source read it, in milliseconds; `None` before the first.
    pub lag_millis: Option<u64>,
    at: Instant,
}

impl JobProgress {
    /// Rows into its sinks per second, since `before`.
    pub fn rate_since(&self, before: &Self) -> f64 {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        (self.rows.saturating_sub(before.rows)) as f64 / seconds.max(0.001)
    }
}

/// Asks for all jobs.
///
/// # Errors
/// The server does not answer.
pub async fn jobs() -> Result<Vec<JobProgress>> {
    let overview = get("/jobs/overview").await?;
    let mut progress = Vec::new();
    for job in overview["jobs"].as_array().into_iter().flatten() {
        let id = job["jid"].as_str().unwrap_or_default();
        let detail = get(&format!("/jobs/{id}")).await?;
        let at = Instant::now();
        let (mut rows, mut lag_millis) = (0, None);
        for vertex in detail["vertices"].as_array().into_iter().flatten() {
            if vertex["name"].as_str().is_some_and(|name| name.starts_with("Sink")) {
                rows += vertex["metrics"]["read-records"].as_u64().unwrap_or(0);
            } else {
                let vertex = vertex["id"].as_str().unwrap_or_default();
                lag_millis = lag_millis.max(lag(id, vertex).await?);
            }
        }
        let text = |field: &str| job[field].as_str().unwrap_or_default().to_owned();
        progress.push(JobProgress { name: text("name"), state: text("state"), rows, lag_millis, at });
    }
    Ok(progress)
}

/// The largest lag of the subtasks of a vertex.
async fn lag(job: &str, vertex: &str) -> Result<Option<u64>> {
    let path = format!("/jobs/{job}/vertices/{vertex}/metrics");
    let known = get(&path).await?;
    let names = known.as_array().into_iter().flatten().filter_map(|metric| metric["id"].as_str());
    let wanted: Vec<&str> = names.filter(|name| name.ends_with("source_lag_ms")).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let values = get(&format!("{path}?get={}", wanted.join(","))).await?;
    let values = values.as_array().into_iter().flatten().filter_map(|metric| metric["value"].as_str()?.parse().ok());
    // The gauge is -1 before the first change.
    Ok(values.filter_map(|millis: f64| (millis >= 0.0).then_some(millis as u64)).max())
}

async fn get(path: &str) -> Result<Value> {
    Ok(reqwest::get(format!("{REST}{path}")).await?.error_for_status()?.json().await?)
}
