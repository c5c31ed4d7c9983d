//! Queries over rows that end, run by DataFusion.
//!
//! A query names its tables as the planner left them, as scans; the caller hands in the rows of each.
//!
//! ```text
//! Aggregate: groupBy=[[a]], aggr=[[sum(b)]]          rows of input0 ─► DataFusion ─► 1 12
//!   TableScan: input0                                                                2  5
//! ```
//!
//! Nothing here knows of time, changes or checkpoints: a batch query has its rows once, and puts its
//! result out once.

mod input;
mod unnest;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sluice_functions::from_datafusion;
use sluice_model::Result;

pub use input::{Feed, Inputs};

/// Starts a query over `inputs`, on up to `parallelism` threads at a time, and returns its rows.
///
/// # Errors
/// A query that DataFusion cannot plan.
pub async fn execute(
    query: &LogicalPlan,
    inputs: Inputs,
    parallelism: usize,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let rows = start(query, inputs, parallelism).await.map_err(from_datafusion)?;
    Ok(rows.map_err(from_datafusion).boxed())
}

async fn start(query: &LogicalPlan, inputs: Inputs, parallelism: usize) -> DataFusionResult<SendableRecordBatchStream> {
    let config = SessionConfig::new().with_target_partitions(parallelism.max(1));
    let state = SessionStateBuilder::new().with_config(config).with_default_features();
    let state = state.with_query_planner(Arc::new(unnest::Planner)).build();
    let mut tables: HashMap<_, _> = inputs.into_tables().into_iter().collect();
    let query = query.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let rows = tables.remove(scan.table_name.table()).ok_or_else(|| {
            DataFusionError::Internal(format!("table '{}' is not there, or scanned twice", scan.table_name))
        })?;
        let table = StreamingTable::try_new(scan.source.schema(), vec![Arc::new(rows)])?;
        scan.source = provider_as_source(Arc::new(table));
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    let plan = state.create_physical_plan(&query.data).await?;
    execute_stream(plan, state.task_ctx())
}
