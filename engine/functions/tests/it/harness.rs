//! Evaluates one SQL expression on one row.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, cast::AsArray};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, TableReference, plan_err};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::Cast;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_optimizer::analyzer::AnalyzerRule;
use datafusion_optimizer::analyzer::type_coercion::{TypeCoercion, TypeCoercionRewriter};
use datafusion_physical_expr::create_physical_expr;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use sluice_functions::{
    SessionInfo, aggregate_functions, bind_expr, bind_plan, cast_array, expr_planner, scalar_functions,
};
use sluice_model::{ManualClock, SqlType};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

/// 2021-04-13T12:00:00.123Z.
pub(crate) const NOW: i64 = 1_618_315_200_123;

/// A session in a zone.
pub(crate) fn session(zone: &str) -> SessionInfo {
    SessionInfo::new(zone.parse().unwrap(), Arc::new(ManualClock::at(NOW)))
}

/// Resolves functions and types as the planner does; has one table.
pub(crate) struct Context {
    functions: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
    table: Option<Arc<dyn TableSource>>,
}

impl Context {
    pub(crate) fn new(session: &SessionInfo) -> Self {
        let functions = scalar_functions(session).into_iter().flat_map(|function| {
            let mut names = function.aliases().to_vec();
            names.push(function.name().to_owned());
            names.into_iter().map(move |name| (name, Arc::clone(&function)))
        });
        let aggregates = aggregate_functions(session).into_iter().flat_map(|function| {
            let mut names = function.aliases().to_vec();
            names.push(function.name().to_owned());
            names.into_iter().map(move |name| (name, Arc::clone(&function)))
        });
        Self {
            functions: functions.collect(),
            aggregates: aggregates.collect(),
            planners: vec![expr_planner(session)],
            options: ConfigOptions::default(),
            table: None,
        }
    }

    pub(crate) fn with_table(mut self, table: Arc<dyn TableSource>) -> Self {
        self.table = Some(table);
        self
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match &self.table {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("there is no table {name}"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.get(&name.to_lowercase()).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(&name.to_lowercase()).cloned()
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Debug)]
struct FlinkTypes;

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &sqlparser::ast::DataType) -> Result<Option<FieldRef>> {
        let sql_type = parse_type(&sql_type.to_string());
        let field = Field::new("", sql_type.to_arrow(), true).with_metadata(sql_type.field_metadata());
        Ok(Some(Arc::new(field)))
    }
}

/// Reads a type as Flink writes it.
pub(crate) fn parse_type(text: &str) -> SqlType {
    let text = text.trim();
    let (name, parameters) = match text.split_once(['(', '<']) {
        Some((name, rest)) => (name, rest.trim_end_matches([')', '>'])),
        None => (text, ""),
    };
    let number = |default: u32| parameters.split(',').next().and_then(|n| n.trim().parse().ok()).unwrap_or(default);
    match name.to_uppercase().as_str() {
        "BOOLEAN" => SqlType::Boolean,
        "TINYINT" => SqlType::TinyInt,
        "SMALLINT" => SqlType::SmallInt,
        "INT" | "INTEGER" => SqlType::Int,
        "BIGINT" => SqlType::BigInt,
        "FLOAT" => SqlType::Float,
        "DOUBLE" => SqlType::Double,
        "DECIMAL" => {
            let scale = parameters.split(',').nth(1).and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            SqlType::Decimal(number(10) as u8, scale)
        }
        "STRING" => SqlType::STRING,
        "CHAR" => SqlType::Char(number(1)),
        "VARCHAR" => SqlType::VarChar(number(i32::MAX as u32)),
        "BYTES" => SqlType::BYTES,
        "BINARY" => SqlType::Binary(number(1)),
        "VARBINARY" => SqlType::VarBinary(number(i32::MAX as u32)),
        "DATE" => SqlType::Date,
        "TIME" => SqlType::Time(number(0) as u8),
        "TIMESTAMP" => SqlType::Timestamp(number(6) as u8),
        "TIMESTAMP_LTZ" => SqlType::TimestampLtz(number(6) as u8),
        "ARRAY" => SqlType::Array(Box::new(parse_type(parameters))),
        "MAP" => {
            let (key, value) = parameters.split_once(',').unwrap();
            SqlType::Map(Box::new(parse_type(key)), Box::new(parse_type(value)))
        }
        other => panic!("no type {other}"),
    }
}

static OPTIONS: LazyLock<ParserOptions> =
    LazyLock::new(|| ParserOptions::new().with_parse_float_as_decimal(true).with_support_varchar_with_length(true));

/// Integer literals that fit are `INT`.
fn narrow_literals(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Transformed::yes(Expr::Literal(ScalarValue::Int32(Some(value)), metadata)),
            Err(_) => Transformed::no(Expr::Literal(ScalarValue::Int64(Some(value)), metadata)),
        },
        other => Transformed::no(other),
    })
}

