//! The rows of a batch with the rows of the other side that lie near them in time.

use arrow_buffer::BooleanBuffer;
use sluice_model::Result;

use crate::join::condition::Condition;
use crate::join::rows::{Place, RowId, RowStore};
use crate::key_index::Slot;
use crate::rows_by_time::RowsByTime;

/// Candidates are collected up to about this number before they are judged.
const CANDIDATES: usize = 16 * 1024;

/// A row that has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) place: Place,
    pub(super) slot: Slot,
    /// `None`: its time or its key is equal to nothing.
    pub(super) time: Option<i64>,
}

/// The candidates of some rows.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Rows of the other side, arrival by arrival.
    pub(super) rows: Vec<RowId>,
    /// Where the candidates of each arrival end.
    ends: Vec<usize>,
    own: Vec<Place>,
    other: Vec<Place>,
    holds: Option<BooleanBuffer>,
}

impl Pairs {
    /// Collects the candidates of the first of `arrivals`, and tells of how many: of one at least, and
    /// of more until there are many candidates. `lower` and `upper` are what the time of the other side
    /// may differ by.
    pub(super) fn collect(&mut self, arrivals: &[Arrival], other: &RowsByTime, [lower, upper]: [i64; 2]) -> usize {
        self.rows.clear();
        self.own.clear();
        self.ends.clear();
        self.holds = None;
        for arrival in arrivals {
            if let Some(time) = arrival.time {
                self.rows.extend(other.within(arrival.slot, time.saturating_add(lower), time.saturating_add(upper)));
            }
            self.own.resize(self.rows.len(), arrival.place);
            self.ends.push(self.rows.len());
            if self.rows.len() >= CANDIDATES {
                break;
            }
        }
        self.other.clear();
        self.other.extend(self.rows.iter().map(|row| other.entry(*row).place));
        self.ends.len()
    }

    /// Evaluates the condition on all candidates; `input` is the side of the arrivals.
    ///
    /// # Errors
    /// As [`Condition::evaluate`].
    pub(super) fn judge(&mut self, condition: &Condition, input: usize, stores: [&RowStore; 2]) -> Result<()> {
        let places = if input == 0 { [&*self.own, &*self.other] } else { [&*self.other, &*self.own] };
        self.holds = Some(condition.evaluate(stores, places)?);
        Ok(())
    }

    /// The partners of arrival number `number`, with their places.
    pub(super) fn partners(&self, number: usize) -> impl Iterator<Item = (RowId, Place)> {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let holds = |pair: &usize| self.holds.as_ref().is_none_or(|holds| holds.value(*pair));
        (start..self.ends[number]).filter(holds).map(|pair| (self.rows[pair], self.other[pair]))
    }
}
