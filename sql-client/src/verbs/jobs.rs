//! `sluice jobs`.

use serde_json::Value;
use sluice_model::Result;
use sluice_sql::session::ResultTable;

use crate::console::Console;
use crate::rest_client::RestClient;

/// Lists the jobs of a server, newest first.
///
/// # Errors
/// The server cannot be reached.
pub(super) async fn list(client: &RestClient, all: bool, console: &mut Console) -> Result<()> {
    let overview = client.get("/jobs/overview").await?;
    console.table(&table(&overview, all));
    Ok(())
}

fn table(overview: &Value, all: bool) -> ResultTable {
    let mut jobs: Vec<&Value> = overview["jobs"].as_array().into_iter().flatten().collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job["start-time"].as_i64()));
    let text = |job: &Value, key: &str| job[key].as_str().map(str::to_owned);
    let ended = |job: &Value| matches!(job["state"].as_str(), Some("FINISHED" | "CANCELED" | "SUSPENDED"));
    let rows = jobs
        .into_iter()
        .filter(|job| all || !ended(job))
        .map(|job| {
            let running = job["duration"].as_i64().unwrap_or(0) / 1000;
            let span = format!("{}:{:02}:{:02}", running / 3600, running / 60 % 60, running % 60);
            vec![text(job, "jid"), text(job, "name"), text(job, "state"), Some(span), Some(job["restarts"].to_string())]
        })
        .collect();
    ResultTable {
        columns: ["job id", "job name", "status", "running for", "restarts"].map(str::to_owned).to_vec(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn newest_first_and_only_what_runs() {
        let overview = json!({ "jobs": [
            { "jid": "a", "name": "old", "state": "RUNNING", "start-time": 1, "duration": 3_725_000, "restarts": 1 },
            { "jid": "b", "name": "done", "state": "FINISHED", "start-time": 3, "duration": 0, "restarts": 0 },
            { "jid": "c", "name": "bad", "state": "FAILED", "start-time": 2, "duration": 0, "restarts": 0 },
        ] });
        let ids = |all| table(&overview, all).rows.into_iter().filter_map(|row| row[0].clone()).collect::<Vec<_>>();
        assert_eq!(ids(false), ["c", "a"]);
        assert_eq!(ids(true), ["b", "c", "a"]);
        assert_eq!(table(&overview, false).rows[1][3].as_deref(), Some("1:02:05"));
    }
}
