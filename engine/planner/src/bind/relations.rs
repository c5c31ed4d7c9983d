//! Relations in `FROM` that DataFusion has no plan for, or another meaning of.
//!
//! | text | becomes |
//! |---|---|
//! | `UNNEST(t.tags) AS u (tag)` | an [`UnnestNode`] over one row; see [`crate::lateral`] |
//! | `a INTERSECT ALL b` | see [`super::set_operation`] |

use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, Result, TableReference};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr, LogicalPlanBuilder};
use sluice_functions::{UnnestNode, Unnesting};
use sluice_model::Error;
use sqlparser::ast::{Expr as SqlExpr, TableAlias, TableAliasColumnDef, TableFactor};

use super::set_operation::{SetOperation, plan_set_operation};

/// Plans those relations.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// Number of `UNNEST`s so far: keeps their columns apart.
    unnested: AtomicUsize,
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let Some(operation) = SetOperation::of(&relation) {
            let plan = plan_set_operation(operation, context)?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))));
        }
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let planned = self.unnest(array_exprs, with_ordinality, alias, context)?;
        Ok(RelationPlanning::Planned(Box::new(planned)))
    }
}

impl Relations {
    fn unnest(
        &self,
        values: Vec<SqlExpr>,
        ordinality: bool,
        mut alias: Option<TableAlias>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<PlannedRelation> {
        let [value] = <[SqlExpr; 1]>::try_from(values).map_err(|_| {
            let error = Error::fix("UNNEST takes one collection").with_hint("join one UNNEST for each of them");
            DataFusionError::External(Box::new(error))
        })?;
        let value = context.sql_to_expr(value, &DFSchema::empty())?;
        refuse_aggregates(&value)?;
        let one = LogicalPlanBuilder::empty(true).build()?;
        let qualifier = TableReference::bare(format!("$unnest{}", self.unnested.fetch_add(1, Ordering::Relaxed)));
        let node = UnnestNode::try_new(one, value, Unnesting { ordinality, outer: false }, qualifier)?.into_plan();
        // A single value is called as its table is.
        if let Some(alias) = &mut alias
            && alias.columns.is_empty()
            && node.schema().fields().len() == 1
            && node.schema().field(0).name() == "EXPR$0"
        {
            alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
        }
        Ok(PlannedRelation::new(node, alias))
    }
}

fn refuse_aggregates(value: &Expr) -> Result<()> {
    value
        .apply(|node| match node {
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) => {
                let error = Error::fix("UNNEST takes no aggregate").with_hint(
                    "aggregate in a sub-query: FROM (SELECT ARRAY_AGG(x) AS xs …) AS q CROSS JOIN UNNEST(q.xs)",
                );
                Err(DataFusionError::External(Box::new(error)))
            }
            _ => Ok(TreeNodeRecursion::Continue),
        })
        .map(|_| ())
}
