//! Operators: synchronous, without I/O, without a clock. The runtime drives them.
//!
//! An [`Operator`] is handed batches and puts batches out; a chain of them runs in one task without
//! a channel in between. State, when an operator has any, lives in `sluice-state`.
//!
//! | input (`id`, `qty`) | `Calc: WHERE qty > 5` |
//! |---|---|
//! | `+I 1 9` | `+I 1 9` |
//! | `-U 1 9` | `-U 1 9` |
//! | `+U 1 3` | |

mod calc;
mod drop_update_before;
mod factory;
mod not_null;

use sluice_model::{ChangelogBatch, Result};

pub use calc::Calc;
pub use drop_update_before::DropUpdateBefore;
pub use factory::operator;
pub use not_null::NotNull;

/// Where an operator puts its batches.
pub type Output<'a> = &'a mut dyn FnMut(ChangelogBatch) -> Result<()>;

/// A step of a chain.
pub trait Operator: Send {
    /// Handles the rows of an input (0 unless the operator has several).
    ///
    /// # Errors
    /// An expression failed on a row, e.g. a division by zero.
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()>;
}
