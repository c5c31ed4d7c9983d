//! Every operation in its order, in one transaction: the patient way, for rows that get in each
//! other's way when they are written together.

use tokio_postgres::Statement;

use super::{Session, Work};
use crate::catalog::ColumnPlan;
use crate::dialect::Strategy;
use crate::encode::{BadValue, ColumnEncoder, ScalarParam, encoders_of};
use crate::failure::Failure;
use crate::reduce::RowRef;

type Encoders<'a> = Vec<Vec<ColumnEncoder<'a>>>;

/// Runs the operations of `work.ordered` one after the other.
pub(super) async fn apply(session: &mut Session, work: &Work<'_>) -> Result<(), Failure> {
    let prepared = session.singles(work.statements).await?;
    let rows = encoders(work, &work.plan.columns)?;
    let keys = encoders(work, work.plan.key_columns())?;
    let begin: Vec<&str> = std::iter::once("BEGIN").chain(work.statements.lock.as_deref()).collect();
    session.run(&begin).await?;
    for place in work.ordered {
        let is_addition = work.batches[place.batch as usize].kind(place.row as usize).is_addition();
        if let Some(delete) = &prepared.delete
            && (!is_addition || work.strategy == Strategy::Replace)
        {
            execute(session, work, delete, &keys, work.plan.key_columns(), *place).await?;
        }
        if is_addition {
            execute(session, work, &prepared.upsert, &rows, &work.plan.columns, *place).await?;
        }
    }
    session.run(&["COMMIT"]).await
}

fn encoders<'a>(
    work: &Work<'a>,
    columns: impl IntoIterator<Item = &'a ColumnPlan> + Clone,
) -> Result<Encoders<'a>, Failure> {
    Ok(work.batches.iter().map(|batch| encoders_of(batch, columns.clone())).collect::<Result<_, _>>()?)
}

async fn execute<'a>(
    session: &Session,
    work: &Work<'a>,
    statement: &Statement,
    encoders: &Encoders<'_>,
    columns: impl IntoIterator<Item = &'a ColumnPlan>,
    place: RowRef,
) -> Result<(), Failure> {
    let mut params = Vec::new();
    for (column, encoder) in encoders[place.batch as usize].iter().enumerate() {
        match ScalarParam::new(encoder, place.row as usize) {
            Ok(param) => params.push(param),
            Err(error) => return Err(work.refuse(&BadValue { row: 0, column, error }, columns, &[place])),
        }
    }
    match session.client.execute_raw(statement, &params).await.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(Failure::Constraint(refusal)) => {
            let row = work.describe_row(place);
            Err(Failure::Own(refusal.to_error(&work.plan.target.name(), row)))
        }
        Err(failure) => Err(failure),
    }
}
