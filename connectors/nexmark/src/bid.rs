//! Bids.

use crate::columns::{Columns, FieldKind};
use crate::prices::Prices;
use crate::random::Random;
use crate::rules::{Choice, FIRST_AUCTION_ID, FIRST_PERSON_ID, Rules, Run};
use crate::strings::{self, Channels};

pub(crate) const FIELDS: [(&str, FieldKind); 7] = [
    ("auction", FieldKind::Long),
    ("bidder", FieldKind::Long),
    ("price", FieldKind::Long),
    ("channel", FieldKind::Text(10)),
    ("url", FieldKind::Text(68)),
    ("dateTime", FieldKind::Time),
    ("extra", FieldKind::Text(70)),
];
const AUCTION: usize = 0;
const BIDDER: usize = 1;
const PRICE: usize = 2;
const CHANNEL: usize = 3;
const URL: usize = 4;
const DATE_TIME: usize = 5;
const EXTRA: usize = 6;

/// Bytes of the fields that the size of a bid counts.
const FIXED_SIZE: usize = 4 * 8;
/// Upstream adds its first id to a bidder twice, so that the bidders of an epoch are numbered like
/// persons of a much later one. Whoever compares results needs the same.
const FIRST_BIDDER_ID: i64 = FIRST_PERSON_ID + FIRST_PERSON_ID;

/// Writes the bids of a run. Numbers are drawn in upstream's order.
pub(crate) fn fill(rules: &Rules, run: &Run, columns: &mut Columns) {
    let auction = Choice::of_auction(rules.last_auction(run.epoch), rules.hot_auction_ratio);
    let bidder = Choice::of_person(rules.last_person(run.epoch), rules.hot_bidder_ratio, 1);
    let draws = columns.wants(&[AUCTION, BIDDER, PRICE, CHANNEL, URL, EXTRA]);
    let wants_price = columns.wants(&[PRICE]);
    let draws_channel = columns.wants(&[CHANNEL, URL, EXTRA]);
    let (pool, channels, prices) = (strings::pool(), Channels::all(), Prices::all());
    let mut texts = Vec::with_capacity(run.rows.len());
    for (nth, row) in (0..).zip(run.rows.clone()) {
        columns.time(DATE_TIME, row, run.timeline.time(run.first_event + nth));
        if !draws {
            continue;
        }
        let mut random = Random::of_event(run.first_id + nth);
        columns.long(AUCTION, row, auction.draw(&mut random) + FIRST_AUCTION_ID);
        columns.long(BIDDER, row, bidder.draw(&mut random) + FIRST_BIDDER_ID);
        let fraction = random.fraction();
        if wants_price {
            columns.long(PRICE, row, prices.of(fraction));
        }
        if !draws_channel {
            continue;
        }
        let (channel, url) = channels.draw(&mut random);
        texts.push((row, channel, url, strings::extra(&mut random, pool, FIXED_SIZE, rules.bid_size)));
    }
    // Texts lie anywhere in large tables. Copied one after the other they are waited for together.
    texts.iter().for_each(|(row, channel, ..)| columns.text(CHANNEL, *row, channel));
    texts.iter().for_each(|(row, _, url, _)| columns.text(URL, *row, url));
    texts.iter().for_each(|(row, .., extra)| columns.text(EXTRA, *row, extra));
}
