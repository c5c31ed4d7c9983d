//! What stops the decoding of a table for good.

use sluice_model::Error;

use crate::feed::Feed;
use crate::log::statement::Action;

/// A statement took rows away, or changed them, in a way that the log does not tell row by row.
pub(super) fn refused(action: Action, feed: &Feed, sql: &str) -> Error {
    let table = feed.table.full_name();
    let mut statement: String = sql.chars().take(200).collect();
    if statement.len() < sql.len() {
        statement.push('…');
    }
    let (what, hint) = match action {
        Action::Truncate => (
            format!("table {table} was truncated"),
            "the log does not say which rows are gone: empty the targets, and start the job without its checkpoint",
        ),
        Action::DropRows => (
            format!("partitions of table {table} were emptied, dropped or exchanged"),
            "the log does not say which rows are gone: start the job without its checkpoint",
        ),
        Action::Drop | Action::DropDatabase => (
            format!("table {table} was dropped"),
            "take the table out of the job, or start the job without its checkpoint when the table is back",
        ),
        Action::Rename => (
            format!("table {table} was renamed, or another table took its name"),
            "start the job without its checkpoint, so that the table is read anew",
        ),
        Action::Dml | Action::Alter => (
            format!("rows of table {table} were changed by a statement that the log holds instead of the rows"),
            "a session has set binlog_format to STATEMENT or MIXED: find it, and start the job without its checkpoint",
        ),
    };
    Error::fix(what).because(format!("the log has: {statement}")).with_hint(hint)
}

/// A table was altered so that its rows can no longer be read as declared.
pub(super) fn altered(feed: &Feed, ddl: Option<&str>, why: Option<String>) -> Error {
    let cause = match (ddl, why) {
        (Some(ddl), Some(why)) => format!("{ddl}: {why}"),
        (Some(text), None) => text.to_owned(),
        (None, Some(text)) => text,
        (None, None) => "the log and the table have different columns".to_owned(),
    };
    Error::fix(format!("table {} was altered so that its declared columns no longer fit", feed.table.full_name()))
        .because(cause)
        .with_hint(
            "declare the columns as they are now, and start the job without its checkpoint; \
             SET PERSIST binlog_row_metadata = FULL lets the reader follow most changes by itself",
        )
}
