//! Flink SQL's functions and expressions, where DataFusion's mean something else.
//!
//! A planner parses SQL with DataFusion, resolving functions among [`scalar_functions`] and syntax
//! such as `EXTRACT` with [`expr_planner`], then gives the plan Flink's meaning with [`bind_plan`]:
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema};
//! use datafusion_common::DFSchema;
//! use datafusion_expr::{cast, col, lit};
//! use sluice_functions::{SessionInfo, bind_expr};
//!
//! let schema = DFSchema::try_from(Schema::new(vec![Field::new("s", DataType::Utf8, true)]))?;
//! let bound = bind_expr(cast(col("s"), DataType::Int32) / lit(2), &schema, &SessionInfo::default())?;
//! assert_eq!(bound.to_string(), "integer_divide(CAST AS INT(s), Int32(2))");
//! # Ok::<(), datafusion_common::DataFusionError>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`cast`] | `CAST`, `TRY_CAST`, implicit casts |
//! | `arithmetic` | decimals, division of integers |
//! | `bind` | replaces what DataFusion would do differently |
//! | `text`, `regexp`, `time`, `numeric`, `hash`, `json`, `collection`, `misc` | the functions |
//! | `aggregate` | the aggregate functions |
//! | `unnest` | `UNNEST` |
//!
//! Functions that are not there are absent: a planner says "unknown function" and suggests a name.

mod aggregate;
mod arithmetic;
mod bind;
mod call;
mod cast;
mod collection;
mod decimal;
mod error;
mod function;
mod hash;
mod json;
mod misc;
mod numeric;
mod planner;
mod regexp;
mod session;
mod text;
mod time;
mod types;
mod unnest;
mod window;

use std::sync::Arc;

use datafusion_expr::ScalarUDF;

pub use aggregate::{aggregate_functions, decimal_average, decimal_sum, exact_variance, variance};
pub use bind::{bind_expr, bind_plan};
pub use cast::{cast, cast_array, cast_udf, implicit_cast, is_cast, is_time, keeps_order_of_time};
pub use error::from_datafusion;
pub use function::is_infix;
pub use planner::expr_planner;
pub use session::SessionInfo;
pub use time::wall_clock::WallClock;
pub use time::watermark::{WatermarkCell, bind_watermark, watermark_argument};
pub use time::zone::time_zone;
pub use types::{common_type, type_of};
pub use unnest::{UnnestNode, UnnestedRows, Unnesting};
pub use window::{WINDOW_FUNCTIONS, row_number, window_function};

/// Every scalar function, by Flink's names in lower case.
///
/// Names of the syntax that a planner rewrites into calls begin with `__`.
pub fn scalar_functions(session: &SessionInfo) -> Vec<Arc<ScalarUDF>> {
    let families = [
        misc::definitions(),
        text::definitions(),
        regexp::definitions(),
        time::definitions(),
        numeric::definitions(),
        hash::definitions(),
        json::definitions(),
        collection::definitions(),
    ];
    let defined = families.into_iter().flatten().map(|definition| function::Function::udf(definition, session));
    defined.chain([time::watermark::current_watermark()]).collect()
}
