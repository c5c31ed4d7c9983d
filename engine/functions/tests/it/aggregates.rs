//! Aggregates: how calls are planned, and what they give over a whole table.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{Field, FieldRef, Schema};
use datafusion::prelude::SessionContext;
use datafusion_common::ScalarValue;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::logical_plan::builder::LogicalTableSource;
use datafusion_expr::{AggregateUDF, LogicalPlan};
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{Optimizer, OptimizerContext};
use sluice_functions::aggregate_functions;
use sluice_model::{SqlType, from_pretty};

use crate::harness::{plan, session};

fn planned(sql: &str) -> Result<LogicalPlan, String> {
    let types = [
        ("i", SqlType::Int),
        ("t", SqlType::TinyInt),
        ("l", SqlType::BigInt),
        ("f", SqlType::Float),
        ("d", SqlType::Double),
        ("n", SqlType::Decimal(10, 2)),
        ("s", SqlType::VarChar(20)),
        ("ts", SqlType::Timestamp(3)),
        ("b", SqlType::BYTES),
        ("a", SqlType::Array(Box::new(SqlType::Int))),
    ];
    let field = |(name, sql_type): (&str, SqlType)| {
        Field::new(name, sql_type.to_arrow(), true).with_metadata(sql_type.field_metadata())
    };
    let schema = Schema::new(types.map(field).to_vec());
    plan(sql, Arc::new(LogicalTableSource::new(Arc::new(schema))))
        .map_err(|error| sluice_functions::from_datafusion(error).to_string())
}

#[track_caller]
fn has_type(call: &str, expected: &str) {
    let plan = planned(&format!("SELECT s, {call} AS c FROM t GROUP BY s")).unwrap();
    let field = plan.schema().field(1);
    let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
    assert_eq!(format!("{}{not_null}", SqlType::of_field(field)), expected, "type of {call}");
}

#[test]
fn results_have_flinks_types() {
    has_type("COUNT(*)", "BIGINT NOT NULL");
    has_type("COUNT(1)", "BIGINT NOT NULL");
    has_type("COUNT(DISTINCT i)", "BIGINT NOT NULL");
    has_type("APPROX_COUNT_DISTINCT(a)", "BIGINT NOT NULL");
    has_type("SUM(t)", "TINYINT");
    has_type("SUM(i)", "INT");
    has_type("SUM(l) FILTER (WHERE i > 0)", "BIGINT");
    has_type("SUM(f)", "FLOAT");
    has_type("SUM(d)", "DOUBLE");
    has_type("SUM(n)", "DECIMAL(38, 2)");
    has_type("SUM(n * n)", "DECIMAL(38, 4)");
    has_type("SUM0(i)", "INT NOT NULL");
    has_type("AVG(i)", "INT");
    has_type("AVG(n)", "DECIMAL(38, 6)");
    has_type("STDDEV(d)", "DOUBLE");
    has_type("VARIANCE(i)", "INT");
    has_type("VAR_POP(n)", "DECIMAL(38, 6)");
    has_type("MIN(ts)", "TIMESTAMP(3)");
    has_type("MAX(s)", "VARCHAR(20)");
    has_type("FIRST_VALUE(a)", "ARRAY<INT>");
    has_type("LAST_VALUE(n)", "DECIMAL(10, 2)");
    has_type("LISTAGG(s)", "STRING");
    has_type("LISTAGG(DISTINCT s, '; ')", "STRING");
    has_type("ARRAY_AGG(ts)", "ARRAY<TIMESTAMP(3)>");
    has_type("ARRAY_AGG(i IGNORE NULLS)", "ARRAY<INT>");
}

#[track_caller]
fn is_refused(call: &str, expected: &str) {
    let error = planned(&format!("SELECT {call} FROM t")).unwrap_err();
    assert!(error.contains(expected), "{call}: {error}");
}

#[test]
fn arguments_are_checked() {
    is_refused("SUM(s)", "cannot apply SUM to (STRING)");
    is_refused("AVG(ts)", "cannot apply AVG");
    is_refused("MIN(b)", "cannot apply MIN to (BYTES)");
    is_refused("MAX(a)", "cannot apply MAX");
    is_refused("COUNT(i, l)", "We now only support the count of one field.");
    is_refused("LISTAGG(i)", "cannot apply LISTAGG to (INT)");
    is_refused("LISTAGG(s, s)", "the separator of LISTAGG has to be a constant");
    is_refused("ARRAY_AGG(i ORDER BY l)", "ORDER BY inside ARRAY_AGG is not supported");
}

