//! Aggregate functions that are made of what `ARRAY_AGG` gathers, so that values can be taken back.
//!
//! | text | becomes |
//! |---|---|
//! | `COLLECT(x)` | `__collect(ARRAY_AGG(x) FILTER (WHERE x IS NOT NULL))` |
//! | `PERCENTILE(x, p)` | `__percentile(ARRAY_AGG(x) FILTER (WHERE x IS NOT NULL), p)` |
//! | `PERCENTILE(x, p, n)` | `__percentile(ARRAY_AGG(x), p, ARRAY_AGG(n))` |
//! | `JSON_ARRAYAGG(x)` | `__json_array_of('ABSENT', FALSE, ARRAY_AGG(x))` |
//! | `JSON_OBJECTAGG(KEY k VALUE v)` | `__json_object_of('NULL', FALSE, ARRAY_AGG(ROW(k, v)))` |
//!
//! `DISTINCT` and `FILTER` stay with the `ARRAY_AGG`.

use sluice_model::{Error, Result};
use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Value,
};

use super::json::{entries, name_of, null_clause, unnamed};
use super::rewrite::{call, name_casts, position_of_name, string};

/// Rewrites a call of one of these functions.
pub(super) fn rewrite(expression: &mut Expr) -> Result<()> {
    let Expr::Function(function) = expression else { return Ok(()) };
    let name = name_of(function);
    let rewritten = match name.as_str() {
        "collect" => {
            let [value] = arguments(function)?;
            call("__collect", vec![gathered(function, value.clone(), Some(value))])
        }
        "percentile" => percentile(function)?,
        "json_arrayagg" => {
            let clause = clause(function, "ABSENT");
            let [value] = arguments(function)?;
            call("__json_array_of", vec![clause, boolean(makes_json(&value)), gathered(function, value, None)])
        }
        "json_objectagg" => {
            let clause = clause(function, "NULL");
            if let FunctionArguments::List(list) = &mut function.args {
                entries(list)?;
            }
            let [key, value] = arguments(function)?;
            let is_json = boolean(makes_json(&value));
            let entry = call("ROW", vec![key, value]);
            call("__json_object_of", vec![clause, is_json, gathered(function, entry, None)])
        }
        _ => return Ok(()),
    };
    *expression = rewritten;
    Ok(())
}

fn percentile(function: &Function) -> Result<Expr> {
    if let Ok([value, share, frequency]) = arguments::<3>(function) {
        let values = gathered(function, value, None);
        return Ok(call("__percentile", vec![values, share, gathered(function, frequency, None)]));
    }
    let [value, share] = arguments(function)?;
    Ok(call("__percentile", vec![gathered(function, value.clone(), Some(value)), share]))
}

/// `ARRAY_AGG(value)` with the clauses of a call; without the rows in which `required` is `NULL`.
fn gathered(function: &Function, value: Expr, required: Option<Expr>) -> Expr {
    let mut gathered = function.clone();
    gathered.name = ObjectName::from(vec![Ident { value: "ARRAY_AGG".to_owned(), ..name_ident(function) }]);
    if let FunctionArguments::List(list) = &mut gathered.args {
        let mut value = value;
        name_casts(&mut value);
        list.args = vec![unnamed(value)];
    }
    if let Some(required) = required {
        let is_there = Expr::IsNotNull(Box::new(required));
        gathered.filter = Some(Box::new(match gathered.filter.take() {
            Some(filter) => Expr::BinaryOp {
                left: Box::new(Expr::Nested(filter)),
                op: BinaryOperator::And,
                right: Box::new(is_there),
            },
            None => is_there,
        }));
    }
    Expr::Function(gathered)
}

/// The name, with its place in the text.
fn name_ident(function: &Function) -> Ident {
    let name = function.name.0.first().and_then(|part| part.as_ident()).cloned();
    Ident { quote_style: None, ..name.unwrap_or_else(|| Ident::new("")) }
}

/// The arguments of a call that has as many.
fn arguments<const N: usize>(function: &Function) -> Result<[Expr; N]> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    let plain = list.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    let exprs: Option<Vec<Expr>> = plain.collect();
    exprs.and_then(|exprs| exprs.try_into().ok()).ok_or_else(|| {
        let name = name_of(function).to_uppercase();
        let hint = match name.as_str() {
            "PERCENTILE" => "write PERCENTILE(x, share) or PERCENTILE(x, share, frequency)",
            "JSON_OBJECTAGG" => "write JSON_OBJECTAGG(KEY k VALUE v)",
            _ => "it takes one argument",
        };
        Error::fix(format!("{name} has {} arguments", list.len()))
            .with_hint(hint)
            .at_opt(position_of_name(&function.name))
    })
}

/// Takes the `… ON NULL` clause.
fn clause(function: &mut Function, otherwise: &str) -> Expr {
    match &mut function.args {
        FunctionArguments::List(list) => null_clause(list, otherwise),
        _ => string(otherwise.to_owned()),
    }
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

/// Whether a value is JSON, so that it goes in as it is.
fn makes_json(value: &Expr) -> bool {
    matches!(value, Expr::Function(function) if name_of(function).starts_with("__json_"))
}
