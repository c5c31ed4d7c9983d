//! `t /*+ OPTIONS('k' = 'v') */`: a table with other options, for one use of it.
//!
//! Each such use reads a temporary table of its own, a copy of `t` with the options put over:
//! `FROM t /*+ OPTIONS(…) */` becomes ``FROM `t$options1` AS t`` over a copy of the catalog.

use std::ops::ControlFlow;
use std::sync::Arc;

use sluice_model::{Error, Position, Result, TableOptions};
use sluice_planner::{Catalog, CatalogEntry};
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, TableAlias, TableFactor, VisitMut, VisitorMut};

use crate::parser::ParsedQuery;

/// The query over a catalog in which hinted tables are tables of their own.
pub(super) fn apply(query: &ParsedQuery, catalog: &mut Catalog) -> Result<Query> {
    let mut rewritten = query.query.as_ref().clone();
    let mut visitor = Hinted { query, catalog, count: 0 };
    match rewritten.visit(&mut visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(rewritten),
    }
}

struct Hinted<'a> {
    query: &'a ParsedQuery,
    catalog: &'a mut Catalog,
    count: usize,
}

impl VisitorMut for Hinted<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let Some(options) = self.query.hints.table_options(name).cloned() else {
            return ControlFlow::Continue(());
        };
        match self.hinted_table(name, &options) {
            Ok(own_name) => {
                if alias.is_none() {
                    let visible = name.0.last().and_then(ObjectNamePart::as_ident).cloned();
                    *alias = visible.map(|name| TableAlias { explicit: true, name, columns: Vec::new(), at: None });
                }
                *name =
                    ObjectName::from(own_name.into_iter().map(|part| Ident::with_quote('`', part)).collect::<Vec<_>>());
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Hinted<'_> {
    /// Declares the copy, and returns its full name.
    fn hinted_table(&mut self, name: &ObjectName, options: &TableOptions) -> Result<Vec<String>> {
        let identifiers: Vec<_> = name.0.iter().filter_map(ObjectNamePart::as_ident).collect();
        let position =
            identifiers.first().map(|first| Position { line: first.span.start.line, column: first.span.start.column });
        let parts: Vec<String> = identifiers.iter().map(|part| part.value.clone()).collect();
        let path = self.catalog.resolve(&parts)?;
        let CatalogEntry::Table(table) = self.catalog.require(&path, position)? else {
            return Err(Error::fix(format!("view '{}' takes no OPTIONS hint", path.name))
                .at_opt(position)
                .with_hint("put the hint behind the tables inside the view"));
        };
        let mut table = table.as_ref().clone();
        for option in options.iter() {
            table.options.set(option.clone());
        }
        self.count += 1;
        let mut own_path = path;
        own_path.name = format!("{}$options{}", own_path.name, self.count);
        table.path = own_path.clone();
        self.catalog.create(own_path.clone(), CatalogEntry::Table(Arc::new(table)), true, true, position)?;
        Ok(vec![own_path.catalog, own_path.database, own_path.name])
    }
}
