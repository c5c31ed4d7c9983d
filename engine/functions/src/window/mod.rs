//! Functions over the rows of a window that are no aggregates, as DataFusion's planner and batch mode
//! see them.

mod lag;
mod rank;
mod row_number;

use std::sync::Arc;

use datafusion_expr::WindowUDF;

pub use row_number::row_number;

/// Names of the functions.
pub const WINDOW_FUNCTIONS: [&str; 5] = ["row_number", "rank", "dense_rank", "lag", "lead"];

/// The function of a name, in any case: for `ContextProvider::get_window_meta`.
pub fn window_function(name: &str) -> Option<Arc<WindowUDF>> {
    match name.to_lowercase().as_str() {
        "row_number" => Some(row_number()),
        "rank" => Some(rank::rank(false)),
        "dense_rank" => Some(rank::rank(true)),
        "lag" => Some(lag::lag(false)),
        "lead" => Some(lag::lag(true)),
        _ => None,
    }
}
