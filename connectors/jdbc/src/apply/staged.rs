//! `COPY` into temporary tables, then one statement each for deletions and insertions.

use super::{Session, Work};
use crate::dialect::Strategy;
use crate::failure::Failure;

/// Writes through staging tables. With `replaces`, rows to upsert are deleted first.
pub(super) async fn apply(session: &mut Session, work: &Work<'_>, replaces: bool) -> Result<(), Failure> {
    let copy = session.staged(work.statements).await?;
    let (upserts, deletes) = (&work.reduced.upserts, &work.reduced.deletes);
    if !upserts.is_empty() {
        session.copy(work, &copy.upsert, &work.plan.columns, upserts, true).await?;
    }
    if let (false, Some(statement)) = (deletes.is_empty(), &copy.delete) {
        session.copy(work, statement, work.plan.key_columns(), deletes, upserts.is_empty()).await?;
    }
    // The lock is taken as late as possible: other writers may copy meanwhile.
    let stage = &work.statements.stage;
    let mut statements: Vec<&str> = work.statements.lock.iter().map(String::as_str).collect();
    if !deletes.is_empty() {
        statements.push(&stage.delete);
    }
    if !upserts.is_empty() {
        if replaces {
            statements.push(&stage.delete_upserted);
        }
        statements.push(&stage.upsert);
    }
    if work.strategy == Strategy::Append {
        session.run(&statements).await?;
        let transaction = session.transaction_number().await?;
        return session.commit(transaction).await;
    }
    statements.push("COMMIT");
    session.run(&statements).await
}
