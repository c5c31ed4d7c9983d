//! `COPY` into the target itself: for rows that are new.

use super::{Session, Work};
use crate::dialect::Strategy;
use crate::failure::Failure;

/// Copies the rows to upsert into the target. A key that is there already fails the whole
/// transaction, and nothing is written.
pub(super) async fn apply(session: &mut Session, work: &Work<'_>) -> Result<(), Failure> {
    let statement = session.direct(work.statements).await?;
    session.copy(work, &statement, &work.plan.columns, &work.reduced.upserts, true).await?;
    // With a key, a repetition is noticed by the unique index.
    let appends = work.strategy == Strategy::Append;
    let transaction = if appends { session.transaction_number().await? } else { None };
    session.commit(transaction).await
}
