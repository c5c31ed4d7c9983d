//! One reduced batch in one transaction.
//!
//! | way | for | how |
//! |---|---|---|
//! | [`Way::Arrays`] | few rows | `INSERT … SELECT … FROM unnest(…)` and `DELETE … USING unnest(…)`, one round trip |
//! | [`Way::Staged`] | many rows | `COPY` into temporary tables, then one `DELETE` and one `INSERT` |
//! | [`Way::Direct`] | many new rows | `COPY` into the target; a key that exists makes it fall back |
//! | [`Way::Replaced`] | rows that got in each other's way | as staged, but rows are deleted before they are inserted |
//! | [`Way::OneByOne`] | rows that still do | every operation in its order |
//!
//! Deletions come before insertions, so that a unique value that moves from one row to another is
//! free when it is taken. Where rows swap such values, replacing all of them at once still works.

mod arrays;
mod direct;
mod one_by_one;
mod session;
mod staged;

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use sluice_model::{ChangelogBatch, Error};

use crate::catalog::{ColumnPlan, WritePlan};
use crate::dialect::{Statements, Strategy};
use crate::encode::BadValue;
use crate::failure::{Copied, Failure, Refusal};
use crate::reduce::{Reduced, RowRef};

pub(crate) use session::{Backend, Session};

/// How a batch is written. Ordered from fast to patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Arrays,
    Staged,
    Replaced,
    OneByOne,
}

/// A batch to write.
pub(crate) struct Work<'a> {
    pub(crate) plan: &'a WritePlan,
    pub(crate) strategy: Strategy,
    pub(crate) statements: &'a Statements,
    pub(crate) batches: &'a [ChangelogBatch],
    pub(crate) reduced: &'a Reduced,
    /// Every operation in its order; only needed one by one.
    pub(crate) ordered: &'a [RowRef],
}

/// Writes `work` in one transaction, which is rolled back if that fails.
///
/// # Errors
/// Why nothing was written; for a lost connection, why it is not known whether it was.
pub(crate) async fn apply(session: &mut Session, work: &Work<'_>, way: Way) -> Result<(), Failure> {
    let result = match way {
        Way::Direct => direct::apply(session, work).await,
        Way::Arrays => arrays::apply(session, work).await,
        Way::Staged => staged::apply(session, work, work.strategy == Strategy::Replace).await,
        Way::Replaced => staged::apply(session, work, true).await,
        Way::OneByOne => one_by_one::apply(session, work).await,
    };
    match result {
        Ok(()) | Err(Failure::Lost(_)) => result,
        Err(failure) => {
            session.rollback().await?;
            Err(failure)
        }
    }
}

impl Work<'_> {
    /// A value that cannot be sent, as the user reads it. `columns` are those that were encoded.
    fn refuse<'c>(
        &self,
        bad: &BadValue,
        columns: impl IntoIterator<Item = &'c ColumnPlan>,
        rows: &[RowRef],
    ) -> Failure {
        let Some(column) = columns.into_iter().nth(bad.column) else {
            return Failure::Own(Error::bug("a value of no column was refused"));
        };
        let (what, hint) = bad.error.explain(column);
        let row = rows.get(bad.row).and_then(|row| self.describe_row(*row));
        let row = row.map(|row| format!(" (row {row})")).unwrap_or_default();
        Failure::Own(Error::fix(format!("table '{}': {what}{row}", self.plan.declared)).with_hint(hint))
    }

    /// What the server refused, as the user reads it.
    pub(crate) fn explain(&self, refusal: &Refusal) -> Error {
        let row = match refusal.copy_row {
            Some((Copied::Upserts, row)) => self.reduced.upserts.get(row),
            Some((Copied::Deletes, row)) => self.reduced.deletes.get(row),
            None => None,
        };
        let row = row.and_then(|row| self.describe_row(*row));
        refusal.to_error(&self.plan.target.name(), row)
    }

    /// `id = 17, region = eu`: the key of a row; `None` without a key.
    fn describe_row(&self, place: RowRef) -> Option<String> {
        let batch = self.batches.get(place.batch as usize)?;
        let options = FormatOptions::new().with_null("NULL");
        let mut parts = Vec::new();
        for column in self.plan.key_columns() {
            let values = batch.rows().columns().get(column.source)?;
            let formatter = ArrayFormatter::try_new(values.as_ref(), &options).ok()?;
            parts.push(format!("{} = {}", column.name, formatter.value(place.row as usize)));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
