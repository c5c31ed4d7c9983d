//! Random numbers: one a row; with a seed, the same ones for every batch.

use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, Int32Type};
use datafusion_common::Result;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_model::SqlType;

use crate::error::fix;
use crate::function::{Call, Definition, Kind, Stability};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::Integer;
    vec![
        Definition::new("rand", &[], SqlType::Double, rand).or(&[Integer]).not_null().stability(Stability::PerRow),
        Definition::new("rand_integer", &[Integer], SqlType::Int, rand_integer)
            .or(&[Integer, Integer])
            .stability(Stability::PerRow)
            .fallible(),
    ]
}

/// A generator; seeded if the first of the arguments is a seed that is not `NULL`.
fn generator(call: &Call<'_>, has_seed: bool) -> Result<StdRng> {
    let seed = if has_seed && call.rows > 0 { call.integers(0)?.get(0) } else { None };
    Ok(seed.map_or_else(StdRng::from_os_rng, |seed| StdRng::seed_from_u64(seed as u64)))
}

fn rand(call: &Call<'_>) -> Result<ArrayRef> {
    let mut generator = generator(call, call.len() == 1)?;
    call.primitive::<Float64Type>(|_| Ok(Some(generator.random())))
}

fn rand_integer(call: &Call<'_>) -> Result<ArrayRef> {
    let bounds = call.integers(call.len() - 1)?;
    let mut generator = generator(call, call.len() == 2)?;
    call.primitive::<Int32Type>(|row| {
        let Some(bound) = bounds.get(row) else { return Ok(None) };
        match i32::try_from(bound) {
            Ok(bound) if bound > 0 => Ok(Some(generator.random_range(0..bound))),
            _ => Err(fix(format!("the bound of RAND_INTEGER must be positive, not {bound}"))),
        }
    })
}
