//! Joins of rows that lie near each other in time.
//!
//! ```text
//! ON a.id = b.id AND a.t BETWEEN b.t - INTERVAL '4' HOUR AND b.t AND a.v > b.v
//!
//! a.t - b.t >= -4 h, a.t - b.t <= 0          the interval
//! a.v > b.v                                  what is left of the condition
//! ```

use std::collections::BTreeMap;

use datafusion_common::{JoinType, ScalarValue};
use datafusion_expr::expr::{Between, Case};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{BinaryExpr, Expr, Join, LogicalPlan, Operator};
use sluice_functions::type_of;
use sluice_model::{Column, SqlType};

use super::{is_processing_time, rowtimes};

const MILLIS_PER_DAY: i64 = 86_400_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a join says about the times of its sides.
#[derive(Debug)]
pub(crate) struct Interval {
    /// Columns of the time of the left and of the right.
    pub(crate) times: [usize; 2],
    /// The least that the time of the left minus that of the right may be, in milliseconds.
    pub(crate) lower: i64,
    /// The most that it may be.
    pub(crate) upper: i64,
    /// The times are those of the clock.
    pub(crate) processing_time: bool,
    /// The condition without the times.
    pub(crate) rest: Option<Expr>,
}

/// The interval of a join that bounds the time of one side by the time of the other, from both ends.
pub(crate) fn interval(join: &Join) -> Option<Interval> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) {
        return None;
    }
    if join.filter.is_none() && join.on.is_empty() {
        return None;
    }
    let sides = Sides::of(join);
    if sides.times.iter().any(Vec::is_empty) {
        return None;
    }
    let mut found = BTreeMap::<[usize; 2], Bounds>::new();
    for (left, right) in &join.on {
        let limits = sides.limits(left, Operator::Eq, right);
        limits.into_iter().for_each(|(times, limits)| found.entry(times).or_default().tighten(&limits));
    }
    if let Some(filter) = &join.filter {
        sides.collect(filter, &mut found);
    }
    let (times, bounds) = found.into_iter().find(|(_, bounds)| bounds.lower.is_some() && bounds.upper.is_some())?;
    let is_fine = sides.is_fine(times);
    // Times that are finer than the operator's are compared once more, and as such.
    let slack = i64::from(is_fine);
    let filter = join.filter.as_ref();
    Some(Interval {
        times,
        lower: bounds.lower?.saturating_sub(slack),
        upper: bounds.upper?.saturating_add(slack),
        processing_time: sides.is_processing_time(times),
        rest: if is_fine { filter.cloned() } else { filter.and_then(|filter| sides.rest(filter, times)) },
    })
}

/// What the difference of two times is compared with: an operator, and milliseconds.
type Limits = Vec<(Operator, i64)>;

/// What is known of the difference of two times.
#[derive(Debug, Default)]
struct Bounds {
    lower: Option<i64>,
    upper: Option<i64>,
}

impl Bounds {
    fn tighten(&mut self, limits: &Limits) {
        for (op, limit) in limits {
            if matches!(op, Operator::GtEq | Operator::Eq) {
                self.lower = Some(self.lower.map_or(*limit, |lower| lower.max(*limit)));
            }
            if matches!(op, Operator::LtEq | Operator::Eq) {
                self.upper = Some(self.upper.map_or(*limit, |upper| upper.min(*limit)));
            }
        }
    }
}

/// A sum of columns of time and milliseconds.
#[derive(Debug, Default)]
struct Sum {
    /// Columns of each side, and how often they are added.
    columns: [Option<(usize, i64)>; 2],
    millis: i64,
}

impl Sum {
    fn plus(mut self, other: Self, sign: i64) -> Option<Self> {
        for (own, other) in self.columns.iter_mut().zip(other.columns) {
            *own = match (*own, other) {
                (own, None) => own,
                (None, Some((column, count))) => Some((column, sign * count)),
                (Some((one, count)), Some((column, more))) if one == column => Some((one, count + sign * more)),
                _ => return None,
            };
        }
        self.millis = self.millis.checked_add(other.millis.checked_mul(sign)?)?;
        Some(self)
    }
}

