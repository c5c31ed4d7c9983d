//! Windows in `FROM`: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))`.
//!
//! DataFusion knows no table functions over tables. Each one is taken out of the text, resolved by
//! itself, and stands in the text as a table of a name that nobody can write.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion_common::{DFSchema, ScalarValue, Span};
use datafusion_expr::{Expr, Extension, LogicalPlan, TableSource};
use sluice_model::{Error, Position, Result, suggest};
use sluice_plan::WindowKind;
use sqlparser::ast::{
    Cte, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, SetExpr,
    Spanned, TableFactor, TableWithJoins, VisitMut, VisitorMut, WindowType, With,
};
use sqlparser::dialect::MySqlDialect;

use super::group_window::rewrite_group_windows;
use super::rewrite::template;

use super::tables::Derived;
use super::{Binder, from_datafusion};
use crate::logical::{WindowNode, Windowing, is_processing_time};

/// Beginning of the names that stand for windows.
pub(crate) const PREFIX: &str = "$window";

const FUNCTIONS: [&str; 4] = ["TUMBLE", "HOP", "CUMULATE", "SESSION"];
const MILLIS_PER_DAY: i64 = 86_400_000;

impl Binder<'_> {
    /// Takes the windows out of a query.
    pub(super) fn take_windows(&self, query: &mut Query) -> Result<()> {
        let mut taker = Taker { binder: self, with: Vec::new() };
        match query.visit(&mut taker) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    fn window(&self, name: &str, call: &Call) -> Result<Arc<dyn TableSource>> {
        let input = self.query(&call.input)?;
        let columns: Vec<&str> = input.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let time = &call.time;
        let Some(place) = columns.iter().position(|column| *column == time.value) else {
            let error = Error::fix(format!("{name} goes by column '{}', which its table does not have", time.value));
            let error = error.at_opt(position(time.span.start));
            return Err(match suggest(&time.value, columns.iter().copied()) {
                Some(like) => error.with_hint(format!("did you mean '{like}'?")),
                None => error,
            });
        };
        let field = input.schema().field(place);
        if !matches!(field.data_type(), arrow_schema::DataType::Timestamp(_, _)) {
            return Err(Error::fix(format!("{name} goes by column '{}', which is no timestamp", time.value))
                .at_opt(position(time.span.start))
                .with_hint("declare it TIMESTAMP(3), with WATERMARK FOR it on the table"));
        }
        let lengths = call.lengths.iter().map(|length| self.millis(name, length)).collect::<Result<Vec<_>>>()?;
        let windowing = match (name, lengths.as_slice()) {
            ("SESSION", [gap]) if *gap > 0 => {
                Windowing::Session { partition: partition(name, call, &input)?, gap: *gap }
            }
            ("SESSION", [_]) => return Err(Error::fix("SESSION needs a gap above 0")),
            _ => Windowing::Fixed(kind(name, &lengths)?),
        };
        let processing_time = is_processing_time(&input, place);
        let mut column = input.schema().columns().swap_remove(place);
        if let Some(span) = Span::try_from_sqlparser_span(time.span) {
            column.spans.add_span(span);
        }
        let time = Expr::Column(column);
        let node = WindowNode::try_new(input, time, windowing, processing_time, self.session.time_zone)
            .map_err(|error| from_datafusion(error, &[]))?;
        Ok(Arc::new(Derived::new(LogicalPlan::Extension(Extension { node: Arc::new(node) }))))
    }

    /// An interval in milliseconds.
    fn millis(&self, name: &str, expression: &SqlExpr) -> Result<i64> {
        let value = self.expression(expression, &DFSchema::empty())?;
        let millis = match &value {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) if interval.months == 0 => {
                Some(i64::from(interval.days) * MILLIS_PER_DAY + interval.nanoseconds / 1_000_000)
            }
            Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => {
                Some(i64::from(interval.days) * MILLIS_PER_DAY + i64::from(interval.milliseconds))
            }
            Expr::Literal(ScalarValue::DurationMillisecond(Some(millis)), _) => Some(*millis),
            _ => None,
        };
        millis.ok_or_else(|| {
            Error::fix(format!("{name} takes lengths of days, hours, minutes or seconds, not {expression}"))
                .at_opt(position(expression.span().start))
                .with_hint("write INTERVAL '10' MINUTES")
        })
    }
}

/// What a window function is called with.
struct Call {
    input: Query,
    time: Ident,
    /// `PARTITION BY` behind the table.
    partition: Vec<SqlExpr>,
    /// In the order of the function's parameters.
    lengths: Vec<SqlExpr>,
}

