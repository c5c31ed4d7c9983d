//! What client and server say to each other, beyond Flink's shapes.
//!
//! `POST /v1/scripts` answers with one JSON object a line:
//!
//! ```text
//! {"event":"statement","text":"INSERT INTO kafka_sales SELECT …"}
//! {"event":"submitted","jobs":[{"id":"6b1a…","name":"01-sales-cdc-sync"}],"notes":[],"sync":false}
//! {"event":"end"}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_model::{Error, Position, Reaction};
use sluice_sql::session::ResultTable;

/// The name by which a Sluice server is known on `/health`.
pub const PRODUCT: &str = "sluice";

/// A job file to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScriptRequest {
    /// Name of the file without its ending; names the job and its checkpoints.
    #[serde(default)]
    pub name: Option<String>,
    /// The text.
    pub script: String,
    /// Settings, as with `-D`.
    #[serde(default)]
    pub properties: Vec<(String, String)>,
}

/// A submitted job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRef {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Name.
    pub name: String,
}

/// What happens while a script runs on a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ScriptMessage {
    /// A statement is about to run; secrets are masked.
    Statement {
        /// Its text.
        text: String,
    },
    /// It is done.
    Done {
        /// One sentence each.
        notes: Vec<String>,
    },
    /// It came to a small table.
    Rows {
        /// The table.
        table: ResultTable,
    },
    /// It came to jobs.
    Submitted {
        /// The jobs.
        jobs: Vec<JobRef>,
        /// One sentence each.
        notes: Vec<String>,
        /// The jobs have ended already.
        sync: bool,
    },
    /// Something the user should know.
    Note {
        /// One sentence.
        text: String,
    },
    /// A query began.
    QueryStart {
        /// Columns, in the SQL gateway's form.
        columns: Vec<Value>,
    },
    /// Rows of a query.
    QueryRows {
        /// Rows.
        rows: Vec<TextRow>,
    },
    /// A query ended.
    QueryEnd,
    /// A statement failed, and nothing behind it was run.
    Failed {
        /// Why.
        error: ErrorDetail,
    },
    /// All statements have run.
    End,
}

/// A row as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRow {
    /// `+I`, `-U`, `+U` or `-D`.
    pub kind: String,
    /// Cells; `None` is NULL.
    pub cells: Vec<Option<String>>,
}

/// An [`Error`] in a form that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// What went wrong.
    pub what: String,
    /// Line in the SQL text, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column in the SQL text, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// `fix`, `retry` or `bug`.
    pub reaction: String,
    /// Errors reported together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ErrorDetail>,
}

impl From<&Error> for ErrorDetail {
    fn from(error: &Error) -> Self {
        let reaction = match error.reaction() {
            Reaction::Fix => "fix",
            Reaction::Retry => "retry",
            Reaction::Bug => "bug",
        };
        Self {
            what: error.what().to_owned(),
            line: error.position().map(|position| position.line),
            column: error.position().map(|position| position.column),
            why: error.why().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            reaction: reaction.to_owned(),
            also: error.also().iter().map(Self::from).collect(),
        }
    }
}

impl From<ErrorDetail> for Error {
    fn from(detail: ErrorDetail) -> Self {
        let mut error = match detail.reaction.as_str() {
            "retry" => Self::retry(detail.what),
            "bug" => Self::bug(detail.what),
            _ => Self::fix(detail.what),
        };
        if let (Some(line), Some(column)) = (detail.line, detail.column) {
            error = error.at(Position { line, column });
        }
        if let Some(why) = detail.why {
            error = error.because(why);
        }
        if let Some(hint) = detail.hint {
            error = error.with_hint(hint);
        }
        let mut all = vec![error];
        all.extend(detail.also.into_iter().map(Self::from));
        Self::many(all).unwrap_or_else(|| Self::bug("an error without a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        let second = Error::fix("unknown option 'b'");
        let error = Error::many(vec![
            Error::fix("unknown option 'a'").at(Position { line: 3, column: 7 }).because("x").with_hint("y"),
            second,
        ])
        .unwrap();
        let wire = serde_json::to_string(&ErrorDetail::from(&error)).unwrap();
        let back = Error::from(serde_json::from_str::<ErrorDetail>(&wire).unwrap());
        assert_eq!(back.to_string(), error.to_string());
    }

    #[test]
    fn events_are_tagged_lines() {
        let event = ScriptMessage::Submitted {
            jobs: vec![JobRef { id: "a".into(), name: "b".into() }],
            notes: Vec::new(),
            sync: false,
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"submitted","jobs":[{"id":"a","name":"b"}],"notes":[],"sync":false}"#
        );
    }
}
