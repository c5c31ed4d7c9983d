//! A `WITH` inside of another one may use its names again, and means its own tables then.
//!
//! ```text
//! WITH a AS (…) SELECT * FROM (WITH a AS (…) SELECT * FROM a)
//! WITH a AS (…) SELECT * FROM (WITH `a$1` AS (…) SELECT * FROM `a$1` AS a)
//! ```

use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, Query, TableAlias, TableFactor, VisitMut, VisitorMut};

/// Gives the tables of inner `WITH`s names of their own.
pub(super) fn separate_names(query: &mut Query) {
    let _ = query.visit(&mut Separator::default());
}

#[derive(Default)]
struct Separator {
    /// The names of each query around.
    around: Vec<Vec<String>>,
    count: usize,
}

impl VisitorMut for Separator {
    type Break = Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.around.push(tables.map(|table| table.alias.name.value.clone()).collect());
        ControlFlow::Continue(())
    }

    /// Inner queries first, so that what is left of a name means the outer table.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        for (place, name) in self.around.pop().unwrap_or_default().into_iter().enumerate() {
            if self.around.iter().flatten().any(|other| *other == name) {
                self.count += 1;
                rename(query, place, &name, &format!("{name}${}", self.count));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Renames a table of a query's `WITH`, which the tables behind it and the query itself may read.
fn rename(query: &mut Query, place: usize, from: &str, to: &str) {
    let mut renamer = Renamer { from, to };
    if let Some(with) = &mut query.with {
        for (other, table) in with.cte_tables.iter_mut().enumerate() {
            if other == place {
                table.alias.name = Ident::with_quote('`', to);
            } else if other > place {
                let _ = table.query.visit(&mut renamer);
            }
        }
    }
    let _ = query.body.visit(&mut renamer);
}

struct Renamer<'a> {
    from: &'a str,
    to: &'a str,
}

impl VisitorMut for Renamer<'_> {
    type Break = Infallible;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Infallible> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident().filter(|ident| ident.value == self.from).cloned()
        {
            *name = ObjectName::from(vec![Ident::with_quote('`', self.to)]);
            if alias.is_none() {
                *alias = Some(TableAlias { explicit: true, name: ident, columns: Vec::new(), at: None });
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::testing::query_of;

    #[test]
    fn an_inner_name_is_another_table() {
        let separated = |sql: &str| {
            let mut query = query_of(sql);
            separate_names(&mut query);
            query.to_string()
        };
        assert_eq!(
            separated(
                "WITH a AS (SELECT 1) SELECT * FROM (WITH a AS (SELECT 2), b AS (SELECT * FROM a) SELECT * FROM b), a"
            ),
            "WITH a AS (SELECT 1) SELECT * FROM \
             (WITH `a$1` AS (SELECT 2), b AS (SELECT * FROM `a$1` AS a) SELECT * FROM b), a"
        );
        assert_eq!(
            separated("WITH a AS (WITH a AS (SELECT 1) SELECT * FROM a) SELECT * FROM a"),
            "WITH a AS (WITH `a$1` AS (SELECT 1) SELECT * FROM `a$1` AS a) SELECT * FROM a"
        );
    }
}
