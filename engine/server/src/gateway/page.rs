//! Pages of a result.

use std::time::Duration;

use serde_json::{Value, json};
use sluice_model::{Column, Error, Result};
use sluice_sql::session::ResultTable;

use super::operation::{Pages, Produced, RunningQuery};
use super::rows::{RowFormat, push_batch, push_text_rows};
use crate::error::{ApiError, ApiResult};
use crate::logical_type::column_to_json;

/// A query without rows is asked this long before an empty page is given.
const LONG_POLL: Duration = Duration::from_millis(500);
/// Rows of a page, at most, beside those of the batch that reaches it.
const PAGE_ROWS: usize = 5000;

/// Where pages are asked for: `/v1/sessions/S/operations/O/result`.
pub(super) struct Place {
    pub(super) base: String,
    pub(super) format: RowFormat,
}

impl Place {
    fn uri(&self, token: u64) -> String {
        format!("{}/{token}?rowFormat={}", self.base, self.format.name())
    }
}

/// The answer while the statement still runs.
pub(super) fn not_ready(place: &Place, token: u64) -> String {
    json!({ "resultType": "NOT_READY", "nextResultUri": place.uri(token) }).to_string()
}

/// The page of a token: the next one, or the last one again.
///
/// # Errors
/// 400 for any other token; the error of a query that failed.
pub(super) async fn page(pages: &mut Pages, token: u64, place: &Place) -> ApiResult<String> {
    if let Some((last, page)) = &pages.last
        && *last == token
    {
        return Ok(page.clone());
    }
    if token != pages.next {
        let message = format!("Expecting token to be {}, but found {token}.", pages.next);
        return Err(ApiError::bad_request(message));
    }
    let made = match &mut pages.produced {
        None => return Err(ApiError::bad_request("the result is not there")),
        Some(Produced::Table { table, notes, job, has_content }) => {
            table_page(table, notes, job.as_deref(), *has_content, token, place)
        }
        Some(Produced::Query(query)) => {
            query_page(query, token, place).await.map_err(|error| ApiError::of_statement(&error))?
        }
    };
    pages.last = Some((token, made.text.clone()));
    pages.next = if made.ends { token } else { token + 1 };
    Ok(made.text)
}

struct Made {
    text: String,
    ends: bool,
}

fn table_page(
    table: &ResultTable,
    notes: &[String],
    job: Option<&str>,
    has_content: bool,
    token: u64,
    place: &Place,
) -> Made {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|name| column_to_json(&Column::new(name.as_str(), sluice_model::SqlType::STRING)))
        .collect();
    let mut data = String::new();
    if token == 0 {
        push_text_rows(&mut data, &table.rows);
    }
    let ends = token > 0;
    let mut head = json!({
        "resultType": if ends { "EOS" } else { "PAYLOAD" },
        "isQueryResult": false,
        "resultKind": if has_content { "SUCCESS_WITH_CONTENT" } else { "SUCCESS" },
        "notes": notes,
    });
    if let Some(job) = job {
        head["jobID"] = json!(job);
    }
    if !ends {
        head["nextResultUri"] = json!(place.uri(token + 1));
    }
    Made { text: with_results(&head, &columns, &data, place.format), ends }
}

async fn query_page(query: &mut RunningQuery, token: u64, place: &Place) -> Result<Made> {
    let mut data = String::new();
    let mut rows = 0;
    let mut ends = false;
    let mut wait = LONG_POLL;
    while rows < PAGE_ROWS {
        match tokio::time::timeout(wait, query.result.batches.recv()).await {
            Err(_) => break,
            Ok(None) => {
                ends = true;
                break;
            }
            Ok(Some(batch)) => {
                rows += batch.num_rows();
                push_batch(&mut data, &batch, &query.result.columns, &query.formatter, &query.zone, place.format)?;
                // What is there already goes with it; nothing is waited for any more.
                wait = Duration::ZERO;
            }
        }
    }
    // The end of the rows says nothing of why they ended. Rows that are here are given first.
    if ends && rows == 0 {
        query.result.job.wait().await?;
    }
    let ends = ends && rows == 0;
    let columns: Vec<Value> = query.result.columns.iter().map(column_to_json).collect();
    let mut head = json!({
        "resultType": if ends { "EOS" } else { "PAYLOAD" },
        "isQueryResult": true,
        "jobID": query.result.job.id().to_string(),
        "resultKind": "SUCCESS_WITH_CONTENT",
    });
    if !ends {
        head["nextResultUri"] = json!(place.uri(token + 1));
    }
    Ok(Made { text: with_results(&head, &columns, &data, place.format), ends })
}

/// Puts `data`, which is JSON already, into the answer. It is not parsed again: a decimal of 38
/// digits would come out as a double.
fn with_results(head: &Value, columns: &[Value], data: &str, format: RowFormat) -> String {
    let head = head.to_string();
    let columns = Value::from(columns.to_vec());
    let open = head.strip_suffix('}').unwrap_or(&head);
    format!(r#"{open},"results":{{"columns":{columns},"rowFormat":"{}","data":[{data}]}}}}"#, format.name())
}

/// What a page that was asked for too late is answered with.
pub(super) fn canceled() -> Error {
    Error::fix("the statement was canceled")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { base: "/v1/sessions/s/operations/o/result".to_owned(), format: RowFormat::Json }
    }

    #[tokio::test]
    async fn a_table_has_a_page_and_an_end() {
        let table = ResultTable::single("table name", ["orders".to_owned()]);
        let produced = Produced::Table { table, notes: Vec::new(), job: None, has_content: true };
        let mut pages = Pages { produced: Some(produced), ..Pages::default() };
        let first: Value = serde_json::from_str(&page(&mut pages, 0, &place()).await.unwrap()).unwrap();
        assert_eq!(first["resultType"], "PAYLOAD");
        assert_eq!(first["results"]["data"][0].to_string(), r#"{"kind":"INSERT","fields":["orders"]}"#);
        assert_eq!(first["nextResultUri"], "/v1/sessions/s/operations/o/result/1?rowFormat=JSON");
        let again: Value = serde_json::from_str(&page(&mut pages, 0, &place()).await.unwrap()).unwrap();
        assert_eq!(again, first);
        let end: Value = serde_json::from_str(&page(&mut pages, 1, &place()).await.unwrap()).unwrap();
        assert_eq!(end["resultType"], "EOS");
        assert_eq!(end["nextResultUri"], Value::Null);
        assert!(page(&mut pages, 7, &place()).await.is_err());
    }
}
