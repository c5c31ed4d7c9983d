//! Text of dates and times, as MySQL prints them.

use crate::value::temporal::{Clock, Date, DateTime, Span};

impl Date {
    /// `2024-02-29`.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        write_padded(out, self.year, 4);
        out.push(b'-');
        write_padded(out, self.month, 2);
        out.push(b'-');
        write_padded(out, self.day, 2);
    }
}

impl Clock {
    /// `23:59:59.5` with one digit of fraction.
    pub(crate) fn write(self, out: &mut Vec<u8>, digits: u8) {
        write_clock(out, self.hour, self.minute, self.second);
        write_fraction(out, self.micros, digits);
    }
}

impl DateTime {
    /// `2024-02-29 23:59:59.5` with one digit of fraction.
    pub(crate) fn write(self, out: &mut Vec<u8>, digits: u8) {
        self.date.write(out);
        out.push(b' ');
        self.clock.write(out, digits);
    }
}

impl Span {
    /// `-838:59:59.5` with one digit of fraction.
    pub(crate) fn write(self, out: &mut Vec<u8>, digits: u8) {
        if self.negative {
            out.push(b'-');
        }
        write_clock(out, self.hours, self.minutes, self.seconds);
        write_fraction(out, self.micros, digits);
    }
}

fn write_clock(out: &mut Vec<u8>, hours: u32, minutes: u32, seconds: u32) {
    write_padded(out, hours, 2);
    out.push(b':');
    write_padded(out, minutes, 2);
    out.push(b':');
    write_padded(out, seconds, 2);
}

/// A point and the first `digits` of six.
fn write_fraction(out: &mut Vec<u8>, micros: u32, digits: u8) {
    if digits == 0 {
        return;
    }
    out.push(b'.');
    let start = out.len();
    write_padded(out, micros, 6);
    out.truncate(start + usize::from(digits.min(6)));
}

/// A number with at least `width` digits.
pub(crate) fn write_padded(out: &mut Vec<u8>, value: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_and_times_print_as_mysql_prints_them() {
        let datetime = DateTime {
            date: Date { year: 99, month: 1, day: 2 },
            clock: Clock { hour: 3, minute: 4, second: 5, micros: 60_000 },
        };
        assert_eq!(text(|out| datetime.write(out, 0)), "0099-01-02 03:04:05");
        assert_eq!(text(|out| datetime.write(out, 2)), "0099-01-02 03:04:05.06");
        assert_eq!(text(|out| DateTime::default().write(out, 6)), "0000-00-00 00:00:00.000000");
        let span = Span { negative: true, hours: 1, minutes: 2, seconds: 3, micros: 500_000 };
        assert_eq!(text(|out| span.write(out, 1)), "-01:02:03.5");
        assert_eq!(text(|out| Span { hours: 838, ..span }.write(out, 0)), "-838:02:03");
    }
}
