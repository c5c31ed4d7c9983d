//! Patterns of Java: `yyyy-MM-dd HH:mm:ss.SSS`.
//!
//! Flink formats and parses timestamps with `DateTimeFormatter`, and Unix times and dates with the
//! older `SimpleDateFormat`. They share the letters; the older one is lenient: numbers may have any
//! number of digits, `2021-13-01` is `2022-01-01`, and text after the pattern does not count.
//!
//! | letter | meaning |
//! |---|---|
//! | `G` | era (`G` AD, `GGGG` Anno Domini) |
//! | `y u M L d D Q q` | year, month (`MMM` Jan, `MMMM` January), day, day of the year, quarter (`QQQ` Q2) |
//! | `E` | day of the week (`E` Mon, `EEEE` Monday) |
//! | `e c` | the same, and as a number from 1 for Sunday |
//! | `Y w W` | year that the week belongs to, week of that year, week of the month; written only |
//! | `H h k K a` | hour 0-23, 1-12, 1-24, 0-11, AM/PM |
//! | `m s S n A N` | minute, second, fraction, nanosecond, millisecond and nanosecond of the day |
//! | `X x Z` | offset of the zone |
//! | `'text'`, `''`, `[ ]` | text, a quote, an optional section |
//!
//! Names and weeks are those of the locale `US`: a week starts on Sunday, and the first one has the 1st. In the
//! older format `u` is the day of the week from 1 for Monday, and `F` counts the same days of the week in a month.

mod calendar;
mod offset;

use std::fmt::Write;

use datafusion_common::Result;
use sluice_model::Error;

use self::calendar::{DAYS, MONTHS, Width, era, name, parse_name, quarter, week_of_month, week_of_year};
use self::offset::{parse_offset, write_offset};
use super::civil::{Day, Moment, SECONDS_PER_DAY, days_of_month, iso_day_of_week};
use crate::error::external;

/// Which of Java's two formatters a function uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `DateTimeFormatter`.
    Strict,
    /// `SimpleDateFormat`.
    Lenient,
}

impl Style {
    /// How often a letter may stand in a row; `None` if it has no meaning.
    fn most_letters(self, letter: char) -> Option<usize> {
        const ANY: usize = usize::MAX;
        if self == Self::Lenient {
            return "GyYMLwWDdFEuaHkKhmsSXxZQn".contains(letter).then_some(ANY);
        }
        Some(match letter {
            'a' | 'W' => 1,
            'd' | 'h' | 'H' | 'k' | 'K' | 'm' | 's' | 'w' => 2,
            'D' => 3,
            'G' | 'E' | 'M' | 'L' | 'Q' | 'q' | 'e' | 'c' | 'X' | 'x' | 'Z' => 5,
            'S' => 9,
            'y' | 'u' | 'Y' | 'n' | 'A' | 'N' => 19,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    Field(char, usize),
    Optional,
    EndOptional,
}

impl Item {
    /// Seconds of the unit that it shows; a day if that is longer, `None` if it is less than a second.
    fn unit(&self) -> Option<i64> {
        match self {
            Self::Field('S' | 'n' | 'A' | 'N', _) => None,
            Self::Field('s', _) => Some(1),
            Self::Field('m', _) => Some(60),
            Self::Field('H' | 'h' | 'k' | 'K' | 'a', _) => Some(3600),
            _ => Some(SECONDS_PER_DAY),
        }
    }
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    items: Vec<Item>,
    style: Style,
    /// Seconds of the smallest unit that it shows; `None` if that is less than one.
    unit: Option<i64>,
}

/// Fields that a text has; what it does not have is `None`.
#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_day_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    offset: Option<i64>,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A letter without a meaning, or a quote that is not closed.
    pub(crate) fn compile(pattern: &str, style: Style) -> Result<Self> {
        let bad = |what: String| {
            external(
                Error::fix(format!("invalid date pattern '{pattern}'"))
                    .because(what)
                    .with_hint("patterns are Java's, for example yyyy-MM-dd HH:mm:ss.SSS"),
            )
        };
        let mut items: Vec<Item> = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '\'' => push_text(&mut items, &quoted(&mut chars).ok_or_else(|| bad("a quote is not closed".into()))?),
                '[' if style == Style::Strict => items.push(Item::Optional),
                ']' if style == Style::Strict => items.push(Item::EndOptional),
                letter if letter.is_ascii_alphabetic() => {
                    let Some(most) = style.most_letters(letter) else {
                        return Err(bad(format!("letter '{letter}' has no meaning here")));
                    };
                    let mut count = 1;
                    while chars.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    if count > most || (letter, count) == ('c', 2) {
                        return Err(bad(format!("it has too many letters '{letter}' in a row")));
                    }
                    items.push(Item::Field(letter, count));
                }
                other => push_text(&mut items, other.encode_utf8(&mut [0; 4])),
            }
        }
        let unit = items.iter().map(Item::unit).collect::<Option<Vec<_>>>();
        let unit = unit.map(|units| units.into_iter().fold(SECONDS_PER_DAY, i64::min));
        Ok(Self { items, style, unit })
    }

