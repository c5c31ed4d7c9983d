//! Aggregates of windows in two steps: slices of each batch, then windows of slices.
//!
//! ```text
//! AssignWindow: HOP(slide=[2000 ms], size=[10000 ms])     each row five times
//! GroupAggregate: COUNT(*)                                every time through the exchange
//!
//! LocalWindowAggregate: slice=[2000 ms], COUNT(*)         one row per group, slice and batch
//! AssignWindow: HOP(slide=[2000 ms], size=[10000 ms])     five times that
//! GroupAggregate: SUM0(count)
//! ```
//!
//! An average is put together from a sum and a count: `AVG(x)` is `SUM(x), COUNT(x)` in the first step.

use std::sync::Arc;

use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion_common::DFSchema;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, UserDefinedLogicalNodeCore};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{AggregateCall, AssignWindow, GroupAggregate, Input, LocalAggregate, Operation, Output, WindowKind};

use super::aggregate::lower_aggregate;
use super::columns::Columns;
use super::nodes::Nodes;
use super::time::WindowColumns;
use crate::logical::{WindowNode, Windowing, is_rowtime};

/// The functions whose results over parts can be put together, and what does that.
const PARTIAL: [(&str, &str); 5] =
    [("count", "$sum0"), ("sum", "sum"), ("min", "min"), ("max", "max"), (AVERAGE, "$avg")];

/// What is put together from two results over parts: a sum and a count.
const AVERAGE: &str = "avg";

/// Digits of decimals whose sum over a batch, be it of 10^10 rows, has at most 38 of them.
const DIGITS_OF_PARTS: u8 = 28;

/// An aggregate over windows of event time, with its expressions over the input of the windows.
struct Sliced<'a> {
    window: &'a WindowNode,
    kind: WindowKind,
    /// The columns of the group by position behind the windows.
    group: Vec<usize>,
    calls: Vec<Expr>,
}

impl<'a> Sliced<'a> {
    /// `None` for every other aggregate.
    fn find(aggregate: &'a Aggregate) -> Option<Self> {
        let (window, columns) = window_below(&aggregate.input)?;
        let Windowing::Fixed(kind) = window.windowing else { return None };
        let place = window.time_index()?;
        if window.processing_time || !is_rowtime(&window.input, place) {
            return None;
        }
        let place = |expression: &Expr| match replaced(expression, aggregate.input.schema(), &columns)? {
            Expr::Column(column) => window.schema().maybe_index_of_column(&column),
            _ => None,
        };
        let group = aggregate.group_expr.iter().map(place).collect::<Option<Vec<_>>>()?;
        let width = window.input.schema().fields().len();
        let is_whole = group.contains(&width) && group.contains(&(width + 1)) && !group.contains(&(width + 2));
        let calls = aggregate.aggr_expr.iter().map(|call| below(call, aggregate, &columns, window));
        is_whole.then_some(Self { window, kind, group, calls: calls.collect::<Option<_>>()? })
    }
}

/// The windows that a plan computes its columns of, and what each of them is over the windows' columns.
fn window_below(plan: &LogicalPlan) -> Option<(&WindowNode, Vec<Expr>)> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => window_below(&alias.input),
        LogicalPlan::Projection(projection) => {
            let (window, below) = window_below(&projection.input)?;
            let over = |expression: &Expr| replaced(unaliased(expression), projection.input.schema(), &below);
            Some((window, projection.expr.iter().map(over).collect::<Option<_>>()?))
        }
        LogicalPlan::Extension(extension) => {
            let window = extension.node.as_any().downcast_ref::<WindowNode>()?;
            Some((window, plan.schema().columns().into_iter().map(Expr::Column).collect()))
        }
        _ => None,
    }
}

