//! Random numbers as `java.util.SplittableRandom` draws them.
//!
//! Upstream draws from one unseeded generator per split. Here every event has a generator of its
//! own, seeded by its id, so that an event is the same whichever other events, and which of its
//! fields, are made: two readers of one table agree, and a restored one goes on where it was.
//!
//! Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014; bounded
//! numbers as specified by `RandomGenerator.nextInt(bound)`.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 with the derived draws of Java.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// `new SplittableRandom(seed)`.
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one event.
    #[inline]
    pub(crate) const fn of_event(id: i64) -> Self {
        Self(mix64(id as u64))
    }

    #[inline]
    const fn next_state(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        self.0
    }

    /// `nextLong()`.
    #[inline]
    pub(crate) const fn long(&mut self) -> i64 {
        mix64(self.next_state()) as i64
    }

    /// `nextInt()`.
    #[inline]
    pub(crate) const fn int(&mut self) -> i32 {
        let mut bits = self.next_state();
        bits = (bits ^ (bits >> 33)).wrapping_mul(0x62a9_d9ed_7997_05f5);
        (((bits ^ (bits >> 28)).wrapping_mul(0xcb24_d0a5_c88c_35b3)) >> 32) as i32
    }

    /// `nextInt(bound)`: from 0 up to but not including `bound`, which is greater than 0.
    #[inline]
    pub(crate) const fn below(&mut self, bound: i32) -> i32 {
        let mask = bound - 1;
        let mut drawn = self.int();
        if bound & mask == 0 {
            return drawn & mask;
        }
        loop {
            let positive = (drawn as u32 >> 1) as i32;
            let rest = positive % bound;
            // Negative in the incomplete last stretch of `bound` numbers, which would favour small ones.
            if positive.wrapping_add(mask).wrapping_sub(rest) >= 0 {
                return rest;
            }
            drawn = self.int();
        }
    }

    /// Upstream's `LongGenerator.nextLong(random, bound)`; `bound` is greater than 0.
    #[inline]
    pub(crate) const fn long_below(&mut self, bound: i64) -> i64 {
        if bound < i32::MAX as i64 { self.below(bound as i32) as i64 } else { (self.long() % bound).wrapping_abs() }
    }

    /// `nextDouble()`: from 0 up to but not including 1.
    #[inline]
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.long() as u64 >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}

#[inline]
const fn mix64(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_bounds_and_are_spread_evenly() {
        let mut counts = [0; 7];
        for id in 0..70_000 {
            counts[Random::of_event(id).below(7) as usize] += 1;
            assert!((0.0..1.0).contains(&Random::of_event(id).fraction()));
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn wide_bounds_are_kept_too() {
        let mut random = Random::seeded(7);
        assert!((0..1_000).all(|_| (0..5_000_000_000).contains(&random.long_below(5_000_000_000))));
    }
}
