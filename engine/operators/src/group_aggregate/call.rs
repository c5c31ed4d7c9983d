//! The calls of an aggregate: their accumulators, and which rows each sees.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use sluice_model::{Error, Result};
use sluice_plan::AggregateCall;

use super::accumulator::{Accumulator, Input, accumulator, counts_nulls, is_always_distinct, is_idempotent};
use super::distinct::Distinct;
use super::side::SideTable;
use crate::key_index::Slot;

/// Calls over the same groups.
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// What the calls with `DISTINCT` have seen; those over the same arguments share it.
    distinct: Vec<Distinct>,
}

/// One aggregate call over all groups.
struct Call {
    arguments: Vec<usize>,
    filter: Option<usize>,
    /// Rows with a NULL argument do not count.
    skips_nulls: bool,
    /// For `DISTINCT`: what it has seen, and its number among the calls that share that.
    distinct: Option<(usize, usize)>,
    accumulator: Box<dyn Accumulator>,
}

impl Calls {
    pub(crate) fn new(nodes: &[AggregateCall], input: &Schema, retracts: bool) -> Result<Self> {
        let mut calls = Self { calls: Vec::with_capacity(nodes.len()), distinct: Vec::new() };
        for node in nodes {
            calls.add(node, input, retracts)?;
        }
        Ok(calls)
    }

    fn add(&mut self, call: &AggregateCall, input: &Schema, retracts: bool) -> Result<()> {
        let type_of = |column: &usize| {
            let field = input.fields().get(*column);
            field
                .map(|field| field.data_type().clone())
                .ok_or_else(|| Error::bug("an aggregate of a column that is not there"))
        };
        let types = call.arguments.iter().map(type_of).collect::<Result<Vec<DataType>>>()?;
        let is_distinct = call.distinct && !is_idempotent(call) || is_always_distinct(call);
        let distinct = is_distinct.then(|| self.share(&call.arguments, &types)).transpose()?;
        self.calls.push(Call {
            arguments: call.arguments.clone(),
            filter: call.filter,
            skips_nulls: !counts_nulls(call),
            distinct,
            accumulator: accumulator(call, &types, retracts)?,
        });
        Ok(())
    }

    /// A place among the calls with `DISTINCT` over these columns.
    fn share(&mut self, arguments: &[usize], types: &[DataType]) -> Result<(usize, usize)> {
        let shared = self.distinct.iter().position(|distinct| distinct.arguments() == arguments);
        let shared = match shared {
            Some(shared) => shared,
            None => {
                self.distinct.push(Distinct::new(arguments.to_vec(), types.to_vec())?);
                self.distinct.len() - 1
            }
        };
        Ok((shared, self.distinct[shared].join()))
    }

    pub(crate) fn resize(&mut self, slots: usize) {
        self.distinct.iter_mut().for_each(|distinct| distinct.resize(slots));
        self.calls.iter_mut().for_each(|call| call.accumulator.resize(slots));
    }

    /// Counts the rows of a batch.
    pub(crate) fn update(&mut self, rows: &RecordBatch, slots: &[Slot], weights: &[i8]) -> Result<()> {
        let own = self.calls.iter().map(|call| call.own_weights(rows, weights));
        let mut own = own.collect::<Result<Vec<_>>>()?;
        for (shared, distinct) in self.distinct.iter_mut().enumerate() {
            let sees = |call: &Call| call.distinct.is_some_and(|(seen, _)| seen == shared);
            let members: Vec<usize> = (0..self.calls.len()).filter(|call| sees(&self.calls[*call])).collect();
            let take = |call: &usize| own[*call].take().unwrap_or_else(|| weights.to_vec());
            let mut of_members: Vec<Vec<i8>> = members.iter().map(take).collect();
            distinct.keep_distinct(rows, slots, &mut of_members)?;
            for (member, weights) in members.into_iter().zip(of_members) {
                own[member] = Some(weights);
            }
        }
        for (call, own) in self.calls.iter_mut().zip(&own) {
            let (weights, arguments) = (own.as_deref().unwrap_or(weights), call.arguments(rows));
            call.accumulator.update(&Input { slots, weights, arguments: &arguments })?;
        }
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let accumulators: usize = self.calls.iter().map(|call| call.accumulator.bytes()).sum();
        accumulators + self.distinct.iter().map(Distinct::bytes).sum::<usize>()
    }

    /// The results of groups, a column for each call.
    pub(crate) fn evaluate(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.calls.iter().map(|call| call.accumulator.evaluate(slots)).collect()
    }

    /// Forgets groups.
    pub(crate) fn clear(&mut self, slots: &[Slot]) -> Result<()> {
        for distinct in &mut self.distinct {
            distinct.clear(slots)?;
        }
        for call in &mut self.calls {
            slots.iter().for_each(|slot| call.accumulator.clear(*slot));
        }
        Ok(())
    }

    /// What each call adds to the table of groups: names and types of columns.
    pub(super) fn state_columns(&self) -> impl Iterator<Item = Vec<(&'static str, DataType)>> {
        self.calls.iter().map(|call| call.accumulator.state_columns())
    }

    /// These columns, for groups.
    pub(super) fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        let columns = self.calls.iter().map(|call| call.accumulator.state(slots));
        Ok(columns.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Takes these columns back.
    pub(super) fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let mut rest = columns;
        for call in &mut self.calls {
            let own = call.accumulator.state_columns().len();
            let (columns, others) = rest.split_at_checked(own).ok_or_else(super::sum::lost)?;
            call.accumulator.restore(slots, columns)?;
            rest = others;
        }
        Ok(())
    }

    /// Visits the side tables: each with the number of its call, and its name.
    pub(super) fn visit_sides(
        &mut self,
        mut visit: impl FnMut(usize, &'static str, &mut dyn SideTable) -> Result<()>,
    ) -> Result<()> {
        for (number, call) in self.calls.iter_mut().enumerate() {
            if let Some((shared, member)) = call.distinct {
                visit(number, "distinct", &mut self.distinct[shared].side(member))?;
            }
            if let Some(side) = call.accumulator.side() {
                visit(number, "values", side)?;
            }
        }
        Ok(())
    }
}

impl Call {
    fn arguments(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.arguments.iter().map(|column| ArrayRef::clone(rows.column(*column))).collect()
    }

    /// The weights of rows, if they differ from those that all calls share.
    fn own_weights(&self, rows: &RecordBatch, weights: &[i8]) -> Result<Option<Vec<i8>>> {
        let mut own: Option<Vec<i8>> = None;
        if let Some(filter) = self.filter {
            let condition =
                rows.column(filter).as_boolean_opt().ok_or_else(|| Error::bug("a filter is not a condition"))?;
            let own = own.get_or_insert_with(|| weights.to_vec());
            for (weight, holds) in own.iter_mut().zip(condition.values()) {
                *weight *= i8::from(holds);
            }
            if let Some(nulls) = condition.nulls() {
                leave_out(own, nulls.iter());
            }
        }
        let arguments = self.arguments.iter().map(|column| rows.column(*column));
        for nulls in arguments.filter_map(|argument| argument.nulls()).filter(|_| self.skips_nulls) {
            leave_out(own.get_or_insert_with(|| weights.to_vec()), nulls.iter());
        }
        Ok(own)
    }
}

/// Leaves the rows that do not count without weight.
fn leave_out(weights: &mut [i8], counts: impl Iterator<Item = bool>) {
    for (weight, counts) in weights.iter_mut().zip(counts) {
        *weight *= i8::from(counts);
    }
}
