//! Functions of numbers.

mod analytic;
mod random;
mod rounding;

use crate::function::Definition;

pub(crate) fn definitions() -> Vec<Definition> {
    [analytic::definitions(), random::definitions(), rounding::definitions()].into_iter().flatten().collect()
}
