//! Binding of whole plans.

use std::sync::Arc;

use arrow_schema::Field;
use datafusion_common::tree_node::Transformed;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Join, Projection, Union, Values};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan};
use sluice_model::{Error, SqlType};

use super::Binder;
use crate::error::external;
use crate::types::{common_type, field_of, type_of};

pub(super) fn bind(plan: LogicalPlan, binder: &Binder<'_>) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| bind_node(plan, binder)).map(|bound| bound.data)
}

/// One node whose inputs, and whose subqueries, are bound.
fn bind_node(plan: LogicalPlan, binder: &Binder<'_>) -> Result<Transformed<LogicalPlan>> {
    let schema = input_schema(&plan)?;
    let names = NamePreserver::new(&plan);
    let plan = plan
        .map_expressions(|expr| {
            let name = names.save(&expr);
            let bound = binder.bind(expr, &schema)?;
            Ok(Transformed::yes(name.restore(bound)))
        })?
        .data;
    let plan = match plan {
        LogicalPlan::Join(join) => LogicalPlan::Join(unify_join(join, binder)?),
        LogicalPlan::Union(union) => LogicalPlan::Union(unify_union(union, binder)?),
        LogicalPlan::Values(values) => LogicalPlan::Values(retype_values(values)?),
        plan => plan.recompute_schema()?,
    };
    Ok(Transformed::yes(plan))
}

/// All columns that the expressions of a node can name.
fn input_schema(plan: &LogicalPlan) -> Result<DFSchema> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = plan {
        let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
        schema.merge(&source);
    }
    Ok(schema)
}

/// The two sides of `ON a = b` in one type.
fn unify_join(mut join: Join, binder: &Binder<'_>) -> Result<Join> {
    let (left_schema, right_schema) = (Arc::clone(join.left.schema()), Arc::clone(join.right.schema()));
    let pairs = std::mem::take(&mut join.on).into_iter();
    join.on = pairs
        .map(|(left, right)| {
            let (left_type, right_type) = (type_of(&left, &left_schema)?, type_of(&right, &right_schema)?);
            binder.unify_pair((left, &left_type), (right, &right_type))
        })
        .collect::<Result<_>>()?;
    match LogicalPlan::Join(join).recompute_schema()? {
        LogicalPlan::Join(join) => Ok(join),
        _ => Err(crate::error::bug("a join is no join any more")),
    }
}

/// All inputs of a union in the types that their columns have in common.
fn unify_union(union: Union, binder: &Binder<'_>) -> Result<Union> {
    let columns = union.schema.fields().len();
    let types = (0..columns).map(|column| column_type(&union, column)).collect::<Result<Vec<_>>>()?;
    let inputs =
        union.inputs.into_iter().map(|input| cast_columns(input, &types, binder)).collect::<Result<Vec<_>>>()?;
    let fields = union.schema.iter().zip(types.iter().enumerate()).map(|((qualifier, field), (column, sql_type))| {
        let nullable = inputs.iter().any(|input| input.schema().field(column).is_nullable());
        (qualifier.cloned(), Arc::new(field_of(field.name(), sql_type, nullable)))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), union.schema.metadata().clone())?;
    Ok(Union { inputs, schema: Arc::new(schema) })
}

fn column_type(union: &Union, column: usize) -> Result<SqlType> {
    let types: Vec<SqlType> =
        union.inputs.iter().map(|input| SqlType::of_field(input.schema().field(column))).collect();
    common_type(&types).ok_or_else(|| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        let name = union.schema.field(column).name();
        external(
            Error::fix(format!("column '{name}' of a UNION has types that do not go together: {}", types.join(", ")))
                .with_hint("CAST the columns of its inputs to one type"),
        )
    })
}

fn cast_columns(input: Arc<LogicalPlan>, types: &[SqlType], binder: &Binder<'_>) -> Result<Arc<LogicalPlan>> {
    let same = |(field, wanted): (&Arc<Field>, &SqlType)| SqlType::of_field(field) == *wanted;
    if input.schema().fields().iter().zip(types).all(same) {
        return Ok(input);
    }
    let schema = Arc::clone(input.schema());
    let columns = schema.iter().zip(types).map(|((qualifier, field), wanted)| {
        let column = Expr::from((qualifier, field));
        let bound = binder.cast_to(column.clone(), wanted, &schema)?;
        Ok(if bound == column { bound } else { bound.alias_qualified(qualifier.cloned(), field.name()) })
    });
    let projection = Projection::try_new(columns.collect::<Result<_>>()?, input)?;
    Ok(Arc::new(LogicalPlan::Projection(projection)))
}

/// The schema of literal rows from the types that they have now.
fn retype_values(values: Values) -> Result<Values> {
    let empty = DFSchema::empty();
    let fields = values.schema.iter().enumerate().map(|(column, (qualifier, field))| {
        let cells = || values.values.iter().filter_map(|row| row.get(column));
        let types = cells().map(|cell| type_of(cell, &empty)).collect::<Result<Vec<_>>>()?;
        let nullable = cells().map(|cell| cell.nullable(&empty)).collect::<Result<Vec<_>>>()?.contains(&true);
        let sql_type = common_type(&types).unwrap_or_else(|| SqlType::of_field(field));
        Ok((qualifier.cloned(), Arc::new(field_of(field.name(), &sql_type, nullable))))
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let schema = DFSchema::new_with_metadata(fields, values.schema.metadata().clone())?;
    Ok(Values { schema: Arc::new(schema), values: values.values })
}
