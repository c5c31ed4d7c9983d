//! `CREATE`, `DROP` and `USE`.

use std::sync::Arc;

use sluice_model::{Error, Result};
use sluice_planner::catalog::Watermark;
use sluice_planner::{CatalogColumn, CatalogEntry, CatalogTable, CatalogView, ColumnKind, ObjectPath};

use super::{Outcome, Session, hints};
use crate::parser::{self, CreateDatabase, CreateTable, CreateView, Drop, DropKind, Identifier};
use crate::statement::like;

impl Session {
    /// Completes a name with the current catalog and database.
    pub(crate) fn resolve(&self, path: &parser::ObjectPath) -> Result<ObjectPath> {
        let parts: Vec<String> = path.parts.iter().map(|part| part.value.clone()).collect();
        self.catalog.resolve(&parts).map_err(|error| error.at(path.position()))
    }

    pub(super) fn create_table(&mut self, create: &CreateTable) -> Result<Outcome> {
        if let Some(query) = &create.as_query {
            return Err(Error::fix("CREATE TABLE … AS is not supported yet")
                .at(query.position)
                .with_hint("create the table first, then INSERT INTO it"));
        }
        if let Some(distribution) = &create.distribution {
            return Err(Error::fix("DISTRIBUTED is not supported yet").at(distribution.position));
        }
        let path = self.resolve(&create.name)?;
        let mut table = declared_table(create, path.clone());
        if let Some(clause) = &create.like {
            let source = self.resolve(&clause.source)?;
            table = match self.catalog.require(&source, Some(clause.source.position()))? {
                CatalogEntry::Table(base) => like::merge(base, table, clause)?,
                CatalogEntry::View(_) => {
                    return Err(Error::fix(format!("LIKE takes a table, and '{source}' is a view"))
                        .at(clause.source.position()));
                }
            };
        }
        check_table(&table)?;
        let position = Some(create.name.position());
        let entry = CatalogEntry::Table(Arc::new(table));
        self.catalog.create(path, entry, create.temporary, create.if_not_exists, position)?;
        Ok(Outcome::done())
    }

    pub(super) fn create_view(&mut self, create: &CreateView) -> Result<Outcome> {
        let path = self.resolve(&create.name)?;
        let query = hints::apply_in_view(&create.query, &self.catalog)?;
        let columns = self.planner()?.columns(&query).map_err(|error| error.at(create.query.position))?;
        if !create.columns.is_empty() && create.columns.len() != columns.len() {
            let what = format!("the view names {} columns, its query has {}", create.columns.len(), columns.len());
            return Err(Error::fix(what).at(create.name.position()));
        }
        let view = CatalogView {
            path: path.clone(),
            columns: create.columns.iter().map(|column| column.value.clone()).collect(),
            query: Arc::new(query),
            text: create.query.text.clone(),
            comment: create.comment.clone(),
            home: (self.catalog.current_catalog().to_owned(), self.catalog.current_database().to_owned()),
        };
        let entry = CatalogEntry::View(Arc::new(view));
        if create.or_replace {
            self.catalog.replace(path, entry, create.temporary)?;
        } else {
            let position = Some(create.name.position());
            self.catalog.create(path, entry, create.temporary, create.if_not_exists, position)?;
        }
        Ok(Outcome::done())
    }

    pub(super) fn create_database(&mut self, create: &CreateDatabase) -> Result<Outcome> {
        let (catalog, name) = self.database_path(&create.name)?;
        self.catalog.create_database(&catalog, &name, create.if_not_exists, Some(create.name.position()))?;
        Ok(Outcome::done())
    }

    pub(super) fn drop_object(&mut self, drop: &Drop) -> Result<Outcome> {
        let position = Some(drop.name.position());
        match drop.kind {
            DropKind::Table | DropKind::View => {
                let kind = if drop.kind == DropKind::Table { "table" } else { "view" };
                let path = self.resolve(&drop.name)?;
                self.catalog.drop(&path, kind, drop.temporary, drop.if_exists, position)?;
            }
            DropKind::Database => {
                let (catalog, name) = self.database_path(&drop.name)?;
                self.catalog.drop_database(&catalog, &name, drop.if_exists, drop.cascade, position)?;
            }
            DropKind::Catalog => {
                return Err(Error::fix("DROP CATALOG is not supported yet").at(drop.name.position()));
            }
        }
        Ok(Outcome::done())
    }

