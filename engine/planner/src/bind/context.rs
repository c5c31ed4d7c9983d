//! What DataFusion asks while it resolves names: tables, functions, types.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use sqlparser::ast::DataType as SqlDataType;

use super::Binder;
use crate::logical::{AS_OF, as_of};
use crate::{ObjectPath, TypeReader};

impl ContextProvider for Binder<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if let Some(number) = name.table().strip_prefix(super::window::PREFIX).and_then(|number| number.parse().ok())
            && let Some(window) = self.windows.borrow().get::<usize>(number)
        {
            return Ok(Arc::clone(window));
        }
        let (catalog, database) = &self.home;
        let resolved = name.resolve(catalog, database);
        let path = ObjectPath {
            catalog: resolved.catalog.to_string(),
            database: resolved.schema.to_string(),
            name: resolved.table.to_string(),
        };
        self.table(&path).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes(self.types)))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == AS_OF {
            return Some(as_of());
        }
        self.functions.get(&name.to_lowercase()).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(&name.to_lowercase()).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        sluice_functions::window_function(name)
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
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
        sluice_functions::WINDOW_FUNCTIONS.map(str::to_owned).to_vec()
    }
}

/// Flink's names of types in `CAST`.
#[derive(Debug)]
struct FlinkTypes(TypeReader);

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &SqlDataType) -> Result<Option<FieldRef>> {
        let data_type = (self.0)(sql_type).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let field = Field::new("", data_type.to_arrow(), true).with_metadata(data_type.field_metadata());
        Ok(Some(Arc::new(field)))
    }
}
