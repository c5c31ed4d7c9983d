//! `LISTAGG` where nothing is taken back: the text so far.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};
use arrow_schema::DataType;
use sluice_model::{Error, Result};

use super::accumulator::{Accumulator, Input};
use super::sum::lost;
use crate::key_index::Slot;
use crate::memory;

/// Texts behind one another, with a separator.
#[derive(Debug)]
pub(super) struct Text {
    texts: Vec<Option<String>>,
    /// Memory of the texts.
    text_bytes: usize,
    separator: String,
}

impl Text {
    pub(super) fn new(separator: &str) -> Self {
        Self { texts: Vec::new(), text_bytes: 0, separator: separator.to_owned() }
    }

    fn set(&mut self, slot: usize, text: Option<&str>) {
        let place = &mut self.texts[slot];
        self.text_bytes -= place.as_ref().map_or(0, |old| memory::of_box(old.capacity()));
        *place = text.map(str::to_owned);
        self.text_bytes += place.as_ref().map_or(0, |new| memory::of_box(new.capacity()));
    }
}

fn strings(column: Option<&ArrayRef>) -> Result<&StringArray> {
    column.ok_or_else(lost)?.as_string_opt().ok_or_else(|| Error::bug("LISTAGG of something else than text"))
}

/// Texts as a column.
///
/// # Errors
/// They are too long for one: its offsets have 31 bits, and old and new results are put out together.
pub(super) fn column_of(texts: &[Option<impl AsRef<str>>]) -> Result<ArrayRef> {
    let length: usize = texts.iter().flatten().map(|text| text.as_ref().len()).sum();
    if length > MAX_BYTES {
        return Err(Error::fix("results of LISTAGG that change together have more than 1 GiB")
            .with_hint("group by more columns, or filter the values"));
    }
    Ok(Arc::new(texts.iter().map(Option::as_ref).collect::<StringArray>()))
}

const MAX_BYTES: usize = 1 << 30;

impl Accumulator for Text {
    fn resize(&mut self, slots: usize) {
        self.texts.resize(slots, None);
    }

    fn bytes(&self) -> usize {
        memory::of_vec(&self.texts) + self.text_bytes
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let values = strings(input.arguments.first())?;
        for (row, (slot, weight)) in input.rows().enumerate() {
            if weight > 0 {
                match &mut self.texts[slot] {
                    Some(text) => {
                        let before = memory::of_box(text.capacity());
                        text.push_str(&self.separator);
                        text.push_str(values.value(row));
                        self.text_bytes += memory::of_box(text.capacity()) - before;
                    }
                    None => self.set(slot, Some(values.value(row))),
                }
            }
        }
        Ok(())
    }

    fn evaluate(&self, slots: &[Slot]) -> Result<ArrayRef> {
        column_of(&slots.iter().map(|slot| self.texts[*slot as usize].as_deref()).collect::<Vec<_>>())
    }

    fn clear(&mut self, slot: Slot) {
        self.set(slot as usize, None);
    }

    fn state_columns(&self) -> Vec<(&'static str, DataType)> {
        vec![("text", DataType::Utf8)]
    }

    fn state(&self, slots: &[Slot]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(slots)?])
    }

    fn restore(&mut self, slots: &[Slot], columns: &[ArrayRef]) -> Result<()> {
        for (slot, text) in slots.iter().zip(strings(columns.first())?) {
            self.set(*slot as usize, text);
        }
        Ok(())
    }
}
