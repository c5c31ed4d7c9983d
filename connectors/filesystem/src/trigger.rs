//! When a partition is complete.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;
use sluice_model::{Error, Result};

use crate::options::{CommitTrigger, FilesystemOptions};

/// Decides which partitions are complete.
#[derive(Debug)]
pub(crate) struct Trigger {
    kind: CommitTrigger,
    /// Milliseconds.
    delay: i64,
    zone: Tz,
    pattern: Option<String>,
    format: String,
    /// Partitions that are not complete, by folder: since when they are there, and their values.
    open: BTreeMap<String, Open>,
}

/// A partition that is not complete.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Open {
    pub(crate) since: i64,
    /// Name and value of each partition column.
    pub(crate) values: Vec<(String, String)>,
}

impl Trigger {
    /// The trigger of a table; `None` if nobody is told.
    ///
    /// # Errors
    /// None in practice: options are checked before.
    pub(crate) fn new(options: &FilesystemOptions) -> Result<Option<Self>> {
        if !options.commits_partitions() {
            return Ok(None);
        }
        Ok(Some(Self {
            kind: options.commit_trigger,
            delay: i64::try_from(options.commit_delay.as_millis()).unwrap_or(i64::MAX),
            zone: options.commit_zone.parse().map_err(|_| Error::fix("unknown time zone"))?,
            pattern: options.timestamp_pattern.clone(),
            format: time_pattern(&options.timestamp_formatter).map_err(Error::fix)?,
            open: BTreeMap::new(),
        }))
    }

    /// A partition has got rows.
    pub(crate) fn add(&mut self, folder: &str, open: &Open) {
        if !self.open.contains_key(folder) {
            self.open.insert(folder.to_owned(), open.clone());
        }
    }

    pub(crate) fn open(&self) -> &BTreeMap<String, Open> {
        &self.open
    }

    /// Takes out the folders of partitions that are complete at this time and watermark; at the end of
    /// all rows every one is.
    ///
    /// # Errors
    /// A partition whose name holds no time.
    pub(crate) fn complete(&mut self, now: i64, watermark: i64) -> Result<Vec<String>> {
        let mut complete = Vec::new();
        for (folder, open) in &self.open {
            let due = match self.kind {
                _ if watermark == i64::MAX => i64::MIN,
                CommitTrigger::ProcessTime => open.since.saturating_add(self.delay),
                CommitTrigger::PartitionTime => self.time_of(&open.values)?.saturating_add(self.delay),
            };
            let reached = if self.kind == CommitTrigger::ProcessTime { now } else { watermark };
            if due <= reached {
                complete.push(folder.clone());
            }
        }
        complete.iter().for_each(|folder| _ = self.open.remove(folder));
        Ok(complete)
    }

    /// The time in the name of a partition, in milliseconds since 1970.
    fn time_of(&self, values: &[(String, String)]) -> Result<i64> {
        let text = match &self.pattern {
            None => values.first().map(|(_, value)| value.clone()).unwrap_or_default(),
            Some(pattern) => {
                // Longer names first: `$hm` is not `$h` and an m.
                let mut values: Vec<_> = values.iter().collect();
                values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
                values.iter().fold(pattern.clone(), |text, (name, value)| text.replace(&format!("${name}"), value))
            }
        };
        let day = || Some(NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
        let time = NaiveDateTime::parse_from_str(&text, &self.format).ok().or_else(day);
        let instant = time.and_then(|time| self.zone.from_local_datetime(&time).earliest());
        instant.map(|instant| instant.timestamp_millis()).ok_or_else(|| {
            Error::fix(format!("the time of a partition cannot be read from '{text}'"))
                .because("'sink.partition-commit.trigger' is 'partition-time'")
                .with_hint("set 'partition.time-extractor.timestamp-pattern', such as '$dt $hour:00:00'")
        })
    }
}

/// Java's letters for times as those of `strftime`.
///
/// # Errors
/// A letter that is not supported.
pub(crate) fn time_pattern(java: &str) -> std::result::Result<String, String> {
    let mut rest = java;
    let mut out = String::new();
    let letters =
        [("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"), ("SSS", "%3f")];
    while let Some(character) = rest.chars().next() {
        if let Some((java, own)) = letters.iter().find(|(java, _)| rest.starts_with(java)) {
            out.push_str(own);
            rest = &rest[java.len()..];
        } else if character.is_ascii_alphabetic() {
            return Err(format!("'{character}' in a pattern of times is not supported"));
        } else {
            if character != '\'' {
                out.push(character);
            }
            rest = &rest[character.len_utf8()..];
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(kind: CommitTrigger, delay: i64) -> Trigger {
        Trigger {
            kind,
            delay,
            zone: Tz::UTC,
            pattern: Some("$dt $hm:00".to_owned()),
            format: time_pattern("yyyy-MM-dd HH:mm:ss").unwrap(),
            open: BTreeMap::new(),
        }
    }

    fn minute(hm: &str) -> Open {
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Open { since: 1000, values: vec![value("dt", "1970-01-01"), value("hm", hm)] }
    }

    #[test]
    fn partition_time_goes_by_the_watermark() {
        let mut trigger = trigger(CommitTrigger::PartitionTime, 60_000);
        trigger.add("a", &minute("00:00"));
        trigger.add("b", &minute("00:01"));
        assert!(trigger.complete(i64::MAX, 59_999).unwrap().is_empty());
        assert_eq!(trigger.complete(0, 60_000).unwrap(), ["a"]);
        assert_eq!(trigger.complete(0, i64::MAX).unwrap(), ["b"]);
        assert!(trigger.open().is_empty());
    }

    #[test]
    fn process_time_goes_by_the_clock() {
        let mut trigger = trigger(CommitTrigger::ProcessTime, 500);
        trigger.add("a", &minute("00:00"));
        assert!(trigger.complete(1499, 9_999_999).unwrap().is_empty());
        assert_eq!(trigger.complete(1500, i64::MIN).unwrap(), ["a"]);
    }

    #[test]
    fn a_name_without_a_time_is_an_error() {
        let mut trigger = trigger(CommitTrigger::PartitionTime, 0);
        trigger.add("a", &minute("noon"));
        let error = trigger.complete(0, 0).unwrap_err();
        assert_eq!(error.what(), "the time of a partition cannot be read from '1970-01-01 noon:00'");
    }
}