/// An expression with others in place of the columns of a schema. `None` where that may change its value.
fn replaced(expression: &Expr, schema: &DFSchema, columns: &[Expr]) -> Option<Expr> {
    if expression.is_volatile() {
        return None;
    }
    let replaced = expression.clone().transform(|node| match node {
        Expr::Column(column) => Ok(schema
            .maybe_index_of_column(&column)
            .map_or(Transformed::no(Expr::Column(column)), |place| Transformed::yes(columns[place].clone()))),
        other => Ok(Transformed::no(other)),
    });
    replaced.ok().map(|replaced| replaced.data)
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// A call with its arguments over the input of the windows, if it can be computed there.
fn below(call: &Expr, aggregate: &Aggregate, columns: &[Expr], window: &WindowNode) -> Option<Expr> {
    let Expr::AggregateFunction(function) = unaliased(call) else { return None };
    let name = function.func.name().to_lowercase();
    let is_plain = !function.params.distinct && function.params.order_by.is_empty();
    if !is_plain || !PARTIAL.iter().any(|(partial, _)| *partial == name) {
        return None;
    }
    let above = aggregate.input.schema();
    let sum = |argument: &Expr| sum_of_parts(&argument.get_type(above).ok()?);
    if name == AVERAGE && function.params.args.first().and_then(sum).is_none() {
        return None;
    }
    let moved = replaced(unaliased(call), above, columns)?;
    let input = window.input.schema();
    let is_below = moved.column_refs().into_iter().all(|column| input.maybe_index_of_column(column).is_some());
    is_below.then_some(moved)
}

/// The type of an exact sum over a part of the rows; `None` if there is none.
fn sum_of_parts(argument: &DataType) -> Option<DataType> {
    match argument {
        DataType::Decimal128(precision, scale) => {
            (*precision <= DIGITS_OF_PARTS).then_some(DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale))
        }
        DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
        argument => argument.is_signed_integer().then_some(DataType::Int64),
    }
}

/// A call in two steps.
struct Steps {
    /// Calls over the rows of a batch.
    first: Vec<AggregateCall>,
    /// What puts their results together.
    function: &'static str,
    result: FieldRef,
}

impl Steps {
    fn new(call: AggregateCall, columns: &Columns<'_>) -> Result<Self> {
        let function = PARTIAL.into_iter().find(|(partial, _)| *partial == call.function);
        let (_, function) = function.ok_or_else(|| Error::bug(format!("{} in two steps", call.function)))?;
        let result = Arc::clone(&call.result);
        let first = if call.function == AVERAGE {
            let argument = call.arguments.first().map(|argument| columns.field(*argument).data_type());
            let sum = argument.and_then(sum_of_parts).ok_or_else(|| Error::bug("an average of no number"))?;
            let part = |function: &str, result: DataType| AggregateCall {
                function: function.to_owned(),
                result: Arc::new(Field::new(function, result, true)),
                ..call.clone()
            };
            vec![part("sum", sum), part("count", DataType::Int64)]
        } else {
            vec![call]
        };
        Ok(Self { first, function, result })
    }

    /// The call of the second step, over columns from `start` on.
    fn second(&self, start: usize) -> AggregateCall {
        AggregateCall {
            function: self.function.to_owned(),
            arguments: (start..start + self.first.len()).collect(),
            literals: Vec::new(),
            distinct: false,
            filter: None,
            result: Arc::clone(&self.result),
        }
    }
}

