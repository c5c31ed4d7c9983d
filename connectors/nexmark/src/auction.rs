//! Auctions.

use crate::columns::{Columns, FieldKind};
use crate::prices::Prices;
use crate::random::Random;
use crate::rules::{
    CATEGORIES, Choice, FIRST_AUCTION_ID, FIRST_CATEGORY_ID, FIRST_PERSON_ID, Rules, Run, auction_millis,
};
use crate::strings;

pub(crate) const FIELDS: [(&str, FieldKind); 10] = [
    ("id", FieldKind::Long),
    ("itemName", FieldKind::Text(14)),
    ("description", FieldKind::Text(56)),
    ("initialBid", FieldKind::Long),
    ("reserve", FieldKind::Long),
    ("dateTime", FieldKind::Time),
    ("expires", FieldKind::Time),
    ("seller", FieldKind::Long),
    ("category", FieldKind::Long),
    ("extra", FieldKind::Text(410)),
];
const ID: usize = 0;
const ITEM_NAME: usize = 1;
const DESCRIPTION: usize = 2;
const INITIAL_BID: usize = 3;
const RESERVE: usize = 4;
const DATE_TIME: usize = 5;
const EXPIRES: usize = 6;
const SELLER: usize = 7;
const CATEGORY: usize = 8;
const EXTRA: usize = 9;

/// Bytes of the fields besides the strings.
const FIXED_SIZE: usize = 6 * 8;

/// Writes the auctions of a run. Numbers are drawn in upstream's order.
pub(crate) fn fill(rules: &Rules, run: &Run, columns: &mut Columns) {
    let seller = Choice::of_person(rules.last_person(run.epoch), rules.hot_seller_ratio, 0);
    let draws_strings = columns.wants(&[ITEM_NAME, DESCRIPTION, RESERVE, EXTRA]);
    let draws = draws_strings || columns.wants(&[INITIAL_BID, EXPIRES, SELLER, CATEGORY]);
    let (pool, prices) = (strings::pool(), Prices::all());
    let mut scratch = Vec::with_capacity(128);
    for (nth, row) in (0..).zip(run.rows.clone()) {
        let event = run.first_event + nth;
        let time = run.timeline.time(event);
        columns.long(ID, row, run.epoch * rules.auction_proportion + run.index + nth + FIRST_AUCTION_ID);
        columns.time(DATE_TIME, row, time);
        if !draws {
            continue;
        }
        let mut random = Random::of_event(run.first_id + nth);
        columns.long(SELLER, row, seller.draw(&mut random) + FIRST_PERSON_ID);
        columns.long(CATEGORY, row, FIRST_CATEGORY_ID + i64::from(random.below(CATEGORIES)));
        let initial_bid = prices.of(random.fraction());
        columns.long(INITIAL_BID, row, initial_bid);
        columns.time(EXPIRES, row, time + auction_millis(rules, &run.timeline, event, &mut random));
        if !draws_strings {
            continue;
        }
        let mut size = FIXED_SIZE;
        for (field, max_length) in [(ITEM_NAME, 20), (DESCRIPTION, 100)] {
            scratch.clear();
            strings::word(&mut random, max_length, b' ', &mut scratch);
            columns.text(field, row, &scratch);
            size += scratch.len();
        }
        columns.long(RESERVE, row, initial_bid + prices.of(random.fraction()));
        columns.text(EXTRA, row, strings::extra(&mut random, pool, size, rules.auction_size));
    }
}
