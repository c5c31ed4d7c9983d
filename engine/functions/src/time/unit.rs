//! Units of time, as `EXTRACT`, `FLOOR`, `TIMESTAMPADD` and `TIMESTAMPDIFF` name them.

use datafusion_common::Result;
use sluice_model::{Error, suggest};

use crate::error::external;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

const NAMES: [(&str, Unit); 19] = [
    ("MILLENNIUM", Unit::Millennium),
    ("CENTURY", Unit::Century),
    ("DECADE", Unit::Decade),
    ("YEAR", Unit::Year),
    ("ISOYEAR", Unit::IsoYear),
    ("QUARTER", Unit::Quarter),
    ("MONTH", Unit::Month),
    ("WEEK", Unit::Week),
    ("DAY", Unit::Day),
    ("DOW", Unit::DayOfWeek),
    ("ISODOW", Unit::IsoDayOfWeek),
    ("DOY", Unit::DayOfYear),
    ("HOUR", Unit::Hour),
    ("MINUTE", Unit::Minute),
    ("SECOND", Unit::Second),
    ("MILLISECOND", Unit::Millisecond),
    ("MICROSECOND", Unit::Microsecond),
    ("NANOSECOND", Unit::Nanosecond),
    ("EPOCH", Unit::Epoch),
];

impl Unit {
    /// A unit by its name, in any case, with the `SQL_TSI_` of ODBC or a plural `S`.
    ///
    /// # Errors
    /// There is no such unit.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let upper = name.to_ascii_uppercase();
        let plain = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
        let found = |plain: &str| NAMES.iter().find(|(name, _)| *name == plain).map(|(_, unit)| *unit);
        found(plain).or_else(|| found(plain.strip_suffix('S')?)).ok_or_else(|| {
            let error = Error::fix(format!("unknown unit of time '{name}'"));
            external(match suggest(plain, NAMES.iter().map(|(name, _)| *name)) {
                Some(name) => error.with_hint(format!("did you mean {name}?")),
                None => error,
            })
        })
    }

    /// Months of the unit, if it is counted in them.
    pub(crate) fn months(self) -> Option<i64> {
        Some(match self {
            Self::Millennium => 12_000,
            Self::Century => 1_200,
            Self::Decade => 120,
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return None,
        })
    }

    /// Microseconds of the unit, if it has a fixed length.
    pub(crate) fn micros(self) -> Option<i64> {
        const SECOND: i64 = 1_000_000;
        Some(match self {
            Self::Week => 7 * 86_400 * SECOND,
            Self::Day => 86_400 * SECOND,
            Self::Hour => 3_600 * SECOND,
            Self::Minute => 60 * SECOND,
            Self::Second => SECOND,
            Self::Millisecond => 1_000,
            Self::Microsecond => 1,
            _ => return None,
        })
    }

    /// "cannot be used here".
    pub(crate) fn refuse(self, function: &str) -> datafusion_common::DataFusionError {
        let name = NAMES.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| *name);
        external(Error::fix(format!("{function} has no unit {name}")))
    }
}
