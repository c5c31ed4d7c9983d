//! Top-N: `ROW_NUMBER() OVER (…) <= n`, and `ORDER BY … LIMIT n`.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion_common::{Column, ScalarValue};
use datafusion_expr::expr::{Sort as SortExpr, WindowFunction};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Between, BinaryExpr, Expr, Filter, Limit, LogicalPlan, Operator, Projection};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{Input, Operation, Output, Rank, SortColumn};

use super::columns::Columns;
use super::join::is_in_order;
use super::keys::{keeps_order, passed_column, project_keys};
use super::nodes::Nodes;
use super::time::WindowColumns;
use crate::logical::{is_processing_time, is_rowtime};

/// A filter on a row number.
pub(super) struct TopN<'a> {
    window: &'a LogicalPlan,
    function: &'a WindowFunction,
    /// Columns picked between the row number and the filter.
    picked: Option<&'a Projection>,
    first: u64,
    last: u64,
    rank_column: bool,
}

impl<'a> TopN<'a> {
    /// Finds `WHERE rn <= n` on top of a row number; `used` are the expressions on top of that.
    fn find(filter: &'a Filter, used: Option<&[Expr]>) -> Option<Self> {
        let Numbered { window, function, picked, number, is_last } = Numbered::below(filter)?;
        let (first, last) = range(&filter.predicate, &number)?;
        let uses_number = |used: &[Expr]| used.iter().any(|expression| expression.column_refs().contains(&number));
        let rank_column = !is_last || used.is_none_or(uses_number);
        Some(Self { window, function, picked, first, last, rank_column })
    }
}

/// A row number below a filter.
struct Numbered<'a> {
    window: &'a LogicalPlan,
    function: &'a WindowFunction,
    picked: Option<&'a Projection>,
    /// The number, as the filter sees it.
    number: Column,
    is_last: bool,
}

impl<'a> Numbered<'a> {
    fn below(filter: &'a Filter) -> Option<Self> {
        let (window, picked) = match filter.input.as_ref() {
            LogicalPlan::Projection(picked) => (picked.input.as_ref(), Some(picked)),
            window => (window, None),
        };
        let LogicalPlan::Window(node) = window else { return None };
        let [expression] = node.window_expr.as_slice() else { return None };
        let function = row_number(expression)?;
        let number = node.schema.columns().pop()?;
        let (number, is_last) = match picked {
            None => (number, true),
            Some(picked) => {
                let columns = picked.expr.iter().map(passed_column).collect::<Option<Vec<_>>>()?;
                let place = columns.iter().position(|column| **column == number)?;
                (picked.schema.columns().swap_remove(place), place + 1 == columns.len())
            }
        };
        Some(Self { window, function, picked, number, is_last })
    }
}

/// The row number below a filter, as the filter sees it.
pub(crate) fn row_number_of(filter: &Filter) -> Option<Column> {
    Numbered::below(filter).map(|numbered| numbered.number)
}

/// Whether a condition is about the number alone, and one that Top-N knows.
pub(crate) fn is_rank_condition(condition: &Expr, number: &Column) -> bool {
    match condition {
        Expr::Between(Between { expr, negated: false, low, high }) => {
            matches!(bare(expr), Expr::Column(column) if column == number) && whole(low).and(whole(high)).is_some()
        }
        other => comparison(other, number).is_some_and(|(operator, _)| operator != Operator::NotEq),
    }
}

/// The first and the last number that a condition lets pass; it must say nothing else.
fn range(predicate: &Expr, number: &Column) -> Option<(u64, u64)> {
    let (mut first, mut last) = (1, None);
    let mut at_most = |limit: u64| last = Some(last.unwrap_or(u64::MAX).min(limit));
    for part in split_conjunction(predicate) {
        if let Expr::Between(Between { expr, negated: false, low, high }) = part
            && matches!(bare(expr), Expr::Column(column) if column == number)
        {
            first = first.max(whole(low)?);
            at_most(whole(high)?);
            continue;
        }
        let (operator, limit) = comparison(part, number)?;
        match operator {
            Operator::LtEq => at_most(limit),
            Operator::Lt => at_most(limit.saturating_sub(1)),
            Operator::GtEq => first = first.max(limit),
            Operator::Gt => first = first.max(limit.saturating_add(1)),
            Operator::Eq => {
                first = first.max(limit);
                at_most(limit);
            }
            _ => return None,
        }
    }
    Some((first, last?))
}

/// `ROW_NUMBER() OVER (…)`.
fn row_number(expression: &Expr) -> Option<&WindowFunction> {
    match expression {
        Expr::Alias(alias) => row_number(&alias.expr),
        Expr::WindowFunction(function) if function.fun.name().eq_ignore_ascii_case("row_number") => Some(function),
        _ => None,
    }
}

