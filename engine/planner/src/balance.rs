//! Long chains of `AND`, `OR`, `||` and `+` as trees that are as low as they can be.
//!
//! ```text
//! a OR b OR c OR d     parsed: ((a OR b) OR c) OR d     becomes: (a OR b) OR (c OR d)
//! ```
//!
//! The type of an expression is looked for again and again on the way to a plan, and each time DataFusion
//! writes out the name of every part of it. In a chain of n terms that is n times n terms for one type, and
//! there are n parts whose types are asked for: hundreds of terms, as programs write them, would take minutes.

use arrow_schema::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, ExprSchema};
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

/// Chains of fewer terms stay as they are.
const LONG: usize = 16;

/// Balances the chains in all expressions of a plan. The terms keep their order, and names stay what they were.
pub(crate) fn balance(plan: LogicalPlan) -> datafusion_common::Result<LogicalPlan> {
    let balanced = plan.transform_down_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expression| balance_expression(expression, &schema))
    });
    balanced.map(|plan| plan.data)
}

fn balance_expression(expression: Expr, schema: &DFSchema) -> datafusion_common::Result<Transformed<Expr>> {
    expression.transform_down(|node| {
        let Expr::BinaryExpr(BinaryExpr { op, .. }) = node else { return Ok(Transformed::no(node)) };
        if terms(&node, op).count() < LONG || !is_associative(op, terms(&node, op), schema) {
            return Ok(Transformed::no(node));
        }
        let terms = terms(&node, op).map(|term| balance_expression(term.clone(), schema).map(|term| term.data));
        let terms = terms.collect::<datafusion_common::Result<Vec<_>>>()?;
        let count = terms.len();
        let tree = tree(&mut terms.into_iter(), count, op).unwrap_or(node);
        Ok(Transformed::new(tree, true, TreeNodeRecursion::Jump))
    })
}

/// Whether terms may be put together in any order of steps. Sums of integers of one type may, as they wrap
/// around; those of decimals have other types then, and those of floating points other values.
fn is_associative<'a>(op: Operator, terms: impl Iterator<Item = &'a Expr>, schema: &DFSchema) -> bool {
    match op {
        Operator::And | Operator::Or | Operator::StringConcat => true,
        Operator::Plus => {
            let mut types = terms.map(|term| integer(term, schema));
            let first = types.next().flatten();
            first.is_some() && types.all(|other| other == first)
        }
        _ => false,
    }
}

/// The type of a column or a literal, if it is an integer.
fn integer(term: &Expr, schema: &DFSchema) -> Option<DataType> {
    let found = match term {
        Expr::Column(column) => schema.field_from_column(column).ok()?.data_type().clone(),
        Expr::Literal(value, _) => value.data_type(),
        _ => return None,
    };
    found.is_signed_integer().then_some(found)
}

/// The terms of a chain, from left to right. Chains may be long, so this does not go down by calls.
fn terms(chain: &Expr, op: Operator) -> impl Iterator<Item = &Expr> {
    let mut open = vec![chain];
    std::iter::from_fn(move || {
        loop {
            match open.pop()? {
                Expr::BinaryExpr(binary) if binary.op == op => open.extend([&*binary.right, &*binary.left]),
                term => return Some(term),
            }
        }
    })
}

/// The next `count` terms as one expression; `None` if there are none.
fn tree(terms: &mut impl Iterator<Item = Expr>, count: usize, op: Operator) -> Option<Expr> {
    if count <= 1 {
        return terms.next();
    }
    let left = tree(terms, count / 2, op)?;
    let right = tree(terms, count - count / 2, op)?;
    Some(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{Field, Schema};
    use datafusion_expr::{col, lit};

    use super::*;

    fn balanced(expression: &Expr) -> Expr {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = Schema::new(vec![field("a", DataType::Int32), field("b", DataType::Int64)]);
        balance_expression(expression.clone(), &DFSchema::try_from(schema).unwrap()).unwrap().data
    }

    fn depth(expression: &Expr) -> usize {
        match expression {
            Expr::BinaryExpr(binary) => 1 + depth(&binary.left).max(depth(&binary.right)),
            _ => 0,
        }
    }

    fn chain(op: Operator, terms: impl Iterator<Item = Expr>) -> Expr {
        let joined = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
        terms.reduce(joined).unwrap()
    }

    #[test]
    fn long_chains_become_low_and_keep_their_order_and_name() {
        let conditions = || (0..64).map(|number| col("a").eq(lit(number)));
        let (and, or) = (chain(Operator::And, conditions()), chain(Operator::Or, conditions()));
        let sum = chain(Operator::Plus, (0..64).map(|number| if number % 2 == 0 { col("a") } else { lit(number) }));
        for (op, long, depths) in
            [(Operator::And, and, (64, 7)), (Operator::Or, or, (64, 7)), (Operator::Plus, sum, (63, 6))]
        {
            let balanced = balanced(&long);
            assert_eq!((depth(&long), depth(&balanced)), depths);
            assert_eq!(balanced.schema_name().to_string(), long.schema_name().to_string());
            assert!(terms(&balanced, op).eq(terms(&long, op)));
        }
        // One in another one.
        let inner = chain(Operator::Or, conditions());
        let outer = chain(Operator::And, (0..64).map(|_| inner.clone()));
        assert_eq!(depth(&balanced(&outer)), 13);
    }

    #[test]
    fn short_chains_and_other_operators_stay() {
        for chain in [
            chain(Operator::Or, (0..15).map(|number| col("a").eq(lit(number)))),
            chain(Operator::Minus, (0..64).map(lit)),
            chain(Operator::Plus, (0..64).map(|number| lit(f64::from(number)))),
            chain(Operator::Plus, (0..64).map(|number| if number == 0 { col("b") } else { col("a") })),
        ] {
            assert_eq!(balanced(&chain), chain);
        }
    }
}
