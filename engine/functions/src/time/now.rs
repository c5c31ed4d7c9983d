//! The clock: once a batch, so that all its rows have one time.

use arrow_array::ArrayRef;
use arrow_array::types::{Date32Type, Time64MicrosecondType};
use datafusion_common::Result;
use sluice_model::SqlType;

use super::civil::Moment;
use super::zone::to_wall;
use crate::cast::{Mode, timestamps};
use crate::function::{Call, Definition, Stability};

pub(super) fn definitions() -> Vec<Definition> {
    let clock =
        |name, sql_type, kernel| Definition::new(name, &[], sql_type, kernel).not_null().stability(Stability::PerBatch);
    let instant = |name| {
        clock(name, SqlType::TimestampLtz(3), |call| {
            let now = now(call);
            stamp(call, now)
        })
    };
    vec![
        instant("current_timestamp"),
        instant("now"),
        instant("current_row_timestamp"),
        instant("proctime"),
        clock("localtimestamp", SqlType::Timestamp(3), |call| stamp(call, wall(call))),
        clock("current_date", SqlType::Date, |call| {
            let days = wall(call).epoch_days() as i32;
            call.primitive::<Date32Type>(|_| Ok(Some(days)))
        }),
        clock("localtime", SqlType::Time(0), time_of_day),
        clock("current_time", SqlType::Time(0), time_of_day),
    ]
}

fn now(call: &Call<'_>) -> Moment {
    Moment::from_units(call.session.clock.now_millis(), 1000)
}

fn wall(call: &Call<'_>) -> Moment {
    to_wall(now(call), call.session.time_zone)
}

fn stamp(call: &Call<'_>, moment: Moment) -> Result<ArrayRef> {
    let mode = Mode { try_cast: false, zone: call.session.time_zone };
    timestamps(call.rows, &call.returns, mode, |_| Some(moment))
}

fn time_of_day(call: &Call<'_>) -> Result<ArrayRef> {
    let micros = wall(call).second_of_day() * 1_000_000;
    call.primitive::<Time64MicrosecondType>(|_| Ok(Some(micros)))
}
