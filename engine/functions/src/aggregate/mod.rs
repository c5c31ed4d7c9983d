//! Aggregate functions with Flink's names, arguments and types.
//!
//! | function | result |
//! |---|---|
//! | `COUNT` | `BIGINT NOT NULL` |
//! | `SUM(x)` | the type of `x`; of decimals `DECIMAL(38, s)` |
//! | `AVG(x)`, `STDDEV_POP(x)`, `VAR_SAMP(x)`, … | the type of `x`; of decimals `DECIMAL(38, max(6, s))` |
//! | `MIN`, `MAX`, `FIRST_VALUE`, `LAST_VALUE` | the type of the argument |
//! | `LISTAGG(s, separator)` | `STRING` |
//! | `ARRAY_AGG(x)` | `ARRAY` of the type of `x` |
//! | `GROUPING(a, …)` | bits of a grouping set |
//!
//! A stream does not run these functions: its operator keeps results up to date, row by row. Here they
//! are declared for the planner, and can be run over a whole table by DataFusion, in the plainest way:
//! the values of a group are gathered, and the result is computed from all of them.

mod batch;
mod function;
mod grouping;
mod numbers;

use std::sync::Arc;

use datafusion_expr::AggregateUDF;

use crate::SessionInfo;

pub(crate) use function::check_call;
pub use numbers::{decimal_average, decimal_sum, exact_variance, variance};

/// Every aggregate function, by Flink's names in lower case.
pub fn aggregate_functions(session: &SessionInfo) -> Vec<Arc<AggregateUDF>> {
    let gathering = function::Aggregate::ALL.iter().map(|aggregate| function::Function::udf(*aggregate, session));
    gathering.chain([grouping::udf()]).collect()
}
