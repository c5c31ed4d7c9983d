//! What a session lends to expressions.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono_tz::Tz;
use sluice_model::{Clock, SystemClock};

/// What a session lends to expressions: its time zone, the time, and the current database.
///
/// Cheap to clone. Two sessions are equal if they give the same values; the clock does not count.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// `table.local-time-zone`: the zone in which `TIMESTAMP_LTZ` is shown and read.
    pub time_zone: Tz,
    /// Where `CURRENT_TIMESTAMP` and its like take the time from.
    pub clock: Arc<dyn Clock>,
    /// What `CURRENT_DATABASE()` returns.
    pub database: String,
}

impl SessionInfo {
    /// A session in database `default_database`.
    pub fn new(time_zone: Tz, clock: Arc<dyn Clock>) -> Self {
        Self { time_zone, clock, database: "default_database".to_owned() }
    }
}

impl Default for SessionInfo {
    /// UTC and the machine's clock.
    fn default() -> Self {
        Self::new(Tz::UTC, SystemClock::shared())
    }
}

impl PartialEq for SessionInfo {
    fn eq(&self, other: &Self) -> bool {
        self.time_zone == other.time_zone && self.database == other.database
    }
}

impl Eq for SessionInfo {}

impl Hash for SessionInfo {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.time_zone.hash(state);
        self.database.hash(state);
    }
}
