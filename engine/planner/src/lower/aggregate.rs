//! `GROUP BY` and `SELECT DISTINCT`.

use std::sync::Arc;

use arrow_schema::{FieldRef, Fields, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{AggregateFunction, NullTreatment};
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_expr::{Aggregate, Expr, LogicalPlan};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{AggregateCall, Expand, GroupAggregate, GroupingSet, Input, Operation, Output};

use super::columns::Columns;
use super::nodes::Nodes;
use super::time::WindowColumns;
use crate::bind::from_datafusion;

/// Functions whose arguments behind the first are constants.
const WITH_LITERALS: [&str; 2] = ["listagg", "string_agg"];

/// What `ARRAY_AGG(x IGNORE NULLS)` has as a constant.
const IGNORE_NULLS: &str = "ignore nulls";

impl Nodes {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, query: &LogicalPlan) -> Result<Input> {
        if let Some(sliced) = self.sliced(aggregate, query)? {
            return Ok(sliced);
        }
        let from = self.lower(&aggregate.input)?;
        let source = self.plan().output(&from).clone();
        let changelog = source.changelog;
        let mut columns = Columns::new(&aggregate.input, source);
        let group_exprs =
            grouping_set_to_exprlist(&aggregate.group_expr).map_err(|error| from_datafusion(error, &[]))?;
        let sets = match aggregate.group_expr.as_slice() {
            [Expr::GroupingSet(sets)] => Some(grouping_sets(sets, &group_exprs)?),
            _ => None,
        };
        let fields = aggregate.schema.as_arrow().fields();
        let (mut group, sources, calls) = placed(aggregate, &group_exprs, sets.is_some(), &mut columns)?;
        let schema = result_schema(&columns, &group, fields, sets.is_some());
        let retracts = !changelog.is_append();
        let mut input = columns.add(self, from, query)?;
        if let Some(sets) = sets {
            let window = self.window_of(&input).and_then(|window| window_of_sets(&window, &sets, &sources, &group));
            input = self.expand(input, group.clone(), sets, Arc::clone(&fields[group.len()]), query)?;
            self.set_window(&input, window);
            group.push(self.plan().output(&input).schema.fields().len() - 1);
        }
        // Groups that are windows of time are complete when their time is over, and then put out once.
        let place = |column| group.iter().position(|grouped| *grouped == column);
        let window = self.window_of(&input).and_then(|window| window.placed(place));
        let update_before = self.needs().update_before(query);
        // The columns of a group do not change: without calls, groups of insertions only appear.
        let changelog = match (window.is_some() || calls.is_empty() && !retracts, update_before) {
            (true, _) => ChangelogMode::APPEND,
            (false, true) => ChangelogMode::RETRACT,
            (false, false) => ChangelogMode::UPSERT,
        };
        let keys = vec![(0..group.len()).collect()];
        let own_parallelism = self.plan().node(input.node).parallelism;
        let (input, parallelism) = match window.as_ref().and_then(|window| window.dealt_by.as_ref()) {
            // Groups within the partitions of sessions are put out in the moment in which they come.
            Some(_) => (input, own_parallelism),
            None => self.dealt_by(input, &group),
        };
        let operation = Operation::GroupAggregate(GroupAggregate {
            group,
            calls,
            retracts,
            update_before,
            window_end: window.as_ref().map(WindowColumns::window_end),
            row_count: None,
        });
        let id = self.state_id("group-aggregate", query);
        let output = Output { schema: Arc::new(schema), changelog, keys };
        let grouped = self.add(operation, vec![input], output, parallelism, id)?;
        self.set_window(&grouped, window);
        self.set_state_ttl(&grouped, 0, &aggregate.input);
        Ok(grouped)
    }
}

/// Where the columns of the group stand, where what they are copies of stands, and the calls. A column that sets
/// make NULL is a column of its own: the aggregates see it as it is.
fn placed(
    aggregate: &Aggregate,
    group: &[&Expr],
    has_sets: bool,
    columns: &mut Columns<'_>,
) -> Result<(Vec<usize>, Vec<usize>, Vec<AggregateCall>)> {
    let results = &aggregate.schema.as_arrow().fields()[group.len() + usize::from(has_sets)..];
    let calls_of = |columns: &mut Columns<'_>| {
        let calls = aggregate.aggr_expr.iter().zip(results);
        calls.map(|(call, result)| lower_aggregate(call, Arc::clone(result), columns)).collect::<Result<Vec<_>>>()
    };
    if !has_sets {
        let sources = group.iter().map(|column| columns.place(column)).collect::<Result<Vec<_>>>()?;
        return Ok((sources.clone(), sources, calls_of(columns)?));
    }
    let calls = calls_of(columns)?;
    let sources = group.iter().map(|column| columns.place(column)).collect::<Result<Vec<_>>>()?;
    let copies = group.iter().map(|column| columns.push(column)).collect::<Result<Vec<_>>>()?;
    Ok((copies, sources, calls))
}

/// The columns of the group, with their types of SQL, and the results.
fn result_schema(columns: &Columns<'_>, group: &[usize], fields: &Fields, has_sets: bool) -> Schema {
    let grouped = group.iter().zip(fields).map(|(place, field)| {
        let column = columns.field(*place).as_ref().clone().with_name(field.name());
        let is_nullable = has_sets || column.is_nullable();
        Arc::new(column.with_nullable(is_nullable))
    });
    let results = fields[group.len()..].iter().cloned();
    Schema::new(grouped.chain(results).collect::<Vec<_>>())
}

