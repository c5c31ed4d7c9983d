//! Hands a job file to a server, prints what it says, and leaves.

use std::time::Duration;

use sluice_model::{Column, Error, Result};
use sluice_server::column_from_json;
use sluice_server::protocol::{ErrorDetail, JobRef, ScriptMessage, ScriptRequest};

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
        Some(init) => format!("{}\n;\n{}", init.text.trim_end(), file.text),
        None => file.text.clone(),
    };
    let request = ScriptRequest { name: file.name.clone(), script, properties: args.settings.clone() };
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
                let (error, source) = place_in(error, init, file);
                failure::report(console, &error, Some(source));
                return Ok(Exit::Failed);
            }
            ScriptMessage::End => return until_running(&client, &jobs, console).await,
        }
    }
    Err(Error::retry("the server ended its answer too early").with_hint("its jobs may run nevertheless: sluice jobs"))
}

/// The place of an error in the file it is in, and the text of that file.
fn place_in<'a>(mut error: ErrorDetail, init: Option<&'a JobFile>, file: &'a JobFile) -> (Error, &'a str) {
    let Some(init) = init else {
        return (error.into(), &file.text);
    };
    let lines_before = init.text.trim_end().split('\n').count() as u64 + 1;
    match error.line {
        Some(line) if line <= lines_before => (error.into(), &init.text),
        _ => {
            move_up(&mut error, lines_before);
            (error.into(), &file.text)
        }
    }
}

fn move_up(error: &mut ErrorDetail, lines: u64) {
    error.line = error.line.map(|line| line.saturating_sub(lines));
    error.also.iter_mut().for_each(|also| move_up(also, lines));
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
                    if let Some(task) = failures["all-exceptions"][0]["task"].as_str() {
                        console.line(&format!("  in task: {task}"));
                    }
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

#[cfg(test)]
mod tests {
    use sluice_model::Position;

    use super::*;

    #[test]
    fn places_are_those_of_the_users_own_files() {
        let text = |text: &str| JobFile { name: None, text: text.to_owned(), path: String::new() };
        let (init, file) = (text("SET 'a' = 'b';\n\nUSE x;\n"), text("SELECT 1"));
        let at = |line| ErrorDetail::from(&Error::fix("x").at(Position { line, column: 1 }));
        let (error, source) = place_in(at(5), Some(&init), &file);
        assert_eq!((error.position().unwrap().line, source), (1, "SELECT 1"));
        let (error, source) = place_in(at(3), Some(&init), &file);
        assert_eq!((error.position().unwrap().line, source), (3, init.text.as_str()));
    }
}
