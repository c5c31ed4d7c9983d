//! The options of any table with a watermark: `scan.watermark.*`.
//!
//! ```text
//! 'scan.watermark.emit.strategy' = 'on-event'          a watermark behind every row that is later than all before
//! 'scan.watermark.idle-timeout' = '30 s'               nobody waits for a partition without rows for so long
//! 'scan.watermark.alignment.group' = 'g'               sources of one group wait for the slowest of them,
//! 'scan.watermark.alignment.max-drift' = '1 min'       where they are further ahead than this
//! ```

use std::time::Duration;

use sluice_connector_api::OptionValue;
use sluice_model::{Error, Result, suggest};
use sluice_plan::WatermarkAlignment;

use super::CatalogTable;

const EMIT_STRATEGY: &str = "scan.watermark.emit.strategy";
const IDLE_TIMEOUT: &str = "scan.watermark.idle-timeout";
const GROUP: &str = "scan.watermark.alignment.group";
const MAX_DRIFT: &str = "scan.watermark.alignment.max-drift";
const UPDATE_INTERVAL: &str = "scan.watermark.alignment.update-interval";

/// All of them: a connector is not told.
const KEYS: [&str; 5] = [EMIT_STRATEGY, IDLE_TIMEOUT, GROUP, MAX_DRIFT, UPDATE_INTERVAL];

/// As in Flink.
const DEFAULT_UPDATE_INTERVAL: Duration = Duration::from_secs(1);

/// What the options of a table say about its watermark.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct WatermarkOptions {
    /// `on-event`: behind every row, not now and then.
    pub on_event: bool,
    /// Zero is none, whatever the session says.
    pub idle_timeout: Option<Duration>,
    /// Which sources wait for each other.
    pub alignment: Option<WatermarkAlignment>,
}

/// Whether an option is one of a table's watermark.
pub(super) fn is_of_watermark(key: &str) -> bool {
    KEYS.contains(&key)
}

impl CatalogTable {
    /// What its options say about its watermark.
    ///
    /// # Errors
    /// Values that do not exist, or only a part of what belongs together.
    pub fn watermark_options(&self) -> Result<WatermarkOptions> {
        let on_event = match self.options.get(EMIT_STRATEGY).map(str::to_ascii_lowercase).as_deref() {
            None | Some("on-periodic") => false,
            Some("on-event") => true,
            Some(other) => {
                let words = ["on-periodic", "on-event"];
                let hint = match suggest(other, words) {
                    Some(like) => format!("did you mean '{like}'?"),
                    None => format!("expected one of {}", words.join(", ")),
                };
                return Err(self.wrong(EMIT_STRATEGY, other).with_hint(hint));
            }
        };
        Ok(WatermarkOptions { on_event, idle_timeout: self.duration(IDLE_TIMEOUT)?, alignment: self.alignment()? })
    }

    fn alignment(&self) -> Result<Option<WatermarkAlignment>> {
        let (group, max_drift) = (self.options.get(GROUP), self.duration(MAX_DRIFT)?);
        let update_interval = self.duration(UPDATE_INTERVAL)?;
        match (group, max_drift) {
            (Some(group), Some(max_drift)) => Ok(Some(WatermarkAlignment {
                group: group.to_owned(),
                max_drift,
                update_interval: update_interval.unwrap_or(DEFAULT_UPDATE_INTERVAL),
            })),
            (None, None) if update_interval.is_none() => Ok(None),
            _ => {
                let place =
                    [GROUP, MAX_DRIFT, UPDATE_INTERVAL].into_iter().find_map(|key| self.options.position_of(key));
                let missing = if group.is_none() { GROUP } else { MAX_DRIFT };
                Err(Error::fix(format!("table '{}' has no option '{missing}'", self.path.name))
                    .because(format!("'{GROUP}' and '{MAX_DRIFT}' must be set when configuring watermark alignment"))
                    .at_opt(place))
            }
        }
    }

    fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let Some(text) = self.options.get(key) else { return Ok(None) };
        let duration = Duration::parse_option(text).map_err(|expected| self.wrong(key, text).because(expected))?;
        Ok(Some(duration))
    }

    fn wrong(&self, key: &str, value: &str) -> Error {
        Error::fix(format!("option '{key}' of table '{}' is '{value}'", self.path.name))
            .at_opt(self.options.position_of(key))
    }
}
