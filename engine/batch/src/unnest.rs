//! `UNNEST` among the operators of a batch query: the same kernel as on a stream.

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::StreamExt;
use sluice_functions::{UnnestNode, Unnesting};

/// DataFusion's planner that knows the node.
#[derive(Debug)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Unnests)]);
        planner.create_physical_plan(plan, state).await
    }
}

struct Unnests;

#[async_trait]
impl ExtensionPlanner for Unnests {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        state: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let (Some(node), [input]) = (node.as_any().downcast_ref::<UnnestNode>(), inputs) else { return Ok(None) };
        let value = planner.create_physical_expr(&node.value, node.input.schema(), state, context)?;
        let schema = Arc::new(UserDefinedLogicalNodeCore::schema(node).as_arrow().clone());
        let unnest = Unnest::new(Arc::clone(input), value, node.unnesting, node.kept().to_vec(), schema);
        Ok(Some(Arc::new(unnest)))
    }
}

/// Each row once for every value.
#[derive(Debug)]
struct Unnest {
    input: Arc<dyn ExecutionPlan>,
    step: Arc<Step>,
    properties: Arc<PlanProperties>,
}

/// What is done to a batch.
#[derive(Debug)]
struct Step {
    value: Arc<dyn PhysicalExpr>,
    unnesting: Unnesting,
    kept: Vec<usize>,
    schema: SchemaRef,
}

impl Unnest {
    fn new(
        input: Arc<dyn ExecutionPlan>,
        value: Arc<dyn PhysicalExpr>,
        unnesting: Unnesting,
        kept: Vec<usize>,
        schema: SchemaRef,
    ) -> Self {
        let partitioning = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            partitioning,
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self { input, step: Arc::new(Step { value, unnesting, kept, schema }), properties: Arc::new(properties) }
    }
}

impl Step {
    fn run(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let values = self.value.evaluate(batch)?.into_array(batch.num_rows())?;
        let external = |error| DataFusionError::External(Box::new(error));
        let unnested = self.unnesting.rows(&values).map_err(external)?;
        let take = |column: &usize| Ok(arrow_select::take::take(batch.column(*column), &unnested.source, None)?);
        let mut columns = self.kept.iter().map(take).collect::<Result<Vec<ArrayRef>>>()?;
        columns.extend(unnested.columns);
        let options = RecordBatchOptions::new().with_row_count(Some(unnested.source.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl DisplayAs for Unnest {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unnest: {}", self.step.value)
    }
}

impl ExecutionPlan for Unnest {
    fn name(&self) -> &'static str {
        "Unnest"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        visit(&self.step.value)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return Err(DataFusionError::Internal("an UNNEST without its rows".to_owned()));
        };
        let Step { value, unnesting, kept, schema } = self.step.as_ref();
        Ok(Arc::new(Self::new(input, Arc::clone(value), *unnesting, kept.clone(), Arc::clone(schema))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let step = Arc::clone(&self.step);
        let rows = self.input.execute(partition, context)?;
        let unnested = rows.map(move |batch| step.run(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.step.schema), unnested)))
    }
}