fn kind(name: &str, lengths: &[i64]) -> Result<WindowKind> {
    let wrong = |text: &str| Error::fix(format!("{name} {text}"));
    let kind = match (name, lengths) {
        ("TUMBLE", [size]) => WindowKind::Tumble { size: *size, offset: 0 },
        ("TUMBLE", [size, offset]) => WindowKind::Tumble { size: *size, offset: *offset },
        ("HOP", [slide, size]) => WindowKind::Hop { slide: *slide, size: *size, offset: 0 },
        ("HOP", [slide, size, offset]) => WindowKind::Hop { slide: *slide, size: *size, offset: *offset },
        ("CUMULATE", [step, size]) => WindowKind::Cumulate { step: *step, size: *size, offset: 0 },
        ("CUMULATE", [step, size, offset]) => WindowKind::Cumulate { step: *step, size: *size, offset: *offset },
        _ => return Err(wrong("has another number of parameters").with_hint(USAGE)),
    };
    match kind {
        WindowKind::Cumulate { step, size, .. } if step > 0 && size % step != 0 => {
            Err(wrong("needs a maximum size that is a multiple of its step"))
        }
        WindowKind::Tumble { size, .. } if size <= 0 => Err(wrong("needs a size above 0")),
        WindowKind::Hop { slide: step, size, .. } | WindowKind::Cumulate { step, size, .. }
            if step <= 0 || size <= 0 =>
        {
            Err(wrong("needs a step and a size above 0"))
        }
        kind => Ok(kind),
    }
}

const USAGE: &str = "TUMBLE(TABLE t, DESCRIPTOR(ts), size[, offset]), HOP(TABLE t, DESCRIPTOR(ts), slide, size[, offset]), \
                     CUMULATE(TABLE t, DESCRIPTOR(ts), step, size[, offset]), \
                     SESSION(TABLE t [PARTITION BY k], DESCRIPTOR(ts), gap)";

/// Walks through a query; `with` are the tables that the queries around define.
struct Taker<'a, 'b> {
    binder: &'a Binder<'b>,
    with: Vec<Vec<Cte>>,
}

impl VisitorMut for Taker<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        self.with.push(query.with.as_ref().map(|with| with.cte_tables.clone()).unwrap_or_default());
        match rewrite_group_windows(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.with.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let Some((name, arguments, alias)) = window_function(factor) else { return ControlFlow::Continue(()) };
        let place = position(factor.span().start);
        let source = self.call(&name, &arguments).and_then(|call| self.binder.window(&name, &call));
        match source {
            Ok(source) => {
                let mut windows = self.binder.windows.borrow_mut();
                let table = Ident::with_quote('`', format!("{PREFIX}{}", windows.len()));
                windows.push(source);
                *factor = TableFactor::Table {
                    name: ObjectName::from(vec![table]),
                    alias,
                    args: None,
                    with_hints: Vec::new(),
                    version: None,
                    with_ordinality: false,
                    partitions: Vec::new(),
                    json_path: None,
                    sample: None,
                    index_hints: Vec::new(),
                };
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error.at_opt(place)),
        }
    }
}

type Found = (String, Vec<FunctionArg>, Option<sqlparser::ast::TableAlias>);

/// The name and the arguments of a window function in `FROM`, with or without `TABLE( )` around it.
fn window_function(factor: &TableFactor) -> Option<Found> {
    let (name, arguments, alias) = match factor {
        TableFactor::TableFunction { expr: SqlExpr::Function(Function { name, args, .. }), alias } => {
            let FunctionArguments::List(list) = args else { return None };
            (name, list.args.clone(), alias)
        }
        TableFactor::Table { name, args: Some(arguments), alias, .. } => (name, arguments.args.clone(), alias),
        TableFactor::Function { name, args, alias, .. } => (name, args.clone(), alias),
        _ => return None,
    };
    let name = name.to_string().to_ascii_uppercase();
    FUNCTIONS.contains(&name.as_str()).then(|| (name, arguments, alias.clone()))
}

impl Taker<'_, '_> {
    fn call(&self, name: &str, arguments: &[FunctionArg]) -> Result<Call> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
                | FunctionArg::Named { arg: FunctionArgExpr::Expr(value), .. }
                | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(value), .. } => {
                    values.push((key(argument), value))
                }
                other => return Err(Error::fix(format!("{name} does not take {other}")).with_hint(USAGE)),
            }
        }
        // By name in any order, or by place.
        let order = ["DATA", "TIMECOL", "GAP", "STEP", "SLIDE", "SIZE", "OFFSET"];
        if values.iter().all(|(key, _)| key.is_some()) {
            values.sort_by_key(|(key, _)| order.iter().position(|known| key.as_deref() == Some(known)));
        }
        let mut values = values.into_iter().map(|(_, value)| value);
        let (Some(data), Some(time)) = (values.next(), values.next()) else {
            return Err(Error::fix(format!("{name} takes a table and a column of time")).with_hint(USAGE));
        };
        let time = descriptor(time).ok_or_else(|| {
            Error::fix(format!("the second parameter of {name} is no DESCRIPTOR")).with_hint("write DESCRIPTOR(ts)")
        })?;
        let partition = partition_by(data);
        if name != "SESSION" && !partition.is_empty() {
            return Err(Error::fix(format!("{name} takes no PARTITION BY: its windows are the same for all rows"))
                .with_hint("leave it out, and name the columns in GROUP BY or in the OVER window"));
        }
        Ok(Call { input: self.input(name, data)?, time, partition, lengths: values.cloned().collect() })
    }

    /// `TABLE t`, or a query in parentheses.
    fn input(&self, name: &str, data: &SqlExpr) -> Result<Query> {
        if let SqlExpr::Subquery(query) = only_argument(data, "TABLE").unwrap_or(data) {
            let mut query = query.as_ref().clone();
            // It sees what the queries around it define.
            let around = self.with.iter().flatten().cloned();
            let own = query.with.iter().flat_map(|with| with.cte_tables.clone());
            query.with = with(around.chain(own).collect());
            return Ok(query);
        }
        let Some(table) = table_argument(data) else {
            return Err(Error::fix(format!("the first parameter of {name} is no table"))
                .at_opt(position(data.span().start))
                .with_hint("write TABLE t"));
        };
        let mut query = select_all(table.clone())?;
        if let [part] = table.0.as_slice()
            && let Some(ident) = part.as_ident()
        {
            // A table that WITH defines sees those before it.
            let found = self.with.iter().rev().find_map(|tables| {
                let place = tables.iter().position(|table| table.alias.name.value == ident.value)?;
                Some(tables[..=place].to_vec())
            });
            query.with = found.and_then(with);
        }
        Ok(query)
    }
}

