//! Prices: `round(10^(6 * fraction) * 100)` cents, evenly spread by their logarithm.
//!
//! A power takes as long as all other draws of a bid. Here it is read from a table and corrected by a short
//! series, to fourteen digits; only where that leaves open which way to round, the power itself is taken, so
//! that every price is the one that the rule gives.
//!
//! ```text
//! 10^(6 f) = 2^(whole + step / 64 + rest)        = 2^whole * table[step] * (1 + rest ln 2 + …)
//! ```

use std::sync::LazyLock;

const STEPS: usize = 64;
/// How far from half a cent a price has to be to be sure of.
const DOUBT: f64 = 1e-5;

/// What prices are computed with.
#[derive(Debug)]
pub(crate) struct Prices {
    /// `100 * 2^(step / 64)`
    steps: [f64; STEPS],
}

impl Prices {
    pub(crate) fn all() -> &'static Self {
        static PRICES: LazyLock<Prices> =
            LazyLock::new(|| Prices { steps: std::array::from_fn(|step| 100.0 * (step as f64 / STEPS as f64).exp2()) });
        &PRICES
    }

    /// The price in cents for a number from 0 to 1: from 100 to 100 000 000.
    #[inline]
    pub(crate) fn of(&self, fraction: f64) -> i64 {
        let cents = self.near(fraction);
        let whole = cents as i64;
        let rest = cents - whole as f64;
        if (rest - 0.5).abs() < DOUBT { exact(fraction) } else { whole + i64::from(rest > 0.5) }
    }

    /// The price before it is rounded, with an error below `1e-13` of it.
    #[inline]
    fn near(&self, fraction: f64) -> f64 {
        let steps = fraction * (6.0 * std::f64::consts::LOG2_10 * STEPS as f64);
        let step = steps as u64;
        let rest = (steps - step as f64) * (std::f64::consts::LN_2 / STEPS as f64);
        // e^rest for a rest below 0.011.
        let series = 1.0 + rest * (1.0 + rest * (1.0 / 2.0 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest / 120.0))));
        let whole = f64::from_bits((1023 + step / STEPS as u64) << 52);
        whole * self.steps[(step % STEPS as u64) as usize] * series
    }
}

/// The rule itself.
#[cold]
fn exact(fraction: f64) -> i64 {
    (10f64.powf(fraction * 6.0) * 100.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn prices_span_six_powers_of_ten() {
        let prices = Prices::all();
        assert_eq!((prices.of(0.0), prices.of(0.5), prices.of(1.0)), (100, 100_000, 100_000_000));
    }

    #[test]
    fn every_price_is_that_of_the_rule() {
        let prices = Prices::all();
        for event in 0..1_000_000 {
            let fraction = Random::of_event(event).fraction();
            assert_eq!(prices.of(fraction), exact(fraction), "{fraction}");
            let error = prices.near(fraction) / (10f64.powf(fraction * 6.0) * 100.0) - 1.0;
            assert!(error.abs() < 1e-13, "{fraction}: {error}");
        }
    }
}
