//! What Flink reads differently in the text of a query, put right before DataFusion resolves it.
//!
//! | text | becomes | why |
//! |---|---|---|
//! | `5`, `1e3`, `TIMESTAMP '…'`, `INTERVAL '…'`, `VALUES …` | see [`literal`] | their types |
//! | `ROWS 5 PRECEDING` | see [`frame`] | a bare number |
//! | `ORDER BY 1`, `FETCH FIRST 3 ROWS ONLY`, `GROUP BY (a, b)` | see [`clauses`] | a bare number, `LIMIT`, columns |
//! | `OVER (w ROWS 5 PRECEDING)` | see [`super::named_windows`] | windows of a name |
//! | `a = ANY (SELECT …)`, `(a, b) IN ((1, 2))` | see [`quantified`] | operators that it knows |
//! | `SUM(CAST(a AS INT))` | `SUM(__as('INT', CAST(a AS INT)))` | DataFusion would call it `SUM(a)` |
//! | `SELECT a + 1, r.f` | `SELECT a + 1 AS EXPR$0, r.f AS f` | the names of unnamed columns |
//! | `WITH a …` inside of `WITH a …` | see [`super::shadow`] | DataFusion has one name once |
//! | `a FULL JOIN b USING (id)` | see [`super::using`] | whose `id` |
//! | `FLOOR(t TO DAY)` | `__floor_to('DAY', t)` | DataFusion refuses the form |
//! | `TIMESTAMPDIFF(DAY, a, b)` | `timestampdiff('DAY', a, b)` | the unit is no column |
//! | `(a, b) OVERLAPS (c, d)` | `__overlaps(a, b, c, d)` | DataFusion has no such operator |
//! | `(a, b) = (c, d)` | `a = c AND b = d` | a NULL in a row is not known to be equal |
//! | `MOD(a, b)` | `a % b` | one operator |
//! | `a[1].f` | `a[1].'f'` | a field is no column |
//! | `ARRAY[a, b]` | `array(a, b)` | DataFusion's literal sees no outer columns |
//! | `PERCENTILE(x, p)` | see [`gather`] | made of what `ARRAY_AGG` gathers |
//! | `a INTERSECT ALL b` | see [`set_operation`](super::set_operation) | how often a row is there counts |
//! | `JSON_VALUE(s, p NULL ON EMPTY)` | see [`json`] | clauses are arguments |

use std::ops::ControlFlow;

use sluice_model::{Error, Position, Result};
use sqlparser::ast::{
    AccessExpr, BinaryOperator, CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use super::named_windows::complete_windows;
use super::names::{name_columns, name_values};
use super::set_operation::take_set_operations;
use super::shadow::separate_names;
use super::using::write_out_using;
use super::{clauses, frame, gather, json, literal, named_windows, quantified};

/// Rewrites a query in place.
pub(super) fn rewrite_query(query: &mut Query) -> Result<()> {
    separate_names(query);
    done(query.visit(&mut Rewriter))
}

/// Rewrites an expression in place.
pub(super) fn rewrite_expression(expression: &mut Expr) -> Result<()> {
    done(expression.visit(&mut Rewriter))
}

fn done(flow: ControlFlow<Error>) -> Result<()> {
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let Err(error) = write_out_using(&mut query.body) {
            return ControlFlow::Break(error);
        }
        name_columns(&mut query.body);
        clauses::plain_groups(&mut query.body);
        literal::unlabel_values(&mut query.body);
        match complete_windows(&mut query.body).and_then(|()| take_set_operations(&mut query.body)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        frame::plain_named_windows(&mut query.body);
        clauses::fetch_as_limit(query);
        clauses::plain_ordinals(query);
        match name_values(&mut query.body) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expression {
            json::mark_raw(function);
        }
        literal::take_sign(expression);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expression
            && let Err(error) = json::rewrite(function)
        {
            return ControlFlow::Break(error);
        }
        if let Err(error) = gather::rewrite(expression).and_then(|()| quantified::rewrite(expression)) {
            return ControlFlow::Break(error);
        }
        if let Expr::Function(function) = expression {
            if let Err(error) = named_windows::check(function) {
                return ControlFlow::Break(error);
            }
            frame::plain_window(function);
        }
        quote_time_unit(expression);
        fields_by_text(expression);
        rewrite_overlaps(expression);
        rewrite_rounding(expression);
        widen_grouping(expression);
        tuples_as_rows(expression);
        modulo_as_operator(expression);
        arrays_as_calls(expression);
        name_casts_of_aggregate(expression);
        match literal::rewrite(expression) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// `a[1].f`: DataFusion takes the name of the field as a text.
fn fields_by_text(expression: &mut Expr) {
    let Expr::CompoundFieldAccess { access_chain, .. } = expression else { return };
    for access in access_chain {
        if let AccessExpr::Dot(field) = access
            && let Expr::Identifier(name) = field
        {
            *field = string(name.value.clone());
        }
    }
}

/// `GROUPING(a)` is a `BIGINT`.
fn widen_grouping(expression: &mut Expr) {
    let Expr::Function(function) = expression else { return };
    if ["GROUPING", "GROUPING_ID"].contains(&function.name.to_string().to_ascii_uppercase().as_str()) {
        let grouping = std::mem::replace(expression, Expr::Value(Value::Null.into()));
        *expression = literal::cast(grouping, "BIGINT");
    }
}

/// `(a, b) = (c, d)`, `(a, b) <> (c, d)`, and other operators on rows.
fn tuples_as_rows(expression: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expression else { return };
    if let (Expr::Tuple(lefts), Expr::Tuple(rights)) = (left.as_mut(), right.as_mut())
        && let Some(joined) = match op {
            BinaryOperator::Eq => Some(BinaryOperator::And),
            BinaryOperator::NotEq => Some(BinaryOperator::Or),
            _ => None,
        }
        && lefts.len() == rights.len()
    {
        let pairs = std::mem::take(lefts).into_iter().zip(std::mem::take(rights));
        let compared = pairs.map(|(left, right)| binary(left, op.clone(), right));
        if let Some(all) = compared.reduce(|all, one| binary(all, joined.clone(), one)) {
            *expression = Expr::Nested(Box::new(all));
        }
        return;
    }
    for side in [left, right] {
        if let Expr::Tuple(values) = side.as_mut() {
            let values = std::mem::take(values);
            **side = call("ROW", values);
        }
    }
}

/// `MOD(a, b)`
fn modulo_as_operator(expression: &mut Expr) {
    let Expr::Function(function) = expression else { return };
    let FunctionArguments::List(arguments) = &mut function.args else { return };
    if !function.name.to_string().eq_ignore_ascii_case("mod") || function.over.is_some() {
        return;
    }
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(left)), FunctionArg::Unnamed(FunctionArgExpr::Expr(right))] =
        arguments.args.as_mut_slice()
    {
        let take = |operand: &mut Expr| {
            let operand = std::mem::replace(operand, Expr::Value(Value::Null.into()));
            Box::new(Expr::Nested(Box::new(operand)))
        };
        *expression = Expr::BinaryOp { left: take(left), op: BinaryOperator::Modulo, right: take(right) };
    }
}

/// `ARRAY[a, b]`: in the literal DataFusion sees no columns of the queries around.
fn arrays_as_calls(expression: &mut Expr) {
    let Expr::Array(array) = expression else { return };
    let elements = std::mem::take(&mut array.elem);
    *expression = call("array", elements);
}

/// Aggregate functions, whose names DataFusion makes of their arguments without the casts in them.
const AGGREGATES: [&str; 18] = [
    "approx_count_distinct",
    "array_agg",
    "avg",
    "count",
    "first_value",
    "last_value",
    "listagg",
    "max",
    "min",
    "single_value",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "sum0",
    "var_pop",
    "var_samp",
    "variance",
];

/// `SUM(CAST(a AS INT))` beside of `SUM(a)`: the cast becomes a part of the name.
fn name_casts_of_aggregate(expression: &mut Expr) {
    let Expr::Function(function) = expression else { return };
    let name = function.name.to_string();
    if !AGGREGATES.iter().any(|aggregate| aggregate.eq_ignore_ascii_case(&name)) {
        return;
    }
    let FunctionArguments::List(arguments) = &mut function.args else { return };
    for argument in &mut arguments.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument {
            name_casts(argument);
        }
    }
}

