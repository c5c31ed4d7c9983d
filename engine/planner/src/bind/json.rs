//! The clauses of JSON functions as plain arguments; what the functions are is told by
//! `sluice_functions`.
//!
//! | text | call |
//! |---|---|
//! | `JSON_VALUE(s, p RETURNING INT DEFAULT 1 ON EMPTY)` | `json_value(s, p, CAST(NULL AS INT), 'DEFAULT', 1, 'NULL', NULL)` |
//! | `JSON_QUERY(s, p WITH WRAPPER)` | `json_query(s, p, NULL, 'UNCONDITIONAL', 'NULL', 'NULL')` |
//! | `JSON_EXISTS(s, p TRUE ON ERROR)` | `json_exists(s, p, 'TRUE')` |
//! | `s IS JSON OBJECT` | `__is_json(s, 'OBJECT')` |
//! | `JSON_OBJECT(KEY k VALUE JSON(v))` | `__json_object('NULL', k, __json_raw(v))` |
//! | `JSON_ARRAY(a, b NULL ON NULL)` | `__json_array('NULL', a, b)` |

use sluice_model::{Error, Result};
use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, JsonNullClause, ObjectName, Value,
};

use super::rewrite::{position_of_name, string};

/// Marks `JSON(x)` where it may stand: before the functions inside of this one are looked at.
pub(super) fn mark_raw(function: &mut Function) {
    if !matches!(name_of(function).as_str(), "json_object" | "json_array") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else { return };
    for argument in &mut list.args {
        if let FunctionArg::Named { arg: FunctionArgExpr::Expr(Expr::Function(value)), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(Expr::Function(value)), .. }
        | FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(value))) = argument
            && name_of(value) == "json"
        {
            rename(value, "__json_raw");
        }
    }
}

/// Rewrites a call of a JSON function.
pub(super) fn rewrite(function: &mut Function) -> Result<()> {
    let name = name_of(function);
    let position = position_of_name(&function.name);
    let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
    match name.as_str() {
        "json_value" => clauses_of_value(list),
        "json_query" => clauses_of_query(list),
        "json_exists" => {
            let on_error = take(list, "on_error");
            list.args.extend(on_error.map(unnamed));
        }
        "is_json" => rename(function, "__is_json"),
        "json_object" => {
            entries(list)?;
            let clause = null_clause(list, "NULL");
            list.args.insert(0, unnamed(clause));
            rename(function, "__json_object");
        }
        "json_array" => {
            let clause = null_clause(list, "ABSENT");
            list.args.insert(0, unnamed(clause));
            rename(function, "__json_array");
        }
        "json" => {
            return Err(Error::fix("JSON(…) stands for itself only as a value inside of JSON_OBJECT or JSON_ARRAY")
                .at_opt(position));
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn name_of(function: &Function) -> String {
    function.name.to_string().to_ascii_lowercase()
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

pub(super) fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// Takes a named argument out of the list.
fn take(list: &mut FunctionArgumentList, wanted: &str) -> Option<Expr> {
    let place = list.args.iter().position(
        |argument| matches!(argument, FunctionArg::Named { name, operator: FunctionArgOperator::RightArrow, .. } if name.value == wanted),
    )?;
    match list.args.remove(place) {
        FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

/// The type that `RETURNING` names, as a `NULL` of it.
fn returning(list: &mut FunctionArgumentList) -> Expr {
    match take(list, "returning") {
        Some(Expr::Value(text)) => match text.value {
            Value::SingleQuotedString(name) => Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(null()),
                data_type: DataType::Custom(ObjectName::from(vec![Ident::new(name)]), Vec::new()),
                array: false,
                format: None,
            },
            _ => null(),
        },
        _ => null(),
    }
}

fn clauses_of_value(list: &mut FunctionArgumentList) {
    if list.args.len() <= 2 {
        return;
    }
    let mut arguments = vec![returning(list)];
    for (clause, default) in [("on_empty", "default_on_empty"), ("on_error", "default_on_error")] {
        match take(list, default) {
            Some(value) => arguments.extend([string("DEFAULT".to_owned()), value]),
            None => {
                arguments.push(take(list, clause).unwrap_or_else(|| string("NULL".to_owned())));
                arguments.push(null());
            }
        }
    }
    list.args.extend(arguments.into_iter().map(unnamed));
}

fn clauses_of_query(list: &mut FunctionArgumentList) {
    if list.args.len() <= 2 {
        return;
    }
    let mut arguments = vec![returning(list)];
    for (clause, otherwise) in [("wrapper", "WITHOUT"), ("on_empty", "NULL"), ("on_error", "NULL")] {
        arguments.push(take(list, clause).unwrap_or_else(|| string(otherwise.to_owned())));
    }
    list.args.extend(arguments.into_iter().map(unnamed));
}

/// `KEY k VALUE v` as two arguments.
pub(super) fn entries(list: &mut FunctionArgumentList) -> Result<()> {
    let mut arguments = Vec::with_capacity(list.args.len() * 2);
    for argument in std::mem::take(&mut list.args) {
        let (key, value) = match argument {
            FunctionArg::Named { name, arg, operator: FunctionArgOperator::Value } => {
                let is_text = name.quote_style == Some('\'');
                (if is_text { string(name.value) } else { Expr::Identifier(name) }, arg)
            }
            FunctionArg::ExprNamed { name, arg, operator: FunctionArgOperator::Value } => (name, arg),
            _ => return Err(Error::fix("JSON_OBJECT and JSON_OBJECTAGG take KEY k VALUE v")),
        };
        arguments.extend([unnamed(key), FunctionArg::Unnamed(value)]);
    }
    list.args = arguments;
    Ok(())
}

/// Takes the `… ON NULL` clause out of the list.
pub(super) fn null_clause(list: &mut FunctionArgumentList, otherwise: &str) -> Expr {
    let place = list.clauses.iter().position(|clause| matches!(clause, FunctionArgumentClause::JsonNullClause(_)));
    let clause = match place.map(|place| list.clauses.remove(place)) {
        Some(FunctionArgumentClause::JsonNullClause(JsonNullClause::NullOnNull)) => "NULL",
        Some(FunctionArgumentClause::JsonNullClause(JsonNullClause::AbsentOnNull)) => "ABSENT",
        _ => otherwise,
    };
    string(clause.to_owned())
}