    /// Seconds of the smallest unit that it shows: times within the same one have the same text.
    pub(crate) fn unit(&self) -> Option<i64> {
        self.unit
    }

    /// Writes a wall-clock time; `offset` is that of its zone, in seconds.
    pub(crate) fn format(&self, wall: Moment, offset: i64, out: &mut String) {
        for item in &self.items {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Field(letter, count) => self.format_field(*letter, *count, wall, offset, out),
                Item::Optional | Item::EndOptional => {}
            }
        }
    }

    fn format_field(&self, letter: char, count: usize, wall: Moment, offset: i64, out: &mut String) {
        let day = wall.day();
        let second = wall.second_of_day();
        let hour = second / 3600;
        let weekday = iso_day_of_week(wall.epoch_days());
        let number = match letter {
            'G' => return out.push_str(era(day.year > 0, if self.style == Style::Strict { count } else { 1 })),
            'u' if self.style == Style::Lenient => weekday,
            'F' => i64::from(day.day.div_ceil(7)),
            'Y' if count == 2 => week_of_year(day).0.rem_euclid(100),
            'Y' => week_of_year(day).0,
            'w' => week_of_year(day).1,
            'W' => week_of_month(day),
            'e' | 'c' if count <= 2 => weekday % 7 + 1,
            'A' => second * 1000 + i64::from(wall.nanos / 1_000_000),
            'N' => second * 1_000_000_000 + i64::from(wall.nanos),
            'y' | 'u' if count == 2 => i64::from(day.year.rem_euclid(100)),
            'y' | 'u' => i64::from(day.year),
            'M' | 'L' if count >= 3 => return out.push_str(name(MONTHS[day.month as usize - 1], self.width(count))),
            'M' | 'L' => i64::from(day.month),
            'Q' | 'q' if count == 3 || count == 4 => return out.push_str(quarter(day, count == 4)),
            'Q' | 'q' if count == 5 => {
                return {
                    let _ = write!(out, "{}", day.month.div_ceil(3));
                };
            }
            'Q' | 'q' => i64::from(day.month.div_ceil(3)),
            'd' => i64::from(day.day),
            'D' => day.day_of_year(),
            'E' | 'e' | 'c' => return out.push_str(name(DAYS[weekday as usize - 1], self.width(count))),
            'a' => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
            'H' => hour,
            'k' => (hour + 23) % 24 + 1,
            'K' => hour % 12,
            'h' => (hour + 11) % 12 + 1,
            'm' => second / 60 % 60,
            's' => second % 60,
            'S' if self.style == Style::Strict => return write_fraction(wall.nanos, count, out),
            'S' => i64::from(wall.nanos / 1_000_000),
            'n' => i64::from(wall.nanos),
            _ => return write_offset(letter, count, offset, out),
        };
        let _ = write!(out, "{number:0count$}");
    }

    /// How long a name of so many letters is; the older format has no initials.
    fn width(&self, count: usize) -> Width {
        match count {
            5 if self.style == Style::Strict => Width::Initial,
            4.. => Width::Full,
            _ => Width::Short,
        }
    }

    /// Reads a wall-clock time and, if the text says it, the offset of its zone in seconds.
    pub(crate) fn parse(&self, text: &str) -> Option<(Moment, Option<i64>)> {
        let mut fields = Fields::default();
        let rest = self.parse_items(&self.items, text, &mut fields)?;
        if self.style == Style::Strict && !rest.is_empty() {
            return None;
        }
        let moment = if self.style == Style::Strict { fields.resolve()? } else { fields.resolve_leniently()? };
        Some((moment, fields.offset))
    }

    fn parse_items<'t>(&self, items: &[Item], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
        let mut index = 0;
        while let Some(item) = items.get(index) {
            match item {
                Item::Text(expected) => text = text.strip_prefix(expected.as_str())?,
                Item::Field(letter, count) => {
                    text = self.parse_field(*letter, *count, &items[index + 1..], text, fields)?;
                }
                Item::Optional => {
                    let end = closing(items, index);
                    let mut attempt = *fields;
                    if let Some(rest) = self.parse_items(&items[index + 1..end], text, &mut attempt) {
                        (*fields, text) = (attempt, rest);
                    }
                    index = end;
                }
                Item::EndOptional => {}
            }
            index += 1;
        }
        Some(text)
    }

    fn parse_field<'t>(
        &self,
        letter: char,
        count: usize,
        next: &[Item],
        text: &'t str,
        fields: &mut Fields,
    ) -> Option<&'t str> {
        match letter {
            'M' | 'L' if count >= 3 => {
                let (index, rest) = parse_name(&MONTHS, text, count > 3, self.style)?;
                fields.month = Some(index + 1);
                return Some(rest);
            }
            'G' => return parse_name(&["AD", "BC"], text, true, self.style).map(|(_, rest)| rest),
            // Weeks do not make a date without more, and nobody reads them back.
            'Y' | 'w' | 'W' | 'F' | 'e' | 'c' | 'q' | 'A' | 'N' => return None,
            'Q' if count >= 3 => return None,
            'E' => return parse_name(&DAYS, text, count > 3, self.style).map(|(_, rest)| rest),
            'a' => {
                let (index, rest) = parse_name(&["AM", "PM"], text, true, self.style)?;
                fields.afternoon = Some(index == 1);
                return Some(rest);
            }
            'X' | 'x' | 'Z' => {
                let (offset, rest) = parse_offset(text)?;
                fields.offset = Some(offset);
                return Some(rest);
            }
            _ => {}
        }
        let text = if self.style == Style::Lenient { text.trim_start_matches(' ') } else { text };
        let (least, most) = self.widths(letter, count, next, text);
        let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if digits < least {
            return None;
        }
        let number: i64 = text[..digits].parse().ok()?;
        if (letter, self.style) == ('u', Style::Lenient) {
            return Some(&text[digits..]);
        }
        fields.set(letter, self.scaled(letter, count, number, digits));
        Some(&text[digits..])
    }

    /// Fewest and most digits of a number: one that is followed by others leaves them their digits.
    fn widths(&self, letter: char, count: usize, next: &[Item], text: &str) -> (usize, usize) {
        const MOST: usize = 18;
        let is_number = |item: &Item| match item {
            Item::Field('M' | 'L', count) => *count < 3,
            Item::Field(letter, _) => !"EGaXxZ".contains(*letter),
            _ => false,
        };
        if self.style == Style::Lenient {
            return (1, if next.first().is_some_and(is_number) { count } else { MOST });
        }
        match (letter, count) {
            ('S', count) => (count, count),
            ('y' | 'u', 2) => (2, 2),
            ('y' | 'u', _) | (_, 1) => {
                let reserved: usize = next
                    .iter()
                    .take_while(|item| is_number(item))
                    .map(|item| if let Item::Field(_, count) = item { *count } else { 0 })
                    .sum();
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                let most = if reserved > 0 { digits.saturating_sub(reserved).max(count) } else { MOST };
                (count, most.min(MOST))
            }
            (_, count) => (count, count),
        }
    }

    fn scaled(&self, letter: char, count: usize, number: i64, digits: usize) -> i64 {
        match letter {
            'y' | 'u' if count == 2 && digits == 2 => two_digit_year(number, self.style),
            'S' if self.style == Style::Strict => {
                // A fraction of any number of digits as nanoseconds.
                let missing = 9 - digits.min(9) as u32;
                let surplus = digits.saturating_sub(9) as u32;
                number * 10i64.pow(missing) / 10i64.pow(surplus)
            }
            'S' => number.saturating_mul(1_000_000),
            _ => number,
        }
    }
}

