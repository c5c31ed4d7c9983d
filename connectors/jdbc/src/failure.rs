//! Which failures are worth another try, and how the others read.

use sluice_model::Error;
use tokio_postgres::error::SqlState;

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is gone, or the server is starting or stopping: connect again.
    Lost(String),
    /// Deadlock, serialization failure, lock timeout: the same transaction may succeed now.
    Conflict(String),
    /// A constraint was violated by rows that are fine in another order.
    Constraint(Box<Refusal>),
    /// The server refused the rows or the statement.
    Refused(Box<Refusal>),
    /// Not the server's doing: a value that has no form there, or a defect.
    Own(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// What the server said about a row or statement that it refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// Column, if the server named it.
    pub(crate) column: Option<String>,
    /// Row of a COPY, from 0, and which COPY it was.
    pub(crate) copy_row: Option<(Copied, usize)>,
}

/// What a COPY carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Upserts,
    Deletes,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // Anything that is not the server's own error is the connection's: closed, I/O, garbled.
            return Self::Lost(describe(&error));
        };
        let refusal = Box::new(Refusal {
            code: db.code().clone(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().map(str::to_owned),
            column: db.column().map(str::to_owned).or_else(|| copy_column(db.where_())),
            copy_row: copy_row(db.where_()),
        });
        classify(refusal)
    }
}

/// Sorts a refusal by its SQLSTATE (PostgreSQL documentation, appendix A).
fn classify(refusal: Box<Refusal>) -> Failure {
    let code = refusal.code.code();
    match code {
        // Serialization failure, deadlock, lock not available, a statement that an administrator stopped.
        "40001" | "40P01" | "40000" | "40003" | "55P03" | "57014" => Failure::Conflict(refusal.sentence()),
        // Shutdown, crash, cannot connect now, too many connections, out of disk or memory.
        "57P01" | "57P02" | "57P03" | "57P05" => Failure::Lost(refusal.sentence()),
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("58") => {
            Failure::Lost(refusal.sentence())
        }
        // The session was reset: its prepared statements or staging tables are gone.
        "26000" => Failure::Lost(refusal.sentence()),
        "42P01" if refusal.message.contains("sluice_") => Failure::Lost(refusal.sentence()),
        // Read-only: the server became a standby; another host may be the primary now.
        "25006" => Failure::Lost(refusal.sentence()),
        // Foreign key, unique, exclusion, and ON CONFLICT meeting one row twice.
        "23503" | "23505" | "23P01" | "21000" => Failure::Constraint(refusal),
        _ => Failure::Refused(refusal),
    }
}

/// `COPY sluice_upserts, line 17, column name: "…"` → row 16 of the upserts.
fn copy_row(context: Option<&str>) -> Option<(Copied, usize)> {
    let context = context?.lines().find(|line| line.starts_with("COPY "))?;
    let copied = if context.contains("sluice_deletes") { Copied::Deletes } else { Copied::Upserts };
    let digits = context.split(", ").nth(1)?.rsplit(' ').next()?;
    let line: usize = digits.trim_end_matches([',', ':']).parse().ok()?;
    Some((copied, line.checked_sub(1)?))
}

fn copy_column(context: Option<&str>) -> Option<String> {
    let context = context?.lines().find(|line| line.starts_with("COPY "))?;
    let column = context.split(", ").nth(2)?.split_once(' ')?.1;
    Some(column.split(':').next()?.trim().to_owned())
}

impl Refusal {
    /// The server's message with its SQLSTATE and detail.
    pub(crate) fn sentence(&self) -> String {
        let detail = self.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!("{}{detail} [SQLSTATE {}]", self.message, self.code.code())
    }

    /// The refusal as the user reads it. `row` describes the row, if it is known.
    pub(crate) fn to_error(&self, table: &str, row: Option<String>) -> Error {
        let column = self.column.as_ref().map(|column| format!(" into column '{column}'")).unwrap_or_default();
        let row = row.map(|row| format!(" a row ({row})")).unwrap_or_default();
        let error = Error::fix(format!("table '{table}' refused{row}{column}: {}", self.message));
        let hint = self.how_to_fix(table);
        error.because(self.sentence()).with_hint(hint)
    }

    fn how_to_fix(&self, table: &str) -> String {
        let column = self.column.as_deref().unwrap_or("the column");
        match self.code.code() {
            "22001" => format!("widen the target: ALTER TABLE {table} ALTER COLUMN {column} TYPE text, or shorten the value in the query"),
            "22003" => format!("widen the target: ALTER TABLE {table} ALTER COLUMN {column} TYPE a larger number, or change the value in the query"),
            "23502" => format!("declare the column NOT NULL in the query's table, replace NULL with COALESCE, or ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"),
            "23503" => "write the referenced table in a job that runs ahead, or drop the foreign key in the target".to_owned(),
            "23505" | "23P01" => "the target has a unique constraint that the query's rows do not keep: drop it there, or make it the primary key".to_owned(),
            "23514" => "the target has a CHECK constraint that the row does not keep: filter the row in the query, or drop the constraint".to_owned(),
            "42501" => format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO the user, and TEMPORARY ON the DATABASE"),
            "42P01" | "42703" => "the target was changed while the job ran: restore the table or column, then resume the job".to_owned(),
            _ => self.hint.clone().unwrap_or_else(|| "fix the row in the source or the query, or the target, then resume the job".to_owned()),
        }
    }
}

/// An error of the driver with its cause, in one line. Holds no password: the driver prints none.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} [SQLSTATE {}]", db.message(), db.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}").replace(&format!("{source}: {source}"), &source.to_string()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_row_and_column_of_a_copy() {
        let context = Some("COPY sluice_upserts, line 17, column name: \"too long\"");
        assert_eq!(copy_row(context), Some((Copied::Upserts, 16)));
        assert_eq!(copy_column(context).as_deref(), Some("name"));
        assert_eq!(copy_row(Some("COPY sluice_deletes, line 1")), Some((Copied::Deletes, 0)));
        assert_eq!(copy_row(Some("SQL function \"f\"")), None);
        assert_eq!(copy_row(None), None);
    }
}