/// The columns of both sides that tell time.
struct Sides<'a> {
    join: &'a Join,
    times: [Vec<usize>; 2],
}

impl<'a> Sides<'a> {
    fn of(join: &'a Join) -> Self {
        let times = |plan: &LogicalPlan| {
            let mut times = rowtimes(plan);
            let columns = 0..plan.schema().fields().len();
            times.extend(columns.filter(|column| is_processing_time(plan, *column)));
            times
        };
        Self { join, times: [times(&join.left), times(&join.right)] }
    }

    fn plans(&self) -> [&LogicalPlan; 2] {
        [&self.join.left, &self.join.right]
    }

    fn is_processing_time(&self, times: [usize; 2]) -> bool {
        is_processing_time(&self.join.left, times[0])
    }

    /// Whether a time has parts of a millisecond.
    fn is_fine(&self, times: [usize; 2]) -> bool {
        let mut fields = self.plans().into_iter().zip(times).map(|(plan, time)| plan.schema().field(time));
        fields.any(|field| precision(&Column::of_field(field).data_type).is_none_or(|(_, digits)| digits > 3))
    }

    /// Notes what a condition says of times.
    fn collect(&self, condition: &Expr, found: &mut BTreeMap<[usize; 2], Bounds>) {
        for part in split_conjunction(condition) {
            if let Some((times, limits)) = self.comparison(part) {
                found.entry(times).or_default().tighten(&limits);
            } else if let Some(inner) = guarded(part) {
                self.collect(inner, found);
            }
        }
    }

    /// A condition without what it says of two times.
    fn rest(&self, condition: &Expr, times: [usize; 2]) -> Option<Expr> {
        let parts = split_conjunction(condition);
        let is_compared = |part: &Expr| self.comparison(part).is_some_and(|(compared, _)| compared == times);
        let is_equality = |part: &Expr| {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = part else { return false };
            let is = |(one, other): &(Expr, Expr)| one == &**left && other == &**right;
            self.join.on.iter().any(|pair| is(pair) || is(&(pair.1.clone(), pair.0.clone())))
        };
        let rest = |part: &Expr| match guarded(part) {
            _ if is_compared(part) => None,
            None => Some(part.clone()),
            Some(inner) => match self.rest(inner, times) {
                Some(inner) => Some(with_guarded(part, inner)),
                // The guard is a condition as well, unless it stands beside it.
                None => guard(part)
                    .filter(|guard| !is_compared(guard) && !is_equality(guard) && !parts.contains(guard))
                    .map(|guard| Expr::IsNotFalse(Box::new(guard.clone()))),
            },
        };
        conjunction(parts.iter().copied().filter_map(rest))
    }

