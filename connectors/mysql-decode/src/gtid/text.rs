//! Text form of [`GtidSet`], and its serde representation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{DecodeError, Result};
use crate::gtid::id::{GtidSource, ServerUuid, Tag};
use crate::gtid::interval::Interval;
use crate::gtid::set::GtidSet;

/// As the server prints `gtid_executed`, without line breaks: `uuid:1-5:7:tag:1-3,uuid:2`.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous: Option<ServerUuid> = None;
        for (source, intervals) in self.iter() {
            if previous != Some(source.uuid) {
                let comma = if previous.is_some() { "," } else { "" };
                write!(f, "{comma}{}", source.uuid)?;
                previous = Some(source.uuid);
            }
            if let Some(tag) = &source.tag {
                write!(f, ":{}", tag.as_str())?;
            }
            for run in intervals {
                match run.last == run.first {
                    true => write!(f, ":{}", run.first)?,
                    false => write!(f, ":{}-{}", run.first, run.last)?,
                }
            }
        }
        Ok(())
    }
}

impl FromStr for GtidSet {
    type Err = DecodeError;

    /// Accepts white space and line breaks between the parts, upper case, single numbers, empty intervals (`5-4`)
    /// and empty parts, as the server does.
    fn from_str(text: &str) -> Result<Self> {
        let mut set = Self::new();
        for group in text.split(',').map(str::trim).filter(|group| !group.is_empty()) {
            let mut parts = group.split(':').map(str::trim);
            let uuid: ServerUuid = parts.next().unwrap_or_default().parse()?;
            let mut source = GtidSource { uuid, tag: None };
            for part in parts {
                if part.starts_with(|c: char| c.is_ascii_digit()) {
                    if let Some(run) = interval(part)? {
                        set.add_run(source.clone(), run);
                    }
                } else {
                    source.tag = Some(Tag::new(part)?);
                }
            }
        }
        Ok(set)
    }
}

/// Reads `7` or `1-5`; `None` when the interval is empty.
fn interval(text: &str) -> Result<Option<Interval>> {
    let number = |digits: &str| {
        let parsed = digits.trim().parse::<u64>().ok().filter(|n| (1..=i64::MAX as u64).contains(n));
        parsed.ok_or_else(|| DecodeError::malformed(format!("`{text}` is not an interval of gtid numbers")))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    Ok((first <= last).then_some(Interval { first, last }))
}

impl Serialize for GtidSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GtidSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    #[test]
    fn prints_in_normal_form() {
        let text = format!("{}:5-6:1-3 : 4 : Nightly:2:1,\n{A}:10", A.to_uppercase());
        assert_eq!(text.parse::<GtidSet>().unwrap().to_string(), format!("{A}:1-6:10:nightly:1-2"));
        assert_eq!("".parse::<GtidSet>().unwrap().to_string(), "");
    }

    #[test]
    fn wrong_text_is_refused() {
        for text in ["x", "1:1", &format!("{A}:0"), &format!("{A}:1-2-3"), &format!("{A}:9999999999999999999")] {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn serialises_as_a_string() {
        let set: GtidSet = format!("{A}:1-5").parse().unwrap();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, format!("\"{A}:1-5\""));
        assert_eq!(serde_json::from_str::<GtidSet>(&json).unwrap(), set);
    }
}
