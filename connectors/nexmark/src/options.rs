//! The options, with upstream's names and defaults, and the rules that they make.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use sluice_connector_api::{MemorySize, OptionReader, OptionValue, OptionValues};

use crate::rules::Rules;
use crate::strings::MAX_AVERAGE_SIZE;

sluice_connector_api::options! {
    /// Options of `nexmark`.
    pub struct NexmarkOptions {
        /// Events a second of event time, of all readers together.
        "first-event.rate" => first_event_rate: u32 = 10_000u32,
        /// Read but not used, as upstream does: the rate does not change.
        "next-event.rate" => next_event_rate: Option<u32>,
        /// Read but not used, as upstream does.
        "rate.shape" => rate_shape: Option<RateShape>,
        /// Read but not used, as upstream does.
        "rate.period" => rate_period: Option<Duration>,
        /// Whether events come no faster than their times say, as with 'max-emit-speed' = 'false'.
        "rate.limited" => rate_limited: bool = false,
        /// Whether events come as fast as they can be made.
        "max-emit-speed" => max_emit_speed: bool = true,
        /// Events in all, of all readers together; 0 for no end.
        "events.num" => events_num: u64 = 0u64,
        /// Event behind which the table stops, of those that 'events.num' allows; -1 for none.
        "stop-at" => stop_at: i64 = -1i64,
        /// Whether the table waits behind its last event instead of ending.
        "keep-alive" => keep_alive: bool = false,
        /// Persons in an epoch.
        "person.proportion" => person_proportion: u32 = 1u32,
        /// Auctions in an epoch.
        "auction.proportion" => auction_proportion: u32 = 3u32,
        /// Bids in an epoch.
        "bid.proportion" => bid_proportion: u32 = 46u32,
        /// Average size of a person.
        "person.avg-size" => person_avg_size: MemorySize = MemorySize(200),
        /// Average size of an auction.
        "auction.avg-size" => auction_avg_size: MemorySize = MemorySize(500),
        /// Average size of a bid.
        "bid.avg-size" => bid_avg_size: MemorySize = MemorySize(100),
        /// All but one of so many bids are for a hot auction.
        "bid.hot-ratio.auctions" => bid_hot_ratio_auctions: u32 = 2u32,
        /// All but one of so many bids are by a hot bidder.
        "bid.hot-ratio.bidders" => bid_hot_ratio_bidders: u32 = 4u32,
        /// All but one of so many auctions are of a hot seller.
        "auction.hot-ratio.sellers" => auction_hot_ratio_sellers: u32 = 4u32,
        /// Time from which the times of events count, in UTC. Upstream takes the time at which the
        /// table is planned; a fixed one makes every run the same.
        "base-time" => base_time: BaseTime = BaseTime::default(),
    }
}

/// How upstream says that it changes the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateShape {
    /// Between two rates.
    Square,
    /// As a sine.
    Sine,
}

impl OptionValues for RateShape {
    const VALUES: &'static [(&'static str, Self)] = &[("SQUARE", Self::Square), ("SINE", Self::Sine)];
}

/// A time in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseTime(pub i64);

impl Default for BaseTime {
    /// `2015-07-15 00:00:00`, as the Nexmark suite of Apache Beam has it.
    fn default() -> Self {
        Self(1_436_918_400_000)
    }
}

impl OptionValue for BaseTime {
    const TYPE_NAME: &'static str = "Timestamp";

    fn parse_option(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let in_utc = || {
            let text = text.replacen('T', " ", 1);
            NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f")
                .ok()
                .map(|time| time.and_utc().timestamp_millis())
        };
        let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis()).or_else(in_utc);
        time.map(Self).ok_or_else(|| "expected a time such as 2015-07-15 00:00:00".to_owned())
    }
}