/// A value with its type.
pub(crate) struct Value {
    pub(crate) text: Option<String>,
    pub(crate) sql_type: SqlType,
}

/// Evaluates an expression over columns of one or more rows; the text of every row's value.
pub(crate) fn evaluate_over(sql: &str, columns: Vec<(Field, ArrayRef)>, session: &SessionInfo) -> Result<Vec<Value>> {
    let rows = columns.first().map_or(1, |(_, array)| array.len());
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let arrow_schema = Arc::new(Schema::new(fields));
    let schema = DFSchema::try_from(arrow_schema.as_ref().clone())?;
    let context = Context::new(session);
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(sql)?.parse_expr()?;
    let planner = SqlToRel::new_with_options(&context, *OPTIONS);
    let expr = planner.sql_to_expr(parsed, &schema, &mut PlannerContext::new())?;
    let expr = expr.transform_up(narrow_literals)?.data;
    let bound = bind_expr(expr, &schema, session)?;
    assert_eq!(bind_expr(bound.clone(), &schema, session)?, bound, "binding twice changes nothing");
    let coerced = bound.rewrite(&mut TypeCoercionRewriter::new(&schema))?.data;
    let mut props = ExecutionProps::new();
    props.config_options = Some(Arc::new(ConfigOptions::default()));
    let physical = create_physical_expr(&coerced, &schema, &props, &PhysicalPlanningContext::default())?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&arrow_schema), arrays, &options)?;
    let sql_type = SqlType::of_field(physical.return_field(&arrow_schema)?.as_ref());
    let array = physical.evaluate(&batch)?.into_array(rows)?;
    let texts = match cast_array(&array, &sql_type, &SqlType::STRING, false, session) {
        Ok(texts) => texts,
        Err(error) => return Err(DataFusionError::External(Box::new(error))),
    };
    let texts = texts.as_string::<i32>();
    let text = |row: usize| (!texts.is_null(row)).then(|| texts.value(row).to_owned());
    Ok((0..rows).map(|row| Value { text: text(row), sql_type: sql_type.clone() }).collect())
}

/// Evaluates an expression without columns.
pub(crate) fn evaluate(sql: &str, session: &SessionInfo) -> Result<Value> {
    evaluate_over(sql, Vec::new(), session).map(|mut values| values.remove(0))
}

/// The expression has this value, as text; `NULL` is written as such.
#[track_caller]
pub(crate) fn check(sql: &str, expected: &str) {
    check_in("UTC", sql, expected);
}

/// The same in a session of another time zone.
#[track_caller]
pub(crate) fn check_in(zone: &str, sql: &str, expected: &str) {
    match evaluate(sql, &session(zone)) {
        Ok(value) => assert_eq!(value.text.as_deref().unwrap_or("NULL"), expected, "{sql}"),
        Err(error) => panic!("{sql}: {:?}", sluice_functions::from_datafusion(error)),
    }
}

/// The expression has this value and this type.
#[track_caller]
pub(crate) fn check_type(sql: &str, expected: &str, sql_type: &str) {
    check(sql, expected);
    let value = evaluate(sql, &session("UTC")).unwrap();
    assert_eq!(value.sql_type.to_string(), sql_type, "type of {sql}");
}

/// All of a table of expressions and values.
#[track_caller]
pub(crate) fn check_all(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        check(sql, expected);
    }
}

/// The expression fails with an error that says this.
#[track_caller]
pub(crate) fn fails(sql: &str, expected: &str) {
    match evaluate(sql, &session("UTC")) {
        Ok(value) => panic!("{sql} is {:?}", value.text),
        Err(error) => {
            let error = sluice_functions::from_datafusion(error);
            assert_eq!(error.reaction(), sluice_model::Reaction::Fix, "{sql}: {error}");
            assert!(error.to_string().contains(expected), "{sql}: {error}");
        }
    }
}

/// Plans, binds and coerces a query.
pub(crate) fn plan(sql: &str, table: Arc<dyn TableSource>) -> Result<LogicalPlan> {
    let session = session("UTC");
    let context = Context::new(&session).with_table(table);
    let statement = Parser::new(&GenericDialect {}).try_with_sql(sql)?.parse_statement()?;
    let plan = SqlToRel::new_with_options(&context, *OPTIONS).sql_statement_to_plan(statement)?;
    let bound = bind_plan(plan, &session)?;
    assert_eq!(bind_plan(bound.clone(), &session)?, bound, "binding twice changes nothing");
    TypeCoercion::new().analyze(bound, &ConfigOptions::default())
}

/// A cast in the way that `CAST(x AS t)` arrives.
pub(crate) fn cast_of(expr: Expr, sql_type: &SqlType) -> Expr {
    let field = Field::new("", sql_type.to_arrow(), true).with_metadata(sql_type.field_metadata());
    Expr::Cast(Cast::new_from_field(Box::new(expr), Arc::new(field)))
}
