//! Aggregates `OVER` the rows before each row, in the order of time.

use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{NullTreatment, WindowFunction};
use datafusion_expr::{Expr, LogicalPlan, Window, WindowFrame, WindowFrameBound, WindowFrameUnits};
use sluice_model::{Error, Position, Result};
use sluice_plan::{AggregateCall, Frame, Input, Operation, Output, OverAggregate};

use super::aggregate::{Call, lower_call};
use super::changes::place_of;
use super::columns::Columns;
use super::nodes::Nodes;
use crate::logical::{is_processing_time, is_rowtime, rowtimes};

const MILLIS_PER_DAY: i64 = 86_400_000;

impl Nodes {
    /// Adds one node per frame: DataFusion has put windows of another partition or order into a
    /// window of their own.
    pub(super) fn over(&mut self, window: &Window, query: &LogicalPlan) -> Result<Input> {
        let functions = window.window_expr.iter().map(function).collect::<Result<Vec<_>>>()?;
        let [first, ..] = functions.as_slice() else { return Err(Error::bug("a window without a function")) };
        let place = place_of_call(first);
        let time_of = time_of(first, &window.input).map_err(|error| ranking(first).unwrap_or(error).at_opt(place));
        let (time, processing_time) = time_of?;
        let from = self.lower(&window.input)?;
        self.refuse_changes("OverAggregate", &from).map_err(|error| {
            error
                .because("a row's result would change with rows that have been put out before")
                .at_opt(place)
                .with_hint("aggregate with GROUP BY, or take OVER aggregates before what makes changes")
        })?;
        let source = self.plan().output(&from).clone();
        let width = source.schema.fields().len();
        let results = window.schema.as_arrow().fields().iter().skip(width).cloned();
        let mut columns = Columns::all(&window.input, source.clone())?;
        let partition = first.params.partition_by.iter().map(|key| columns.place(key)).collect::<Result<Vec<_>>>()?;
        let calls = functions
            .iter()
            .zip(results)
            .map(|(function, result)| call(function, processing_time, result, &mut columns))
            .zip(&functions)
            .map(|(call, function)| call.map_err(|error| error.at_opt(place_of_call(function))));
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let input = columns.add(self, from, query)?;
        let (mut input, parallelism) = self.dealt_by(input, &partition);
        let mut kept: Vec<usize> = (0..width).collect();
        kept.resize(width + calls.len(), 0);
        for (frame, members) in by_frame(&calls) {
            let below = self.plan().output(&input).clone();
            let mut fields: Vec<_> = below.schema.fields().iter().cloned().collect();
            for member in &members {
                kept[width + member] = fields.len();
                fields.push(Arc::clone(&calls[*member].1.result));
            }
            let calls = members.iter().map(|member| calls[*member].1.clone()).collect();
            let node = OverAggregate { partition: partition.clone(), time, processing_time, frame, calls };
            let output = Output { schema: Arc::new(Schema::new(fields)), ..below };
            let id = self.state_id("over", query);
            input = self.add(Operation::OverAggregate(node), vec![input], output, parallelism, id)?;
        }
        self.restored_columns(input, &kept, &source.schema, query)
    }
}

fn function(expression: &Expr) -> Result<&WindowFunction> {
    match expression {
        Expr::WindowFunction(function) => Ok(function),
        Expr::Alias(alias) => function(&alias.expr),
        other => Err(Error::bug(format!("{other} is no window function"))),
    }
}

/// Where a call stands: what it orders by, or else its arguments.
fn place_of_call(function: &WindowFunction) -> Option<Position> {
    let params = &function.params;
    let order = params.order_by.iter().map(|order| &order.expr);
    order.chain(&params.args).chain(&params.partition_by).find_map(place_of)
}

/// Flink's refusal of ranks in an order that is not that of time.
fn ranking(function: &WindowFunction) -> Option<Error> {
    let name = function.fun.name().to_uppercase();
    let is_rank = name == "RANK" || name == "DENSE_RANK";
    is_rank.then(|| {
        Error::fix(format!("{name}() on streaming table is not supported currently"))
            .because("it is ordered by something else than time, ascending")
            .with_hint("take ROW_NUMBER() and keep the first rows: WHERE rn <= n")
    })
}

/// The column that the rows are ordered by, which has to tell the time, and whether it is the clock's.
fn time_of(function: &WindowFunction, input: &LogicalPlan) -> Result<(usize, bool)> {
    let name = function.fun.name().to_uppercase();
    let [order] = function.params.order_by.as_slice() else {
        return Err(match function.params.order_by.as_slice() {
            [] => Error::fix(format!("{name} OVER a window without ORDER BY cannot run on a stream"))
                .with_hint("order it by the column of the table's WATERMARK FOR"),
            _ => Error::fix("the window can only be ordered by a single time column"),
        });
    };
    if !order.asc {
        return Err(Error::fix("the window can only be ordered in ASCENDING mode"));
    }
    let place = match &order.expr {
        Expr::Column(column) => input.schema().maybe_index_of_column(column),
        _ => None,
    };
    match place {
        Some(time) if is_rowtime(input, time) => Ok((time, false)),
        Some(time) if is_processing_time(input, time) => Ok((time, true)),
        _ => {
            let error = Error::fix("OVER windows' ordering in stream mode must be defined on a time attribute")
                .because(format!("{name} is ordered by {}", order.expr));
            Err(match rowtimes(input).first().map(|time| input.schema().field(*time).name().clone()) {
                Some(time) => {
                    error.with_hint(format!("order it by {time}, or keep the first rows only: WHERE rn <= n"))
                }
                None => error.with_hint("declare WATERMARK FOR the column on its table, and pass it on as it is"),
            })
        }
    }
}