impl NexmarkOptions {
    /// Leaves what cannot be in the reader.
    pub(crate) fn check(&self, reader: &mut OptionReader<'_>) {
        let ratios = [
            ("first-event.rate", self.first_event_rate),
            ("bid.hot-ratio.auctions", self.bid_hot_ratio_auctions),
            ("bid.hot-ratio.bidders", self.bid_hot_ratio_bidders),
            ("auction.hot-ratio.sellers", self.auction_hot_ratio_sellers),
        ];
        for (key, value) in ratios {
            if !(1..=i32::MAX as u32).contains(&value) {
                let what = format!("option '{key}' of connector 'nexmark' cannot be {value}");
                reader.reject(key, what, "expected a whole number from 1 to 2147483647");
            }
        }
        let sizes = [
            ("person.avg-size", self.person_avg_size),
            ("auction.avg-size", self.auction_avg_size),
            ("bid.avg-size", self.bid_avg_size),
        ];
        for (key, MemorySize(bytes)) in sizes {
            if bytes > MAX_AVERAGE_SIZE {
                let what = format!("option '{key}' of connector 'nexmark' cannot be {bytes} bytes");
                reader.reject(key, what, "events have up to 400 kb");
            }
        }
        let proportions = [self.person_proportion, self.auction_proportion, self.bid_proportion];
        if !(1..=1_000_000).contains(&proportions.iter().map(|of| u64::from(*of)).sum::<u64>()) {
            let what = "the proportions of persons, auctions and bids cannot add up to this".to_owned();
            reader.reject("bid.proportion", what, "together they are the events of an epoch: 1 to 1000000");
        }
        if self.events_num > i64::MAX as u64 {
            let what = format!("option 'events.num' of connector 'nexmark' cannot be {}", self.events_num);
            reader.reject("events.num", what, "use 0 for no end");
        }
        if self.next_event_rate.is_some_and(|rate| rate != self.first_event_rate) {
            tracing::warn!("'next-event.rate' of connector 'nexmark' has no effect: the rate does not change");
        }
    }

    /// Whether the table ends by itself.
    pub(crate) const fn is_bounded(&self) -> bool {
        (self.events_num > 0 || self.stop_at >= 0) && !self.keep_alive
    }

    /// Whether events wait for the clock.
    pub(crate) const fn is_paced(&self) -> bool {
        self.rate_limited || !self.max_emit_speed
    }

    /// The rules that these options, which are checked, make.
    pub(crate) fn rules(&self) -> Rules {
        let sizes = [self.person_avg_size, self.auction_avg_size, self.bid_avg_size];
        let [person_size, auction_size, bid_size] = sizes.map(|MemorySize(bytes)| bytes.min(MAX_AVERAGE_SIZE) as i32);
        let mut rules = Rules {
            person_proportion: self.person_proportion.into(),
            auction_proportion: self.auction_proportion.into(),
            bid_proportion: self.bid_proportion.into(),
            person_size,
            auction_size,
            bid_size,
            hot_auction_ratio: self.bid_hot_ratio_auctions as i32,
            hot_bidder_ratio: self.bid_hot_ratio_bidders as i32,
            hot_seller_ratio: self.auction_hot_ratio_sellers as i32,
            events_per_second: self.first_event_rate,
            base_time: self.base_time.0,
            max_events: self.events_num as i64,
            stop_at: (self.stop_at >= 0).then_some(self.stop_at),
        };
        if rules.max_events == 0 {
            // Upstream's number for "no end", which decides where the ids of splits begin.
            let largest = i64::from(person_size.max(auction_size).max(bid_size).max(1));
            rules.max_events = i64::MAX / (rules.total() * largest);
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_times_are_read() {
        assert_eq!(BaseTime::parse_option("2015-07-15 00:00:00"), Ok(BaseTime::default()));
        assert_eq!(BaseTime::parse_option("2015-07-15T02:00:00.000+02:00"), Ok(BaseTime::default()));
        assert_eq!(BaseTime::parse_option("1970-01-01T00:00:00.5"), Ok(BaseTime(500)));
        assert!(BaseTime::parse_option("yesterday").is_err());
    }
}