impl Nodes {
    fn expand(
        &mut self,
        from: Input,
        columns: Vec<usize>,
        sets: Vec<GroupingSet>,
        id: FieldRef,
        query: &LogicalPlan,
    ) -> Result<Input> {
        let source = self.plan().output(&from).clone();
        let mut fields: Vec<_> = source.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        for column in &columns {
            fields[*column] = fields[*column].clone().with_nullable(true);
        }
        fields.push(id.as_ref().clone());
        let output = Output { schema: Arc::new(Schema::new(fields)), changelog: source.changelog, keys: Vec::new() };
        let parallelism = self.plan().node(from.node).parallelism;
        let state_id = self.state_id("expand", query);
        self.add(Operation::Expand(Expand { columns, sets, id }), vec![from], output, parallelism, state_id)
    }
}

/// The windows behind sets that all have them, by the copies of the columns that the sets are about. The sessions of
/// a set that leaves out what they are of would be others.
fn window_of_sets(
    window: &WindowColumns,
    sets: &[GroupingSet],
    sources: &[usize],
    copies: &[usize],
) -> Option<WindowColumns> {
    let copy = |column| {
        let at = sources.iter().position(|source| *source == column)?;
        (!sets.iter().any(|set| set.is_null[at])).then(|| copies[at])
    };
    if window.dealt_by.is_some() { None } else { window.placed(copy) }
}

/// The sets over the columns that occur in any of them, numbered as DataFusion's `GROUPING` expects.
fn grouping_sets(sets: &datafusion_expr::GroupingSet, columns: &[&Expr]) -> Result<Vec<GroupingSet>> {
    let datafusion_expr::GroupingSet::GroupingSets(sets) = expanded(sets) else {
        return Err(Error::bug("ROLLUP or CUBE that was not written out"));
    };
    let mut numbered: Vec<GroupingSet> = Vec::with_capacity(sets.len());
    for set in &sets {
        let is_null: Vec<bool> = columns.iter().map(|column| !set.contains(column)).collect();
        let ordinal = numbered.iter().filter(|other| other.is_null == is_null).count() as u64;
        let bits = is_null.iter().fold(0, |bits, is_null| bits << 1 | u64::from(*is_null));
        numbered.push(GroupingSet { id: bits | ordinal << columns.len(), is_null });
    }
    Ok(numbered)
}

/// `ROLLUP` and `CUBE` as the sets that they are short for.
fn expanded(sets: &datafusion_expr::GroupingSet) -> datafusion_expr::GroupingSet {
    use datafusion_expr::GroupingSet::{Cube, GroupingSets, Rollup};
    match sets {
        Rollup(columns) => GroupingSets((0..=columns.len()).rev().map(|count| columns[..count].to_vec()).collect()),
        Cube(columns) => {
            let subset = |bits: u64| {
                let is_in = |place: &usize| bits >> place & 1 == 1;
                (0..columns.len()).filter(is_in).map(|place| columns[place].clone()).collect()
            };
            GroupingSets((0..1 << columns.len().min(16)).rev().map(subset).collect())
        }
        GroupingSets(sets) => GroupingSets(sets.clone()),
    }
}

/// A call of an aggregate function, wherever it stands.
pub(super) struct Call<'a> {
    /// In lower case.
    pub(super) name: &'a str,
    pub(super) arguments: &'a [Expr],
    pub(super) distinct: bool,
    pub(super) ignores_nulls: bool,
    pub(super) filter: Option<&'a Expr>,
}

pub(super) fn lower_call(call: &Call<'_>, result: FieldRef, columns: &mut Columns<'_>) -> Result<AggregateCall> {
    let (mut arguments, mut literals) = (Vec::new(), Vec::new());
    for (index, argument) in call.arguments.iter().enumerate() {
        match argument {
            // COUNT(*) and COUNT(1) count rows, whatever the constant is.
            Expr::Literal(value, _) if call.name == "count" && !value.is_null() => {}
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) if index > 0 && WITH_LITERALS.contains(&call.name) => {
                literals.push(text.clone());
            }
            argument => arguments.push(columns.place(argument)?),
        }
    }
    if call.ignores_nulls {
        literals.push(IGNORE_NULLS.to_owned());
    }
    let filter = call.filter.map(|filter| columns.place(filter)).transpose()?;
    Ok(AggregateCall { function: call.name.to_owned(), arguments, literals, distinct: call.distinct, filter, result })
}

/// An aggregate of a `GROUP BY` as a call over columns.
pub(super) fn lower_aggregate(expression: &Expr, result: FieldRef, columns: &mut Columns<'_>) -> Result<AggregateCall> {
    let AggregateFunction { func, params } = function(expression)?;
    let name = func.name().to_lowercase();
    if !params.order_by.is_empty() {
        return Err(Error::fix(format!("ORDER BY inside of {} is not supported yet", name.to_uppercase())));
    }
    let filter = params.filter.as_deref();
    let ignores_nulls = params.null_treatment == Some(NullTreatment::IgnoreNulls);
    let call = Call { name: &name, arguments: &params.args, distinct: params.distinct, ignores_nulls, filter };
    lower_call(&call, result, columns)
}

fn function(expression: &Expr) -> Result<&AggregateFunction> {
    match expression {
        Expr::AggregateFunction(function) => Ok(function),
        Expr::Alias(alias) => function(&alias.expr),
        other => Err(Error::bug(format!("{other} is no aggregate"))),
    }
}
