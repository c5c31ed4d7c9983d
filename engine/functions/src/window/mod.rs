//! Functions over the rows of a window that are no aggregates, as DataFusion's planner and batch mode
//! see them.

mod lag;
mod rank;
mod row_number;
mod share;
mod value;

use std::sync::Arc;

use datafusion_expr::WindowUDF;

use share::Share;

pub use row_number::row_number;
pub(crate) use value::plan_value;

/// Names of the functions.
pub const WINDOW_FUNCTIONS: [&str; 10] = [
    "row_number",
    "rank",
    "dense_rank",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "percent_rank",
    "cume_dist",
    "ntile",
];

/// The function of a name, in any case: for `ContextProvider::get_window_meta`.
pub fn window_function(name: &str) -> Option<Arc<WindowUDF>> {
    match name.to_lowercase().as_str() {
        "row_number" => Some(row_number()),
        "rank" => Some(rank::rank(false)),
        "dense_rank" => Some(rank::rank(true)),
        "lag" => Some(lag::lag(false)),
        "lead" => Some(lag::lag(true)),
        "first_value" => Some(value::value(false)),
        "last_value" => Some(value::value(true)),
        "percent_rank" => Some(share::share(Share::PercentRank)),
        "cume_dist" => Some(share::share(Share::CumeDist)),
        "ntile" => Some(share::share(Share::Ntile)),
        _ => None,
    }
}