#[test]
fn aggregates_nest_in_queries() {
    for sql in [
        "SELECT s, SUM(i) + 1, COUNT(*) FROM t GROUP BY s HAVING COUNT(*) > 1 AND SUM(n / 2) > 3",
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE s LIKE 'a%') FROM t",
        "SELECT MAX(c) FROM (SELECT COUNT(*) AS c FROM t GROUP BY CAST(s AS INT))",
        "SELECT SUM(CAST(s AS INT) / 2), UPPER(s) FROM t GROUP BY UPPER(s)",
        "SELECT DISTINCT s, i FROM t",
        "SELECT s FROM t WHERE i = (SELECT MAX(i) FROM t)",
    ] {
        planned(sql).unwrap();
    }
}

fn function(name: &str) -> Arc<AggregateUDF> {
    let named = |function: &Arc<AggregateUDF>| function.name() == name || function.aliases().contains(&name.to_owned());
    aggregate_functions(&session("UTC")).into_iter().find(named).unwrap()
}

/// What a call gives over the rows of a table, in one go and in two halves that are merged.
#[track_caller]
fn gives(call: &str, columns: &str, rows: &str, expected: &str) {
    let (name, distinct) = match call.strip_suffix(" distinct") {
        Some(name) => (name, true),
        None => (call, false),
    };
    let batch: RecordBatch = from_pretty(columns, rows).rows().clone();
    let fields: Vec<FieldRef> = batch.schema().fields().iter().cloned().collect();
    let function = function(name);
    let accumulator = || {
        let args = AccumulatorArgs {
            return_field: function.return_field(&fields).unwrap(),
            schema: &batch.schema(),
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name,
            is_distinct: distinct,
            exprs: &[],
            expr_fields: &fields,
        };
        function.accumulator(args).unwrap()
    };
    let text = |value: ScalarValue| if value.is_null() { "NULL".to_owned() } else { value.to_string() };
    let mut whole = accumulator();
    whole.update_batch(batch.columns()).unwrap();
    assert_eq!(text(whole.evaluate().unwrap()), expected, "{call}");
    let mut merged = accumulator();
    let half = batch.num_rows() / 2;
    for part in [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)] {
        let mut accumulator = accumulator();
        accumulator.update_batch(part.columns()).unwrap();
        let state: Vec<ArrayRef> =
            accumulator.state().unwrap().into_iter().map(|value| value.to_array().unwrap()).collect();
        merged.merge_batch(&state).unwrap();
    }
    assert_eq!(text(merged.evaluate().unwrap()), expected, "{call}, merged");
}

#[test]
fn numbers_over_a_whole_table() {
    gives("count", "x INT", "1 / NULL / 1", "2");
    gives("count distinct", "x INT", "1 / NULL / 1", "1");
    gives("approx_count_distinct", "x STRING", "a / NULL / a / b", "2");
    gives("sum", "x INT", "2147483647 / 1", "-2147483648");
    gives("sum distinct", "x INT", "5 / 5 / 1 / NULL", "6");
    gives("sum", "x INT", "NULL", "NULL");
    gives("sum0", "x INT", "NULL", "0");
    gives("sum", "x DOUBLE", "1.5 / 2 / NULL", "3.5");
    gives("avg", "x INT", "1 / 2 / NULL", "1");
    gives("avg", "x FLOAT", "1 / 2 / NULL", "1.5");
    gives("sum", "x DECIMAL(7,2)", "1.25 / 2.50", "3.75");
    gives("avg", "x DECIMAL(7,2)", "1 / 1 / 0", "0.666667");
    gives("var_samp", "x DOUBLE", "2", "NULL");
    gives("var_pop", "x DOUBLE", "2 / 4 / NULL", "1");
    gives("stddev", "x INT", "1 / 5 / 9", "4");
    gives("variance", "x DECIMAL(7,2)", "1.50 / 2.50", "0.500000");
}

