//! Names of months, days, quarters and eras, and the weeks of the locale `US`.

use super::Style;
use crate::time::civil::{Day, iso_day_of_week};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    Initial,
    Short,
    Full,
}

pub(super) fn name(full: &'static str, width: Width) -> &'static str {
    match width {
        Width::Initial => &full[..1],
        Width::Short => &full[..3],
        Width::Full => full,
    }
}

pub(super) fn era(is_after: bool, count: usize) -> &'static str {
    match (is_after, count) {
        (true, 4) => "Anno Domini",
        (false, 4) => "Before Christ",
        (true, 5) => "A",
        (false, 5) => "B",
        (true, _) => "AD",
        (false, _) => "BC",
    }
}

pub(super) fn quarter(day: Day, is_full: bool) -> &'static str {
    const SHORT: [&str; 4] = ["Q1", "Q2", "Q3", "Q4"];
    const FULL: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];
    let index = day.month.div_ceil(3) as usize - 1;
    if is_full { FULL[index] } else { SHORT[index] }
}

/// The Sunday that a day's week starts with, in days since 1970.
pub(super) fn sunday(epoch_days: i64) -> i64 {
    epoch_days - iso_day_of_week(epoch_days) % 7
}

/// The year that a week belongs to, and its number there: the week with the 1st of January is the first.
pub(super) fn week_of_year(day: Day) -> (i64, i64) {
    let start = sunday(day.to_epoch_days());
    let year = Day::from_epoch_days(start + 6).year;
    let first = sunday(Day { year, month: 1, day: 1 }.to_epoch_days());
    (i64::from(year), (start - first) / 7 + 1)
}

pub(super) fn week_of_month(day: Day) -> i64 {
    let first = Day { day: 1, ..day };
    (sunday(day.to_epoch_days()) - sunday(first.to_epoch_days())) / 7 + 1
}

pub(super) fn parse_name<'t>(
    names: &[&'static str],
    text: &'t str,
    is_full: bool,
    style: Style,
) -> Option<(i64, &'t str)> {
    let found = |length: usize, expected: &str| {
        let given = text.get(..length)?;
        let same = if style == Style::Lenient { given.eq_ignore_ascii_case(expected) } else { given == expected };
        same.then(|| &text[length..])
    };
    names.iter().zip(0..).find_map(|(full, index)| {
        let short = &full[..full.len().min(3)];
        let exact = if is_full { *full } else { short };
        let rest = match style {
            Style::Strict => found(exact.len(), exact),
            Style::Lenient => found(full.len(), full).or_else(|| found(short.len(), short)),
        };
        rest.map(|rest| (index, rest))
    })
}
