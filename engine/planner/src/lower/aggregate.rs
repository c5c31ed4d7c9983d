//! `GROUP BY` and `SELECT DISTINCT`.

use std::sync::Arc;

use arrow_schema::Schema;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Aggregate, Expr, LogicalPlan};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{AggregateCall, GroupAggregate, Input, Operation, Output};

use super::columns::Columns;
use super::nodes::Nodes;
use super::time::WindowColumns;

/// Functions whose arguments behind the first are constants.
const WITH_LITERALS: [&str; 2] = ["listagg", "string_agg"];

impl Nodes {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, query: &LogicalPlan) -> Result<Input> {
        let from = self.lower(&aggregate.input)?;
        let source = self.plan().output(&from).clone();
        let changelog = source.changelog;
        let mut columns = Columns::new(&aggregate.input, source);
        let mut group = Vec::with_capacity(aggregate.group_expr.len());
        for expression in &aggregate.group_expr {
            if matches!(expression, Expr::GroupingSet(_)) {
                return Err(Error::fix("GROUPING SETS, ROLLUP and CUBE are not supported yet")
                    .with_hint("write one query for each set of columns and put UNION ALL in between"));
            }
            group.push(columns.place(expression)?);
        }
        let fields = aggregate.schema.as_arrow().fields();
        let calls = aggregate
            .aggr_expr
            .iter()
            .zip(&fields[group.len()..])
            .map(|(expression, result)| call(expression, Arc::clone(result), &mut columns))
            .collect::<Result<Vec<_>>>()?;
        let grouped = group.iter().map(|place| columns.field(*place).as_ref().clone());
        let grouped = grouped.zip(fields).map(|(column, field)| Arc::new(column.with_name(field.name())));
        let schema = Schema::new(grouped.chain(fields[group.len()..].iter().cloned()).collect::<Vec<_>>());
        let retracts = !changelog.is_append();
        let update_before = self.needs().update_before(query);
        // The columns of a group do not change: without calls, groups of insertions only appear.
        let changelog = match (calls.is_empty() && !retracts, update_before) {
            (true, _) => ChangelogMode::APPEND,
            (false, true) => ChangelogMode::RETRACT,
            (false, false) => ChangelogMode::UPSERT,
        };
        let keys = vec![(0..group.len()).collect()];
        let input = columns.add(self, from, query)?;
        // Groups that are windows of time are complete when their time is over, and then put out once.
        let place = |column| group.iter().position(|grouped| *grouped == column);
        let window = self.window_of(&input);
        let window =
            window.and_then(|window| Some(WindowColumns { start: place(window.start)?, end: place(window.end)? }));
        let changelog = if window.is_some() { ChangelogMode::APPEND } else { changelog };
        let window_end = window.map(|window| window.end);
        let (input, parallelism) = self.dealt_by(input, &group);
        let operation = Operation::GroupAggregate(GroupAggregate { group, calls, retracts, update_before, window_end });
        let id = self.state_id("group-aggregate", query);
        let output = Output { schema: Arc::new(schema), changelog, keys };
        let grouped = self.add(operation, vec![input], output, parallelism, id)?;
        self.set_window(&grouped, window);
        Ok(grouped)
    }
}

fn call(expression: &Expr, result: Arc<arrow_schema::Field>, columns: &mut Columns<'_>) -> Result<AggregateCall> {
    let AggregateFunction { func, params } = function(expression)?;
    let name = func.name().to_lowercase();
    if !params.order_by.is_empty() {
        return Err(Error::fix(format!("ORDER BY inside of {} is not supported yet", name.to_uppercase())));
    }
    let (mut arguments, mut literals) = (Vec::new(), Vec::new());
    for (index, argument) in params.args.iter().enumerate() {
        match argument {
            // COUNT(*) and COUNT(1) count rows, whatever the constant is.
            Expr::Literal(value, _) if name == "count" && !value.is_null() => {}
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) if index > 0 && WITH_LITERALS.contains(&name.as_str()) => {
                literals.push(text.clone());
            }
            argument => arguments.push(columns.place(argument)?),
        }
    }
    let filter = params.filter.as_ref().map(|filter| columns.place(filter)).transpose()?;
    Ok(AggregateCall { function: name, arguments, literals, distinct: params.distinct, filter, result })
}

fn function(expression: &Expr) -> Result<&AggregateFunction> {
    match expression {
        Expr::AggregateFunction(function) => Ok(function),
        Expr::Alias(alias) => function(&alias.expr),
        other => Err(Error::bug(format!("{other} is no aggregate"))),
    }
}
