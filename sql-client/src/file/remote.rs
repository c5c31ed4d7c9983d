//! Hands a job file to a server, prints what it says, and leaves.

use std::time::Duration;

use sluice_model::{Column, Error, Result};
use sluice_server::column_from_json;
use sluice_server::protocol::{JobRef, ScriptMessage, ScriptRequest};

use super::JobFile;
use crate::args::SqlArgs;
use crate::console::Console;
use crate::failure;
use crate::rest_client::RestClient;
use crate::runtime::Exit;
use crate::view::QueryPrinter;

/// How long a submitted job is watched: one that fails at once is a failure of the command.
const WATCHED: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// Submits a file.
///
/// # Errors
/// The server has gone.
pub(crate) async fn submit(
    client: RestClient,
    args: &SqlArgs,
    init: Option<&JobFile>,
    file: &JobFile,
    console: &mut Console,
) -> Result<Exit> {
    // Declarations are the session's, and a script is a session of its own: the init file goes in front.
    let script = match init {
        Some(init) => format!("{}\n;\n{}", init.text, file.text),
        None => file.text.clone(),
    };
    let request = ScriptRequest { name: file.name.clone(), script: script.clone(), properties: args.settings.clone() };
    let body = serde_json::to_value(&request).map_err(|error| Error::bug(error.to_string()))?;
    console.info("Executing SQL from file.");
    console.line("");
    let mut lines = client.stream("/v1/scripts", &body).await?;
    let mut jobs = Vec::new();
    let mut query: Option<QueryPrinter> = None;
    while let Some(line) = lines.next().await? {
        let message = serde_json::from_slice(&line)
            .map_err(|error| Error::fix("the server's answer cannot be read").because(error.to_string()))?;
        match message {
            ScriptMessage::Statement { text } => console.echo(&text),
            ScriptMessage::Done { notes } => console.done(&notes),
            ScriptMessage::Rows { table } => console.table(&table),
            ScriptMessage::Note { text } => console.info(&text),
            ScriptMessage::Submitted { jobs: new, notes, sync } => {
                console.submitted(&new, &notes, sync);
                if !sync {
                    jobs.extend(new);
                }
            }
            ScriptMessage::QueryStart { columns } => {
                let columns: Vec<Column> = columns.iter().map(column_from_json).collect();
                query = Some(QueryPrinter::start(&columns, console));
            }
            ScriptMessage::QueryRows { rows } => {
                if let Some(query) = &mut query {
                    query.rows(&rows, console);
                }
            }
            ScriptMessage::QueryEnd => {
                if let Some(query) = query.take() {
                    query.end(console);
                }
            }
            ScriptMessage::Failed { error } => {
                failure::report(console, &error.into(), Some(&script));
                return Ok(Exit::Failed);
            }
            ScriptMessage::End => return until_running(&client, &jobs, console).await,
        }
    }
    Err(Error::retry("the server ended its answer too early").with_hint("its jobs may run nevertheless: sluice jobs"))
}

/// Waits until every job runs or has ended.
async fn until_running(client: &RestClient, jobs: &[JobRef], console: &mut Console) -> Result<Exit> {
    let begun = tokio::time::Instant::now();
    let mut waiting: Vec<&JobRef> = jobs.iter().collect();
    while !waiting.is_empty() && begun.elapsed() < WATCHED {
        let mut still = Vec::new();
        for job in waiting {
            let status = client.get(&format!("/jobs/{}/status", job.id)).await?;
            match status["status"].as_str().unwrap_or_default() {
                "RUNNING" | "FINISHED" | "CANCELED" | "SUSPENDED" => {}
                "FAILED" => {
                    let failures = client.get(&format!("/jobs/{}/exceptions", job.id)).await?;
                    let cause = failures["root-exception"].as_str().unwrap_or("the server does not say why");
                    console.error(&format!("Job '{}' ({}) failed:", job.name, job.id));
                    console.line(cause);
                    return Ok(Exit::Failed);
                }
                "RESTARTING" => {
                    let failures = client.get(&format!("/jobs/{}/exceptions", job.id)).await?;
                    let cause = failures["root-exception"].as_str().unwrap_or_default();
                    console.warning(&format!("Job '{}' ({}) is being restarted:\n{cause}", job.name, job.id));
                }
                _ => still.push(job),
            }
        }
        waiting = still;
        if !waiting.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(Exit::Done)
}
