//! Arithmetic and comparisons.

use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{Between, BinaryExpr, Case, InList};
use datafusion_expr::{Expr, Operator, lit};
use sluice_model::{Error, SqlType};

use super::{Binder, call};
use crate::arithmetic;
use crate::cast::{cast, is_comparable_with_text};
use crate::error::external;
use crate::types::{as_decimal, common_type, is_integer, is_numeric, is_string, is_temporal, type_of};

impl Binder<'_> {
    pub(super) fn bind_binary(&self, BinaryExpr { left, op, right }: BinaryExpr, schema: &DFSchema) -> Result<Expr> {
        let (left_type, right_type) = (type_of(&left, schema)?, type_of(&right, schema)?);
        let native = |left: Expr, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
        let (left, right) = (*left, *right);
        match op {
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                self.bind_arithmetic((left, &left_type), op, (right, &right_type), schema)
            }
            Operator::StringConcat => {
                let is_text = |sql_type: &SqlType| is_string(sql_type) || *sql_type == SqlType::Null;
                if is_text(&left_type) && is_text(&right_type) {
                    let left = cast(left, &left_type, &SqlType::STRING, false, self.session)?;
                    let right = cast(right, &right_type, &SqlType::STRING, false, self.session)?;
                    Ok(native(left, right))
                } else {
                    Err(incompatible(op, &left_type, &right_type))
                }
            }
            op if is_comparison(op) => {
                let (left, right) = self.unify_pair((left, &left_type), (right, &right_type))?;
                Ok(native(left, right))
            }
            _ => Ok(native(left, right)),
        }
    }

    /// `-a`: of the smallest integer it is that integer, where DataFusion's operator fails.
    pub(super) fn bind_negative(&self, operand: Expr, schema: &DFSchema) -> Result<Expr> {
        let zero = match type_of(&operand, schema)? {
            SqlType::TinyInt => ScalarValue::Int8(Some(0)),
            SqlType::SmallInt => ScalarValue::Int16(Some(0)),
            SqlType::Int => ScalarValue::Int32(Some(0)),
            SqlType::BigInt => ScalarValue::Int64(Some(0)),
            _ => return Ok(Expr::Negative(Box::new(operand))),
        };
        let is_constant = operand.column_refs().is_empty();
        Ok(if is_constant { Expr::Negative(Box::new(operand)) } else { lit(zero) - operand })
    }

    fn bind_arithmetic(
        &self,
        (left, left_type): (Expr, &SqlType),
        op: Operator,
        (right, right_type): (Expr, &SqlType),
        schema: &DFSchema,
    ) -> Result<Expr> {
        let native = |left: Expr, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
        let is_number = |sql_type: &SqlType| is_numeric(sql_type) || *sql_type == SqlType::Null;
        if !is_number(left_type) || !is_number(right_type) {
            if is_temporal(left_type) || is_temporal(right_type) || is_interval(left_type) || is_interval(right_type) {
                return self.bind_time_arithmetic(native(left, right), left_type, right_type, schema);
            }
            return Err(incompatible(op, left_type, right_type));
        }
        let Some(common) = common_type(&[left_type.clone(), right_type.clone()]) else {
            return Err(incompatible(op, left_type, right_type));
        };
        if let SqlType::Decimal(..) = common {
            let exact = |sql_type: &SqlType| as_decimal(sql_type).map_or_else(|| common.clone(), decimal_type);
            let left = cast(left, left_type, &exact(left_type), false, self.session)?;
            let right = cast(right, right_type, &exact(right_type), false, self.session)?;
            return Ok(match arithmetic::operator(op, true, self.session) {
                Some(function) => call(&function, vec![left, right]),
                None => native(left, right),
            });
        }
        let left = cast(left, left_type, &common, false, self.session)?;
        let right = cast(right, right_type, &common, false, self.session)?;
        let function = is_integer(&common).then(|| arithmetic::operator(op, false, self.session)).flatten();
        let result = match function {
            Some(function) => call(&function, vec![left, right]),
            None => native(left, right),
        };
        // What is left is smaller than the divisor, and of its type.
        let is_remainder = op == Operator::Modulo && is_integer(&common) && *right_type != SqlType::Null;
        if is_remainder { cast(result, &common, right_type, false, self.session) } else { Ok(result) }
    }

    /// `t ± interval`: DataFusion's, but the precision of `t` stays.
    fn bind_time_arithmetic(
        &self,
        native: Expr,
        left_type: &SqlType,
        right_type: &SqlType,
        schema: &DFSchema,
    ) -> Result<Expr> {
        match (is_temporal(left_type), is_temporal(right_type)) {
            (true, false) => self.with_detail(native, left_type, schema),
            (false, true) => self.with_detail(native, right_type, schema),
            _ => Ok(native),
        }
    }

    /// Two sides of a comparison in types that can be compared.
    pub(super) fn unify_pair(
        &self,
        (left, left_type): (Expr, &SqlType),
        (right, right_type): (Expr, &SqlType),
    ) -> Result<(Expr, Expr)> {
        let Some((left_target, right_target)) = comparable(left_type, right_type) else {
            return Err(incompatible(Operator::Eq, left_type, right_type));
        };
        let left = cast(left, left_type, &left_target, false, self.session)?;
        let right = cast(right, right_type, &right_target, false, self.session)?;
        Ok((left, right))
    }

    /// `(a, b) OVERLAPS (c, d)`: the ends are in either order, or `b` and `d` are lengths.
    pub(super) fn bind_overlaps(&self, args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
        let [a, b, c, d]: [Expr; 4] = args.try_into().map_err(|_| crate::error::bug("OVERLAPS has four operands"))?;
        let end = |start: &Expr, end: Expr| match is_interval(&type_of(&end, schema)?) {
            true => self.bind_binary(BinaryExpr::new(Box::new(start.clone()), Operator::Plus, Box::new(end)), schema),
            false => Ok(end),
        };
        let (b, d) = (end(&a, b)?, end(&c, d)?);
        let ends: Result<[Expr; 4], _> = self.unify_all(vec![a, b, c, d], schema)?.try_into();
        let [a, b, c, d] = ends.map_err(|_| crate::error::bug("OVERLAPS lost an operand"))?;
        let either = |when: Expr, then: &Expr, otherwise: &Expr| {
            let branches = vec![(Box::new(when), Box::new(then.clone()))];
            Expr::Case(Case::new(None, branches, Some(Box::new(otherwise.clone()))))
        };
        let least = |a: &Expr, b: &Expr| either(a.clone().lt_eq(b.clone()), a, b);
        let greatest = |a: &Expr, b: &Expr| either(a.clone().lt_eq(b.clone()), b, a);
        Ok(greatest(&a, &b).gt_eq(least(&c, &d)).and(greatest(&c, &d).gt_eq(least(&a, &b))))
    }

    pub(super) fn bind_between(&self, node: Between, schema: &DFSchema) -> Result<Expr> {
        let Between { expr, negated, low, high } = node;
        let mut operands = self.unify_all(vec![*expr, *low, *high], schema)?.into_iter();
        match (operands.next(), operands.next(), operands.next()) {
            (Some(expr), Some(low), Some(high)) => {
                Ok(Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high))))
            }
            _ => Err(crate::error::bug("BETWEEN lost an operand")),
        }
    }

    pub(super) fn bind_in_list(&self, node: InList, schema: &DFSchema) -> Result<Expr> {
        let InList { expr, list, negated } = node;
        let mut operands = vec![*expr];
        operands.extend(list);
        let mut operands = self.unify_all(operands, schema)?.into_iter();
        let expr = operands.next().ok_or_else(|| crate::error::bug("IN lost its operand"))?;
        Ok(Expr::InList(InList::new(Box::new(expr), operands.collect(), negated)))
    }

    /// Values that are compared with the first of them, all in one type.
    pub(super) fn unify_all(&self, operands: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
        let types = operands.iter().map(|operand| type_of(operand, schema)).collect::<Result<Vec<_>>>()?;
        let not_text: Vec<SqlType> = types.iter().filter(|sql_type| !is_string(sql_type)).cloned().collect();
        let mixes_text = not_text.len() < types.len() && not_text.iter().any(is_comparable_with_text);
        let target = common_type(if mixes_text { &not_text } else { &types });
        let Some(target) = target else {
            let other = types.iter().find(|sql_type| common_type(&[types[0].clone(), (*sql_type).clone()]).is_none());
            return Err(incompatible(Operator::Eq, &types[0], other.unwrap_or(&types[0])));
        };
        if !mixes_text && !types.iter().any(needs_care) {
            return Ok(operands);
        }
        let pairs = operands.into_iter().zip(&types);
        pairs.map(|(operand, from)| cast(operand, from, &target, false, self.session)).collect()
    }
}

