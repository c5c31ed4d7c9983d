//! Persons.

use crate::columns::{Columns, FieldKind};
use crate::random::Random;
use crate::rules::{FIRST_PERSON_ID, Rules, Run};
use crate::strings;

pub(crate) const FIELDS: [(&str, FieldKind); 8] = [
    ("id", FieldKind::Long),
    ("name", FieldKind::Text(14)),
    ("emailAddress", FieldKind::Text(16)),
    ("creditCard", FieldKind::Text(19)),
    ("city", FieldKind::Text(10)),
    ("state", FieldKind::Text(2)),
    ("dateTime", FieldKind::Time),
    ("extra", FieldKind::Text(160)),
];
const ID: usize = 0;
const NAME: usize = 1;
const EMAIL_ADDRESS: usize = 2;
const CREDIT_CARD: usize = 3;
const CITY: usize = 4;
const STATE: usize = 5;
const DATE_TIME: usize = 6;
const EXTRA: usize = 7;

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Writes the persons of a run. Numbers are drawn in upstream's order.
pub(crate) fn fill(rules: &Rules, run: &Run, columns: &mut Columns) {
    let draws = columns.wants(&[NAME, EMAIL_ADDRESS, CREDIT_CARD, CITY, STATE, EXTRA]);
    let pool = strings::pool();
    let mut scratch = Vec::with_capacity(64);
    for (nth, row) in (0..).zip(run.rows.clone()) {
        columns.long(ID, row, run.epoch * rules.person_proportion + run.index + nth + FIRST_PERSON_ID);
        columns.time(DATE_TIME, row, run.timeline.time(run.first_event + nth));
        if !draws {
            continue;
        }
        let mut random = Random::of_event(run.first_id + nth);
        let mut size = 8;
        let mut text = |columns: &mut Columns, field, write: &mut dyn FnMut(&mut Vec<u8>)| {
            scratch.clear();
            write(&mut scratch);
            columns.text(field, row, &scratch);
            size += scratch.len();
        };
        text(columns, NAME, &mut |to| {
            to.extend_from_slice(pick(&mut random, &FIRST_NAMES));
            to.push(b' ');
            to.extend_from_slice(pick(&mut random, &LAST_NAMES));
        });
        text(columns, EMAIL_ADDRESS, &mut |to| {
            strings::word(&mut random, 7, b' ', to);
            to.push(b'@');
            strings::word(&mut random, 5, b' ', to);
            to.extend_from_slice(b".com");
        });
        text(columns, CREDIT_CARD, &mut |to| strings::credit_card(&mut random, to));
        text(columns, CITY, &mut |to| to.extend_from_slice(pick(&mut random, &CITIES)));
        text(columns, STATE, &mut |to| to.extend_from_slice(pick(&mut random, &STATES)));
        columns.text(EXTRA, row, strings::extra(&mut random, pool, size, rules.person_size));
    }
}

fn pick(random: &mut Random, words: &[&'static str]) -> &'static [u8] {
    words[random.below(words.len() as i32) as usize].as_bytes()
}
