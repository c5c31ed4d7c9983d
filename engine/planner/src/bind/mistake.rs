//! Calls that DataFusion refuses, in Sluice's words and with their place.

use std::ops::ControlFlow;

use sluice_model::{Error, Position};
use sqlparser::ast::{Expr, Function, FunctionArguments, Query, Visit, Visitor};

use super::rewrite::position_of_name;

/// The refusal of a call, out of the text that DataFusion puts around it.
pub(super) fn refused_call(text: &str) -> Option<Error> {
    let (_, refusal) = text.split_once("coercion failed with: External error: ")?;
    let refusal = refusal.split(". No function matches").next().unwrap_or(refusal);
    Some(match refusal.split_once("\n  hint: ") {
        Some((what, hint)) => Error::fix(what).with_hint(hint),
        None => Error::fix(refusal),
    })
}

/// Where the call stands that such a text is about, if it is the only one of its function and length.
pub(super) fn position_of_call(query: &Query, refusal: &str) -> Option<Position> {
    let (name, types) = refusal.strip_prefix("cannot apply ")?.split_once(" to (")?;
    let types = types.strip_suffix(')')?;
    let count = if types.is_empty() { 0 } else { 1 + separators(types) };
    let mut finder = Finder { name, count, found: None };
    let _ = query.visit(&mut finder);
    finder.found
}

/// Commas between types, not inside of them.
fn separators(types: &str) -> usize {
    let mut depth = 0;
    let mut count = 0;
    for char in types.chars() {
        match char {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            ',' if depth == 0 => count += 1,
            _ => {}
        }
    }
    count
}

struct Finder<'a> {
    name: &'a str,
    count: usize,
    found: Option<Position>,
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let Expr::Function(Function { name, args, .. }) = expression else { return ControlFlow::Continue(()) };
        let count = match args {
            FunctionArguments::List(list) => list.args.len(),
            _ => 0,
        };
        if count == self.count && name.to_string().eq_ignore_ascii_case(self.name) {
            self.found = position_of_name(name);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Two operands that DataFusion finds no common type for.
pub(super) fn refused_operator(text: &str) -> Option<Error> {
    let operation = text
        .strip_prefix("Cannot infer common argument type for comparison operation ")
        .or_else(|| text.strip_prefix("Cannot coerce arithmetic expression ")?.strip_suffix(" to valid types"))?;
    let mut parts = operation.split(' ').peekable();
    let mut left = Vec::new();
    while let Some(part) = parts.next_if(|part| !is_operator(part)) {
        left.push(part);
    }
    let operator = parts.next()?;
    let right: Vec<&str> = parts.collect();
    let (left, right) = (type_name(&left.join(" ")), type_name(&right.join(" ")));
    Some(
        Error::fix(format!("cannot apply '{operator}' to {left} and {right}"))
            .with_hint("CAST one of them to the type of the other"),
    )
}

fn is_operator(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|char| "=<>!+-*/%".contains(char)) || part == "IS"
}

/// An Arrow type in the words of SQL.
pub(super) fn type_name(arrow: &str) -> String {
    const NAMES: [(&str, &str); 18] = [
        ("Boolean", "BOOLEAN"),
        ("Int8", "TINYINT"),
        ("Int16", "SMALLINT"),
        ("Int32", "INT"),
        ("Int64", "BIGINT"),
        ("Float32", "FLOAT"),
        ("Float64", "DOUBLE"),
        ("Utf8", "STRING"),
        ("Binary", "BYTES"),
        ("Date32", "DATE"),
        ("Null", "NULL"),
        ("Decimal128", "DECIMAL"),
        ("Time64", "TIME"),
        ("Timestamp", "TIMESTAMP"),
        ("Interval", "INTERVAL"),
        ("Map", "MAP"),
        ("Struct", "ROW"),
        ("Duration", "INTERVAL"),
    ];
    let (name, inside) = arrow.split_once('(').unwrap_or((arrow, ""));
    if name == "List" {
        let element = inside.strip_suffix(')').unwrap_or(inside);
        return format!("ARRAY<{}>", type_name(element.split(", field").next().unwrap_or(element)));
    }
    if name == "Decimal128" {
        return format!("DECIMAL({inside}");
    }
    let found = NAMES.iter().find(|(from, _)| *from == name);
    found.map_or_else(|| arrow.to_owned(), |(_, to)| (*to).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datafusions_words_are_translated() {
        let error = refused_operator("Cannot infer common argument type for comparison operation Int32 = List(Int32)");
        assert_eq!(error.unwrap().what(), "cannot apply '=' to INT and ARRAY<INT>");
        let error = refused_operator("Cannot coerce arithmetic expression Decimal128(3, 2) + Boolean to valid types");
        assert_eq!(error.unwrap().what(), "cannot apply '+' to DECIMAL(3, 2) and BOOLEAN");
        let text = "Execution error: Function 'f' user-defined coercion failed with: External error: cannot apply F to \
                    (INT)\n  hint: write F(STRING). No function matches the given name";
        let error = refused_call(text).unwrap();
        assert_eq!((error.what(), error.hint()), ("cannot apply F to (INT)", Some("write F(STRING)")));
        assert_eq!(separators("ARRAY<INT>, MAP<INT, INT>, DECIMAL(1, 2)"), 2);
    }
}
