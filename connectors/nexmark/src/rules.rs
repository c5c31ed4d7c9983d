//! The rules by which ids follow from event ids.
//!
//! Of every 50 events (with the default proportions) the first is a person, the next three are
//! auctions, the other 46 are bids. These 50 are an epoch:
//!
//! ```text
//! event id     100     101  102  103   104 … 149
//! event        person  auctions        bids
//! id           1002    1006 1007 1008
//! ```
//!
//! Source: `NexmarkGenerator`, `PersonGenerator`, `AuctionGenerator` and `BidGenerator` of
//! nexmark-flink.

use std::ops::Range;

use crate::progress::Span;
use crate::random::Random;
use crate::timeline::Timeline;

/// First id of persons and of auctions: not 0, so that small tests find matches too.
pub(crate) const FIRST_PERSON_ID: i64 = 1_000;
pub(crate) const FIRST_AUCTION_ID: i64 = 1_000;
pub(crate) const FIRST_CATEGORY_ID: i64 = 10;
pub(crate) const CATEGORIES: i32 = 5;
/// One of so many persons is a hot seller or bidder, one of so many auctions is hot.
const HOT_SHARE: i64 = 100;
/// Ids may run ahead of the persons and auctions that exist by so many.
const ID_LEAD: i64 = 10;
const ACTIVE_PERSONS: i64 = 1_000;
/// Auctions that are open at a time.
const OPEN_AUCTIONS: i64 = 100;

/// Everything that the options say about events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules {
    pub(crate) person_proportion: i64,
    pub(crate) auction_proportion: i64,
    pub(crate) bid_proportion: i64,
    /// Average sizes of events in bytes.
    pub(crate) person_size: i32,
    pub(crate) auction_size: i32,
    pub(crate) bid_size: i32,
    /// All but one of so many bids or auctions go to the hot ones.
    pub(crate) hot_auction_ratio: i32,
    pub(crate) hot_bidder_ratio: i32,
    pub(crate) hot_seller_ratio: i32,
    pub(crate) events_per_second: u32,
    /// Milliseconds since the epoch.
    pub(crate) base_time: i64,
    /// Events of all splits; they share ids by it.
    pub(crate) max_events: i64,
    /// Events of all splits after which they stop.
    pub(crate) stop_at: Option<i64>,
}

/// What an event is about; the numbers are those of `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Person = 0,
    Auction = 1,
    Bid = 2,
}

/// Events of one kind and epoch that follow on one another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) kind: Kind,
    pub(crate) epoch: i64,
    /// Number of the first one among those of its kind and epoch.
    pub(crate) index: i64,
    /// Id of the first one.
    pub(crate) first_id: i64,
    /// Number of the first one on its timeline.
    pub(crate) first_event: i64,
    pub(crate) timeline: Timeline,
    /// Rows of the batch that they fill.
    pub(crate) rows: Range<usize>,
}

impl Rules {
    /// Events of an epoch.
    pub(crate) const fn total(&self) -> i64 {
        self.person_proportion + self.auction_proportion + self.bid_proportion
    }

    /// The runs that these spans consist of, in the order of their rows.
    pub(crate) fn runs(&self, spans: &[Span]) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut row = 0;
        for span in spans {
            let mut event = span.first;
            let end = span.first + span.count as i64;
            while event < end {
                let id = span.timeline.first_id + event;
                let (epoch, offset) = (id / self.total(), id % self.total());
                let (kind, index, next) = self.place(offset);
                let count = (next - offset).min(end - event);
                let rows = row..row + count as usize;
                row = rows.end;
                let timeline = span.timeline;
                runs.push(Run { kind, epoch, index, first_id: id, first_event: event, timeline, rows });
                event += count;
            }
        }
        runs
    }

    /// Kind of the event at `offset` of an epoch, its number among its kind, and where the next kind begins.
    const fn place(&self, offset: i64) -> (Kind, i64, i64) {
        let auctions = self.person_proportion;
        let bids = auctions + self.auction_proportion;
        if offset < auctions {
            (Kind::Person, offset, auctions)
        } else if offset < bids {
            (Kind::Auction, offset - auctions, bids)
        } else {
            (Kind::Bid, offset - bids, self.total())
        }
    }

    /// The person that an epoch ends with, from 0.
    pub(crate) const fn last_person(&self, epoch: i64) -> i64 {
        epoch * self.person_proportion + self.person_proportion - 1
    }

    /// The auction that an epoch ends with, from 0.
    pub(crate) const fn last_auction(&self, epoch: i64) -> i64 {
        epoch * self.auction_proportion + self.auction_proportion - 1
    }
}