/// `number <= 3` or `3 >= number`, as the operator with the number on the left.
fn comparison(expression: &Expr, number: &Column) -> Option<(Operator, u64)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expression else { return None };
    match (bare(left), bare(right)) {
        (Expr::Column(column), literal) if column == number => Some((*op, whole(literal)?)),
        (literal, Expr::Column(column)) if column == number => Some((op.swap()?, whole(literal)?)),
        _ => None,
    }
}

/// Without the cast that makes both sides one type.
fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(cast) => bare(&cast.expr),
        other => other,
    }
}

fn whole(expression: &Expr) -> Option<u64> {
    let Expr::Literal(value, _) = expression else { return None };
    match value.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(Some(number)) => Some(u64::try_from(number).unwrap_or(0)),
        _ => None,
    }
}

impl Nodes {
    /// Rows by number. The result has the columns of `filter`, but for a number that is last and not used.
    pub(super) fn top_n(&mut self, top: &TopN<'_>, filter: &LogicalPlan) -> Result<Input> {
        let LogicalPlan::Window(window) = top.window else { return Err(Error::bug("a row number without a window")) };
        let params = &top.function.params;
        let name = window.schema.fields().last().map(|field| field.name().clone());
        let rank = RankOf {
            partition: &params.partition_by,
            order: &params.order_by,
            first: top.first,
            last: Some(top.last),
            rank_name: name.filter(|_| top.rank_column),
        };
        let ranked = self.rank(&window.input, rank, filter)?;
        let Some(picked) = top.picked else { return Ok(ranked) };
        let count = picked.expr.len() - usize::from(!top.rank_column);
        self.project(ranked, top.window, None, &picked.expr[..count], filter)
    }

    /// `ORDER BY … LIMIT n OFFSET m`; without an order the rows that came first.
    pub(super) fn limit(&mut self, limit: &Limit, query: &LogicalPlan) -> Result<Input> {
        let number = |expression: &Option<Box<Expr>>| {
            expression
                .as_ref()
                .map(|limit| whole(limit))
                .map_or(Ok(None), |n| n.map(Some).ok_or_else(|| Error::fix("LIMIT and OFFSET take whole numbers")))
        };
        let skip = number(&limit.skip)?.unwrap_or(0);
        let last = number(&limit.fetch)?.map(|fetch| skip.saturating_add(fetch));
        let (input, order) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) => (&sort.input, sort.expr.as_slice()),
            _ => (&limit.input, &[][..]),
        };
        self.rank(input, RankOf { partition: &[], order, first: skip + 1, last, rank_name: None }, query)
    }

    fn rank(&mut self, plan: &LogicalPlan, wanted: RankOf<'_>, query: &LogicalPlan) -> Result<Input> {
        let from = self.lower(plan)?;
        let source = self.plan().output(&from).clone();
        let width = source.schema.fields().len();
        let mut columns = Columns::all(plan, source.clone())?;
        let partition = wanted.partition.iter().map(|key| columns.place(key)).collect::<Result<Vec<_>>>()?;
        let arrival = wanted.arrival(plan).filter(|_| source.changelog.is_append());
        let order = match arrival {
            Some(_) => Vec::new(),
            None => wanted.order.iter().map(|order| sort_column(order, &mut columns)).collect::<Result<Vec<_>>>()?,
        };
        let input = columns.add(self, from, query)?;
        let (input, parallelism) = self.dealt_by(input, &partition);
        let ranked = self.plan().output(&input).clone();
        let all = ranked.schema.fields().len();
        let update_before = self.needs().update_before(query);
        // Partitions that are windows of time are complete when their time is over, and then put out once.
        let window = self.window_of(&input);
        let window = window.filter(|window| partition.contains(&window.start) && partition.contains(&window.end));
        let operation = Operation::Rank(Rank {
            partition: partition.clone(),
            order,
            newest_first: arrival == Some(Arrival::NewestFirst) || wanted.keeps_newest(plan, &ranked.changelog),
            first: wanted.first,
            last: wanted.last,
            rank_column: wanted.rank_name.is_some(),
            retracts: !ranked.changelog.is_append(),
            unique_key: ranked.keys.first().filter(|_| is_in_order(plan)).cloned(),
            update_before,
            window_end: window.as_ref().map(WindowColumns::window_end),
        });
        let mut keys = ranked.keys.clone();
        keys.retain(|key| keeps_order(key, &partition));
        if wanted.last.is_some_and(|last| last == wanted.first) {
            keys.push(partition.clone());
        } else if wanted.rank_name.is_some() {
            keys.push(partition.iter().copied().chain([all]).collect());
        }
        let mut fields: Vec<_> = ranked.schema.fields().iter().cloned().collect();
        fields.extend(wanted.rank_name.map(|name| Arc::new(Field::new(name, DataType::Int64, false))));
        let kept: Vec<usize> = (0..width).chain(all..fields.len()).collect();
        let changelog = match arrival {
            Some(Arrival::OldestFirst) => ChangelogMode::APPEND,
            _ if window.is_some() => ChangelogMode::APPEND,
            _ if update_before => ChangelogMode::RETRACT,
            _ => ChangelogMode::UPSERT,
        };
        let output = Output { schema: Arc::new(Schema::new(fields)), changelog, keys };
        let id = self.state_id("rank", query);
        let ranked = self.add(operation, vec![input], output, parallelism, id)?;
        let window = window.map(|window| WindowColumns { dealt_by: None, ..window });
        self.set_window(&ranked, window);
        self.restored_columns(ranked, &kept, &source.schema, query)
    }

    /// Drops columns that were only there to rank by, and gives the others their names back.
    pub(super) fn restored_columns(
        &mut self,
        ranked: Input,
        kept: &[usize],
        names: &Schema,
        query: &LogicalPlan,
    ) -> Result<Input> {
        let source = self.plan().output(&ranked).clone();
        let expressions = kept
            .iter()
            .map(|column| Expr::Column(Column::new_unqualified(source.schema.field(*column).name())))
            .collect();
        let fields: Vec<_> = kept
            .iter()
            .enumerate()
            .map(|(place, column)| {
                let field = source.schema.field(*column).clone();
                match names.fields().get(place) {
                    Some(original) => field.with_name(original.name()),
                    None => field,
                }
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        if schema == source.schema {
            return Ok(ranked);
        }
        let passed: Vec<_> = kept.iter().copied().map(Some).collect();
        let output = Output { schema, changelog: source.changelog, keys: project_keys(&source.keys, &passed) };
        let id = self.state_id("ranked", query);
        let parallelism = self.plan().node(ranked.node).parallelism;
        let calc = sluice_plan::Calc { filter: None, projection: expressions };
        let window = self.window_of(&ranked).and_then(|window| window.projected(&passed));
        let restored = self.add(Operation::Calc(calc), vec![ranked], output, parallelism, id)?;
        self.set_window(&restored, window);
        Ok(restored)
    }
}

/// Which rows of which order are kept.
struct RankOf<'a> {
    partition: &'a [Expr],
    order: &'a [SortExpr],
    first: u64,
    last: Option<u64>,
    /// Name of the column of the rank, if it is wanted.
    rank_name: Option<String>,
}

