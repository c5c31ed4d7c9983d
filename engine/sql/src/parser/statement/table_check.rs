//! What a `CREATE TABLE` can get wrong that its text alone shows.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sluice_model::{Error, Result, suggest};
use sqlparser::ast::{Expr, Ident, Visit, Visitor};

use super::super::ast::{ColumnDefinition, ColumnKind, CreateTable, Identifier};
use super::super::lexer::position_of;
use super::super::reserved::is_unit;

/// Errors: duplicate columns; keys, watermarks, partitions and expressions that name no column.
pub(super) fn check(table: &CreateTable) -> Result<()> {
    let mut columns: HashMap<&str, &ColumnDefinition> = HashMap::new();
    for column in &table.columns {
        if columns.insert(&column.name.value, column).is_some() {
            return Err(Error::fix(format!("the table has two columns called '{}'", column.name.value))
                .at(column.name.position));
        }
    }
    check_names_only(table)?;
    // LIKE and AS bring columns that are not known here.
    let is_closed = table.like.is_none() && table.as_query.is_none();
    check_primary_key(table, &columns, is_closed)?;
    if table.columns.is_empty() && is_closed {
        return Err(Error::fix(format!("table '{}' has no columns", table.name)).at(table.name.position()));
    }
    if !is_closed {
        return Ok(());
    }
    if let Some(name) = table.watermark.as_ref().and_then(|watermark| watermark.column.first()) {
        known(name, &columns, "the watermark")?;
    }
    table.partitioned_by.iter().try_for_each(|name| known(name, &columns, "PARTITIONED BY").map(|_| ()))?;
    let bucketed = table.distribution.iter().flat_map(|distribution| &distribution.columns);
    bucketed.clone().try_for_each(|name| known(name, &columns, "DISTRIBUTED BY").map(|_| ()))?;
    for column in &table.columns {
        if let ColumnKind::Computed(computed) = &column.kind {
            check_names(&computed.expr, &columns, Some(&column.name))?;
        }
    }
    match &table.watermark {
        Some(watermark) => check_names(&watermark.expr.expr, &columns, None),
        None => Ok(()),
    }
}

/// The columns of a primary key are never NULL, whatever their types say.
pub(super) fn key_columns_are_not_null(table: &mut CreateTable) {
    let Some(key) = &table.primary_key else { return };
    for column in &mut table.columns {
        if let ColumnKind::Physical(data_type) = &mut column.kind
            && key.columns.iter().any(|name| name.value == column.name.value)
        {
            data_type.nullable = false;
        }
    }
}

fn check_names_only(table: &CreateTable) -> Result<()> {
    let only_name = table.columns.iter().find(|column| matches!(column.kind, ColumnKind::NameOnly));
    match only_name {
        Some(column) if table.as_query.is_none() => {
            Err(Error::fix(format!("column '{}' has no type", column.name.value)).at(column.name.position))
        }
        _ => Ok(()),
    }
}

fn check_primary_key(table: &CreateTable, columns: &HashMap<&str, &ColumnDefinition>, is_closed: bool) -> Result<()> {
    let Some(key) = &table.primary_key else { return Ok(()) };
    for (index, name) in key.columns.iter().enumerate() {
        if key.columns[..index].iter().any(|before| before.value == name.value) {
            return Err(Error::fix(format!("the primary key names column '{}' twice", name.value)).at(name.position));
        }
        let column = match columns.get(name.value.as_str()) {
            Some(column) => column,
            None if is_closed => known(name, columns, "the primary key")?,
            None => continue,
        };
        if matches!(column.kind, ColumnKind::Computed(_) | ColumnKind::Metadata { .. }) {
            return Err(Error::fix(format!("column '{}' cannot be part of the primary key", name.value))
                .at(name.position)
                .because("a primary key consists of physical columns: computed and metadata columns are not stored"));
        }
    }
    Ok(())
}

fn known<'a>(
    name: &Identifier,
    columns: &HashMap<&str, &'a ColumnDefinition>,
    who: &str,
) -> Result<&'a ColumnDefinition> {
    columns.get(name.value.as_str()).copied().ok_or_else(|| {
        let error = Error::fix(format!("{who} names the unknown column '{}'", name.value)).at(name.position);
        with_suggestion(error, &name.value, columns)
    })
}

fn with_suggestion(error: Error, name: &str, columns: &HashMap<&str, &ColumnDefinition>) -> Error {
    let mut candidates: Vec<&str> = columns.keys().copied().collect();
    candidates.sort_unstable();
    match suggest(name, candidates) {
        Some(likely) if likely.eq_ignore_ascii_case(name) => {
            error.with_hint(format!("names are case-sensitive: did you mean '{likely}'?"))
        }
        Some(likely) => error.with_hint(format!("did you mean '{likely}'?")),
        None => error,
    }
}

/// Every name in the expression of a computed column (then `owner`) or a watermark is a column.
fn check_names(expr: &Expr, columns: &HashMap<&str, &ColumnDefinition>, owner: Option<&Identifier>) -> Result<()> {
    struct Names<'a> {
        columns: &'a HashMap<&'a str, &'a ColumnDefinition>,
        owner: Option<&'a Identifier>,
    }
    impl Visitor for Names<'_> {
        type Break = Error;
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
            let name = match expr {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.first(),
                _ => None,
            };
            match name.and_then(|name| wrong_name(name, self.columns, self.owner)) {
                Some(error) => ControlFlow::Break(error),
                None => ControlFlow::Continue(()),
            }
        }
    }
    match expr.visit(&mut Names { columns, owner }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn wrong_name(name: &Ident, columns: &HashMap<&str, &ColumnDefinition>, owner: Option<&Identifier>) -> Option<Error> {
    let at = position_of(name.span.start);
    let who = owner.map_or_else(|| "the watermark".to_owned(), |owner| format!("computed column '{}'", owner.value));
    let Some(column) = columns.get(name.value.as_str()) else {
        // TIMESTAMPDIFF(DAY, …) has its unit read as a name.
        let is_unit = name.quote_style.is_none() && is_unit(&name.value);
        let error = Error::fix(format!("{who} names the unknown column '{}'", name.value)).at(at);
        return (!is_unit).then(|| with_suggestion(error, &name.value, columns));
    };
    let is_computed = matches!(column.kind, ColumnKind::Computed(_));
    (owner.is_some() && is_computed).then(|| {
        Error::fix(format!("{who} uses the computed column '{}'", name.value))
            .at(at)
            .because("a computed column can use physical and metadata columns only")
            .with_hint("repeat the expression, or use a view")
    })
}
