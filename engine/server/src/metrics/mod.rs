//! `GET /metrics`: everything that is counted, in Prometheus' text form.
//!
//! ```text
//! # HELP sluice_records_out_total Rows that a task has put out.
//! # TYPE sluice_records_out_total counter
//! sluice_records_out_total{job="sales",job_id="6b1a…",task="Source: store_sales",subtask="0"} 2880404
//! ```
//!
//! Names are in base units (`_seconds`, `_bytes`), counters end in `_total`. Flink's own names are
//! there too, so that its dashboards and alert rules work.

mod flink;
mod jobs;
mod process;
mod text;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::state::App;

pub(crate) use flink::{flink_job_metrics, flink_task_metrics};
pub(crate) use process::Process;

/// The whole exposition.
pub(crate) async fn scrape(State(state): App) -> impl IntoResponse {
    let mut exposition = text::Exposition::default();
    process::add(&mut exposition, &Process::read(), state.started.elapsed());
    let now = state.now();
    let all = state.environment.engine.jobs();
    flink::add_cluster(&mut exposition, &all);
    for job in &all {
        jobs::add(&mut exposition, job, now);
        flink::add(&mut exposition, job, now);
    }
    for lost in state.keeper.lost() {
        jobs::add_lost(&mut exposition, &lost);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], exposition.finish())
}
