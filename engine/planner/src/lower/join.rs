//! Joins of two streams.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, JoinType, NullEquality};
use datafusion_expr::{Expr, LogicalPlan};
use sluice_model::{ChangelogMode, Error, Result};
use sluice_plan::{Calc, Distribution, Input, Join, JoinKind, Operation, Output};

use super::columns::Columns;
use super::keys::keeps_order;
use super::nodes::Nodes;
use super::time::WindowColumns;
use crate::bind::from_datafusion;
use crate::logical::{interval, version};

/// One input: its node, which columns of it the join goes by, how many of its columns are the query's.
pub(super) struct Side {
    pub(super) input: Input,
    pub(super) keys: Vec<usize>,
    pub(super) width: usize,
}

impl Nodes {
    pub(super) fn join(&mut self, join: &datafusion_expr::Join, query: &LogicalPlan) -> Result<Input> {
        if let Some(version) = version(&join.right) {
            return match &version.versions {
                Some(versions) => self.temporal_join(join, version, versions, query),
                None => self.lookup_join(join, version, query),
            };
        }
        if join.null_aware {
            return Err(Error::bug("NOT IN should have become NOT EXISTS"));
        }
        let (kind, is_swapped) = kind(join.join_type);
        let left = self.side(&join.left, join.on.iter().map(|(left, _)| left), query)?;
        let right = self.side(&join.right, join.on.iter().map(|(_, right)| right), query)?;
        let condition = join.filter.as_ref().map(|filter| condition(filter, join, is_swapped)).transpose()?;
        let (left, right) = if is_swapped { (right, left) } else { (left, right) };
        let outputs = [self.plan().output(&left.input).clone(), self.plan().output(&right.input).clone()];
        let plans = if is_swapped { [&join.right, &join.left] } else { [&join.left, &join.right] };
        let unique_key = |side: usize| outputs[side].keys.first().filter(|_| is_in_order(plans[side])).cloned();
        let unique_keys = [unique_key(0), unique_key(1)];
        // Columns of the right that are part of the result; the mark stands in their place.
        let kept_right = match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => 0,
            JoinKind::LeftMark => 1,
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => right.width,
        };
        let node = Join {
            kind,
            keys: left.keys.iter().copied().zip(right.keys.iter().copied()).collect(),
            null_equals_null: join.null_equality == NullEquality::NullEqualsNull,
            condition,
            unique_keys,
            inserts_only: [0, 1].map(|side: usize| outputs[side].changelog.is_append()),
            window_ends: None,
        };
        let windows = self.joined_windows([&left, &right], &node, &outputs);
        let is_append = outputs.iter().all(|output| output.changelog.is_append());
        if let Some(interval) = interval(join).filter(|_| windows.is_none() && is_append) {
            return self.interval_join(interval, node, [left, right], join, query);
        }
        let node = Join {
            window_ends: windows.as_ref().map(|windows| [windows[0].window_end(), windows[1].window_end()]),
            ..node
        };
        let adds_only = matches!(kind, JoinKind::Inner | JoinKind::LeftSemi);
        let appends = windows.is_some() || adds_only && is_append;
        let widths = (left.width, outputs[0].schema.fields().len(), kept_right);
        let parallelism = if node.keys.is_empty() { 1 } else { self.parallelism() };
        let mut keys = joined_keys(&outputs, &left.keys, &right.keys, kind);
        let all_right = right.keys.iter().map(|column| column + widths.1).collect::<Vec<_>>();
        keys.retain(|key| keeps_order(key, &left.keys) || keeps_order(key, &all_right));
        let output = Output {
            schema: joined_schema(&outputs, kind),
            changelog: if appends { ChangelogMode::APPEND } else { ChangelogMode::RETRACT },
            keys,
        };
        let inputs = [left, right].map(|side| self.dealt(side, parallelism)).into_iter().collect();
        let id = self.state_id("join", query);
        let joined = self.add(Operation::Join(Box::new(node)), inputs, output, parallelism, id)?;
        // The windows of a side whose rows are all there.
        let window = windows.and_then(|[left, right]| match kind {
            JoinKind::Right => right.placed(|column| Some(column + widths.1)),
            JoinKind::Full => None,
            _ => Some(left),
        });
        // Rows are dealt by the join key now.
        let window = window.map(|window| WindowColumns { dealt_by: None, ..window });
        self.set_window(&joined, window);
        plans.into_iter().enumerate().for_each(|(side, plan)| self.set_state_ttl(&joined, side, plan));
        self.without_computed_keys(joined, widths, query)
    }

    /// The windows of both sides, if rows are joined that are in the same window and never change.
    fn joined_windows(&self, sides: [&Side; 2], node: &Join, outputs: &[Output; 2]) -> Option<[WindowColumns; 2]> {
        if node.kind == JoinKind::LeftMark {
            return None;
        }
        let [left, right] = [self.window_of(&sides[0].input)?, self.window_of(&sides[1].input)?];
        let is_joined = node.keys.contains(&(left.start, right.start)) && node.keys.contains(&(left.end, right.end));
        let is_joined = is_joined && left.zone == right.zone;
        (is_joined && outputs.iter().all(|output| output.changelog.is_append())).then_some([left, right])
    }

    pub(super) fn side<'a>(
        &mut self,
        input: &LogicalPlan,
        keys: impl Iterator<Item = &'a Expr>,
        query: &LogicalPlan,
    ) -> Result<Side> {
        let from = self.lower(input)?;
        let source = self.plan().output(&from).clone();
        let width = source.schema.fields().len();
        let mut columns = Columns::all(input, source)?;
        let keys = keys.map(|key| columns.place(key)).collect::<Result<Vec<_>>>()?;
        Ok(Side { input: columns.add(self, from, query)?, keys, width })
    }

    pub(super) fn dealt(&self, side: Side, parallelism: usize) -> Input {
        let mut input = side.input;
        let upstream = self.plan().node(input.node).parallelism;
        if parallelism > 1 {
            input.distribution = Distribution::Hash(side.keys);
        } else if upstream > 1 {
            input.distribution = Distribution::Single;
        }
        input
    }

    /// Drops the columns that were only there to join by. `widths`: columns of the left that are the
    /// query's, all columns of the left, and columns of the right that are the result's.
    pub(super) fn without_computed_keys(
        &mut self,
        joined: Input,
        (left, all_left, right): (usize, usize, usize),
        query: &LogicalPlan,
    ) -> Result<Input> {
        let source = self.plan().output(&joined).clone();
        let kept: Vec<usize> = (0..left).chain(all_left..all_left + right).collect();
        if kept.len() == source.schema.fields().len() {
            return Ok(joined);
        }
        let passed: Vec<_> = kept.iter().copied().map(Some).collect();
        let output = Output {
            schema: Arc::new(source.schema.project(&kept).map_err(Error::from_arrow)?),
            changelog: source.changelog,
            keys: super::keys::project_keys(&source.keys, &passed),
        };
        let column = |index: &usize| Expr::Column(Column::new_unqualified(source.schema.field(*index).name()));
        let calc = Calc { filter: None, projection: kept.iter().map(column).collect() };
        let id = self.state_id("joined", query);
        let parallelism = self.plan().node(joined.node).parallelism;
        let window = self.window_of(&joined).and_then(|window| window.projected(&passed));
        let picked = self.add(Operation::Calc(calc), vec![joined], output, parallelism, id)?;
        self.set_window(&picked, window);
        Ok(picked)
    }
}

