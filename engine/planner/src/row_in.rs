//! `(a, b) IN (SELECT x, y …)`, column by column: so that NULL means what SQL says, and so that columns are
//! compared by a join instead of rows.
//!
//! ```text
//! WHERE (a, b) IN (SELECT x, y …)        EXISTS (… WHERE a = x AND b = y)
//! WHERE (a, b) NOT IN (SELECT x, y …)    NOT EXISTS (… WHERE (a = x AND b = y) IS NOT FALSE)
//! SELECT (a, b) IN (SELECT x, y …)       CASE WHEN EXISTS (… WHERE a = x AND b = y) THEN TRUE
//!                                        WHEN EXISTS (… WHERE (a = x AND b = y) IS NULL) THEN NULL ELSE FALSE END
//! ```
//!
//! Where a row that is partly equal and partly unknown is not in, but not known to be out either.

use std::sync::Arc;

use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::InSubquery;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, exists, lit, not_exists, when};

use crate::subqueries::outer;

/// The rows of a sub-query, and the condition that the row outside equals one of them.
pub(crate) struct RowIn {
    rows: Arc<LogicalPlan>,
    equal: Expr,
    may_be_unknown: bool,
    is_negated: bool,
}

impl RowIn {
    /// `None` where a single value is looked for. `schema` is what the row outside is made of.
    pub(crate) fn of(in_subquery: &InSubquery, schema: &DFSchema) -> Result<Option<Self>> {
        let Some(outside) = values(&in_subquery.expr) else { return Ok(None) };
        let LogicalPlan::Projection(projection) = in_subquery.subquery.subquery.as_ref() else { return Ok(None) };
        let [row] = projection.expr.as_slice() else { return Ok(None) };
        let Some(inside) = values(row).filter(|inside| inside.len() == outside.len()) else { return Ok(None) };
        let (mut equal, mut may_be_unknown) = (None, false);
        for (outside, inside) in outside.iter().zip(inside) {
            may_be_unknown |= outside.nullable(schema)? || inside.nullable(projection.input.schema())?;
            let same = outer(outside.clone(), schema)?.eq(inside.clone());
            equal = Some(match equal {
                Some(others) => Expr::and(others, same),
                None => same,
            });
        }
        let rows = Arc::clone(&projection.input);
        Ok(equal.map(|equal| Self { rows, equal, may_be_unknown, is_negated: in_subquery.negated }))
    }

    /// As a condition, where unknown counts as false.
    pub(crate) fn condition(self) -> Result<Expr> {
        match self.is_negated {
            false => Ok(exists(self.matching(self.equal.clone())?)),
            true if self.may_be_unknown => Ok(not_exists(self.matching(self.equal.clone().is_not_false())?)),
            true => Ok(not_exists(self.matching(self.equal.clone())?)),
        }
    }

    /// As a value, where unknown and false differ.
    pub(crate) fn value(self) -> Result<Expr> {
        if !self.may_be_unknown {
            return self.condition();
        }
        let equals = exists(self.matching(self.equal.clone())?);
        let unknown = exists(self.matching(self.equal.clone().is_null())?);
        let value = when(equals, lit(true)).when(unknown, lit(ScalarValue::Boolean(None))).otherwise(lit(false))?;
        Ok(if self.is_negated { Expr::Not(Box::new(value)) } else { value })
    }

    fn matching(&self, condition: Expr) -> Result<Arc<LogicalPlan>> {
        LogicalPlanBuilder::from(self.rows.as_ref().clone()).filter(condition)?.build().map(Arc::new)
    }
}

/// The values of `ROW(…)`.
fn values(expression: &Expr) -> Option<&[Expr]> {
    match expression {
        Expr::Alias(alias) => values(&alias.expr),
        Expr::ScalarFunction(call) if call.name() == "row" => Some(&call.args),
        _ => None,
    }
}
