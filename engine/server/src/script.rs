//! `POST /v1/scripts`: runs a whole job file, as `sql-client -f` does, and tells what happens line by line.
//!
//! Other than single statements, a file's `INSERT`s that read the same CDC table become one job.
//! The script runs to its end even if the client goes away.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sluice_model::{Error, Result};
use sluice_runtime::JobHandle;
use sluice_sql::session::{Outcome, QueryResult, Script, ScriptEvent, Session, SubmittedJob};
use tokio::sync::mpsc;

use crate::cells::CellFormatter;
use crate::error::{ApiError, ApiResult};
use crate::keeper::JobKeeper;
use crate::logical_type::column_to_json;
use crate::protocol::{ErrorDetail, JobRef, ScriptMessage, ScriptRequest};
use crate::script_settings::ScriptSettings;
use crate::state::{App, AppState};

/// Lines that may wait for a client that reads slowly.
const WAITING_LINES: usize = 256;

type Lines = mpsc::Sender<ScriptMessage>;

pub(crate) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/scripts", post(run))
}

async fn run(State(state): App, body: Bytes) -> ApiResult<Response> {
    let request: ScriptRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the request is not a script: {}", reason(&error))))?;
    let (lines, received) = mpsc::channel(WAITING_LINES);
    tokio::spawn(async move {
        let last = match run_script(&state, request, &lines).await {
            Ok(()) => ScriptMessage::End,
            Err(error) => ScriptMessage::Failed { error: ErrorDetail::from(&error) },
        };
        // The client may have gone; the jobs have not.
        let _ = lines.send(last).await;
    });
    let stream = futures::stream::unfold(received, |mut received| async move {
        let message = received.recv().await?;
        Some((line_of(&message), received))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response())
}

fn line_of(message: &ScriptMessage) -> std::io::Result<String> {
    let mut line = serde_json::to_string(message).map_err(std::io::Error::other)?;
    line.push('\n');
    Ok(line)
}

/// Where a request is broken, without its content: it may hold a password.
fn reason(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

async fn run_script(state: &Arc<AppState>, request: ScriptRequest, lines: &Lines) -> Result<()> {
    let mut session = Session::new(Arc::clone(&state.environment));
    for (key, value) in &request.properties {
        for text in session.set(key, value, None)? {
            let _ = lines.send(ScriptMessage::Note { text }).await;
        }
    }
    let script = Script::parse(&request.script)?;
    let mut settings = ScriptSettings::new(session.settings().clone(), &script);
    let keeper = Arc::clone(&state.keeper);
    let mut on_event = |event: ScriptEvent<'_>| -> Result<()> {
        match event {
            ScriptEvent::Statement(text) => {
                settings.next_statement();
                tell(lines, ScriptMessage::Statement { text: text.to_owned() });
            }
            ScriptEvent::Note(text) => tell(lines, ScriptMessage::Note { text }),
            ScriptEvent::Outcome(outcome) => {
                let zone = settings.get("table.local-time-zone").unwrap_or("UTC");
                tell_outcome(lines, outcome, &keeper, zone)?;
            }
        }
        Ok(())
    };
    session.run_script(&script, request.name.as_deref(), &mut on_event).await
}

fn tell_outcome(lines: &Lines, outcome: Outcome, keeper: &Arc<JobKeeper>, zone: &str) -> Result<()> {
    match outcome {
        Outcome::Done { notes } => tell(lines, ScriptMessage::Done { notes }),
        Outcome::Quit | Outcome::Clear | Outcome::Help => {}
        Outcome::Rows(table) => tell(lines, ScriptMessage::Rows { table }),
        Outcome::Submitted { jobs, notes, sync } => {
            for job in &jobs {
                keeper.keep(job)?;
            }
            tell(lines, ScriptMessage::Submitted { jobs: jobs.iter().map(job_ref).collect(), notes, sync });
        }
        Outcome::Query(query) => tell_query(lines, query, zone)?,
    }
    Ok(())
}

fn job_ref(job: &SubmittedJob) -> JobRef {
    JobRef { id: job.recipe.id.clone(), name: job.recipe.name.clone() }
}

/// A script's events are told from within its run, which has to wait for a slow client.
fn tell(lines: &Lines, message: ScriptMessage) {
    tokio::task::block_in_place(|| {
        // A client that has gone is no reason to stop half-way.
        let _ = tokio::runtime::Handle::current().block_on(lines.send(message));
    });
}

fn tell_query(lines: &Lines, mut query: QueryResult, zone: &str) -> Result<()> {
    let formatter = CellFormatter::new(&query.columns, zone);
    tell(lines, ScriptMessage::QueryStart { columns: query.columns.iter().map(column_to_json).collect() });
    let job: JobHandle = query.job.clone();
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            while let Some(batch) = query.batches.recv().await {
                let rows = formatter.rows(&batch)?;
                if lines.send(ScriptMessage::QueryRows { rows }).await.is_err() {
                    return Ok::<(), Error>(());
                }
            }
            job.wait().await
        })
    })?;
    tell(lines, ScriptMessage::QueryEnd);
    Ok(())
}
