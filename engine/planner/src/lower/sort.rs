//! `ORDER BY` without `LIMIT`: rows in the order of time.

use datafusion_expr::{Expr, LogicalPlan, Sort};
use sluice_model::{Error, Position, Result};
use sluice_plan::{Input, Operation, Output, TemporalSort};

use super::changes::place_of;
use super::columns::Columns;
use super::nodes::Nodes;
use super::rank::sort_column;
use crate::logical::{is_processing_time, is_rowtime, rowtimes};

impl Nodes {
    /// One subtask puts all rows in their order.
    pub(super) fn temporal_sort(&mut self, sort: &Sort, query: &LogicalPlan) -> Result<Input> {
        let (time, processing_time) = time_of(sort).map_err(|error| error.at_opt(place_of_order(sort)))?;
        let from = self.lower(&sort.input)?;
        self.refuse_changes("TemporalSort", &from).map_err(|error| {
            error
                .because("rows that were put out in their order cannot be taken back")
                .at_opt(place_of_order(sort))
                .with_hint("order the rows before what makes changes, or add LIMIT n")
        })?;
        let source = self.plan().output(&from).clone();
        let width = source.schema.fields().len();
        let mut columns = Columns::all(&sort.input, source.clone())?;
        let further = sort.expr.iter().skip(1).map(|order| sort_column(order, &mut columns));
        let order = further.collect::<Result<Vec<_>>>()?;
        let input = columns.add(self, from, query)?;
        let window = self.window_of(&input);
        let output: Output = self.plan().output(&input).clone();
        let (input, parallelism) = self.dealt_by(input, &[]);
        let operation = Operation::TemporalSort(TemporalSort { time, processing_time, order });
        let id = self.state_id("sort", query);
        let sorted = self.add(operation, vec![input], output, parallelism, id)?;
        self.set_window(&sorted, window);
        self.restored_columns(sorted, &(0..width).collect::<Vec<_>>(), &source.schema, query)
    }
}

fn place_of_order(sort: &Sort) -> Option<Position> {
    sort.expr.iter().find_map(|order| place_of(&order.expr))
}

/// The column that the rows are ordered by first, and whether it tells the time of the clock.
fn time_of(sort: &Sort) -> Result<(usize, bool)> {
    let first = sort.expr.first().ok_or_else(|| Error::bug("an order by nothing"))?;
    let place = match &first.expr {
        Expr::Column(column) => sort.input.schema().maybe_index_of_column(column),
        _ => None,
    };
    let times = rowtimes(&sort.input);
    match place {
        Some(place) if first.asc && is_rowtime(&sort.input, place) => Ok((place, false)),
        Some(place) if first.asc && is_processing_time(&sort.input, place) => Ok((place, true)),
        _ => {
            let error = Error::fix("sort on a non-time-attribute field is not supported").because(format!(
                "a stream has no end, and a row that comes before all others in the order of {first} may come at any \
                 time"
            ));
            Err(match times.first().map(|time| sort.input.schema().field(*time).name().clone()) {
                Some(time) => {
                    error.with_hint(format!("order by {time} first, ascending, or keep the first rows: LIMIT n"))
                }
                None => error.with_hint("keep the first rows only: ORDER BY … LIMIT n"),
            })
        }
    }
}
