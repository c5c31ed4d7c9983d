//! `JOIN … USING (id)` written out, where DataFusion reads it differently.
//!
//! ```text
//! SELECT * FROM a FULL JOIN b USING (id)
//! SELECT COALESCE(a.id, b.id) AS id, a.* EXCLUDE (id), b.* EXCLUDE (id) FROM a FULL JOIN b ON a.id = b.id
//! ```
//!
//! The common column is that of the side which has all its rows in the result, and it comes first in `*`.

use std::convert::Infallible;
use std::ops::ControlFlow;

use sluice_model::{Error, Result};
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, Spanned,
    TableFactor, VisitMut, VisitorMut,
};
use sqlparser::dialect::GenericDialect;

use super::rewrite::{binary, call, position_of, template};

/// Writes the joins of a query's body out.
pub(super) fn write_out_using(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::Select(select) => write_out(select),
        SetExpr::SetOperation { left, right, .. } => {
            write_out_using(left)?;
            write_out_using(right)
        }
        _ => Ok(()),
    }
}

/// Which side's rows may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every row has its left side.
    Left,
    Right,
    Full,
}

/// The tables of a `FROM` and the columns that they have in common.
#[derive(Debug, Default)]
struct Joined {
    tables: Vec<Ident>,
    /// The outermost join's columns first.
    common: Vec<(Ident, Expr)>,
    /// What `*` leaves out, by table and column.
    hidden: Vec<(Ident, Ident)>,
}

fn write_out(select: &mut Select) -> Result<()> {
    let [from] = select.from.as_mut_slice() else { return Ok(()) };
    let has_wildcard = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)));
    let is_outer = |join: &Join| using(join).is_some_and(|(kind, _)| kind != Kind::Left);
    if let Some(join) = from.joins.iter().find(|join| is_natural_outer(join)) {
        return Err(Error::fix("NATURAL RIGHT JOIN and NATURAL FULL JOIN are not supported")
            .at_opt(position_of(join.span()))
            .with_hint("name the columns: JOIN … USING (…)"));
    }
    let outer = from.joins.iter().find(|join| is_outer(join)).map(Spanned::span);
    if outer.is_none() && !(has_wildcard && from.joins.iter().any(|join| using(join).is_some())) {
        return Ok(());
    }
    let Some((joined, joins)) = Joined::of(&from.relation, &from.joins) else {
        return match outer {
            None => Ok(()),
            Some(span) => Err(Error::fix("this USING is not supported: it is not known whose column it means")
                .at_opt(position_of(span))
                .with_hint("write JOIN … ON a.id = b.id, and COALESCE(a.id, b.id) for the column")),
        };
    };
    from.joins = joins;
    joined.rewrite(select)
}

/// The kind and the columns of a join with `USING`.
fn using(join: &Join) -> Option<(Kind, Vec<Ident>)> {
    let (kind, constraint) = match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => (Kind::Left, constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (Kind::Right, constraint),
        JoinOperator::FullOuter(constraint) => (Kind::Full, constraint),
        _ => return None,
    };
    let JoinConstraint::Using(names) = constraint else { return None };
    let columns = names.iter().map(|name| name.0.first()?.as_ident().cloned()).collect::<Option<Vec<_>>>()?;
    Some((kind, columns))
}

fn is_natural_outer(join: &Join) -> bool {
    matches!(
        &join.join_operator,
        JoinOperator::Right(JoinConstraint::Natural)
            | JoinOperator::RightOuter(JoinConstraint::Natural)
            | JoinOperator::FullOuter(JoinConstraint::Natural)
    )
}

/// The same join under a condition.
fn on(join: &Join, condition: Expr) -> Join {
    let on = JoinConstraint::On(condition);
    let join_operator = match &join.join_operator {
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => JoinOperator::LeftOuter(on),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => JoinOperator::RightOuter(on),
        JoinOperator::FullOuter(_) => JoinOperator::FullOuter(on),
        _ => JoinOperator::Inner(on),
    };
    Join { join_operator, ..join.clone() }
}