/// An order that is that in which rows arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// A row that has come first stays first: nothing is ever taken back.
    OldestFirst,
    NewestFirst,
}

impl RankOf<'_> {
    /// Whether rows are in the order of their arrival: without an order, and by the time of the clock, which is one
    /// for many rows.
    fn arrival(&self, plan: &LogicalPlan) -> Option<Arrival> {
        let [SortExpr { expr: Expr::Column(column), asc, .. }] = self.order else {
            return self.order.is_empty().then_some(Arrival::OldestFirst);
        };
        let place = plan.schema().maybe_index_of_column(column)?;
        let arrival = if *asc { Arrival::OldestFirst } else { Arrival::NewestFirst };
        is_processing_time(plan, place).then_some(arrival)
    }

    /// Whether the newest of rows of the same time comes first: where only the last row is kept (Flink's
    /// deduplication).
    fn keeps_newest(&self, plan: &LogicalPlan, changelog: &ChangelogMode) -> bool {
        let [SortExpr { expr: Expr::Column(column), asc: false, .. }] = self.order else { return false };
        let Some(place) = plan.schema().maybe_index_of_column(column) else { return false };
        let is_last_row = self.first == 1 && self.last == Some(1);
        let is_time = is_rowtime(plan, place) && changelog.is_append() || is_processing_time(plan, place);
        is_last_row && is_time
    }
}

pub(super) fn sort_column(order: &SortExpr, columns: &mut Columns<'_>) -> Result<SortColumn> {
    let column = columns.place(&order.expr)?;
    Ok(SortColumn { column, descending: !order.asc, nulls_first: order.nulls_first })
}

/// `SELECT … FROM (… ROW_NUMBER() …) WHERE rn <= n`, with or without a projection on top.
pub(super) fn top_n_of<'a>(query: &'a LogicalPlan) -> Option<(TopN<'a>, Option<&'a Projection>)> {
    match query {
        LogicalPlan::Filter(filter) => Some((TopN::find(filter, None)?, None)),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Filter(filter) => Some((TopN::find(filter, Some(&projection.expr))?, Some(projection))),
            _ => None,
        },
        _ => None,
    }
}