#[test]
fn values_over_a_whole_table() {
    gives("min", "x INT", "3 / NULL / -2", "-2");
    gives("max", "x STRING", "b / NULL / abc", "b");
    gives("max", "x DATE", "NULL", "NULL");
    gives("first_value", "x STRING", "NULL / b / a", "b");
    gives("last_value", "x STRING", "b / a / NULL", "a");
    gives("single_value", "x INT", "7", "7");
    gives("listagg", "x STRING", "b / NULL / a / b", "b,a,b");
    gives("listagg distinct", "x STRING, separator STRING", "b ; / NULL ; / a ; / b ;", "b;a");
    gives("array_agg", "x INT", "2 / NULL / 1", "[2, , 1]");
    gives("array_agg", "x INT", "", "NULL");
}

#[test]
fn the_optimizer_keeps_the_types() {
    for sql in [
        "SELECT s, SUM(i + 1 + 2) AS total, COUNT(*) AS n FROM t GROUP BY s HAVING COUNT(*) > 1 AND s <> 'x'",
        "SELECT n + 1 AS m FROM (SELECT s, AVG(n / 2) AS n, MAX(i) AS unused FROM t GROUP BY s) WHERE s = 'a'",
        "SELECT COUNT(DISTINCT UPPER(s)) AS a, LISTAGG(UPPER(s), ';') FILTER (WHERE i > 1 + 1) AS b FROM t",
    ] {
        let bound = planned(sql).unwrap();
        let rules = vec![
            Arc::new(SimplifyExpressions::new()) as _,
            Arc::new(PushDownFilter::new()) as _,
            Arc::new(CommonSubexprEliminate::new()) as _,
            Arc::new(OptimizeProjections::new()) as _,
        ];
        let context = OptimizerContext::new().with_max_passes(3);
        let optimized = Optimizer::with_rules(rules).optimize(bound.clone(), &context, |_, _| {}).unwrap();
        assert_eq!(optimized.schema().as_arrow().fields(), bound.schema().as_arrow().fields(), "{sql}");
    }
}

const ROWS: &str = "a 1 1.25 / a 2 0.25 / b NULL NULL / b 2147483647 3 / b 1 0 / NULL 7 NULL / a 2 NULL";

/// What DataFusion makes of a query, sorted.
async fn run(sql: &str) -> Vec<String> {
    let context = SessionContext::new();
    for function in aggregate_functions(&session("UTC")) {
        context.register_udaf(function.as_ref().clone());
    }
    context.register_batch("t", from_pretty("s STRING, i INT, n DECIMAL(7,2)", ROWS).rows().clone()).unwrap();
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let line = |batch: &RecordBatch, row: usize| {
        let cells = batch.columns().iter().map(|column| match column.is_null(row) {
            true => "NULL".to_owned(),
            false => array_value_to_string(column, row).unwrap(),
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<_> =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| line(batch, row))).collect();
    lines.sort();
    lines
}

async fn runs() {
    for (sql, expected) in [
        (
            "SELECT s, COUNT(*), COUNT(i), SUM(i), AVG(i), MIN(i), MAX(n) FROM t GROUP BY s",
            vec!["NULL 1 1 7 7 7 NULL", "a 3 3 5 1 1 1.25", "b 3 2 -2147483648 1073741824 1 3.00"],
        ),
        ("SELECT s, SUM(n), AVG(n) FROM t GROUP BY s", vec!["NULL NULL NULL", "a 1.50 0.750000", "b 3.00 1.500000"]),
        (
            "SELECT s, COUNT(DISTINCT i), SUM(DISTINCT i), ARRAY_AGG(i) FROM t WHERE s = 'a' GROUP BY s",
            vec!["a 2 3 [1, 2, 2]"],
        ),
        ("SELECT COUNT(DISTINCT s) FROM t", vec!["2"]),
        ("SELECT SUM(i) FILTER (WHERE i < 5), LISTAGG(s, ';') FROM t", vec!["6 a;a;b;b;b;a"]),
        ("SELECT COUNT(*), SUM(i), SUM0(i), MAX(s) FROM t WHERE s = 'none'", vec!["0 NULL 0 NULL"]),
        ("SELECT s FROM t GROUP BY s HAVING COUNT(*) > 2", vec!["a", "b"]),
        ("SELECT VAR_POP(i), STDDEV_SAMP(n) FROM t WHERE s = 'a'", vec!["0 0.707107"]),
    ] {
        assert_eq!(run(sql).await, expected, "{sql}");
    }
}

#[test]
fn datafusion_runs_them() {
    // DataFusion's planner recurses deeper than the stack of a test's thread.
    let test = std::thread::Builder::new().stack_size(32 << 20).spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(runs());
    });
    test.unwrap().join().unwrap();
}
