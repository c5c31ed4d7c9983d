//! `CASE` and what is short for it: all branches in the type that they have in common.

use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, lit};
use sluice_model::{Error, SqlType};

use super::Binder;
use crate::error::{bug, external};
use crate::types::{common_type, type_of};

impl Binder<'_> {
    pub(super) fn bind_case(&self, case: Case, schema: &DFSchema) -> Result<Expr> {
        let Case { expr, when_then_expr, else_expr } = case;
        let (mut whens, mut branches): (Vec<Expr>, Vec<Expr>) =
            when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
        let operand = match expr {
            Some(operand) => {
                let mut compared = vec![*operand];
                compared.append(&mut whens);
                let mut compared = self.unify_all(compared, schema)?.into_iter();
                let operand = compared.next();
                whens = compared.collect();
                operand
            }
            None => None,
        };
        branches.extend(else_expr.map(|branch| *branch));
        let (branches, common) = self.unify_branches(branches, schema)?;
        let mut branches = branches.into_iter();
        let when_then = whens.into_iter().zip(branches.by_ref()).map(|(when, then)| (Box::new(when), Box::new(then)));
        let when_then = when_then.collect();
        let case = Case::new(operand.map(Box::new), when_then, branches.next().map(Box::new));
        self.with_detail(Expr::Case(case), &common, schema)
    }

    fn unify_branches(&self, branches: Vec<Expr>, schema: &DFSchema) -> Result<(Vec<Expr>, SqlType)> {
        let types = branches.iter().map(|branch| type_of(branch, schema)).collect::<Result<Vec<_>>>()?;
        let common = common_type(&types).ok_or_else(|| {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            external(
                Error::fix(format!("the branches have types that do not go together: {}", types.join(", ")))
                    .with_hint("CAST them to one type"),
            )
        })?;
        let branches = branches.into_iter().map(|branch| self.cast_to(branch, &common, schema));
        Ok((branches.collect::<Result<_>>()?, common))
    }

    /// `IF(c, a, b)`.
    pub(super) fn bind_if(&self, args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
        let [condition, then, otherwise]: [Expr; 3] = args.try_into().map_err(|_| bug("IF has three arguments"))?;
        let case = Case::new(None, vec![(Box::new(condition), Box::new(then))], Some(Box::new(otherwise)));
        self.bind_case(case, schema)
    }

    /// `COALESCE(a, b, c)`: the last one needs no test.
    pub(super) fn bind_coalesce(&self, mut args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
        let Some(last) = args.pop() else { return Err(bug("COALESCE without arguments")) };
        if args.is_empty() {
            return Ok(last);
        }
        let tests = args.into_iter().map(|arg| (Box::new(Expr::IsNotNull(Box::new(arg.clone()))), Box::new(arg)));
        self.bind_case(Case::new(None, tests.collect(), Some(Box::new(last))), schema)
    }

    /// `NULLIF(a, b)`: the type of `a`.
    pub(super) fn bind_null_if(&self, args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
        let [value, other]: [Expr; 2] = args.try_into().map_err(|_| bug("NULLIF has two arguments"))?;
        let value_type = type_of(&value, schema)?;
        let other_type = type_of(&other, schema)?;
        let (left, right) = self.unify_pair((value.clone(), &value_type), (other, &other_type))?;
        let null = lit(ScalarValue::try_from(&value_type.to_arrow())?);
        let case = Case::new(None, vec![(Box::new(left.eq(right)), Box::new(null))], Some(Box::new(value)));
        self.with_detail(Expr::Case(case), &value_type, schema)
    }
}
