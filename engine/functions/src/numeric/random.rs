//! `RAND` and `RAND_INTEGER`: one number a row; with a seed, those of Java's `java.util.Random`.
//!
//! A constant seed starts one sequence for a batch of rows, a seed in a column starts one in each row.

use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, Int32Type};
use datafusion_common::Result;
use rand::Rng;
use sluice_model::SqlType;

use crate::error::fix;
use crate::function::{Call, Definition, Kind, Stability};

pub(super) fn definitions() -> Vec<Definition> {
    use Kind::Integer;
    vec![
        Definition::new("rand", &[], SqlType::Double, rand).or(&[Integer]).stability(Stability::PerRow),
        Definition::new("rand_integer", &[Integer], SqlType::Int, rand_integer)
            .or(&[Integer, Integer])
            .stability(Stability::PerRow)
            .fallible(),
    ]
}

/// The generator that `java.util.Random` specifies: 48 bits, linear congruential.
#[derive(Debug)]
struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> Self {
        Self((seed as u64 ^ Self::MULTIPLIER) & Self::MASK)
    }

    /// The next `bits` bits, without a sign.
    fn next(&mut self, bits: u32) -> u64 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xB) & Self::MASK;
        self.0 >> (48 - bits)
    }

    fn next_double(&mut self) -> f64 {
        let high = self.next(26) << 27;
        (high + self.next(27)) as f64 / (1u64 << 53) as f64
    }

    /// Below `bound`, which is positive.
    fn next_int(&mut self, bound: i32) -> i32 {
        let bound = u64::from(bound.unsigned_abs());
        if bound.is_power_of_two() {
            return ((bound * self.next(31)) >> 31) as i32;
        }
        loop {
            let bits = self.next(31);
            let value = bits % bound;
            // Numbers above the last multiple of the bound would make the small ones likelier.
            if bits - value + (bound - 1) < 1 << 31 {
                return value as i32;
            }
        }
    }
}

/// The sequences of a call with a seed.
struct Seeded {
    seeds: crate::function::Cells<arrow_array::Int64Array>,
    constant: bool,
    current: Option<JavaRandom>,
}

impl Seeded {
    fn new(call: &Call<'_>) -> Result<Self> {
        Ok(Self { seeds: call.integers(0)?, constant: call.is_constant(0), current: None })
    }

    /// The sequence of a row; `None` if its seed is `NULL`.
    fn get(&mut self, row: usize) -> Option<&mut JavaRandom> {
        let seed = self.seeds.get(row)?;
        if self.constant && self.current.is_some() {
            return self.current.as_mut();
        }
        Some(self.current.insert(JavaRandom::new(seed)))
    }
}

fn rand(call: &Call<'_>) -> Result<ArrayRef> {
    if call.len() == 0 {
        let mut generator = rand::rng();
        return call.primitive::<Float64Type>(|_| Ok(Some(generator.random())));
    }
    let mut seeded = Seeded::new(call)?;
    call.primitive::<Float64Type>(|row| Ok(seeded.get(row).map(JavaRandom::next_double)))
}

fn rand_integer(call: &Call<'_>) -> Result<ArrayRef> {
    let bounds = call.integers(call.len() - 1)?;
    let mut seeded = (call.len() == 2).then(|| Seeded::new(call)).transpose()?;
    let mut generator = rand::rng();
    call.primitive::<Int32Type>(|row| {
        let Some(bound) = bounds.get(row) else { return Ok(None) };
        let Some(bound) = i32::try_from(bound).ok().filter(|bound| *bound > 0) else {
            return Err(fix(format!("the bound of RAND_INTEGER must be positive, not {bound}")));
        };
        Ok(match &mut seeded {
            Some(seeded) => seeded.get(row).map(|generator| generator.next_int(bound)),
            None => Some(generator.random_range(0..bound)),
        })
    })
}