fn call(
    function: &WindowFunction,
    processing_time: bool,
    result: FieldRef,
    columns: &mut Columns<'_>,
) -> Result<(Frame, AggregateCall)> {
    let params = &function.params;
    let name = function.fun.name().to_lowercase();
    let plain = |name, arguments| Call { name, arguments, distinct: false, ignores_nulls: false, filter: None };
    let order = || params.order_by.iter().map(|order| order.expr.clone()).collect::<Vec<_>>();
    // Those that are no aggregates go by rows, whatever the frame.
    match name.as_str() {
        "row_number" => return Ok((Frame::AllRows, lower_call(&plain("count", &[]), result, columns)?)),
        "rank" | "dense_rank" => {
            return Ok((Frame::AllRows, lower_call(&plain(&name, &order()), result, columns)?));
        }
        "lag" => return Ok((Frame::AllRows, lag(function, result, columns)?)),
        "lead" | "percent_rank" | "cume_dist" | "ntile" => {
            let error = Error::fix(format!("{} Function is not supported in stream mode", name.to_uppercase()));
            let error = error.because("a row would have to wait for those behind it");
            return Err(error.with_hint(if name == "lead" {
                "take LAG of the later row, or batch mode: SET 'execution.runtime-mode' = 'batch'"
            } else {
                "SET 'execution.runtime-mode' = 'batch'"
            }));
        }
        _ => {}
    }
    let filter = params.filter.as_deref();
    let ignores_nulls = params.null_treatment == Some(NullTreatment::IgnoreNulls);
    let call = Call { name: &name, arguments: &params.args, distinct: params.distinct, ignores_nulls, filter };
    let frame = match frame(&params.window_frame)? {
        // By the clock a row does not wait for others of its time.
        Frame::AllTime if processing_time => Frame::AllRows,
        frame => frame,
    };
    Ok((frame, lower_call(&call, result, columns)?))
}

/// `LAG(value, offset, default)`: the offset has to be a constant.
fn lag(function: &WindowFunction, result: FieldRef, columns: &mut Columns<'_>) -> Result<AggregateCall> {
    if function.params.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return Err(Error::fix("LAG with IGNORE NULLS is not supported"));
    }
    let wrong = || Error::fix("LAG takes a constant number of rows, from 0 on").with_hint("write LAG(x, 2)");
    let (arguments, offset): (Vec<_>, _) = match function.params.args.as_slice() {
        [value] => (vec![value.clone()], 1),
        [value, offset, default @ ..] if default.len() < 2 => {
            let offset = match offset {
                Expr::Cast(cast) => cast.expr.as_ref(),
                other => other,
            };
            let Expr::Literal(offset, _) = offset else { return Err(wrong()) };
            let Ok(ScalarValue::Int64(Some(offset))) = offset.cast_to(&DataType::Int64) else { return Err(wrong()) };
            (std::iter::once(value).chain(default).cloned().collect(), u32::try_from(offset).map_err(|_| wrong())?)
        }
        _ => return Err(wrong()),
    };
    let call = Call { name: "lag", arguments: &arguments, distinct: false, ignores_nulls: false, filter: None };
    let mut call = lower_call(&call, result, columns)?;
    call.literals = vec![offset.to_string()];
    Ok(call)
}

fn frame(frame: &WindowFrame) -> Result<Frame> {
    if !matches!(frame.end_bound, WindowFrameBound::CurrentRow) {
        return Err(Error::fix("OVER RANGE FOLLOWING windows are not supported yet")
            .because("a row would have to wait for those behind it")
            .with_hint("end the frame with CURRENT ROW"));
    }
    let is_rows = match frame.units {
        WindowFrameUnits::Rows => true,
        WindowFrameUnits::Range => false,
        WindowFrameUnits::Groups => return Err(Error::fix("GROUPS frames are not supported")),
    };
    let wrong = || Error::fix(format!("a frame that begins at {} is not supported", frame.start_bound));
    match &frame.start_bound {
        WindowFrameBound::Preceding(bound) if bound.is_null() => {
            Ok(if is_rows { Frame::AllRows } else { Frame::AllTime })
        }
        WindowFrameBound::Preceding(ScalarValue::UInt64(Some(rows))) if is_rows => Ok(Frame::Rows(*rows)),
        WindowFrameBound::Preceding(bound) if !is_rows => millis(bound).map(Frame::Millis).ok_or_else(wrong),
        WindowFrameBound::CurrentRow if is_rows => Ok(Frame::Rows(0)),
        WindowFrameBound::CurrentRow => Ok(Frame::Millis(0)),
        WindowFrameBound::Preceding(_) | WindowFrameBound::Following(_) => Err(wrong()),
    }
}

fn millis(bound: &ScalarValue) -> Option<i64> {
    match bound {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 => {
            Some(i64::from(interval.days) * MILLIS_PER_DAY + interval.nanoseconds / 1_000_000)
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            Some(i64::from(interval.days) * MILLIS_PER_DAY + i64::from(interval.milliseconds))
        }
        ScalarValue::DurationMillisecond(Some(millis)) => Some(*millis),
        _ => None,
    }
}

/// The numbers of the calls with each frame, in the order of the frames' first calls.
fn by_frame(calls: &[(Frame, AggregateCall)]) -> Vec<(Frame, Vec<usize>)> {
    let mut frames: Vec<(Frame, Vec<usize>)> = Vec::new();
    for (number, (frame, _)) in calls.iter().enumerate() {
        match frames.iter_mut().find(|(known, _)| known == frame) {
            Some((_, members)) => members.push(number),
            None => frames.push((*frame, vec![number])),
        }
    }
    frames
}