fn decimal_type((precision, scale): (u8, u8)) -> SqlType {
    SqlType::Decimal(precision, scale)
}

pub(super) fn is_interval(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::IntervalYearMonth | SqlType::IntervalDaySecond)
}

/// Types that DataFusion would bring together in another way.
fn needs_care(sql_type: &SqlType) -> bool {
    is_temporal(sql_type)
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// The types in which two values are compared.
fn comparable(left: &SqlType, right: &SqlType) -> Option<(SqlType, SqlType)> {
    if left == right || *left == SqlType::Null || *right == SqlType::Null {
        return Some((left.clone(), right.clone()));
    }
    match (is_string(left), is_string(right)) {
        (true, false) => is_comparable_with_text(right).then(|| (of_text(right), right.clone())),
        (false, true) => is_comparable_with_text(left).then(|| (left.clone(), of_text(left))),
        (true, true) => Some((left.clone(), right.clone())),
        // DataFusion compares numbers of different types by their values.
        (false, false) if is_numeric(left) && is_numeric(right) => Some((left.clone(), right.clone())),
        (false, false) => common_type(&[left.clone(), right.clone()]).map(|common| (common.clone(), common)),
    }
}

/// The type in which a text is compared with a value: one that has room for more digits than a decimal.
fn of_text(other: &SqlType) -> SqlType {
    if matches!(other, SqlType::Decimal(..)) { SqlType::Double } else { other.clone() }
}

pub(super) fn incompatible(op: Operator, left: &SqlType, right: &SqlType) -> datafusion_common::DataFusionError {
    external(
        Error::fix(format!("cannot apply '{op}' to {left} and {right}"))
            .with_hint("CAST one of them to the type of the other"),
    )
}
