//! Tables as of a time in `FROM`: `JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON …`.
//!
//! DataFusion drops the time in silence. Each such table is taken out of the text, see
//! [`VersionNode`]; what is not in a join of the right kind stays and is refused.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion_expr::{Extension, LogicalPlan, LogicalPlanBuilder};
use sluice_model::{Error, Position, Result};
use sluice_plan::LookupRetry;
use sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join,
    JoinConstraint, JoinOperator, ObjectName, Query, Select, Spanned, TableAlias, TableFactor, TableVersion, VisitMut,
    VisitorMut,
};

use super::rewrite::{call, string};
use super::tables::Derived;
use super::window::PREFIX;
use super::{Binder, from_datafusion};
use crate::ObjectPath;
use crate::logical::{AS_OF, VersionNode};

impl Binder<'_> {
    /// Takes the tables as of a time out of a query.
    pub(super) fn take_versions(&self, query: &mut Query) -> Result<()> {
        match query.visit(&mut Taker(self)) {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// The plan of a table by its name in the text.
    fn version(&self, name: &ObjectName, retry: Option<LookupRetry>) -> Result<Derived> {
        let (catalog, database) = &self.home;
        let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.clone()).collect();
        let path = match parts.as_slice() {
            [name] => ObjectPath { catalog: catalog.clone(), database: database.clone(), name: name.clone() },
            [database, name] => ObjectPath { catalog: catalog.clone(), database: database.clone(), name: name.clone() },
            [catalog, database, name] => {
                ObjectPath { catalog: catalog.clone(), database: database.clone(), name: name.clone() }
            }
            _ => return Err(Error::fix(format!("'{name}' is no name of a table"))),
        };
        let source = self.table(&path)?;
        let input = LogicalPlanBuilder::scan(path.name.as_str(), source, None).and_then(LogicalPlanBuilder::build);
        let input = input.map_err(|error| from_datafusion(error, &[]))?;
        let node = VersionNode { input, table: path.name, versions: None, retry };
        Ok(Derived::new(LogicalPlan::Extension(Extension { node: Arc::new(node) })))
    }
}

struct Taker<'a, 'b>(&'a Binder<'b>);

impl VisitorMut for Taker<'_, '_> {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        for join in select.from.iter_mut().flat_map(|from| from.joins.iter_mut()) {
            if let Err(error) = self.take(join) {
                let start = join.relation.span().start;
                let position = (start.line > 0).then_some(Position { line: start.line, column: start.column });
                return ControlFlow::Break(error.at_opt(position));
            }
        }
        ControlFlow::Continue(())
    }
}

impl Taker<'_, '_> {
    fn take(&self, join: &mut Join) -> Result<()> {
        let TableFactor::Table { name, alias, version, .. } = &mut join.relation else { return Ok(()) };
        let Some(TableVersion::ForSystemTimeAsOf(time)) = version else { return Ok(()) };
        let condition = match &mut join.join_operator {
            JoinOperator::Join(JoinConstraint::On(condition))
            | JoinOperator::Inner(JoinConstraint::On(condition))
            | JoinOperator::Left(JoinConstraint::On(condition))
            | JoinOperator::LeftOuter(JoinConstraint::On(condition)) => condition,
            _ => {
                return Err(Error::fix("FOR SYSTEM_TIME AS OF goes with JOIN … ON and LEFT JOIN … ON only")
                    .with_hint("write JOIN t FOR SYSTEM_TIME AS OF o.proc_time AS t ON o.k = t.id"));
            }
        };
        let retry = take_retry(time)?;
        let derived = self.0.version(name, retry)?;
        let called = match alias {
            Some(alias) => alias.name.clone(),
            None => name.0.last().and_then(|part| part.as_ident()).cloned().unwrap_or_else(|| Ident::new("")),
        };
        let first = match alias.as_ref().and_then(|alias| alias.columns.first()) {
            Some(column) => column.name.clone(),
            None => Ident::with_quote('`', derived.first_column()?),
        };
        let marker = call(AS_OF, vec![time.clone(), SqlExpr::CompoundIdentifier(vec![called.clone(), first])]);
        let condition_before = std::mem::replace(condition, SqlExpr::Identifier(Ident::new("")));
        *condition = SqlExpr::BinaryOp {
            left: Box::new(SqlExpr::Nested(Box::new(condition_before))),
            op: BinaryOperator::And,
            right: Box::new(marker),
        };
        let mut taken = self.0.windows.borrow_mut();
        *name = ObjectName::from(vec![Ident::with_quote('`', format!("{PREFIX}{}", taken.len()))]);
        *version = None;
        if alias.is_none() {
            *alias = Some(TableAlias { explicit: true, name: called, columns: Vec::new(), at: None });
        }
        taken.push(Arc::new(derived));
        Ok(())
    }
}

/// Marks in the text how often a lookup join asks again: its time becomes `$retry(time, '<attempts>', '<millis>')`.
pub fn mark_retry(time: &mut SqlExpr, retry: LookupRetry) {
    let marked = std::mem::replace(time, SqlExpr::Identifier(Ident::new("")));
    let numbers = [u128::from(retry.max_attempts), retry.delay.as_millis()].map(|number| string(number.to_string()));
    *time = call(RETRY, std::iter::once(marked).chain(numbers).collect());
}

const RETRY: &str = "$retry";

/// Takes the mark off again.
fn take_retry(time: &mut SqlExpr) -> Result<Option<LookupRetry>> {
    let SqlExpr::Function(Function { name, args: FunctionArguments::List(list), .. }) = time else { return Ok(None) };
    if !matches!(name.0.as_slice(), [part] if part.as_ident().is_some_and(|name| name.value == RETRY)) {
        return Ok(None);
    }
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    };
    let number = |expression: &SqlExpr| match expression {
        SqlExpr::Value(value) => value.value.clone().into_string()?.parse::<u64>().ok(),
        _ => None,
    };
    let arguments: Option<Vec<_>> = list.args.iter().map(argument).collect();
    let Some([marked, attempts, millis]) = arguments.as_deref() else {
        return Err(Error::bug("the mark of a retry has other arguments"));
    };
    let (Some(attempts), Some(millis)) = (number(attempts), number(millis)) else {
        return Err(Error::bug("the mark of a retry has no numbers"));
    };
    let max_attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let retry = LookupRetry { delay: Duration::from_millis(millis), max_attempts };
    *time = marked.clone();
    Ok(Some(retry))
}
