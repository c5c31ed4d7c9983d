//! When a failed job starts again (Flink's restart strategies, same names and defaults).

use std::collections::VecDeque;
use std::time::Duration;

/// What happens after a failure that may go away by itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum RestartStrategy {
    /// The job fails.
    #[default]
    None,
    /// A number of restarts, each after the same delay.
    FixedDelay {
        /// Restarts before the job fails.
        attempts: u32,
        /// Pause before each.
        delay: Duration,
    },
    /// Restarts until failures come too fast.
    FailureRate {
        /// Failures in `interval` that are borne.
        max_failures: u32,
        /// Length of the window.
        interval: Duration,
        /// Pause before each restart.
        delay: Duration,
    },
    /// Restarts after growing delays.
    ExponentialDelay {
        /// First delay.
        initial: Duration,
        /// Longest delay.
        max: Duration,
        /// Growth.
        multiplier: f64,
        /// Share of the delay that is added or taken off by chance, so that jobs that failed
        /// together do not come back together.
        jitter: f64,
        /// After this long without a failure the delay is the first one again.
        reset_threshold: Duration,
        /// Restarts before the job fails; without end if `None`.
        attempts: Option<u32>,
    },
}

impl RestartStrategy {
    /// Flink's default with checkpointing: 1 s, growing by half to 1 min, without end.
    pub fn exponential_delay() -> Self {
        Self::ExponentialDelay {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 1.5,
            jitter: 0.1,
            reset_threshold: Duration::from_secs(3600),
            attempts: None,
        }
    }
}

/// A strategy with the failures it has seen.
#[derive(Debug)]
pub(crate) struct Restarts {
    strategy: RestartStrategy,
    /// Milliseconds of the failures that still count.
    failures: VecDeque<i64>,
    /// Restarts since the delay was the first one.
    in_a_row: u32,
}

impl Restarts {
    pub(crate) fn new(strategy: RestartStrategy) -> Self {
        Self { strategy, failures: VecDeque::new(), in_a_row: 0 }
    }

    /// The pause before the next attempt after a failure at `now` (milliseconds); `None` if there is
    /// to be none. `chance` is a random number from 0 to 1.
    pub(crate) fn after_failure(&mut self, now: i64, chance: f64) -> Option<Duration> {
        match &self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                self.in_a_row += 1;
                (self.in_a_row <= *attempts).then_some(*delay)
            }
            RestartStrategy::FailureRate { max_failures, interval, delay } => {
                self.failures.push_back(now);
                while self.failures.front().is_some_and(|first| now - first > millis(*interval)) {
                    self.failures.pop_front();
                }
                (self.failures.len() <= *max_failures as usize).then_some(*delay)
            }
            RestartStrategy::ExponentialDelay { initial, max, multiplier, jitter, reset_threshold, attempts } => {
                let last = self.failures.pop_back();
                self.failures.push_back(now);
                let growth = |exponent: u32| multiplier.powi(i32::try_from(exponent).unwrap_or(i32::MAX));
                let delay = |exponent| (initial.as_secs_f64() * growth(exponent)).clamp(0.0, max.as_secs_f64());
                let quiet_since = delay(self.in_a_row.saturating_sub(1)) * 1000.0 + millis(*reset_threshold) as f64;
                if last.is_none_or(|last| (now - last) as f64 >= quiet_since) {
                    self.in_a_row = 0;
                }
                let base = delay(self.in_a_row);
                self.in_a_row += 1;
                if attempts.is_some_and(|attempts| self.in_a_row > attempts) {
                    return None;
                }
                let shifted = base * (1.0 + jitter * (2.0 * chance - 1.0));
                Some(Duration::from_secs_f64(shifted.clamp(0.0, max.as_secs_f64())))
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(strategy: RestartStrategy, failures: &[i64]) -> Vec<Option<u128>> {
        let mut restarts = Restarts::new(strategy);
        failures.iter().map(|now| restarts.after_failure(*now, 0.5).map(|delay| delay.as_millis())).collect()
    }

    #[test]
    fn none_never_restarts() {
        assert_eq!(delays(RestartStrategy::None, &[0]), [None]);
    }

    #[test]
    fn fixed_delay_counts_attempts() {
        let strategy = RestartStrategy::FixedDelay { attempts: 2, delay: Duration::from_millis(5) };
        assert_eq!(delays(strategy, &[0, 10, 20]), [Some(5), Some(5), None]);
    }

    #[test]
    fn failure_rate_forgets_what_is_long_ago() {
        let strategy = RestartStrategy::FailureRate {
            max_failures: 2,
            interval: Duration::from_millis(100),
            delay: Duration::from_millis(1),
        };
        assert_eq!(delays(strategy, &[0, 90, 180, 185]), [Some(1), Some(1), Some(1), None]);
    }

    #[test]
    fn exponential_delay_grows_to_its_limit_and_resets() {
        let strategy = RestartStrategy::exponential_delay();
        let hour = 3_600_000;
        let failures = [0, 2_000, 4_000, 8_000, 8_000 + 2 * hour];
        assert_eq!(delays(strategy.clone(), &failures), [Some(1000), Some(1500), Some(2250), Some(3375), Some(1000)]);
        let many: Vec<i64> = (0..40).map(|number| number * 1000).collect();
        assert_eq!(delays(strategy, &many).last(), Some(&Some(60_000)));
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let mut restarts = Restarts::new(RestartStrategy::exponential_delay());
        assert_eq!(restarts.after_failure(0, 0.0), Some(Duration::from_millis(900)));
        let mut restarts = Restarts::new(RestartStrategy::exponential_delay());
        assert_eq!(restarts.after_failure(0, 1.0), Some(Duration::from_millis(1100)));
    }

    #[test]
    fn exponential_delay_may_end() {
        let strategy = RestartStrategy::ExponentialDelay {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(10),
            multiplier: 2.0,
            jitter: 0.0,
            reset_threshold: Duration::from_secs(10),
            attempts: Some(2),
        };
        assert_eq!(delays(strategy, &[0, 10, 20]), [Some(1), Some(2), None]);
    }
}
