//! The wall clock that `TIMESTAMP` columns are shown in.

use std::sync::Arc;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use sluice_connector_api::OptionValue;
use sluice_model::suggest;
use sluice_mysql_decode::UtcOffset;

/// A time zone as users write it: `UTC`, `+08:00`, `GMT+8`, `Asia/Shanghai`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerTimeZone {
    /// Minutes east of UTC.
    Offset(i32),
    /// A region of the IANA time zone database, with its summer times and its past.
    Region(Tz),
}

impl ServerTimeZone {
    /// Reads a time zone; `None` if there is no such.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let region = || TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(text));
        parse_offset(text).map(Self::Offset).or_else(|| region().copied().map(Self::Region))
    }

    /// As the decoders take it.
    pub(crate) fn utc_offset(self) -> UtcOffset {
        match self {
            Self::Offset(minutes) => UtcOffset::Fixed(i64::from(minutes) * 60_000_000),
            Self::Region(zone) => UtcOffset::Zone(Arc::new(move |micros| offset_at(zone, micros))),
        }
    }
}

/// Microseconds east of UTC at `micros` since 1970. A time that no calendar knows counts as UTC.
fn offset_at(zone: Tz, micros: i64) -> i64 {
    let Some(at) = DateTime::from_timestamp(micros.div_euclid(1_000_000), 0) else { return 0 };
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()) * 1_000_000
}

impl OptionValue for ServerTimeZone {
    const TYPE_NAME: &'static str = "String";

    fn parse_option(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| {
            let like = suggest(text, TZ_VARIANTS.iter().map(|zone| zone.name()));
            let help = like.map_or_else(String::new, |like| format!(", did you mean '{like}'?"));
            format!("'{text}' is no time zone{help} (UTC, +08:00 and Asia/Shanghai are some)")
        })
    }
}

/// Minutes east of UTC of `UTC`, `Z`, `+08:00`, `-0530` or `GMT+8`.
fn parse_offset(zone: &str) -> Option<i32> {
    let rest = ["UTC", "GMT"].iter().find_map(|name| zone.strip_prefix(name)).unwrap_or(zone);
    if rest.is_empty() || rest == "Z" {
        return (!zone.is_empty()).then_some(0);
    }
    let sign = match rest.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = rest[1..].chars().filter(|c| *c != ':').collect();
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        for (text, minutes) in [("UTC", 0), ("Z", 0), ("+08:00", 480), ("GMT-5", -300), ("+0530", 330), (" +8 ", 480)] {
            assert_eq!(ServerTimeZone::parse(text), Some(ServerTimeZone::Offset(minutes)), "{text}");
        }
        assert_eq!(ServerTimeZone::parse(""), None);
        assert_eq!(ServerTimeZone::parse("+99:00"), None);
    }

    #[test]
    fn regions_know_their_summer_time() {
        let hours_at = |zone: &str, time: &str| {
            let micros = DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
            ServerTimeZone::parse(zone).unwrap().utc_offset().at(micros) / 3_600_000_000
        };
        assert_eq!(hours_at("Asia/Shanghai", "2024-07-01T00:00:00Z"), 8);
        assert_eq!(hours_at("Europe/Berlin", "2024-03-31T00:59:59.999999Z"), 1);
        assert_eq!(hours_at("europe/berlin", "2024-03-31T01:00:00Z"), 2);
        assert_eq!(hours_at("America/New_York", "1969-07-20T20:17:00Z"), -4);
    }

    #[test]
    fn a_misspelt_region_gets_a_suggestion() {
        let text = ServerTimeZone::parse_option("Asia/Shangai").unwrap_err();
        assert!(text.contains("did you mean 'Asia/Shanghai'?"), "{text}");
    }
}
