//! What to do when a transaction did not happen.

use std::time::Duration;

use sluice_model::{ChangelogBatch, Error, Result};

use super::Worker;
use crate::apply::{Way, Work};
use crate::dialect::{Statements, Strategy};
use crate::failure::{Failure, Refusal};
use crate::reduce::Reduced;

/// Longest pause between two tries to connect.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Whether rows are copied straight into a target with a key. That is twice as fast for new rows and in
/// vain for others, so that every failure doubles the number of batches until the next try.
#[derive(Debug, Default)]
pub(crate) struct DirectCopy {
    skip: u32,
    penalty: u32,
}

impl DirectCopy {
    pub(super) fn is_worth_a_try(&mut self) -> bool {
        let try_now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        try_now
    }

    fn failed(&mut self) {
        self.penalty = (self.penalty * 2).clamp(8, 1024);
        self.skip = self.penalty;
    }

    pub(super) fn succeeded(&mut self) {
        self.penalty /= 2;
    }
}

/// Tries of one transaction.
#[derive(Debug, Default)]
pub(super) struct Tries {
    conflicts: u32,
    losses: u32,
    /// When the connection was first lost, in the clock's milliseconds.
    lost_at: Option<i64>,
    /// A transaction of which it is not known whether it was committed.
    pub(super) in_doubt: Option<i64>,
}

impl Worker {
    /// What to try next, after a pause if need be.
    pub(super) async fn react(
        &mut self,
        failure: Failure,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
        tries: &mut Tries,
    ) -> Result<Way> {
        let table = self.plan.target.name();
        match failure {
            Failure::Own(error) => Err(error),
            Failure::Lost(why) => self.pause_after_loss(why, tries).await.map(|()| way),
            Failure::Conflict(why) => {
                tries.conflicts += 1;
                if tries.conflicts > self.limits.max_retries {
                    let what = format!("writing to '{table}' met other transactions {} times", tries.conflicts);
                    return Err(Error::retry(what).because(why).with_hint(
                        "let one writer write to a table ('sink.parallelism' = '1'), or raise 'sink.max-retries'",
                    ));
                }
                tracing::warn!(%table, %why, "a transaction is tried again");
                tokio::time::sleep(pause(tries.conflicts)).await;
                Ok(way)
            }
            Failure::Constraint(refusal) => self.patient_way(&refusal, batches, reduced, way),
            Failure::Refused(refusal) => self.other_way(&refusal, batches, reduced, way),
        }
    }

    /// Rows that violate a constraint together may not when they are written in another way.
    fn patient_way(
        &mut self,
        refusal: &Refusal,
        batches: &[ChangelogBatch],
        reduced: &Reduced,
        way: Way,
    ) -> Result<Way> {
        let meets_row_twice = refusal.code.code() == "21000";
        let next = match way {
            _ if self.strategy == Strategy::Append => None,
            Way::Direct => {
                self.direct.failed();
                Some(Way::Staged)
            }
            // Deleting a row that others refer to may delete those, too.
            Way::Arrays | Way::Staged
                if self.strategy == Strategy::OnConflict && !meets_row_twice && !self.plan.target.is_referenced =>
            {
                Some(Way::Replaced)
            }
            Way::Arrays | Way::Staged | Way::Replaced => Some(Way::OneByOne),
            Way::OneByOne => None,
        };
        match next {
            Some(next) => {
                if way != Way::Direct {
                    tracing::debug!(table = %self.plan.target.name(), why = %refusal.sentence(), ?next, "rows are written in another way");
                }
                Ok(next)
            }
            None => Err(self.explain(refusal, batches, reduced)),
        }
    }

    fn other_way(&mut self, refusal: &Refusal, batches: &[ChangelogBatch], reduced: &Reduced, way: Way) -> Result<Way> {
        let code = refusal.code.code();
        // COPY says which row and column it is that array parameters are refused for.
        if way == Way::Arrays && code.starts_with("22") {
            return Ok(Way::Staged);
        }
        if code == "0A000" && self.strategy == Strategy::OnConflict && self.plan.target.server.is_warehouse {
            tracing::info!(table = %self.plan.target.name(), why = %refusal.sentence(), "ON CONFLICT does not work here, rows are replaced");
            self.strategy = Strategy::Replace;
            self.statements = Statements::new(&self.plan, Strategy::Replace);
            // What the session has prepared is of the other strategy. Nothing of it is running.
            self.session = None;
            return Ok(way);
        }
        Err(self.explain(refusal, batches, reduced))
    }

    fn explain(&self, refusal: &Refusal, batches: &[ChangelogBatch], reduced: &Reduced) -> Error {
        let Self { plan, strategy, statements, .. } = self;
        Work { plan, strategy: *strategy, statements, batches, reduced, ordered: &[] }.explain(refusal)
    }

    async fn pause_after_loss(&mut self, why: String, tries: &mut Tries) -> Result<()> {
        if let Some(lost) = self.session.take() {
            tries.in_doubt = lost.committing.or(tries.in_doubt);
            self.former.push(lost.backend);
        }
        let now = self.clock.now_millis();
        let lost_at = *tries.lost_at.get_or_insert(now);
        let window = i64::try_from(self.limits.retry_window.as_millis()).unwrap_or(i64::MAX);
        tries.losses += 1;
        let table = self.plan.target.name();
        if self.limits.max_retries == 0 || now - lost_at >= window {
            let seconds = (now - lost_at) / 1000;
            let what = format!("the connection to '{table}' was lost and did not come back within {seconds} s");
            return Err(Error::retry(what)
                .because(why)
                .with_hint("the job goes on from its last checkpoint; 'connection.max-retry-timeout' says how long it waits before"));
        }
        tracing::warn!(%table, %why, "the connection to the target was lost, connecting again");
        tokio::time::sleep(pause(tries.losses)).await;
        Ok(())
    }
}

/// 50 ms, 100 ms, 200 ms, … for the first, second, third time.
fn pause(times: u32) -> Duration {
    Duration::from_millis(25u64 << times.min(8)).min(PAUSE_MAX)
}