/// `DateTimeFormatter` counts from 2000; `SimpleDateFormat` takes the year that is nearest.
fn two_digit_year(number: i64, style: Style) -> i64 {
    const NEWEST: i64 = 45;
    if style == Style::Strict || number <= NEWEST { 2000 + number } else { 1900 + number }
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => return Some(text),
            char => text.push(char),
        }
    }
}

fn push_text(items: &mut Vec<Item>, text: &str) {
    if let Some(Item::Text(last)) = items.last_mut() {
        last.push_str(text);
    } else {
        items.push(Item::Text(text.to_owned()));
    }
}

/// Where the section that opens at a position closes.
fn closing(items: &[Item], open: usize) -> usize {
    let mut depth = 0;
    for (index, item) in items.iter().enumerate().skip(open) {
        match item {
            Item::Optional => depth += 1,
            Item::EndOptional if depth == 1 => return index,
            Item::EndOptional => depth -= 1,
            _ => {}
        }
    }
    items.len()
}

fn write_fraction(nanos: u32, count: usize, out: &mut String) {
    let start = out.len();
    let _ = write!(out, "{nanos:09}");
    out.truncate(start + count.min(9));
    out.extend(std::iter::repeat_n('0', count.saturating_sub(9)));
}

impl Fields {
    fn set(&mut self, letter: char, number: i64) {
        let field = match letter {
            'y' | 'u' => &mut self.year,
            'M' | 'L' => &mut self.month,
            'd' => &mut self.day,
            'D' => &mut self.day_of_year,
            'H' | 'k' => &mut self.hour,
            'h' | 'K' => &mut self.half_day_hour,
            'm' => &mut self.minute,
            's' => &mut self.second,
            'S' | 'n' => &mut self.nanos,
            _ => return,
        };
        // 24 o'clock is midnight, and 12 is the 0th hour of its half.
        *field = Some(match letter {
            'k' if number == 24 => 0,
            'h' if number == 12 => 0,
            _ => number,
        });
    }

