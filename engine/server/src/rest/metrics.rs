//! `GET /jobs/:id/metrics`, `…/vertices/:vertex/metrics` and `/jobmanager/metrics`.
//!
//! Without `get` they list the ids, with `?get=a,b` the values, as text. Flink's names stand beside
//! Sluice's own: `numRestarts` and `restarts`, `0.numRecordsIn` and `0.records_in`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use sluice_model::MetricSample;

use super::jobs::vertex;
use crate::error::ApiResult;
use crate::metrics::{Process, flink_job_metrics, flink_task_metrics};
use crate::state::App;

type Parameters = Query<HashMap<String, String>>;

pub(super) async fn of_job(State(state): App, Path(id): Path<String>, Query(query): Parameters) -> ApiResult {
    let job = state.running_job(&id)?;
    let mut values: Vec<(String, String)> = flink_job_metrics(&job, state.now())
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_string()))
        .collect();
    let of_whole_job = |sample: &MetricSample| label(sample, "task").is_none();
    values.extend(
        job.metrics()
            .samples()
            .iter()
            .filter(|sample| of_whole_job(sample))
            .map(|sample| (sample.name.clone(), sample.value.to_string())),
    );
    Ok(Json(selected(values, &query)))
}

pub(super) async fn of_vertex(
    State(state): App,
    Path((id, vertex_id)): Path<(String, String)>,
    Query(query): Parameters,
) -> ApiResult {
    let job = state.running_job(&id)?;
    let vertex = vertex(&job, &vertex_id)?;
    let mut values = Vec::new();
    for (index, subtask) in vertex.subtasks.iter().enumerate() {
        for (name, value) in flink_task_metrics(&subtask.counts) {
            values.push((format!("{index}.{name}"), value.to_string()));
        }
    }
    for sample in job.metrics().samples() {
        if label(&sample, "task") == Some(vertex.name.as_str()) {
            values.push((format!("{}.{}", sample_scope(&sample), sample.name), sample.value.to_string()));
        }
    }
    Ok(Json(selected(values, &query)))
}

pub(super) async fn of_process(Query(query): Parameters) -> Json<Value> {
    let process = Process::read();
    let values = vec![
        ("Status.JVM.CPU.Time".to_owned(), ((process.cpu_seconds * 1e9) as u64).to_string()),
        ("Status.JVM.Memory.Heap.Used".to_owned(), process.resident_bytes.to_string()),
        ("Status.JVM.Threads.Count".to_owned(), process.threads.to_string()),
        ("Status.FileDescriptor.Open".to_owned(), process.open_files.to_string()),
    ];
    Json(selected(values, &query))
}

/// `0`, or with further labels `0.store_sales`.
fn sample_scope(sample: &MetricSample) -> String {
    let mut scope = label(sample, "subtask").unwrap_or("0").to_owned();
    for (key, value) in &sample.labels {
        if !matches!(key.as_str(), "job" | "task" | "subtask") {
            scope.push('.');
            scope.push_str(value);
        }
    }
    scope
}

fn label<'a>(sample: &'a MetricSample, key: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn selected(values: Vec<(String, String)>, query: &HashMap<String, String>) -> Value {
    let Some(wanted) = query.get("get") else {
        return values.into_iter().map(|(id, _)| json!({ "id": id })).collect();
    };
    let wanted: Vec<&str> = wanted.split(',').collect();
    values
        .into_iter()
        .filter(|(id, _)| wanted.contains(&id.as_str()))
        .map(|(id, value)| json!({ "id": id, "value": value }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_get_only_the_ids() {
        let values = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(selected(values.clone(), &HashMap::new()).to_string(), r#"[{"id":"a"},{"id":"b"}]"#);
        let query = HashMap::from([("get".to_owned(), "b,c".to_owned())]);
        assert_eq!(selected(values, &query).to_string(), r#"[{"id":"b","value":"2"}]"#);
    }
}
