//! Filter and projection in one step.

use datafusion_expr::Expr;

/// Keeps the rows for which `filter` is true, and computes `projection` from them.
///
/// Expressions see the columns of the input by name. Names of the result are those of the node's
/// output schema.
#[derive(Debug, Clone)]
pub struct Calc {
    /// Condition; null counts as false.
    pub filter: Option<Expr>,
    /// One expression per output column.
    pub projection: Vec<Expr>,
}

impl Calc {
    pub(super) fn label(&self) -> String {
        let columns: Vec<_> = self.projection.iter().map(ToString::to_string).collect();
        match &self.filter {
            Some(filter) => format!("Calc: select=[{}], where=[{filter}]", columns.join(", ")),
            None => format!("Calc: select=[{}]", columns.join(", ")),
        }
    }
}
