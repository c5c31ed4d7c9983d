//! `SHOW …` and bare `SET`.

use sluice_model::Result;
use sluice_planner::{Catalog, CatalogColumn, CatalogEntry, CatalogTable, CatalogView, ColumnKind};

use super::{describe, job};
use crate::parser::{self, Identifier, LikePattern, ParsedExpr, Show};
use crate::session::{ResultTable, Session};
use crate::settings::Settings;
use sluice_model::{Error, Position};

const NOWHERE: Position = Position { line: 1, column: 1 };

/// What was set, secrets masked.
pub(crate) fn settings(settings: &Settings) -> ResultTable {
    let rows = settings.list().into_iter().map(|(key, value)| vec![Some(key), Some(value)]).collect();
    ResultTable { columns: vec!["key".to_owned(), "value".to_owned()], rows }
}

/// Runs `SHOW …`.
pub(crate) fn show(session: &Session, show: &Show) -> Result<ResultTable> {
    let catalog = session.catalog();
    Ok(match show {
        Show::Catalogs(like) => filtered("catalog name", catalog.catalogs(), like.as_ref()),
        Show::CurrentCatalog => ResultTable::single("current catalog name", [catalog.current_catalog().to_owned()]),
        Show::CurrentDatabase => ResultTable::single("current database name", [catalog.current_database().to_owned()]),
        Show::Databases(from, like) => {
            let owner = from.as_ref().map_or(catalog.current_catalog(), |name| name.value.as_str());
            filtered("database name", catalog.databases(owner), like.as_ref())
        }
        Show::Tables(from, like) => {
            // As in Flink, the tables include the views.
            filtered("table name", names(session, catalog, from.as_ref(), false)?, like.as_ref())
        }
        Show::Views(from, like) => filtered("view name", names(session, catalog, from.as_ref(), true)?, like.as_ref()),
        Show::Columns(path, like) => describe::columns(session, path, like.as_ref())?,
        Show::CreateTable(path) => {
            let resolved = session.resolve(path)?;
            match catalog.require(&resolved, Some(path.position()))? {
                CatalogEntry::Table(table) => ResultTable::single("result", [create_table(table)]),
                CatalogEntry::View(_) => {
                    return Err(Error::fix(format!("'{resolved}' is a view"))
                        .at(path.position())
                        .with_hint(format!("use SHOW CREATE VIEW {path}")));
                }
            }
        }
        Show::CreateView(path) => {
            let resolved = session.resolve(path)?;
            match catalog.require(&resolved, Some(path.position()))? {
                CatalogEntry::View(view) => ResultTable::single("result", [create_view(session, view)?]),
                CatalogEntry::Table(_) => {
                    return Err(Error::fix(format!("'{resolved}' is a table"))
                        .at(path.position())
                        .with_hint(format!("use SHOW CREATE TABLE {path}")));
                }
            }
        }
        Show::CreateCatalog(name) => {
            return Err(Error::fix("SHOW CREATE CATALOG is not supported yet").at(name.position));
        }
        Show::Functions { user: true, .. } => filtered("function name", Vec::new(), None),
        Show::Functions { like, .. } => filtered("function name", session.planner()?.function_names(), like.as_ref()),
        Show::Modules { .. } => ResultTable::single("module name", ["core".to_owned()]),
        Show::Jars => ResultTable::single("jars", []),
        Show::Jobs => job::list(session),
    })
}

fn filtered(column: &str, names: Vec<String>, like: Option<&LikePattern>) -> ResultTable {
    ResultTable::single(column, names.into_iter().filter(|name| like.is_none_or(|like| matches(like, name))))
}

/// Whether `name` fits a pattern with `%` and `_`.
pub(super) fn matches(like: &LikePattern, name: &str) -> bool {
    let fold = |text: &str| if like.case_insensitive { text.to_lowercase() } else { text.to_owned() };
    let (pattern, name) = (fold(&like.pattern), fold(name));
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // reached[i]: the pattern so far can match the first i characters.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for c in pattern {
        let mut next = vec![false; name.len() + 1];
        for index in 0..=name.len() {
            next[index] = match c {
                '%' => reached[index] || index > 0 && next[index - 1],
                '_' => index > 0 && reached[index - 1],
                c => index > 0 && reached[index - 1] && name[index - 1] == c,
            };
        }
        reached = next;
    }
    reached[name.len()] != like.negated
}

