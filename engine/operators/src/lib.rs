//! Operators: synchronous, without I/O, without a clock. The runtime drives them.
//!
//! An [`Operator`] is handed batches and puts batches out; a chain of them runs in one task without
//! a channel in between. State, when an operator has any, is a set of tables ([`StateTable`]) that
//! the runtime asks for at a checkpoint and hands back after a restart.
//!
//! | input (`id`, `qty`) | `Calc: WHERE qty > 5` |
//! |---|---|
//! | `+I 1 9` | `+I 1 9` |
//! | `-U 1 9` | `-U 1 9` |
//! | `+U 1 3` | |

mod assign_watermark;
mod assign_window;
mod bit_set;
mod calc;
mod compact_rows;
mod drop_update_before;
mod event_time;
mod expand;
mod factory;
mod group_aggregate;
mod interval_join;
mod join;
mod key_index;
mod local_aggregate;
mod lookup_join;
mod memory;
#[cfg(test)]
mod memory_tests;
mod mini_batch;
mod normalize;
mod not_null;
mod open_windows;
mod over_aggregate;
mod rank;
mod reads;
mod row_codec;
mod row_store;
mod rows_by_time;
mod session_window;
mod shared;
mod state;
mod temporal_join;
mod temporal_sort;
#[cfg(test)]
mod testing;
mod time;
mod timed_rows;
mod ttl;
#[cfg(test)]
mod ttl_tests;
mod unnest;
mod upsert_materialize;
mod watermark;
mod window_join;

use std::time::Duration;

use sluice_model::{ChangelogBatch, Error, Result, SplitId, SplitStatus};

pub use assign_watermark::AssignWatermark;
pub use assign_window::AssignWindow;
pub use calc::Calc;
pub use drop_update_before::DropUpdateBefore;
pub use expand::Expand;
pub use factory::operator;
pub use group_aggregate::GroupAggregate;
pub use interval_join::IntervalJoin;
pub use join::Join;
pub use local_aggregate::LocalAggregate;
pub use lookup_join::{LookupJoin, LookupKeys};
pub use mini_batch::MiniBatch;
pub use normalize::Normalize;
pub use not_null::NotNull;
pub use over_aggregate::OverAggregate;
pub use rank::Rank;
pub use session_window::SessionWindow;
pub use state::{Scope, StateOutput, StateTable};
pub use temporal_join::TemporalJoin;
pub use temporal_sort::TemporalSort;
pub use unnest::Unnest;
pub use upsert_materialize::UpsertMaterialize;
pub use window_join::WindowJoin;

/// Where an operator puts its batches.
pub type Output<'a> = &'a mut dyn FnMut(ChangelogBatch) -> Result<()>;

/// A step of a chain.
pub trait Operator: Send {
    /// Handles the rows of an input (0 unless the operator has several).
    ///
    /// # Errors
    /// An expression failed on a row, e.g. a division by zero.
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()>;

    /// The ends of the parts in which a batch is to be handled, the last of which is its length; `None`: as
    /// a whole. Behind each part the operator is asked for its [`new_watermark`](Self::new_watermark).
    ///
    /// # Errors
    /// As [`on_batch`](Self::on_batch).
    fn parts(&mut self, _batch: &ChangelogBatch) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// Something is about a split of the source that the rows come from. Comes to operators that make
    /// watermarks, of sources that have splits.
    fn on_split(&mut self, _split: SplitId, _status: SplitStatus) {}

    /// The source is held back, or goes on. Comes to operators that make watermarks.
    fn on_held(&mut self, _is_held: bool) {}

    /// Event time has reached `watermark` (milliseconds since 1970) on all inputs: no row at or
    /// before it is expected any more.
    ///
    /// # Errors
    /// As [`on_batch`](Self::on_batch).
    fn on_watermark(&mut self, _watermark: i64, _output: Output<'_>) -> Result<()> {
        Ok(())
    }

    /// A barrier is about to pass: what is held back without being state has to be put out.
    ///
    /// # Errors
    /// As [`on_batch`](Self::on_batch).
    fn on_barrier(&mut self, _output: Output<'_>) -> Result<()> {
        Ok(())
    }

    /// The clock shows `now` (milliseconds since 1970). Comes before the first batch, again before a
    /// batch or a watermark if the clock has moved, and at [`next_timer`](Self::next_timer).
    ///
    /// # Errors
    /// As [`on_batch`](Self::on_batch).
    fn on_processing_time(&mut self, _now: i64, _output: Output<'_>) -> Result<()> {
        Ok(())
    }

    /// When the operator wants to be told the time even if nothing comes in, in milliseconds since
    /// 1970; `None`: it does not care. Asked for after every event, so it has to be cheap.
    fn next_timer(&self) -> Option<i64> {
        None
    }

    /// Forgets what it keeps of its inputs so long after it was last written; one duration, or none,
    /// per input. Called before anything else. Operators without state need not care.
    fn expire_after(&mut self, _ttl: &[Option<Duration>]) {}

    /// The watermark that the rows put out since the last call bring with them, in milliseconds since
    /// 1970; `None` for all operators but those that make watermarks.
    fn new_watermark(&mut self) -> Option<i64> {
        None
    }

    /// Whether the operator, one that makes watermarks, has become idle or active again since the last
    /// call: nobody is to wait for an idle one.
    fn new_idleness(&mut self) -> Option<bool> {
        None
    }

    /// What to pass on of a watermark of the input, behind [`on_watermark`](Self::on_watermark); `None`
    /// if it ends here.
    fn passed_watermark(&self, watermark: i64) -> Option<i64> {
        Some(watermark)
    }

    /// Number of rows that came too late for their windows, and were dropped, since the last call.
    fn take_late_rows(&mut self) -> u64 {
        0
    }

    /// Bytes of memory that its state takes, about. Asked for after every batch, so it has to be cheap.
    fn state_bytes(&self) -> usize {
        0
    }

    /// The tables that the operator keeps; none if it has no state.
    fn state_tables(&self) -> &[StateTable] {
        &[]
    }

    /// Hands out state.
    ///
    /// # Errors
    /// Whatever `output` returns.
    fn snapshot(&mut self, _scope: Scope, _output: StateOutput<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes rows of a state table back, in the order in which they were handed out. Called before
    /// the first batch. What is restored does not count as a change.
    ///
    /// # Errors
    /// State that the operator has no use for.
    fn restore(&mut self, _table: usize, _rows: ChangelogBatch) -> Result<()> {
        Err(Error::bug("state for an operator that keeps none"))
    }
}
