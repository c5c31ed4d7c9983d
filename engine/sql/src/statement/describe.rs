//! `DESCRIBE` and `SHOW COLUMNS`.

use std::sync::Arc;

use sluice_model::{Error, Result};
use sluice_planner::{CatalogEntry, CatalogTable, ColumnKind};

use super::{job, show};
use crate::parser::{self, Describe, LikePattern};
use crate::session::{ResultTable, Session};

/// Runs `DESCRIBE …`.
pub(crate) fn describe(session: &Session, describe: &Describe) -> Result<ResultTable> {
    match describe {
        Describe::Table(path) => columns(session, path, None),
        Describe::Catalog(name) => {
            if !session.catalog().catalogs().contains(&name.value) {
                return Err(Error::fix(format!("catalog '{}' not found", name.value)).at(name.position));
            }
            Ok(info([
                ("name", name.value.clone()),
                ("type", "generic_in_memory".to_owned()),
                ("comment", String::new()),
            ]))
        }
        Describe::Database(path) => {
            let (catalog, name) = session.database_path(path)?;
            if !session.catalog().databases(&catalog).contains(&name) {
                return Err(Error::fix(format!("database '{name}' not found")).at(path.position()));
            }
            Ok(info([("catalog", catalog), ("database", name), ("comment", String::new())]))
        }
        Describe::Job(id, position) => job::describe(session, id, *position),
    }
}

fn info<const N: usize>(facts: [(&str, String); N]) -> ResultTable {
    ResultTable {
        columns: vec!["info name".to_owned(), "info value".to_owned()],
        rows: facts.into_iter().map(|(name, value)| vec![Some(name.to_owned()), Some(value)]).collect(),
    }
}

/// Flink's table: name, type, null, key, extras, watermark, and comment if any column has one.
pub(crate) fn columns(session: &Session, path: &parser::ObjectPath, like: Option<&LikePattern>) -> Result<ResultTable> {
    let resolved = session.resolve(path)?;
    let typed = session.planner()?.columns_of(&resolved, Some(path.position()))?;
    let table = match session.catalog().require(&resolved, Some(path.position()))? {
        CatalogEntry::Table(table) => Some(table),
        CatalogEntry::View(_) => None,
    };
    let has_comments = table.is_some_and(|table| table.columns.iter().any(|column| column.comment.is_some()));
    let mut names = vec!["name", "type", "null", "key", "extras", "watermark"];
    if has_comments {
        names.push("comment");
    }
    let mut rows = Vec::with_capacity(typed.len());
    for column in typed.iter().filter(|column| like.is_none_or(|like| show::matches(like, &column.name))) {
        let declared = table.and_then(|table| table.columns.get(table.index_of(&column.name)?));
        let in_key = table.is_some_and(|table| table.primary_key.contains(&column.name));
        let key = table.filter(|_| in_key).map(|table| format!("PRI({})", table.primary_key.join(", ")));
        let watermark = table
            .and_then(|table| table.watermark.as_ref())
            .filter(|watermark| watermark.column == column.name)
            .map(|watermark| watermark.text.clone());
        let nullable = if column.nullable { "TRUE" } else { "FALSE" };
        let extras = declared.and_then(|column| extras(&column.kind, &column.name));
        let mut row = vec![
            Some(column.name.clone()),
            Some(format!("{}{}", column.data_type, time_attribute(table.map(Arc::as_ref), &column.name))),
            Some(nullable.to_owned()),
            key,
            extras,
            watermark,
        ];
        if has_comments {
            row.push(declared.and_then(|column| column.comment.clone()));
        }
        rows.push(row);
    }
    Ok(ResultTable { columns: names.into_iter().map(str::to_owned).collect(), rows })
}

/// What Flink writes behind the type of a column that tells the time.
fn time_attribute(table: Option<&CatalogTable>, name: &str) -> &'static str {
    let Some(table) = table else { return "" };
    if table.watermark.as_ref().is_some_and(|watermark| watermark.column == name) {
        return " *ROWTIME*";
    }
    let is_clock = |kind: &ColumnKind| match kind {
        ColumnKind::Computed { text, .. } => text.replace(' ', "").eq_ignore_ascii_case("PROCTIME()"),
        ColumnKind::Physical { .. } | ColumnKind::Metadata { .. } => false,
    };
    let column = table.columns.iter().find(|column| column.name == name);
    if column.is_some_and(|column| is_clock(&column.kind)) { " *PROCTIME*" } else { "" }
}

fn extras(kind: &ColumnKind, name: &str) -> Option<String> {
    match kind {
        ColumnKind::Physical { .. } => None,
        ColumnKind::Computed { text, .. } => Some(format!("AS {text}")),
        ColumnKind::Metadata { key, is_virtual, .. } => {
            let from = if key == name { String::new() } else { format!(" FROM '{key}'") };
            let is_virtual = if *is_virtual { " VIRTUAL" } else { "" };
            Some(format!("METADATA{from}{is_virtual}"))
        }
    }
}