impl Joined {
    /// `None` where a table has no name, or where it is not known which table has a column.
    fn of(first: &TableFactor, joins: &[Join]) -> Option<(Self, Vec<Join>)> {
        let mut joined = Self { tables: vec![name_of(first)?], ..Self::default() };
        let joins = joins.iter().map(|join| joined.add(join)).collect::<Option<Vec<_>>>()?;
        Some((joined, joins))
    }

    fn add(&mut self, join: &Join) -> Option<Join> {
        let right_table = name_of(&join.relation)?;
        let Some((kind, columns)) = using(join) else {
            self.tables.push(right_table);
            return Some(join.clone());
        };
        let (mut conditions, mut common) = (Vec::new(), Vec::new());
        for column in columns {
            let known = self.common.iter().position(|(name, _)| name.value == column.value);
            let left = match (known, self.tables.as_slice()) {
                (Some(place), _) => self.common.remove(place).1,
                (None, [table]) => {
                    self.hidden.push((table.clone(), column.clone()));
                    column_of(table, &column)
                }
                _ => return None,
            };
            let right = column_of(&right_table, &column);
            self.hidden.push((right_table.clone(), column.clone()));
            conditions.push(binary(left.clone(), BinaryOperator::Eq, right.clone()));
            let value = match kind {
                Kind::Left => left,
                Kind::Right => right,
                Kind::Full => call("COALESCE", vec![left, right]),
            };
            common.push((column, value));
        }
        common.append(&mut self.common);
        (self.common, self.tables) = (common, [std::mem::take(&mut self.tables), vec![right_table]].concat());
        let condition = conditions.into_iter().reduce(|all, one| binary(all, BinaryOperator::And, one))?;
        Some(on(join, condition))
    }

    /// Puts the common columns where they are meant.
    fn rewrite(&self, select: &mut Select) -> Result<()> {
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            match item {
                SelectItem::Wildcard(_) => items.extend(self.all_columns()?),
                SelectItem::UnnamedExpr(Expr::Identifier(name)) if self.value(&name).is_some() => {
                    let expr = Expr::Identifier(name.clone());
                    items.push(SelectItem::ExprWithAlias { expr, alias: name });
                }
                other => items.push(other),
            }
        }
        select.projection = items;
        let mut replacer = Replacer { joined: self, depth: 0 };
        let _ = select.projection.visit(&mut replacer);
        let _ = select.selection.visit(&mut replacer);
        let _ = select.group_by.visit(&mut replacer);
        let _ = select.having.visit(&mut replacer);
        let _ = select.qualify.visit(&mut replacer);
        Ok(())
    }

    /// What `*` stands for.
    fn all_columns(&self) -> Result<Vec<SelectItem>> {
        let named =
            |(name, value): &(Ident, Expr)| SelectItem::ExprWithAlias { expr: value.clone(), alias: name.clone() };
        let mut items: Vec<SelectItem> = self.common.iter().map(named).collect();
        for table in &self.tables {
            let hidden = self.hidden.iter().filter(|(of, _)| of.value == table.value);
            let hidden: Vec<String> = hidden.map(|(_, column)| quoted(column)).collect();
            let exclude = if hidden.is_empty() { String::new() } else { format!(" EXCLUDE ({})", hidden.join(", ")) };
            let text = format!("SELECT {}.*{exclude} FROM t", quoted(table));
            if let SetExpr::Select(select) = *template(&GenericDialect {}, &text)?.body {
                items.extend(select.projection);
            }
        }
        Ok(items)
    }

    fn value(&self, name: &Ident) -> Option<&Expr> {
        self.common.iter().find(|(common, _)| common.value == name.value).map(|(_, value)| value)
    }
}

/// Puts the common columns in place of their bare names. Queries inside of expressions have names of their own.
struct Replacer<'a> {
    joined: &'a Joined,
    depth: usize,
}

impl VisitorMut for Replacer<'_> {
    type Break = Infallible;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Infallible> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Infallible> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Infallible> {
        if let Expr::Identifier(name) = expression
            && self.depth == 0
            && let Some(value) = self.joined.value(name)
        {
            *expression = value.clone();
        }
        ControlFlow::Continue(())
    }
}

/// The name by which a table is known in its query.
fn name_of(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

fn column_of(table: &Ident, column: &Ident) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), column.clone()])
}

fn quoted(name: &Ident) -> String {
    format!("`{}`", name.value.replace('`', "``"))
}
