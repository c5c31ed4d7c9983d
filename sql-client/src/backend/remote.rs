//! Statements run on a server, over its SQL gateway.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sluice_model::{Column, Error, Result};
use sluice_server::column_from_json;
use sluice_server::protocol::{JobRef, TextRow};
use sluice_sql::session::ResultTable;

use super::{QueryStream, Reply};
use crate::rest_client::RestClient;

/// Time between two questions when a query has no rows.
const PAUSE: Duration = Duration::from_millis(100);

/// A session of a server.
#[derive(Clone)]
pub(crate) struct Remote {
    client: RestClient,
    /// `/v1/sessions/<handle>`.
    session: String,
}

impl Remote {
    /// Opens a session.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub(crate) async fn open(client: RestClient, name: &str, settings: &[(String, String)]) -> Result<Self> {
        let properties: Map<String, Value> = settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let answer = client.post("/v1/sessions", &json!({ "sessionName": name, "properties": properties })).await?;
        let handle = answer["sessionHandle"].as_str().ok_or_else(not_a_gateway)?;
        let session = format!("/v1/sessions/{handle}");
        Ok(Self { client, session })
    }

    pub(super) async fn execute(&self, statement: &str) -> Result<Reply> {
        match statement.trim().trim_end_matches(';').trim().to_uppercase().as_str() {
            "QUIT" | "EXIT" => return Ok(Reply::Quit),
            "CLEAR" => return Ok(Reply::Clear),
            "HELP" => return Ok(Reply::Help),
            _ => {}
        }
        let path = format!("{}/statements", self.session);
        let answer = self.client.post(&path, &json!({ "statement": statement })).await?;
        let handle = answer["operationHandle"].as_str().ok_or_else(not_a_gateway)?;
        let operation = format!("{}/operations/{handle}", self.session);
        let mut uri = format!("{operation}/result/0?rowFormat=PLAIN_TEXT");
        let page = loop {
            let page = self.client.get(&uri).await?;
            if page["resultType"] != "NOT_READY" {
                break page;
            }
            uri = page["nextResultUri"].as_str().ok_or_else(not_a_gateway)?.to_owned();
        };
        self.reply(operation, page).await
    }

    async fn reply(&self, operation: String, page: Value) -> Result<Reply> {
        let columns: Vec<Column> =
            page["results"]["columns"].as_array().into_iter().flatten().map(column_from_json).collect();
        if page["isQueryResult"] == true {
            let query = RemoteQuery { client: self.client.clone(), operation, columns, page: Some(page), next: None };
            return Ok(Reply::Query(QueryStream::Remote(Box::new(query))));
        }
        let notes: Vec<String> =
            page["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let rows: Vec<Vec<Option<String>>> = rows_of(&page).into_iter().map(|row| row.cells).collect();
        close(&self.client, &operation).await;
        if columns.len() == 1 && columns[0].name == "job id" && page["jobID"].is_string() {
            let jobs = rows.into_iter().filter_map(|mut row| row.pop().flatten());
            let jobs = jobs.map(|id| JobRef { id, name: String::new() }).collect();
            let sync = self.setting("table.dml-sync").await?.is_some_and(|value| value.eq_ignore_ascii_case("true"));
            return Ok(Reply::Submitted { jobs, notes, sync });
        }
        if page["resultKind"] == "SUCCESS" {
            return Ok(Reply::Done(notes));
        }
        let columns = columns.into_iter().map(|column| column.name).collect();
        Ok(Reply::Table(ResultTable { columns, rows }, notes))
    }

    pub(super) async fn setting(&self, key: &str) -> Result<Option<String>> {
        let answer = self.client.get(&self.session).await?;
        Ok(answer["properties"][key].as_str().map(str::to_owned))
    }

    pub(super) async fn complete(&self, text: &str) -> Result<(usize, Vec<String>)> {
        let body = json!({ "statement": text, "position": text.chars().count() });
        let answer = self.client.post(&format!("{}/complete-statement", self.session), &body).await?;
        let start = answer["start"].as_u64().and_then(|start| usize::try_from(start).ok()).unwrap_or(text.len());
        let candidates = answer["candidates"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok((start.min(text.len()), candidates.map(str::to_owned).collect()))
    }

    pub(super) async fn close(&self) {
        // A server that has gone has no session any more.
        let _ = self.client.delete(&self.session).await;
    }
}

fn not_a_gateway() -> Error {
    Error::fix("the server does not answer as a SQL gateway does").with_hint("name one with -e host:port")
}

async fn close(client: &RestClient, operation: &str) {
    // The session's end closes it anyway.
    let _ = client.delete(&format!("{operation}/close")).await;
}

fn rows_of(page: &Value) -> Vec<TextRow> {
    let data = page["results"]["data"].as_array();
    data.into_iter()
        .flatten()
        .map(|row| {
            let kind = match row["kind"].as_str() {
                Some("UPDATE_BEFORE") => "-U",
                Some("UPDATE_AFTER") => "+U",
                Some("DELETE") => "-D",
                _ => "+I",
            };
            let fields = row["fields"].as_array().into_iter().flatten();
            let cells = fields.map(|field| match field {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            });
            TextRow { kind: kind.to_owned(), cells: cells.collect() }
        })
        .collect()
}

/// A query of a server.
pub(crate) struct RemoteQuery {
    client: RestClient,
    operation: String,
    columns: Vec<Column>,
    /// A page that has not been handed out.
    page: Option<Value>,
    next: Option<String>,
}

impl RemoteQuery {
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Cancel-safe: a page that was asked for in vain can be asked for again by its token.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<TextRow>>> {
        loop {
            let page = match (self.page.take(), &self.next) {
                (Some(page), _) => page,
                (None, Some(next)) => self.client.get(next).await?,
                (None, None) => return Ok(None),
            };
            self.next = page["nextResultUri"].as_str().map(str::to_owned);
            let rows = rows_of(&page);
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
            if self.next.is_none() {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn end(self) {
        close(&self.client, &self.operation).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_page() {
        let page = json!({ "results": { "data": [
            { "kind": "INSERT", "fields": ["1", null] }, { "kind": "DELETE", "fields": ["2", "x"] },
        ] } });
        let rows = rows_of(&page);
        assert_eq!(rows[0], TextRow { kind: "+I".into(), cells: vec![Some("1".into()), None] });
        assert_eq!(rows[1].kind, "-D");
    }
}
