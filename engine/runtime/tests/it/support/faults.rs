//! Errors and panics at random points.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sluice_model::{Error, Result};

/// Decides at every hook whether something goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Faults that are left.
    left: AtomicI64,
    /// One call in so many fails.
    one_in: AtomicU64,
    state: AtomicU64,
}

impl Faults {
    pub(crate) fn arm(&self, seed: u64, count: i64, one_in: u64) {
        self.state.store(seed, Ordering::SeqCst);
        self.one_in.store(one_in.max(1), Ordering::SeqCst);
        self.left.store(count, Ordering::SeqCst);
    }

    pub(crate) fn left(&self) -> i64 {
        self.left.load(Ordering::SeqCst).max(0)
    }

    /// Fails by an error or by a panic, or does not.
    pub(crate) fn hook(&self, place: &str) -> Result<()> {
        if self.left() == 0 {
            return Ok(());
        }
        // splitmix64
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        if !z.is_multiple_of(self.one_in.load(Ordering::SeqCst)) || self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Ok(());
        }
        assert!(z & (1 << 40) == 0, "injected panic in {place}");
        Err(Error::retry(format!("injected error in {place}")))
    }
}