fn names(
    session: &Session,
    catalog: &Catalog,
    from: Option<&parser::ObjectPath>,
    only_views: bool,
) -> Result<Vec<String>> {
    let (owner, database) = match from {
        Some(path) => session.database_path(path)?,
        None => (catalog.current_catalog().to_owned(), catalog.current_database().to_owned()),
    };
    let entries = catalog.entries(&owner, &database).into_iter();
    Ok(entries
        .filter(|(_, entry)| !only_views || matches!(entry, CatalogEntry::View(_)))
        .map(|(name, _)| name)
        .collect())
}

/// The declaration of a table, as Flink writes it, secrets masked.
fn create_table(table: &CatalogTable) -> String {
    let identifier = |value: &String| Identifier { value: value.clone(), position: NOWHERE };
    let primary_key = (!table.primary_key.is_empty()).then(|| parser::PrimaryKey {
        constraint: table.primary_key_name.as_ref().map(identifier),
        columns: table.primary_key.iter().map(identifier).collect(),
        position: NOWHERE,
    });
    let watermark = table.watermark.as_ref().map(|watermark| parser::Watermark {
        column: watermark.column.split('.').map(|part| identifier(&part.to_owned())).collect(),
        expr: ParsedExpr { expr: watermark.expression.clone(), text: watermark.text.clone(), position: NOWHERE },
        position: NOWHERE,
    });
    let path = &table.path;
    let statement = parser::CreateTable {
        temporary: false,
        if_not_exists: false,
        name: parser::ObjectPath { parts: vec![identifier(&path.name)] },
        columns: table.columns.iter().map(|column| column_definition(column, &table.primary_key)).collect(),
        primary_key,
        watermark,
        comment: table.comment.clone(),
        distribution: None,
        partitioned_by: table.partitioned_by.iter().map(identifier).collect(),
        options: table.options.clone(),
        like: None,
        as_query: None,
    };
    parser::format_create_table(&statement, &[&path.catalog, &path.database, &path.name])
}

fn column_definition(column: &CatalogColumn, primary_key: &[String]) -> parser::ColumnDefinition {
    let column_type = |data_type: &sluice_model::SqlType, nullable: bool| parser::ColumnType {
        sql_type: data_type.clone(),
        nullable: nullable && !primary_key.contains(&column.name),
        position: NOWHERE,
    };
    let kind = match &column.kind {
        ColumnKind::Physical { data_type, nullable } => parser::ColumnKind::Physical(column_type(data_type, *nullable)),
        ColumnKind::Computed { expression, text } => parser::ColumnKind::Computed(ParsedExpr {
            expr: expression.as_ref().clone(),
            text: text.clone(),
            position: NOWHERE,
        }),
        ColumnKind::Metadata { key, data_type, nullable, is_virtual } => parser::ColumnKind::Metadata {
            data_type: column_type(data_type, *nullable),
            from: (*key != column.name).then(|| key.clone()),
            is_virtual: *is_virtual,
        },
    };
    let name = Identifier { value: column.name.clone(), position: NOWHERE };
    parser::ColumnDefinition { name, kind, comment: column.comment.clone() }
}

fn create_view(session: &Session, view: &CatalogView) -> Result<String> {
    let path = &view.path;
    let columns: Vec<String> =
        session.planner()?.columns_of(path, None)?.into_iter().map(|column| column.name).collect();
    let identifier = |value: &String| Identifier { value: value.clone(), position: NOWHERE };
    let statement = parser::CreateView {
        or_replace: false,
        temporary: false,
        if_not_exists: false,
        name: parser::ObjectPath { parts: vec![identifier(&path.name)] },
        columns: Vec::new(),
        comment: view.comment.clone(),
        query: parser::parse_query(&view.text)?,
    };
    Ok(parser::format_create_view(&statement, &[&path.catalog, &path.database, &path.name], &columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_patterns() {
        let like = |pattern: &str| LikePattern { negated: false, case_insensitive: false, pattern: pattern.into() };
        assert!(matches(&like("store%"), "store_sales"));
        assert!(matches(&like("%_s"), "sales"));
        assert!(!matches(&like("store"), "store_sales"));
        assert!(!matches(&like("STORE%"), "store_sales"));
        assert!(matches(&LikePattern { case_insensitive: true, ..like("STORE%") }, "store_sales"));
        assert!(matches(&LikePattern { negated: true, ..like("x%") }, "store_sales"));
    }
}