/// Whether the changes of a key come in their order at any parallelism, so that state may rely on it:
/// behind a join a row that changes its join key comes from another subtask.
pub(super) fn is_in_order(plan: &LogicalPlan) -> bool {
    let is_join = |plan: &LogicalPlan| matches!(plan, LogicalPlan::Join(_) | LogicalPlan::Window(_));
    !plan.exists(|node| Ok(is_join(node))).unwrap_or(true)
}

/// The kind of join, and whether left and right change places.
fn kind(join_type: JoinType) -> (JoinKind, bool) {
    match join_type {
        JoinType::Inner => (JoinKind::Inner, false),
        JoinType::Left => (JoinKind::Left, false),
        JoinType::Right => (JoinKind::Right, false),
        JoinType::Full => (JoinKind::Full, false),
        JoinType::LeftSemi => (JoinKind::LeftSemi, false),
        JoinType::LeftAnti => (JoinKind::LeftAnti, false),
        JoinType::RightSemi => (JoinKind::LeftSemi, true),
        JoinType::RightAnti => (JoinKind::LeftAnti, true),
        JoinType::LeftMark => (JoinKind::LeftMark, false),
        JoinType::RightMark => (JoinKind::LeftMark, true),
    }
}

/// The condition over `l0, l1, …` and `r0, r1, …`.
pub(super) fn condition(filter: &Expr, join: &datafusion_expr::Join, is_swapped: bool) -> Result<Expr> {
    let (left, right) = if is_swapped { ("r", "l") } else { ("l", "r") };
    let renamed = filter.clone().transform(|node| match node {
        Expr::Column(column) => {
            let name = match join.left.schema().maybe_index_of_column(&column) {
                Some(index) => format!("{left}{index}"),
                None => format!("{right}{}", join.right.schema().index_of_column(&column)?),
            };
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    });
    renamed.map(|renamed| renamed.data).map_err(|error| from_datafusion(error, &[]))
}

/// Columns of both sides; a side that may be missing is nullable.
pub(super) fn joined_schema(outputs: &[Output; 2], kind: JoinKind) -> SchemaRef {
    let nullable = [matches!(kind, JoinKind::Right | JoinKind::Full), matches!(kind, JoinKind::Left | JoinKind::Full)];
    let mark = Arc::new(Field::new("mark", DataType::Boolean, false));
    let sides = outputs.iter().zip(nullable).take(if kind.keeps_right() { 2 } else { 1 });
    let sides = sides.flat_map(|(output, nullable)| output.schema.fields().iter().map(move |field| (field, nullable)));
    let fields = sides.chain((kind == JoinKind::LeftMark).then_some((&mark, false)));
    let fields = fields.map(|(field, nullable)| field.as_ref().clone().with_nullable(field.is_nullable() || nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A side that matches at most one row of the other leaves the other's keys unique; otherwise a pair
/// is identified by a key of each.
pub(super) fn joined_keys(outputs: &[Output; 2], left: &[usize], right: &[usize], kind: JoinKind) -> Vec<Vec<usize>> {
    let [left_output, right_output] = outputs;
    if !kind.keeps_right() {
        return left_output.keys.clone();
    }
    let is_unique = |output: &Output, columns: &[usize]| {
        output.keys.iter().any(|key| key.iter().all(|column| columns.contains(column)))
    };
    let width = left_output.schema.fields().len();
    let shifted = |key: &Vec<usize>| key.iter().map(|column| column + width).collect::<Vec<_>>();
    let mut keys = Vec::new();
    // A row of the other side that has no partner has NULLs in these columns.
    if is_unique(right_output, right) && matches!(kind, JoinKind::Inner | JoinKind::Left) {
        keys.extend(left_output.keys.clone());
    }
    if is_unique(left_output, left) && matches!(kind, JoinKind::Inner | JoinKind::Right) {
        keys.extend(right_output.keys.iter().map(shifted));
    }
    if keys.is_empty() {
        for left in &left_output.keys {
            keys.extend(right_output.keys.iter().map(|right| [left.clone(), shifted(right)].concat()));
        }
    }
    keys
}
