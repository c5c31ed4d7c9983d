//! A call: its accumulator, and which rows it sees.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use sluice_model::{Error, Result};
use sluice_plan::AggregateCall;

use super::accumulator::{Accumulator, Input, accumulator, counts_nulls, is_always_distinct, is_idempotent};
use super::multiset::Multiset;
use super::side::SideTable;
use crate::key_index::Slot;

/// One aggregate call over all groups.
pub(crate) struct Call {
    arguments: Vec<usize>,
    filter: Option<usize>,
    /// Rows with a NULL argument do not count.
    skips_nulls: bool,
    /// What has been seen, for `DISTINCT`.
    distinct: Option<Multiset>,
    accumulator: Box<dyn Accumulator>,
}

impl Call {
    pub(crate) fn new(call: &AggregateCall, input: &Schema, retracts: bool) -> Result<Self> {
        let type_of = |column: &usize| {
            let field = input.fields().get(*column);
            field
                .map(|field| field.data_type().clone())
                .ok_or_else(|| Error::bug("an aggregate of a column that is not there"))
        };
        let types = call.arguments.iter().map(type_of).collect::<Result<Vec<DataType>>>()?;
        let distinct = call.distinct && !is_idempotent(call) || is_always_distinct(call);
        Ok(Self {
            arguments: call.arguments.clone(),
            filter: call.filter,
            skips_nulls: !counts_nulls(call),
            distinct: distinct.then(|| Multiset::new(types.clone())).transpose()?,
            accumulator: accumulator(call, &types, retracts)?,
        })
    }

    pub(crate) fn resize(&mut self, slots: usize) {
        if let Some(distinct) = &mut self.distinct {
            distinct.resize(slots);
        }
        self.accumulator.resize(slots);
    }

    /// Counts the rows of a batch.
    pub(crate) fn update(&mut self, rows: &RecordBatch, slots: &[Slot], weights: &[i8]) -> Result<()> {
        let arguments: Vec<ArrayRef> = self.arguments.iter().map(|column| rows.column(*column).clone()).collect();
        let mut own = self.own_weights(rows, &arguments, weights)?;
        if let Some(distinct) = &mut self.distinct {
            distinct.keep_distinct(slots, &arguments, own.get_or_insert_with(|| weights.to_vec()))?;
        }
        let weights = own.as_deref().unwrap_or(weights);
        self.accumulator.update(&Input { slots, weights, arguments: &arguments })
    }

    /// The weights of rows, if they differ from those that all calls share.
    fn own_weights(&self, rows: &RecordBatch, arguments: &[ArrayRef], weights: &[i8]) -> Result<Option<Vec<i8>>> {
        let mut own: Option<Vec<i8>> = None;
        if let Some(filter) = self.filter {
            let condition =
                rows.column(filter).as_boolean_opt().ok_or_else(|| Error::bug("a filter is not a condition"))?;
            let own = own.get_or_insert_with(|| weights.to_vec());
            for (row, weight) in own.iter_mut().enumerate() {
                *weight *= i8::from(condition.is_valid(row) && condition.value(row));
            }
        }
        for nulls in arguments.iter().filter_map(|argument| argument.nulls()).filter(|_| self.skips_nulls) {
            let own = own.get_or_insert_with(|| weights.to_vec());
            for (weight, valid) in own.iter_mut().zip(nulls) {
                *weight *= i8::from(valid);
            }
        }
        Ok(own)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.accumulator.bytes() + self.distinct.as_ref().map_or(0, Multiset::bytes)
    }

    pub(crate) fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        self.accumulator.evaluate(slots)
    }

    pub(crate) fn clear(&mut self, slot: Slot) {
        if let Some(distinct) = &mut self.distinct {
            distinct.clear(slot);
        }
        self.accumulator.clear(slot);
    }

    pub(super) fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        self.accumulator.state_columns()
    }

    pub(super) fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        self.accumulator.state(slots)
    }

    pub(super) fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        self.accumulator.restore(slots, columns)
    }

    /// Its side tables with their names.
    pub(super) fn sides(&mut self) -> impl Iterator<Item = (&'static str, &mut dyn SideTable)> {
        let distinct = self.distinct.as_mut().map(|distinct| ("distinct", distinct as &mut dyn SideTable));
        let values = self.accumulator.side().map(|side| ("values", side));
        distinct.into_iter().chain(values)
    }
}