    pub(super) fn use_catalog(&mut self, name: &Identifier) -> Result<Outcome> {
        self.catalog.use_catalog(&name.value, Some(name.position))?;
        Ok(Outcome::done())
    }

    pub(super) fn use_database(&mut self, path: &parser::ObjectPath) -> Result<Outcome> {
        let (catalog, name) = self.database_path(path)?;
        self.catalog.use_database(Some(&catalog), &name, Some(path.position()))?;
        Ok(Outcome::done())
    }

    /// `[catalog.]database`.
    pub(crate) fn database_path(&self, path: &parser::ObjectPath) -> Result<(String, String)> {
        match path.parts.as_slice() {
            [name] => Ok((self.catalog.current_catalog().to_owned(), name.value.clone())),
            [catalog, name] => Ok((catalog.value.clone(), name.value.clone())),
            _ => Err(Error::fix(format!("'{path}' is not the name of a database"))
                .at(path.position())
                .with_hint("a name is [catalog.]database")),
        }
    }
}

/// The table as written, before `LIKE` adds to it.
fn declared_table(create: &CreateTable, path: ObjectPath) -> CatalogTable {
    let key = create.primary_key.as_ref();
    CatalogTable {
        path,
        position: Some(create.name.position()),
        columns: create.columns.iter().filter_map(declared_column).collect(),
        primary_key: key.map(|key| key.columns.iter().map(|column| column.value.clone()).collect()).unwrap_or_default(),
        primary_key_name: key.and_then(|key| Some(key.constraint.as_ref()?.value.clone())),
        watermark: create.watermark.as_ref().map(|watermark| Watermark {
            column: watermark.column.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."),
            expression: watermark.expr.expr.clone(),
            text: watermark.expr.text.clone(),
        }),
        comment: create.comment.clone(),
        partitioned_by: create.partitioned_by.iter().map(|column| column.value.clone()).collect(),
        options: create.options.clone(),
    }
}

fn declared_column(column: &parser::ColumnDefinition) -> Option<CatalogColumn> {
    let kind = match &column.kind {
        parser::ColumnKind::Physical(column_type) => {
            ColumnKind::Physical { data_type: column_type.sql_type.clone(), nullable: column_type.nullable }
        }
        parser::ColumnKind::Computed(expression) => {
            ColumnKind::Computed { expression: Box::new(expression.expr.clone()), text: expression.text.clone() }
        }
        parser::ColumnKind::Metadata { data_type, from, is_virtual } => ColumnKind::Metadata {
            key: from.clone().unwrap_or_else(|| column.name.value.clone()),
            data_type: data_type.sql_type.clone(),
            nullable: data_type.nullable,
            is_virtual: *is_virtual,
        },
        // Only in CREATE TABLE … AS, which is refused before.
        parser::ColumnKind::NameOnly => return None,
    };
    let (name, comment) = (column.name.value.clone(), column.comment.clone());
    Some(CatalogColumn { name, kind, comment, position: Some(column.name.position) })
}

/// Checks that need the whole table: its key, its partitions, its watermark.
fn check_table(table: &CatalogTable) -> Result<()> {
    table.physical_schema()?;
    let watermark = table.watermark.as_ref().and_then(|watermark| watermark.column.split('.').next());
    for (role, name) in table
        .partitioned_by
        .iter()
        .map(|name| ("partition", name.as_str()))
        .chain(watermark.map(|name| ("watermark", name)))
    {
        if table.index_of(name).is_none() {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let error = Error::fix(format!("{role} column '{name}' is not a column of table '{}'", table.path.name))
                .at_opt(table.position);
            return Err(match sluice_model::suggest(name, names) {
                Some(like) => error.with_hint(format!("did you mean '{like}'?")),
                None => error,
            });
        }
    }
    Ok(())
}
