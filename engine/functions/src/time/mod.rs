//! Dates, times and timestamps.

mod add_diff;
pub(crate) mod civil;
mod difference;
mod extract;
mod format;
mod now;
mod pattern;
mod round;
mod unit;
mod unix;
pub(crate) mod wall_clock;
pub(crate) mod watermark;
pub(crate) mod zone;

use crate::function::Definition;

pub(crate) fn definitions() -> Vec<Definition> {
    [
        add_diff::definitions(),
        difference::definitions(),
        extract::definitions(),
        format::definitions(),
        now::definitions(),
        round::definitions(),
        unix::definitions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