/// `CAST(a AS t)` as `__as('t', CAST(a AS t))`, which is taken away again when the plan is bound.
pub(super) fn name_casts(expression: &mut Expr) {
    struct Namer;
    impl VisitorMut for Namer {
        type Break = std::convert::Infallible;

        fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
            if let Expr::Cast { data_type, .. } = expression {
                let name = string(data_type.to_string());
                let cast = std::mem::replace(expression, Expr::Value(Value::Null.into()));
                *expression = call("__as", vec![name, cast]);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = expression.visit(&mut Namer);
}

/// Where something stands in the text.
pub(super) fn position_of(span: Span) -> Option<Position> {
    let start = span.start;
    (start.line > 0).then_some(Position { line: start.line, column: start.column })
}

/// `TIMESTAMPADD(DAY, …)` and `TIMESTAMPDIFF(DAY, …)`: the unit becomes a string.
pub(super) fn quote_time_unit(expression: &mut Expr) {
    let Expr::Function(function) = expression else { return };
    let name = function.name.to_string().to_ascii_lowercase();
    if name != "timestampadd" && name != "timestampdiff" {
        return;
    }
    let FunctionArguments::List(arguments) = &mut function.args else { return };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) = arguments.args.first_mut()
        && let Expr::Identifier(name) = unit
    {
        *unit = string(name.value.to_ascii_uppercase());
    }
}

/// `FLOOR(t TO unit)` and `CEIL(t TO unit)`.
fn rewrite_rounding(expression: &mut Expr) {
    let (function, unit, operand) = match expression {
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(unit) } => ("__floor_to", unit, expr),
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(unit) } => ("__ceil_to", unit, expr),
        _ => return,
    };
    if *unit == DateTimeField::NoDateTime {
        return;
    }
    let unit = string(unit.to_string().to_ascii_uppercase());
    let operand = std::mem::replace(operand.as_mut(), Expr::Value(Value::Null.into()));
    *expression = call(function, vec![unit, operand]);
}

/// `(a, b) OVERLAPS (c, d)`
fn rewrite_overlaps(expression: &mut Expr) {
    let Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } = expression else { return };
    if let (Expr::Tuple(first), Expr::Tuple(second)) = (left.as_mut(), right.as_mut()) {
        let mut arguments = std::mem::take(first);
        arguments.append(second);
        *expression = call("__overlaps", arguments);
    }
}

/// Where the name of a function stands.
pub(super) fn position_of_name(name: &ObjectName) -> Option<Position> {
    position_of(name.0.first()?.as_ident()?.span)
}

pub(super) fn string(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).into())
}

/// A query that is written here, to be filled in.
pub(super) fn template(dialect: &dyn Dialect, text: &str) -> Result<Query> {
    let query = Parser::new(dialect).try_with_sql(text).and_then(|mut parser| parser.parse_query());
    query.map(|query| *query).map_err(|error| Error::bug(format!("'{text}' is no query")).because(error.to_string()))
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
