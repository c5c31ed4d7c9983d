//! Dates and times: the pieces of `java.time`'s texts.

/// How many digits a fraction of a second has. None at all where it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraction {
    /// As many as needed, but not more than these: `.1`.
    Shortest(u8),
    /// Three, six or nine: `.100`, as `LocalDateTime.toString` has it.
    Thirds,
}

/// Appends `2021-04-13` for days since 1970-01-01, as `DateTimeFormatter.ISO_LOCAL_DATE`.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    let mut text = *b"0000-00-00";
    if let Ok(year @ 0..=9999) = u16::try_from(year) {
        put_two(&mut text, 0, u64::from(year / 100));
        put_two(&mut text, 2, u64::from(year % 100));
        put_two(&mut text, 5, month);
        put_two(&mut text, 8, day);
        out.extend_from_slice(&text);
    } else {
        write_far_year(year, out);
        put_two(&mut text, 5, month);
        put_two(&mut text, 8, day);
        out.extend_from_slice(&text[4..]);
    }
}

/// A sign in front of years that have more than four digits, or that lie before year 0.
fn write_far_year(year: i64, out: &mut Vec<u8>) {
    out.push(if year < 0 { b'-' } else { b'+' });
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(year.unsigned_abs());
    out.extend_from_slice(&b"0000"[digits.len().min(4)..]);
    out.extend_from_slice(digits.as_bytes());
}

/// Appends `20:12:11` for seconds since midnight.
pub fn write_clock(second_of_day: u32, out: &mut Vec<u8>) {
    let second = u64::from(second_of_day);
    let mut text = *b"00:00:00";
    put_two(&mut text, 0, second / 3600);
    put_two(&mut text, 3, second / 60 % 60);
    put_two(&mut text, 6, second % 60);
    out.extend_from_slice(&text);
}

fn put_two(text: &mut [u8], at: usize, number: u64) {
    text[at] = b'0' + (number / 10 % 10) as u8;
    text[at + 1] = b'0' + (number % 10) as u8;
}

/// Appends `.123` for nanoseconds of a second; nothing for a fraction of zero.
pub fn write_fraction(nanos: u32, fraction: Fraction, out: &mut Vec<u8>) {
    let mut text = *b".000000000";
    let mut rest = nanos;
    for place in text[1..].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let most = match fraction {
        Fraction::Shortest(digits) => usize::from(digits.min(9)),
        Fraction::Thirds => 9,
    };
    let needed = text[1..=most].iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    let digits = match fraction {
        Fraction::Shortest(_) => needed,
        Fraction::Thirds => needed.next_multiple_of(3),
    };
    if digits > 0 {
        out.extend_from_slice(&text[..=digits]);
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097).unsigned_abs();
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era as i64 + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_calendar_goes_day_by_day() {
        let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let (mut year, mut month, mut day) = (-1, 12, 30);
        for days in -719_530..2_932_900 {
            let length = match month {
                2 => 28 + u64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            assert_eq!(civil_from_days(days), (year, month, day), "day {days}");
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn dates() {
        assert_eq!(written(|out| write_date(0, out)), "1970-01-01");
        assert_eq!(written(|out| write_date(-719_162, out)), "0001-01-01");
        assert_eq!(written(|out| write_date(2_932_897, out)), "+10000-01-01");
        assert_eq!(written(|out| write_date(-719_529, out)), "-0001-12-31");
    }

    #[test]
    fn clocks_and_fractions() {
        assert_eq!(written(|out| write_clock(72_731, out)), "20:12:11");
        assert_eq!(written(|out| write_clock(86_399, out)), "23:59:59");
        let fraction = |nanos, fraction| written(|out| write_fraction(nanos, fraction, out));
        assert_eq!(fraction(0, Fraction::Shortest(9)), "");
        assert_eq!(fraction(100_000_000, Fraction::Shortest(6)), ".1");
        assert_eq!(fraction(123_456_789, Fraction::Shortest(3)), ".123");
        assert_eq!(fraction(456_789, Fraction::Shortest(3)), "");
        assert_eq!(fraction(123_456_789, Fraction::Shortest(0)), "");
        assert_eq!(fraction(100_000_000, Fraction::Thirds), ".100");
        assert_eq!(fraction(1_000, Fraction::Thirds), ".000001");
        assert_eq!(fraction(1, Fraction::Thirds), ".000000001");
    }
}