    /// What a condition says of two times, if it is about that.
    fn comparison(&self, condition: &Expr) -> Option<([usize; 2], Limits)> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => self.limits(left, *op, right),
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let (times, mut limits) = self.limits(expr, Operator::GtEq, low)?;
                let (other, more) = self.limits(expr, Operator::LtEq, high)?;
                limits.extend(more);
                (times == other).then_some((times, limits))
            }
            _ => None,
        }
    }

    fn limits(&self, left: &Expr, op: Operator, right: &Expr) -> Option<([usize; 2], Limits)> {
        if !matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq | Operator::Eq) {
            return None;
        }
        let Sum { columns: [Some((left, count)), Some((right, other))], millis } =
            self.sum(left)?.plus(self.sum(right)?, -1)?
        else {
            return None;
        };
        // `l - r + millis op 0`, or the same with the sides changed.
        let (op, limit) = match (count, other) {
            (1, -1) => (op, millis.checked_neg()?),
            (-1, 1) => (op.swap()?, millis),
            _ => return None,
        };
        let times = [left, right];
        let is_clock = |side: usize| is_processing_time(self.plans()[side], times[side]);
        if is_clock(0) != is_clock(1) {
            return None;
        }
        // Of times with parts of a millisecond the one that is less may be in the same millisecond.
        let step = i64::from(!self.is_fine(times));
        let limit = match op {
            Operator::Lt => (Operator::LtEq, limit.saturating_sub(step)),
            Operator::Gt => (Operator::GtEq, limit.saturating_add(step)),
            op => (op, limit),
        };
        Some((times, vec![limit]))
    }

    fn sum(&self, expression: &Expr) -> Option<Sum> {
        match expression {
            Expr::Alias(alias) => self.sum(&alias.expr),
            Expr::Column(column) => {
                let mut sum = Sum::default();
                for (side, plan) in self.plans().into_iter().enumerate() {
                    if let Some(index) = plan.schema().maybe_index_of_column(column) {
                        sum.columns[side] = Some((index, 1)).filter(|_| self.times[side].contains(&index));
                        return sum.columns[side].is_some().then_some(sum);
                    }
                }
                None
            }
            Expr::Cast(cast) => self.cast(expression, &cast.expr),
            Expr::ScalarFunction(call) if call.name().starts_with("CAST AS ") => {
                self.cast(expression, call.args.first()?)
            }
            Expr::Negative(inner) => Sum::default().plus(self.sum(inner)?, -1),
            Expr::Literal(value, _) => Some(Sum { millis: millis(value)?, ..Sum::default() }),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => {
                self.sum(left)?.plus(self.sum(right)?, 1)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                self.sum(left)?.plus(self.sum(right)?, -1)
            }
            _ => None,
        }
    }

    /// A cast between types of time that keeps milliseconds.
    fn cast(&self, cast: &Expr, inner: &Expr) -> Option<Sum> {
        let time = |expression| precision(&type_of(expression, &self.join.schema).ok()?);
        let ((from_zone, from), (zone, digits)) = (time(inner)?, time(cast)?);
        (from_zone == zone && digits >= from.min(3)).then(|| self.sum(inner)).flatten()
    }
}

/// Whether a type of time has a zone, and the digits of its seconds; `None` for other types.
fn precision(data_type: &SqlType) -> Option<(bool, u8)> {
    match data_type {
        SqlType::Timestamp(digits) => Some((false, *digits)),
        SqlType::TimestampLtz(digits) => Some((true, *digits)),
        _ => None,
    }
}

/// What is behind the guard of a condition that can fail on a row:
/// `to_truth(CASE WHEN a IS NOT FALSE THEN to_flag(b) END)` is `b` wherever `a` holds.
pub(super) fn guarded(condition: &Expr) -> Option<&Expr> {
    match branch(condition)? {
        (Expr::IsNotFalse(_), Expr::ScalarFunction(flag)) if flag.name() == "to_flag" => flag.args.first(),
        _ => None,
    }
}

/// The guard of such a condition: `a`.
pub(super) fn guard(condition: &Expr) -> Option<&Expr> {
    match branch(condition)? {
        (Expr::IsNotFalse(guard), _) => Some(guard.as_ref()),
        _ => None,
    }
}

fn branch(condition: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::ScalarFunction(truth) = condition else { return None };
    let [Expr::Case(Case { expr: None, when_then_expr, else_expr: None })] = truth.args.as_slice() else { return None };
    let [(when, then)] = when_then_expr.as_slice() else { return None };
    (truth.name() == "to_truth").then_some((when.as_ref(), then.as_ref()))
}

/// The same guard in front of another condition.
pub(super) fn with_guarded(guard: &Expr, inner: Expr) -> Expr {
    let mut guard = guard.clone();
    if let Expr::ScalarFunction(truth) = &mut guard
        && let [Expr::Case(case)] = truth.args.as_mut_slice()
        && let [(_, then)] = case.when_then_expr.as_mut_slice()
        && let Expr::ScalarFunction(flag) = then.as_mut()
    {
        flag.args = vec![inner];
    }
    guard
}

/// A length of time; `None` where it depends on the calendar, or is no whole number of milliseconds.
fn millis(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 => {
            let days = i64::from(interval.days) * MILLIS_PER_DAY;
            (interval.nanoseconds % NANOS_PER_MILLI == 0).then(|| days + interval.nanoseconds / NANOS_PER_MILLI)
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            Some(i64::from(interval.days) * MILLIS_PER_DAY + i64::from(interval.milliseconds))
        }
        ScalarValue::DurationMillisecond(Some(millis)) => Some(*millis),
        _ => None,
    }
}