/// `WITH` these tables; of tables of one name the last counts.
fn with(mut cte_tables: Vec<Cte>) -> Option<With> {
    let names: Vec<String> = cte_tables.iter().map(|table| table.alias.name.value.clone()).collect();
    let mut place = 0;
    cte_tables.retain(|table| {
        place += 1;
        !names[place..].contains(&table.alias.name.value)
    });
    let with_token = sqlparser::ast::helpers::attached_token::AttachedToken::empty();
    (!cte_tables.is_empty()).then_some(With { with_token, recursive: false, cte_tables })
}

/// `PARTITION BY` of `TABLE t PARTITION BY a, b`.
fn partition_by(data: &SqlExpr) -> Vec<SqlExpr> {
    match data {
        SqlExpr::Function(Function { over: Some(WindowType::WindowSpec(spec)), .. }) => spec.partition_by.clone(),
        _ => Vec::new(),
    }
}

/// The columns of the partition.
fn partition(name: &str, call: &Call, input: &LogicalPlan) -> Result<Vec<Expr>> {
    let columns = input.schema().columns();
    let place = |part: &SqlExpr| {
        let ident = match part {
            SqlExpr::Identifier(ident) => Some(ident),
            SqlExpr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        let error = |text: String| Error::fix(text).at_opt(position(part.span().start));
        let ident = ident.ok_or_else(|| error(format!("{name} is partitioned by columns only, not by {part}")))?;
        let found = columns.iter().find(|column| column.name == ident.value);
        found.map(|column| Expr::Column(column.clone())).ok_or_else(|| {
            let error =
                error(format!("{name} is partitioned by column '{}', which its table does not have", ident.value));
            match suggest(&ident.value, columns.iter().map(|column| column.name.as_str())) {
                Some(like) => error.with_hint(format!("did you mean '{like}'?")),
                None => error,
            }
        })
    };
    call.partition.iter().map(place).collect()
}

fn key(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Named { name, .. } => Some(name.value.to_ascii_uppercase()),
        FunctionArg::ExprNamed { name, .. } => Some(name.to_string().to_ascii_uppercase()),
        FunctionArg::Unnamed(_) => None,
    }
}

/// The only argument of a function of this name.
fn only_argument<'a>(expression: &'a SqlExpr, name: &str) -> Option<&'a SqlExpr> {
    let SqlExpr::Function(function) = expression else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice() else { return None };
    function.name.to_string().eq_ignore_ascii_case(name).then_some(argument)
}

/// The parser's form of `TABLE a.b.c`.
fn table_argument(expression: &SqlExpr) -> Option<ObjectName> {
    match only_argument(expression, "TABLE")? {
        SqlExpr::CompoundIdentifier(parts) => Some(ObjectName::from(parts.clone())),
        SqlExpr::Identifier(part) => Some(ObjectName::from(vec![part.clone()])),
        _ => None,
    }
}

fn descriptor(expression: &SqlExpr) -> Option<Ident> {
    match only_argument(expression, "DESCRIPTOR")? {
        SqlExpr::Identifier(column) => Some(column.clone()),
        _ => None,
    }
}

/// `SELECT * FROM name`.
pub(super) fn select_all(name: ObjectName) -> Result<Query> {
    let mut query = template(&MySqlDialect {}, &format!("SELECT * FROM {name}"))?;
    // With the place of the name in the user's text.
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(TableWithJoins { relation: TableFactor::Table { name: selected, .. }, .. }) =
            select.from.first_mut()
    {
        *selected = name;
    }
    Ok(query)
}

pub(super) fn position(location: sqlparser::tokenizer::Location) -> Option<Position> {
    (location.line > 0).then_some(Position { line: location.line, column: location.column })
}
