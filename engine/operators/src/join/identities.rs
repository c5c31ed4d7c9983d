//! What tells the rows of a side apart.
//!
//! | the side | rows are known by |
//! |---|---|
//! | has a unique key inside of the join key | the number of their join key |
//! | only inserts | the order of their arrival: nothing will ask for a row again |
//! | anything else | their unique key and join key, or all of their columns |

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use hashbrown::HashMap;
use sluice_model::{Error, Result};

use super::layout::{Identity, Layout};
use super::rows::{NO_ROW, RowId};
use crate::key_index::{KeyIndex, Slot};
use crate::memory;

/// See the module.
#[derive(Debug)]
pub(super) enum Identities {
    Key,
    Columns(KeyIndex),
    Arrival(Arrivals),
}

/// The arrival numbers of rows.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// By row; [`GONE`] where a row's number is free.
    numbers: Vec<i64>,
    free: Vec<RowId>,
    next: i64,
    /// Rows by key and arrival number while state is read; empty afterwards.
    restored: HashMap<(Slot, i64), RowId>,
}

const GONE: i64 = -1;

impl Identities {
    /// For the rows of a layout.
    ///
    /// # Errors
    /// A column of a type that cannot identify a row.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        Ok(match layout.identity() {
            Identity::Key => Self::Key,
            Identity::Columns(_) => Self::Columns(KeyIndex::new(&layout.identity_types())?),
            Identity::Arrival => Self::Arrival(Arrivals::default()),
        })
    }

    /// One more than the largest number of a row; `keys` is that of the keys.
    pub(super) fn capacity(&self, keys: usize) -> usize {
        match self {
            Self::Key => keys,
            Self::Columns(index) => index.capacity(),
            Self::Arrival(arrivals) => arrivals.numbers.len(),
        }
    }

    /// The columns that identify rows in the state, of which only the end is saved.
    ///
    /// # Errors
    /// A bug: a row that is not known.
    pub(super) fn columns(&self, ids: &[RowId], keys: &KeyIndex) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Key => keys.columns(ids.iter().copied()),
            Self::Columns(index) => index.columns(ids.iter().copied()),
            Self::Arrival(_) => Err(Error::bug("the end of a row that only came is not saved")),
        }
    }

    /// Frees the number of a row, if it has one of its own.
    pub(super) fn remove(&mut self, id: RowId) {
        match self {
            Self::Key => {}
            Self::Columns(index) => index.remove(id),
            Self::Arrival(arrivals) => arrivals.remove(id),
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Key => 0,
            Self::Columns(index) => index.bytes(),
            Self::Arrival(Arrivals { numbers, free, .. }) => memory::of_vec(numbers) + memory::of_vec(free),
        }
    }

    /// True if no row has a number of its own.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Key => true,
            Self::Columns(index) => index.len() == 0,
            Self::Arrival(arrivals) => arrivals.free.len() == arrivals.numbers.len(),
        }
    }
}

impl Arrivals {
    /// Numbers of so many rows that come now.
    ///
    /// # Errors
    /// More rows than numbers.
    pub(super) fn arrive(&mut self, rows: usize) -> Result<Vec<RowId>> {
        self.restored = HashMap::new();
        (0..rows).map(|_| self.add(self.next)).collect()
    }

    /// Numbers of rows of the state, which know when they came.
    ///
    /// # Errors
    /// A column that does not tell that; more rows than numbers.
    pub(super) fn restore(&mut self, keys: &[Slot], arrivals: &ArrayRef) -> Result<Vec<RowId>> {
        let arrivals = arrivals.as_primitive_opt::<Int64Type>().filter(|column| column.null_count() == 0);
        let arrivals = arrivals.ok_or_else(|| Error::bug("the state of a join does not tell when rows came"))?;
        let row = |(key, arrival): (&Slot, &i64)| match self.restored.get(&(*key, *arrival)) {
            Some(id) => Ok(*id),
            None => {
                let id = self.add(*arrival)?;
                self.restored.insert((*key, *arrival), id);
                Ok(id)
            }
        };
        keys.iter().zip(arrivals.values()).map(row).collect()
    }

    /// When rows came.
    pub(super) fn column(&self, ids: &[RowId]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| self.numbers[*id as usize])))
    }

    fn add(&mut self, arrival: i64) -> Result<RowId> {
        self.next = self.next.max(arrival + 1);
        if let Some(id) = self.free.pop() {
            self.numbers[id as usize] = arrival;
            return Ok(id);
        }
        let id = RowId::try_from(self.numbers.len()).ok().filter(|id| *id != NO_ROW);
        let id = id.ok_or_else(|| Error::fix("a join keeps more than 2^32 rows on one side"))?;
        self.numbers.push(arrival);
        Ok(id)
    }

    fn remove(&mut self, id: RowId) {
        if let Some(number) = self.numbers.get_mut(id as usize)
            && std::mem::replace(number, GONE) != GONE
        {
            self.free.push(id);
        }
    }
}
