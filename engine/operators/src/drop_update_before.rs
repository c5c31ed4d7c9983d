//! Drops `-U` rows, for consumers that go by key.
//!
//! | input | output |
//! |---|---|
//! | `-U 1 a` | |
//! | `+U 1 b` | `+U 1 b` |

use sluice_model::{ChangelogBatch, Result};

use crate::{Operator, Output};

/// Drops `-U` rows.
#[derive(Debug, Default)]
pub struct DropUpdateBefore;

impl Operator for DropUpdateBefore {
    fn on_batch(&mut self, _input: usize, batch: ChangelogBatch, output: Output<'_>) -> Result<()> {
        let batch = batch.without_update_before()?;
        if batch.is_empty() { Ok(()) } else { output(batch) }
    }
}
