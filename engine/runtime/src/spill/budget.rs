//! How much memory the operators of a job may take for their state, and how much of it is whose.
//!
//! Every operator that keeps state tells what it takes; the sum is compared with the limit. An
//! operator may take what the others leave, and its fair share in any case: so one that came first
//! gives way to one that comes later, and none is squeezed out.
//!
//! ```text
//! limit 100, two operators that can spill      allowance of a          of b
//! a takes 90, b 0                              100                     50 (the fair share)
//! a takes 90, b 40                             60: it spills           50
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sluice_model::{Gauge, MetricGroup};

/// The memory that the operators of a job share.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    /// Operators that can spill.
    sharers: AtomicU64,
    /// Where they spill to, in turn.
    directories: Vec<PathBuf>,
}

/// What one operator takes of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Account {
    budget: Arc<MemoryBudget>,
    own: u64,
    can_spill: bool,
    gauge: Gauge,
}

impl MemoryBudget {
    pub(crate) fn new(limit: u64, directories: Vec<PathBuf>) -> Self {
        let directories = if directories.is_empty() { vec![std::env::temp_dir()] } else { directories };
        Self { limit, used: AtomicU64::new(0), sharers: AtomicU64::new(0), directories }
    }

    /// An account of an operator, and where the operator spills to if it can.
    pub(crate) fn open(self: &Arc<Self>, can_spill: bool, metrics: &MetricGroup) -> (Account, PathBuf) {
        let number = self.sharers.fetch_add(u64::from(can_spill), Ordering::Relaxed) as usize;
        let directory = self.directories[number % self.directories.len()].clone();
        let gauge = metrics.gauge("state_memory_bytes");
        (Account { budget: Arc::clone(self), own: 0, can_spill, gauge }, directory)
    }
}

impl Account {
    /// The operator takes so many bytes.
    pub(crate) fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes >= self.own {
            self.budget.used.fetch_add(bytes - self.own, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub(self.own - bytes, Ordering::Relaxed);
        }
        self.gauge.add(bytes.cast_signed() - self.own.cast_signed());
        self.own = bytes;
    }

    /// How much the operator may take.
    pub(crate) fn allowance(&self) -> usize {
        let others = self.budget.used.load(Ordering::Relaxed).saturating_sub(self.own);
        let left = self.budget.limit.saturating_sub(others);
        usize::try_from(left.max(self.fair_share())).unwrap_or(usize::MAX)
    }

    /// Others may want some of what the operator takes.
    pub(crate) fn is_above_share(&self) -> bool {
        self.own > self.fair_share()
    }

    fn fair_share(&self) -> u64 {
        self.budget.limit / self.budget.sharers.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set(0);
        self.budget.sharers.fetch_sub(u64::from(self.can_spill), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_gives_way_down_to_its_share() {
        let budget = Arc::new(MemoryBudget::new(100, vec!["/a".into(), "/b".into()]));
        let metrics = MetricGroup::default();
        let ((mut a, first), (mut b, second)) = (budget.open(true, &metrics), budget.open(true, &metrics));
        assert_eq!((first, second), (PathBuf::from("/a"), PathBuf::from("/b")));
        a.set(90);
        assert_eq!((a.allowance(), b.allowance()), (100, 50));
        b.set(40);
        assert_eq!((a.allowance(), b.allowance()), (60, 50));
        a.set(60);
        assert_eq!(b.allowance(), 50);
        let (mut window, _) = budget.open(false, &metrics);
        window.set(95);
        assert_eq!(a.allowance(), 50, "what cannot be spilled leaves the others their shares");
        assert_eq!(metrics.gauge("state_memory_bytes").get(), 195);
        drop((a, window));
        assert_eq!((b.allowance(), metrics.gauge("state_memory_bytes").get()), (100, 40));
    }
}
