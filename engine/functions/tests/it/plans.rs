//! Binding of whole plans: names stay, types change.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion_expr::logical_plan::builder::LogicalTableSource;
use datafusion_expr::{Expr, lit};
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{Optimizer, OptimizerContext};
use sluice_functions::{SessionInfo, bind_expr, cast_array, common_type, implicit_cast};
use sluice_model::SqlType;

use crate::harness::{cast_of, plan, session};

fn planned(sql: &str) -> Result<datafusion_expr::LogicalPlan, String> {
    let field = |name: &str, sql_type: SqlType| {
        Field::new(name, sql_type.to_arrow(), true).with_metadata(sql_type.field_metadata())
    };
    let schema = Schema::new(vec![
        field("id", SqlType::Int),
        field("name", SqlType::VarChar(20)),
        field("price", SqlType::Decimal(10, 2)),
        field("ts", SqlType::Timestamp(3)),
    ]);
    plan(sql, Arc::new(LogicalTableSource::new(Arc::new(schema))))
        .map_err(|error| sluice_functions::from_datafusion(error).to_string())
}

fn columns(sql: &str) -> Vec<String> {
    let plan = planned(sql).unwrap();
    plan.schema().fields().iter().map(|field| format!("{} {}", field.name(), SqlType::of_field(field))).collect()
}

#[test]
fn names_stay_and_types_are_flinks() {
    assert_eq!(
        columns("SELECT price * price AS square, CAST(name AS CHAR(3)) AS short, price / id FROM t"),
        ["square DECIMAL(21, 4)", "short CHAR(3)", "t.price / t.id DECIMAL(21, 13)"]
    );
    assert_eq!(columns("SELECT ts + INTERVAL '1' DAY AS later FROM t"), ["later TIMESTAMP(3)"]);
    assert_eq!(columns("SELECT CASE WHEN id > 0 THEN ts END AS x FROM t"), ["x TIMESTAMP(3)"]);
}

#[test]
fn outer_queries_see_the_new_types() {
    assert_eq!(
        columns("SELECT p, p + p AS twice FROM (SELECT price * 2.5 AS p FROM t) WHERE p > '3'"),
        ["p DECIMAL(13, 3)", "twice DECIMAL(14, 3)"]
    );
}

#[test]
fn unions_meet_in_a_common_type() {
    assert_eq!(columns("SELECT id AS c FROM t UNION ALL SELECT price FROM t"), ["c DECIMAL(12, 2)"]);
    let error = planned("SELECT id AS c FROM t UNION ALL SELECT name FROM t").unwrap_err();
    assert!(error.contains("types that do not go together"), "{error}");
}

#[test]
fn conditions_of_joins_and_filters_are_bound() {
    let plan = planned("SELECT a.id FROM t a JOIN t b ON a.name = b.id WHERE a.ts > '2020-01-01'").unwrap();
    let text = plan.display_indent().to_string();
    assert!(text.contains("CAST AS INT(a.name)"), "{text}");
    assert!(text.contains("CAST AS TIMESTAMP(3)(Utf8"), "{text}");
    let subquery = planned("SELECT id FROM t WHERE id IN (SELECT CAST(name AS INT) FROM t)").unwrap();
    assert!(subquery.display_indent().to_string().contains("CAST AS INT(t.name)"));
}

#[test]
fn the_optimizer_keeps_types_and_guards() {
    for sql in [
        "SELECT name FROM t WHERE id <> 0 AND 10 / id > 1",
        "SELECT CASE WHEN id = 0 THEN FALSE ELSE 10 / id > 1 END AS c, ROUND(1.25, 1) AS r FROM t",
        "SELECT CASE WHEN id = 0 THEN FALSE ELSE CAST(name AS INT) > 1 END AS c, price * (1 + 1.5) AS p FROM t",
    ] {
        let bound = planned(sql).unwrap();
        let context = OptimizerContext::new().with_max_passes(3);
        let rules = vec![Arc::new(SimplifyExpressions::new()) as _, Arc::new(CommonSubexprEliminate::new()) as _];
        let optimized = Optimizer::with_rules(rules).optimize(bound.clone(), &context, |_, _| {}).unwrap();
        assert_eq!(optimized.schema().as_arrow().fields(), bound.schema().as_arrow().fields(), "{sql}");
        let text = optimized.display_indent().to_string();
        assert!(text.contains("to_truth(CASE WHEN"), "{text}");
    }
}

#[test]
fn native_casts_stay_visible_to_the_optimizer() {
    let schema =
        datafusion_common::DFSchema::try_from(Schema::new(vec![Field::new("a", DataType::Int32, true)])).unwrap();
    let bound = bind_expr(cast_of(datafusion_expr::col("a"), &SqlType::BigInt), &schema, &session("UTC")).unwrap();
    assert!(matches!(bound, Expr::Cast(_)));
    let literal = bind_expr(cast_of(lit(5i64), &SqlType::Int), &schema, &session("UTC")).unwrap();
    assert_eq!(literal, lit(5i32));
}

#[test]
fn sinks_take_what_is_assignable() {
    let session = SessionInfo::default();
    let assignable = |from: SqlType, to: SqlType| implicit_cast(lit(1), &from, &to, &session).unwrap().is_some();
    assert!(assignable(SqlType::Int, SqlType::BigInt));
    assert!(assignable(SqlType::Int, SqlType::Decimal(10, 2)));
    assert!(assignable(SqlType::Char(3), SqlType::STRING));
    assert!(assignable(SqlType::Timestamp(3), SqlType::TimestampLtz(3)));
    assert!(!assignable(SqlType::BigInt, SqlType::Int));
    assert!(!assignable(SqlType::Int, SqlType::STRING));
    assert!(!assignable(SqlType::STRING, SqlType::Int));
    assert_eq!(common_type(&[SqlType::Date, SqlType::Int]), None);
}

#[test]
fn whole_columns_can_be_cast() {
    let numbers: arrow_array::ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![Some(1), None, Some(300)]));
    let cast = cast_array(&numbers, &SqlType::BigInt, &SqlType::TinyInt, false, &SessionInfo::default()).unwrap();
    assert_eq!(cast.as_ref(), &arrow_array::Int8Array::from(vec![Some(1), None, Some(44)]) as &dyn arrow_array::Array);
    let error = cast_array(&numbers, &SqlType::BigInt, &SqlType::Date, false, &SessionInfo::default()).unwrap_err();
    assert_eq!(error.what(), "cannot convert a value of type BIGINT to type DATE");
}
