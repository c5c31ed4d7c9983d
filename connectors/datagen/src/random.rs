//! Random numbers that are a function of where they stand: no state to restore.

/// A column's own series of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Series(u64);

impl Series {
    /// The series of a column, by its path.
    pub(crate) fn of_path(path: &str) -> Self {
        // FNV-1a: short, and the same for ever.
        let hash = path
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(mix(hash))
    }

    /// A series that has nothing to do with this one.
    pub(crate) const fn derive(self, purpose: u64) -> Self {
        Self(mix(self.0 ^ mix(purpose)))
    }

    /// Number `index` of the series, evenly spread over all 64 bits.
    pub(crate) const fn number(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number from 0 up to but not including 1.
    pub(crate) fn fraction(self, index: u64) -> f64 {
        (self.number(index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(self, index: u64, bound: u128) -> u128 {
        if bound <= 1 << 64 {
            return (u128::from(self.number(index)) * bound) >> 64;
        }
        let wide = u128::from(self.number(index)) << 64 | u128::from(self.derive(1).number(index));
        wide % bound
    }
}

/// Source: the finaliser of SplitMix64, Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_differ_and_runs_do_not() {
        let (a, b) = (Series::of_path("a"), Series::of_path("b"));
        assert_ne!(a.number(0), b.number(0));
        assert_eq!(a.number(7), Series::of_path("a").number(7));
    }

    #[test]
    fn numbers_are_spread_evenly_and_stay_in_their_bounds() {
        let series = Series::of_path("x");
        let mut counts = [0; 10];
        for index in 0..10_000 {
            counts[series.below(index, 10) as usize] += 1;
            assert!((0.0..1.0).contains(&series.fraction(index)));
            assert!(series.below(index, 10u128.pow(38)) < 10u128.pow(38));
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
