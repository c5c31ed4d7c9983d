//! `t /*+ OPTIONS('k' = 'v') */`: a table with other options, for one use of it.
//!
//! `SELECT /*+ STATE_TTL('t' = '1d') */ … FROM t`: how long joins and aggregates of that block keep the
//! rows of `t`. It becomes ``FROM (SELECT * FROM t AS `$state_ttl$86400000`) AS t``.
//!
//! Each use of OPTIONS reads a temporary table of its own, a copy of `t` with the options put over:
//! `FROM t /*+ OPTIONS(…) */` becomes ``FROM `t$options1` AS t`` over a copy of the catalog.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::{Error, Position, Result, TableOption, TableOptions, parse_duration, suggest};
use sluice_planner::{Catalog, CatalogEntry, state_ttl_alias};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, Select, SetExpr, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::lookup_hint;
use crate::parser::{ParsedQuery, QueryHintKind};

/// The query over a catalog in which hinted tables are tables of their own.
pub(super) fn apply(query: &ParsedQuery, catalog: &mut Catalog) -> Result<Query> {
    let mut rewritten = query.query.as_ref().clone();
    let mut visitor = Hinted { query, catalog, count: 0 };
    match rewritten.visit(&mut visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(rewritten),
    }
}

/// As [`apply`], for the query of a view: it is kept, and the copies of tables that OPTIONS needs are not.
pub(super) fn apply_in_view(query: &ParsedQuery, catalog: &Catalog) -> Result<Query> {
    let mut rewritten = query.query.as_ref().clone();
    let mut visitor = Hinted { query, catalog: &mut catalog.clone(), count: 0 };
    match rewritten.visit(&mut visitor) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) if visitor.count > 0 => {
            Err(Error::fix("the hint OPTIONS inside of a view is not supported yet")
                .at(query.position)
                .with_hint("declare another table with the options: CREATE TABLE t2 (…) LIKE t"))
        }
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

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        match self.mark_ttls(select).and_then(|()| self.mark_lookups(select)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

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
    fn mark_ttls(&self, select: &mut Select) -> Result<()> {
        let mut ttls: Vec<(TableOption, Duration)> = Vec::new();
        for hint in self.query.hints.query_hints(select).iter().filter(|hint| hint.kind == QueryHintKind::StateTtl) {
            if let Some(name) = hint.tables.first() {
                return Err(Error::fix("the hint STATE_TTL takes 'table' = 'duration' pairs").at(name.position));
            }
            for option in hint.options.iter() {
                let ttl = parse_duration(&option.value).ok_or_else(|| {
                    Error::fix(format!("'{}' in the hint STATE_TTL is not a duration", option.value))
                        .at_opt(option.position)
                        .with_hint("write a duration such as '1 d' or '12 h'")
                })?;
                // Of several hints the first counts.
                if ttls.iter().all(|(known, _)| known.key != option.key) {
                    ttls.push((option.clone(), ttl));
                }
            }
        }
        let factors = select.from.iter_mut().flat_map(|table| {
            std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation))
        });
        let mut names = Vec::new();
        for factor in factors {
            let Some(name) = visible_name(factor) else { continue };
            if let Some(place) = ttls.iter().position(|(option, _)| option.key == name.value) {
                mark(factor, &name, ttls.remove(place).1)?;
            }
            names.push(name.value);
        }
        let Some((option, _)) = ttls.first() else { return Ok(()) };
        let error = Error::fix(format!("the hint STATE_TTL names '{}', which is no input of this SELECT", option.key));
        Err(error.at_opt(option.position).with_hint(match suggest(&option.key, names.iter().map(String::as_str)) {
            Some(like) => format!("did you mean '{like}'?"),
            None => format!("its inputs are {}; an alias hides the name of its table", names.join(", ")),
        }))
    }

    fn mark_lookups(&self, select: &mut Select) -> Result<()> {
        let hints = self.query.hints.query_hints(select).iter();
        let mut hints = hints.filter(|hint| hint.kind == QueryHintKind::Lookup);
        hints.try_for_each(|hint| lookup_hint::apply(hint, select))
    }

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
                .with_hint("name the table that the view reads"));
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

/// The name by which a query block knows one of its inputs.
pub(super) fn visible_name(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => name.0.last().and_then(ObjectNamePart::as_ident).cloned(),
        _ => None,
    }
}

/// Puts the alias that says how long the rows of an input are kept inside of a block of its own.
fn mark(factor: &mut TableFactor, name: &Ident, ttl: Duration) -> Result<()> {
    let outer = TableAlias { explicit: true, name: name.clone(), columns: Vec::new(), at: None };
    let (TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. }) = factor else { return Ok(()) };
    let columns = alias.take().map(|alias| alias.columns).unwrap_or_default();
    let marked = Ident::with_quote('`', state_ttl_alias(ttl));
    *alias = Some(TableAlias { explicit: true, name: marked, columns, at: None });
    let template = Parser::parse_sql(&GenericDialect {}, "SELECT * FROM t");
    let template = template.ok().and_then(|mut statements| statements.pop());
    let Some(Statement::Query(mut subquery)) = template else {
        return Err(Error::bug("the parser does not know SELECT"));
    };
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        // It must not be taken for a SELECT of the text.
        select.select_token = AttachedToken::empty();
        if let Some(from) = select.from.first_mut() {
            std::mem::swap(&mut from.relation, factor);
        }
    }
    *factor = TableFactor::Derived { lateral: false, subquery, alias: Some(outer), sample: None };
    Ok(())
}