impl Nodes {
    /// Adds the two steps; `None` if the aggregate has to be computed in one.
    pub(super) fn sliced(&mut self, aggregate: &Aggregate, query: &LogicalPlan) -> Result<Option<Input>> {
        let Some(sliced) = Sliced::find(aggregate) else { return Ok(None) };
        let from = self.lower(&sliced.window.input)?;
        let source = self.plan().output(&from).clone();
        if !source.changelog.is_append() {
            return Ok(None);
        }
        let width = source.schema.fields().len();
        let fields = aggregate.schema.as_arrow().fields();
        let results = &fields[sliced.group.len()..];
        let mut columns = Columns::new(&sliced.window.input, source);
        let names = sliced.window.input.schema().columns();
        let keys: Vec<usize> = sliced.group.iter().copied().filter(|column| *column < width).collect();
        let group = keys.iter().map(|column| columns.place(&Expr::Column(names[*column].clone())));
        let group = group.collect::<Result<Vec<_>>>()?;
        let time = columns.place(&sliced.window.time)?;
        let calls = sliced.calls.iter().zip(results);
        let calls = calls.map(|(call, result)| lower_aggregate(call, Arc::clone(result), &mut columns));
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let steps = calls.into_iter().map(|call| Steps::new(call, &columns)).collect::<Result<Vec<_>>>()?;
        let calls: Vec<AggregateCall> = steps.iter().flat_map(|steps| steps.first.iter().cloned()).collect();
        let rows = keys.len() + 1 + calls.len();
        let group_fields: Vec<FieldRef> = group.iter().map(|place| Arc::clone(columns.field(*place))).collect();
        let input = columns.add(self, from, query)?;
        let local = LocalAggregate { group, time, zone: sliced.window.zone, windows: sliced.kind, calls };
        let (input, windows) = self.windows_of_slices(input, local, &group_fields, &sliced, query)?;
        let place = |column: &usize| match keys.iter().position(|key| key == column) {
            Some(place) => place,
            None if *column == width => windows.start,
            None => windows.end,
        };
        let group: Vec<usize> = sliced.group.iter().map(place).collect();
        let mut next = keys.len() + 1;
        let second = |steps: &Steps| {
            let start = next;
            next += steps.first.len();
            steps.second(start)
        };
        let calls: Vec<AggregateCall> = steps.iter().map(second).collect();
        let window = windows.placed(|column| group.iter().position(|grouped| *grouped == column));
        let operation = Operation::GroupAggregate(GroupAggregate {
            row_count: Some(rows),
            window_end: window.as_ref().map(WindowColumns::window_end),
            retracts: false,
            update_before: false,
            calls,
            group: group.clone(),
        });
        let (input, parallelism) = self.dealt_by(input, &group);
        let unique = vec![(0..group.len()).collect()];
        let output =
            Output { schema: Arc::new(Schema::new(fields.clone())), changelog: ChangelogMode::APPEND, keys: unique };
        let id = self.state_id("group-aggregate", query);
        let grouped = self.add(operation, vec![input], output, parallelism, id)?;
        self.set_window(&grouped, window);
        Ok(Some(grouped))
    }

    /// Adds the first step, and the windows of its slices.
    fn windows_of_slices(
        &mut self,
        input: Input,
        local: LocalAggregate,
        group: &[FieldRef],
        sliced: &Sliced<'_>,
        query: &LogicalPlan,
    ) -> Result<(Input, WindowColumns)> {
        let slice = Arc::new(Field::new("slice", DataType::Timestamp(TimeUnit::Millisecond, None), true));
        let rows = Arc::new(Field::new("rows", DataType::Int64, false));
        let results = local.calls.iter().map(|call| &call.result);
        let fields = group.iter().chain([&slice]).chain(results).chain([&rows]).enumerate();
        let fields: Vec<FieldRef> =
            fields.map(|(place, field)| Arc::new(field.as_ref().clone().with_name(format!("${place}")))).collect();
        let (time, start) = (group.len(), fields.len());
        let schema = Arc::new(Schema::new(fields.clone()));
        let output = Output { schema, changelog: ChangelogMode::APPEND, keys: Vec::new() };
        let parallelism = self.plan().node(input.node).parallelism;
        let id = self.state_id("local-aggregate", query);
        let from = self.add(Operation::LocalAggregate(local), vec![input], output, parallelism, id)?;
        let of_window = sliced.window.input.schema().fields().len();
        let added = datafusion_expr::UserDefinedLogicalNodeCore::schema(sliced.window).fields();
        let fields = fields.into_iter().chain(added.iter().skip(of_window).cloned()).collect::<Vec<_>>();
        let output =
            Output { schema: Arc::new(Schema::new(fields)), changelog: ChangelogMode::APPEND, keys: Vec::new() };
        // Slices begin at wall-clock times already; windows only add the instant of their last millisecond.
        let zone = sliced.window.zone;
        let assign = AssignWindow { time, kind: sliced.kind, processing_time: false, zone };
        let id = self.state_id("window", query);
        let input = self.add(Operation::AssignWindow(assign), vec![from], output, parallelism, id)?;
        Ok((input, WindowColumns { start, end: start + 1, zone, dealt_by: None }))
    }
}
