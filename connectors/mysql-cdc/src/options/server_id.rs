//! The number under which the reader shows itself to the server.

use sluice_connector_api::OptionValue;

/// An inclusive range of server ids; one number is a range of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerIds {
    /// First id.
    pub low: u32,
    /// Last id.
    pub high: u32,
}

/// Range that ids are drawn from when none is given: far above what people number their servers with.
const DRAWN: std::ops::Range<u64> = 1 << 24..1 << 31;

impl ServerIds {
    /// A range that begins at a number drawn from a wide range by `seed`.
    pub(crate) fn drawn(seed: u64) -> Self {
        let low = DRAWN.start + seed % (DRAWN.end - DRAWN.start - 64);
        let low = u32::try_from(low).unwrap_or(u32::MAX / 4);
        Self { low, high: low + 63 }
    }
}

impl OptionValue for ServerIds {
    const TYPE_NAME: &'static str = "String";

    fn parse_option(text: &str) -> Result<Self, String> {
        let invalid = || format!("The value of option 'server-id' is invalid: '{text}'");
        let parse = |part: &str| part.trim().parse::<u32>().ok().filter(|id| *id > 0).ok_or_else(invalid);
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            [one] => parse(one).map(|id| Self { low: id, high: id }),
            [low, high] => {
                let (low, high) = (parse(low)?, parse(high)?);
                if low <= high { Ok(Self { low, high }) } else { Err(format!("{}: the range is empty", invalid())) }
            }
            _ => Err(format!("The server id range should be syntax like '5400-5500', but got: {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_ranges() {
        assert_eq!(ServerIds::parse_option("5400"), Ok(ServerIds { low: 5400, high: 5400 }));
        assert_eq!(ServerIds::parse_option("5400 - 5402"), Ok(ServerIds { low: 5400, high: 5402 }));
        for wrong in ["", "x", "5-4", "0", "1-2-3", "-5", "4294967296"] {
            assert!(ServerIds::parse_option(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn drawn_ids_are_far_from_those_people_choose() {
        for seed in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let ids = ServerIds::drawn(seed);
            assert!(ids.low >= 1 << 24 && ids.high > ids.low);
        }
    }
}