/// A choice of a person or an auction: most of the time the hot one, else any of the recent ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    ratio: i32,
    hot: i64,
    least: i64,
    count: i64,
}

impl Choice {
    /// Of persons, when `last` is the last one; the `nth` of each hundred is hot.
    pub(crate) fn of_person(last: i64, ratio: i32, nth: i64) -> Self {
        let active = (last + 1).min(ACTIVE_PERSONS);
        let hot = last / HOT_SHARE * HOT_SHARE + nth;
        Self { ratio, hot, least: last + 1 - active, count: active + ID_LEAD }
    }

    /// Of auctions, when `last` is the last one.
    pub(crate) fn of_auction(last: i64, ratio: i32) -> Self {
        let least = (last - OPEN_AUCTIONS).max(0);
        Self { ratio, hot: last / HOT_SHARE * HOT_SHARE, least, count: last - least + 1 + ID_LEAD }
    }

    #[inline]
    pub(crate) const fn draw(&self, random: &mut Random) -> i64 {
        if random.below(self.ratio) > 0 { self.hot } else { self.least + random.long_below(self.count) }
    }
}

/// Milliseconds that an auction at event `event` lasts: on average until as many auctions have begun
/// as are open at a time.
pub(crate) fn auction_millis(rules: &Rules, timeline: &Timeline, event: i64, random: &mut Random) -> i64 {
    let ahead = OPEN_AUCTIONS * rules.total() / rules.auction_proportion;
    let horizon = timeline.time(event + ahead) - timeline.time(event);
    1 + random.long_below((horizon * 2).max(1))
}

#[cfg(test)]
impl Default for Rules {
    fn default() -> Self {
        Self {
            person_proportion: 1,
            auction_proportion: 3,
            bid_proportion: 46,
            person_size: 200,
            auction_size: 500,
            bid_size: 100,
            hot_auction_ratio: 2,
            hot_bidder_ratio: 4,
            hot_seller_ratio: 4,
            events_per_second: 10_000,
            base_time: 0,
            max_events: 1 << 40,
            stop_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_with_two_auctions() {
        let rules = Rules::default();
        let timeline = Timeline::of_split(&rules, 0, 1);
        let runs = rules.runs(&[Span { timeline, first: 0, count: 60 }]);
        let shown: Vec<_> = runs.iter().map(|run| (run.kind, run.epoch, run.index, run.rows.clone())).collect();
        let expected = [
            (Kind::Auction, 0, 1, 0..2),
            (Kind::Bid, 0, 0, 2..48),
            (Kind::Person, 1, 0, 48..49),
            (Kind::Auction, 1, 0, 49..52),
            (Kind::Bid, 1, 0, 52..60),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn kinds_may_be_left_out() {
        let rules = Rules { person_proportion: 0, auction_proportion: 0, bid_proportion: 4, ..Rules::default() };
        let timeline = Timeline::of_split(&rules, 0, 1);
        let runs = rules.runs(&[Span { timeline, first: 0, count: 5 }]);
        assert!(runs.iter().all(|run| run.kind == Kind::Bid));
        assert_eq!(runs.iter().map(|run| run.rows.clone()).collect::<Vec<_>>(), [0..2, 2..5]);
        assert_eq!(Choice::of_person(rules.last_person(7), 4, 1).hot, 1);
    }
}
