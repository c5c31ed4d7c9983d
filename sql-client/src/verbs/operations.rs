//! `sluice stop`, `cancel` and `savepoint`.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::{Error, Result};

use super::find_job;
use crate::console::Console;
use crate::rest_client::RestClient;

const PAUSE: Duration = Duration::from_millis(200);

/// Stops a job with a savepoint, and waits for it.
///
/// # Errors
/// There is no such job; the savepoint failed.
pub(super) async fn stop(
    client: &RestClient,
    job: &str,
    directory: Option<&str>,
    drain: bool,
    console: &mut Console,
) -> Result<()> {
    let (id, name) = find_job(client, job).await?;
    console.info(&format!("Stopping job '{name}' ({id}) with a savepoint …"));
    let answer =
        client.post(&format!("/jobs/{id}/stop"), &json!({ "targetDirectory": directory, "drain": drain })).await?;
    let path = savepoint_of(client, &id, &answer).await?;
    console.info(&format!("Savepoint completed. Path: {path}"));
    Ok(())
}

/// Cancels a job.
///
/// # Errors
/// There is no such job.
pub(super) async fn cancel(client: &RestClient, job: &str, console: &mut Console) -> Result<()> {
    let (id, name) = find_job(client, job).await?;
    client.patch(&format!("/jobs/{id}?mode=cancel")).await?;
    console.info(&format!("Cancelled job '{name}' ({id})."));
    Ok(())
}

/// Makes a savepoint, and waits for it.
///
/// # Errors
/// There is no such job; the savepoint failed.
pub(super) async fn savepoint(
    client: &RestClient,
    job: &str,
    directory: Option<&str>,
    console: &mut Console,
) -> Result<()> {
    let (id, name) = find_job(client, job).await?;
    console.info(&format!("Triggering a savepoint of job '{name}' ({id}) …"));
    let body = json!({ "target-directory": directory, "cancel-job": false });
    let answer = client.post(&format!("/jobs/{id}/savepoints"), &body).await?;
    let path = savepoint_of(client, &id, &answer).await?;
    console.info(&format!("Savepoint completed. Path: {path}"));
    Ok(())
}

/// Waits for the savepoint of an answer, and returns its path.
async fn savepoint_of(client: &RestClient, job: &str, answer: &Value) -> Result<String> {
    let trigger = answer["request-id"].as_str().ok_or_else(|| Error::fix("the server did not start a savepoint"))?;
    loop {
        let status = client.get(&format!("/jobs/{job}/savepoints/{trigger}")).await?;
        if status["status"]["id"] == "COMPLETED" {
            let operation = &status["operation"];
            return match (operation["location"].as_str(), operation["failure-cause"]["stack-trace"].as_str()) {
                (Some(path), _) => Ok(path.to_owned()),
                (None, cause) => Err(Error::fix(cause.unwrap_or("the savepoint failed").to_owned())),
            };
        }
        tokio::time::sleep(PAUSE).await;
    }
}
