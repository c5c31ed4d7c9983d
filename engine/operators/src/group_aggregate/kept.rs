//! One value a group: `MIN`, `MAX`, `FIRST_VALUE` and `LAST_VALUE` where nothing is taken back.

use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, PrimitiveArray, downcast_primitive};
use arrow_schema::DataType;
use sluice_model::{Error, Result};

use super::accumulator::{Accumulator, Input, primitive};
use super::codec::Codec;
use super::sum::lost;
use crate::key_index::Slot;
use crate::memory;

/// Which value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `MIN`.
    Least,
    /// `MAX`.
    Greatest,
    /// `FIRST_VALUE`, in order of arrival.
    First,
    /// `LAST_VALUE`, in order of arrival.
    Last,
}

/// What keeps values of a type.
pub(super) fn kept(data_type: DataType, rule: Rule) -> Result<Box<dyn Accumulator>> {
    macro_rules! primitives {
        ($type:ty, $data_type:ident, $rule:ident) => {
            Ok(Box::new(KeptPrimitive::<$type>::new($data_type.clone(), $rule)))
        };
    }
    downcast_primitive! {
        data_type => (primitives, data_type, rule),
        _ => Ok(Box::new(KeptBytes::new(data_type, rule)?))
    }
}

/// Values of fixed width.
struct KeptPrimitive<T: ArrowPrimitiveType> {
    values: Vec<Option<T::Native>>,
    data_type: DataType,
    rule: Rule,
}

impl<T: ArrowPrimitiveType> KeptPrimitive<T> {
    fn new(data_type: DataType, rule: Rule) -> Self {
        Self { values: Vec::new(), data_type, rule }
    }

    /// Puts a value where the one that is there, if any, has to go.
    fn replace(&mut self, input: &Input<'_>, wins: impl Fn(T::Native, T::Native) -> bool) -> Result<()> {
        for ((slot, weight), value) in input.rows().zip(input.primitive::<T>()?.values()) {
            if weight > 0 {
                let place = &mut self.values[slot];
                if place.is_none_or(|old| wins(*value, old)) {
                    *place = Some(*value);
                }
            }
        }
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> Accumulator for KeptPrimitive<T> {
    fn resize(&mut self, slots: usize) {
        self.values.resize(slots, None);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.values)
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        match self.rule {
            Rule::Least => self.replace(input, |new, old| new.is_lt(old)),
            Rule::Greatest => self.replace(input, |new, old| new.is_gt(old)),
            Rule::First => self.replace(input, |_, _| false),
            Rule::Last => self.replace(input, |_, _| true),
        }
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = slots.iter().map(|slot| self.values[*slot as usize]).collect();
        Ok(Arc::new(values.with_data_type(self.data_type.clone())))
    }

    fn clear(&mut self, slot: Slot) {
        self.values[slot as usize] = None;
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("value", self.data_type.clone())]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let values = primitive::<T>(columns.first().ok_or_else(lost)?)?;
        for (slot, value) in slots.iter().zip(values) {
            self.values[*slot as usize] = value;
        }
        Ok(())
    }
}

/// Values of any type, in an encoding whose bytes have the order of the values.
#[derive(Debug)]
struct KeptBytes {
    values: Vec<Option<Box<[u8]>>>,
    /// Memory of the values.
    value_bytes: usize,
    codec: Codec,
    data_type: DataType,
    rule: Rule,
}

impl KeptBytes {
    fn new(data_type: DataType, rule: Rule) -> Result<Self> {
        Ok(Self { values: Vec::new(), value_bytes: 0, codec: Codec::new(&data_type)?, data_type, rule })
    }
}

impl KeptBytes {
    fn set(&mut self, slot: usize, value: Option<&[u8]>) {
        let place = &mut self.values[slot];
        self.value_bytes -= place.as_ref().map_or(0, |old| memory::of_box(old.len()));
        self.value_bytes += value.map_or(0, |new| memory::of_box(new.len()));
        *place = value.map(Box::from);
    }
}

impl Accumulator for KeptBytes {
    fn resize(&mut self, slots: usize) {
        self.values.resize(slots, None);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.values) + self.value_bytes
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let argument = input.arguments.first().ok_or_else(|| Error::bug("an aggregate without an argument"))?;
        let encoded = self.codec.encode(argument)?;
        for ((slot, weight), value) in input.rows().zip(encoded.iter()) {
            if weight > 0 {
                let (new, place) = (value.data(), self.values[slot].as_deref());
                let wins = place.is_none_or(|old| match self.rule {
                    Rule::Least => new < old,
                    Rule::Greatest => new > old,
                    Rule::First => false,
                    Rule::Last => true,
                });
                if wins {
                    self.set(slot, Some(new));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        self.codec.decode(slots.iter().map(|slot| self.values[*slot as usize].as_deref()))
    }

    fn clear(&mut self, slot: Slot) {
        self.set(slot as usize, None);
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("value", self.data_type.clone())]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        let column = columns.first().ok_or_else(lost)?;
        let encoded = self.codec.encode(column)?;
        for (row, (slot, value)) in slots.iter().zip(encoded.iter()).enumerate() {
            self.set(*slot as usize, (!column.is_null(row)).then(|| value.data()));
        }
        Ok(())
    }
}
