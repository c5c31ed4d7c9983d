//! Few rows: their columns travel as array parameters, in one round trip.

use futures::future::OptionFuture;
use tokio_postgres::Statement;

use super::{Session, Work};
use crate::catalog::ColumnPlan;
use crate::dialect::Strategy;
use crate::encode::{ArrayParam, array_param, encoders_of};
use crate::failure::Failure;
use crate::reduce::RowRef;

/// Deletes and upserts with one statement each.
pub(super) async fn apply(session: &mut Session, work: &Work<'_>) -> Result<(), Failure> {
    let prepared = session.arrays(work.statements).await?;
    let plan = work.plan;
    let upserts = params(work, &plan.columns, &work.reduced.upserts)?;
    if work.strategy == Strategy::Append {
        return append(session, &prepared.upsert, &upserts).await;
    }
    let mut keys = work.reduced.deletes.clone();
    if work.strategy == Strategy::Replace {
        keys.extend(&work.reduced.upserts);
    }
    let deletes = params(work, plan.key_columns(), &keys)?;
    let delete = prepared.delete.as_ref().filter(|_| !keys.is_empty());
    let upsert = Some(&prepared.upsert).filter(|_| !work.reduced.upserts.is_empty());
    match (delete, upsert, &work.statements.lock) {
        (Some(statement), None, None) => execute(session, statement, &deletes).await?,
        (None, Some(statement), None) => execute(session, statement, &upserts).await?,
        (delete, upsert, lock) => {
            let begin = lock.as_ref().map_or_else(|| "BEGIN".to_owned(), |lock| format!("BEGIN; {lock}"));
            let delete = OptionFuture::from(delete.map(|statement| execute(session, statement, &deletes)));
            let upsert = OptionFuture::from(upsert.map(|statement| execute(session, statement, &upserts)));
            // All four are sent before the first answer is waited for. A COMMIT behind an error
            // rolls back, so that the first error is the one to tell.
            let client = &session.client;
            let (begun, deleted, upserted, committed) =
                futures::join!(client.batch_execute(&begin), delete, upsert, client.batch_execute("COMMIT"));
            begun?;
            deleted.transpose()?;
            upserted.transpose()?;
            committed?;
        }
    }
    Ok(())
}

/// Inserts rows that must not be inserted twice: the number of the transaction is known before it is
/// committed.
async fn append(session: &mut Session, statement: &Statement, params: &[ArrayParam]) -> Result<(), Failure> {
    let (begun, number, inserted) = futures::join!(
        session.client.batch_execute("BEGIN"),
        session.transaction_number(),
        execute(session, statement, params)
    );
    begun?;
    let number = number?;
    inserted?;
    session.commit(number).await
}

async fn execute(session: &Session, statement: &Statement, params: &[ArrayParam]) -> Result<(), tokio_postgres::Error> {
    session.client.execute_raw(statement, params).await.map(|_| ())
}

fn params<'a>(
    work: &Work<'a>,
    columns: impl IntoIterator<Item = &'a ColumnPlan> + Clone,
    rows: &[RowRef],
) -> Result<Vec<ArrayParam>, Failure> {
    let encoders =
        work.batches.iter().map(|batch| encoders_of(batch, columns.clone())).collect::<Result<Vec<_>, _>>()?;
    (0..)
        .zip(columns.clone())
        .map(|(place, column)| {
            array_param(&encoders, place, &column.wire, rows).map_err(|bad| work.refuse(&bad, columns.clone(), rows))
        })
        .collect()
}