    fn hour(&self) -> Option<i64> {
        let half = || Some(self.half_day_hour? + if self.afternoon? { 12 } else { 0 });
        self.hour.or_else(half)
    }

    fn resolve(&self) -> Option<Moment> {
        let year = i32::try_from(self.year.unwrap_or(1970)).ok()?;
        let day = match self.day_of_year {
            Some(day_of_year) if self.day.is_none() => {
                let first = Day::valid(year, 1, 1)?;
                Day::from_epoch_days(first.to_epoch_days() + day_of_year - 1)
            }
            _ => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                crate::cast::smart_day(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?
            }
        };
        let (hour, minute, second) = (self.hour().unwrap_or(0), self.minute.unwrap_or(0), self.second.unwrap_or(0));
        let in_range = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
        let nanos = u32::try_from(self.nanos.unwrap_or(0)).ok()?;
        in_range.then(|| Moment::new(day, hour * 3600 + minute * 60 + second, nanos))
    }

    /// Fields that are too large carry over into the next.
    fn resolve_leniently(&self) -> Option<Moment> {
        const LIMIT: i64 = 10_000_000_000;
        let all = [self.year, self.month, self.day, self.hour, self.minute, self.second, self.nanos];
        if all.iter().flatten().any(|value| *value > LIMIT * 1_000_000) || self.year.is_some_and(|year| year > 9999) {
            return None;
        }
        let months = self.year.unwrap_or(1970).checked_mul(12)? + self.month.unwrap_or(1) - 1;
        let first =
            Day { year: i32::try_from(months.div_euclid(12)).ok()?, month: months.rem_euclid(12) as u32 + 1, day: 1 };
        debug_assert!(days_of_month(first.year, first.month) >= 28);
        let days = first.to_epoch_days() + self.day_of_year.or(self.day).unwrap_or(1) - 1;
        let hour = self.hour().or(self.half_day_hour).unwrap_or(0);
        let seconds = days
            .checked_mul(SECONDS_PER_DAY)?
            .checked_add(hour.checked_mul(3600)?)?
            .checked_add(self.minute.unwrap_or(0).checked_mul(60)?)?
            .checked_add(self.second.unwrap_or(0))?;
        Moment { seconds, nanos: 0 }.plus_millis(self.nanos.unwrap_or(0) / 1_000_000)
    }
}

#[cfg(test)]
mod tests;
