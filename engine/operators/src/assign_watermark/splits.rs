//! How far the splits of a source are.
//!
//! ```text
//! split 0     split 1     watermark
//! 00:10       begun       none: rows of split 1 may be older
//! 00:10       00:04       00:04
//! 00:10       idle        00:10: nobody waits for split 1
//! 00:10       00:06       00:10: time does not go back
//! ended       00:12       00:12
//! ```
//!
//! A source that has said nothing of splits is one.

use sluice_model::{SplitId, SplitStatus};

/// The splits that are being read.
#[derive(Debug)]
pub(super) struct Splits {
    open: Vec<Split>,
    /// Whose rows come.
    current: Option<SplitId>,
    /// The latest of those that have ended.
    ended: Option<i64>,
    /// Milliseconds without rows after which a split is idle.
    timeout: Option<i64>,
    now: i64,
    /// The source is held back: that no rows come says nothing.
    is_held: bool,
}

#[derive(Debug)]
struct Split {
    /// `None`: the source has no splits.
    id: Option<SplitId>,
    /// The largest watermark of its rows.
    largest: Option<i64>,
    /// When there were rows, or it began.
    last: Option<i64>,
    is_idle: bool,
}

impl Split {
    fn new(id: Option<SplitId>) -> Self {
        Self { id, largest: None, last: None, is_idle: false }
    }
}

impl Splits {
    /// One split that nobody has spoken of.
    pub(super) fn new(timeout: Option<i64>) -> Self {
        let open = vec![Split::new(None)];
        Self { open, current: None, ended: None, timeout, now: i64::MIN, is_held: false }
    }

    /// Something is about a split.
    pub(super) fn on_split(&mut self, split: SplitId, status: SplitStatus) {
        self.open.retain(|open| open.id.is_some());
        let place = self.open.iter().position(|open| open.id == Some(split));
        match (status, place) {
            (SplitStatus::Finished, Some(place)) => {
                let ended = self.open.swap_remove(place);
                self.ended = self.ended.max(ended.largest);
            }
            (SplitStatus::Begun | SplitStatus::Read, None) => {
                let mut begun = Split::new(Some(split));
                begun.last = (self.now != i64::MIN).then_some(self.now);
                self.open.push(begun);
            }
            (SplitStatus::Finished, None) | (SplitStatus::Begun | SplitStatus::Read, Some(_)) => {}
        }
        self.current = Some(split);
    }

    /// There are rows of the current split, with this watermark.
    pub(super) fn on_rows(&mut self, watermark: Option<i64>) {
        let (current, now) = (self.current, self.now);
        if let Some(split) = self.open.iter_mut().find(|split| split.id == current) {
            split.largest = split.largest.max(watermark);
            split.last = Some(now);
            split.is_idle = false;
        }
    }

    /// The largest watermark of the current split.
    pub(super) fn largest(&self) -> Option<i64> {
        self.open.iter().find(|split| split.id == self.current)?.largest
    }

    /// The clock shows `now`.
    pub(super) fn tell(&mut self, now: i64) {
        self.now = self.now.max(now);
        let (now, timeout) = (self.now, self.timeout.filter(|_| !self.is_held));
        for split in &mut self.open {
            let last = *split.last.get_or_insert(now);
            split.is_idle |= timeout.is_some_and(|timeout| last.saturating_add(timeout) <= now);
        }
    }

    /// The source is held back, or goes on: then the time without rows begins anew.
    pub(super) fn set_held(&mut self, is_held: bool) {
        self.is_held = is_held;
        self.open.iter_mut().for_each(|split| split.last = Some(self.now));
    }

    /// When the next split will be idle if no rows come.
    pub(super) fn deadline(&self) -> Option<i64> {
        let timeout = self.timeout.filter(|_| !self.is_held)?;
        let active = self.open.iter().filter(|split| !split.is_idle);
        active.filter_map(|split| split.last).map(|last| last.saturating_add(timeout)).min()
    }

    /// Whether nobody is to wait for any of them.
    pub(super) fn are_idle(&self) -> bool {
        self.open.iter().all(|split| split.is_idle)
    }

    /// How far all are. Where none is active, the latest counts.
    pub(super) fn watermark(&self) -> Option<i64> {
        if self.are_idle() {
            return self.open.iter().map(|split| split.largest).max().flatten().max(self.ended);
        }
        // None is the least: of that split nothing is known yet.
        self.open.iter().filter(|split| !split.is_idle).map(|split| split.largest).min().flatten()
    }
}
