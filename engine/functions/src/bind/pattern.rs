//! `LIKE` and `SIMILAR TO`: without an escape character unless there is an `ESCAPE`.
//!
//! DataFusion's `LIKE` always escapes with a backslash. A constant pattern is rewritten to that,
//! which keeps its fast paths; any other is matched by a function.

use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::Like;
use datafusion_expr::{Expr, lit};
use sluice_model::SqlType;

use super::{Binder, call, literal_text};
use crate::text::like::to_backslash_escapes;
use crate::types::{is_string, type_of};

impl Binder<'_> {
    pub(super) fn bind_like(&self, node: Like, schema: &DFSchema) -> Result<Expr> {
        let Like { negated, expr, pattern, escape_char, case_insensitive } = node;
        self.require_text("LIKE", &expr, &pattern, schema)?;
        if case_insensitive {
            return Err(crate::error::fix("there is no ILIKE; compare LOWER(x) LIKE 'pattern'"));
        }
        if let Some(text) = literal_text(&pattern) {
            let pattern = lit(to_backslash_escapes(text, escape_char)?);
            return Ok(Expr::Like(Like::new(negated, expr, Box::new(pattern), Some('\\'), false)));
        }
        let mut args = vec![*expr, *pattern];
        args.extend(escape_char.map(|escape| lit(escape.to_string())));
        Ok(negate(call(&self.like, args), negated))
    }

    pub(super) fn bind_similar_to(&self, node: Like, schema: &DFSchema) -> Result<Expr> {
        let Like { negated, expr, pattern, escape_char, .. } = node;
        self.require_text("SIMILAR TO", &expr, &pattern, schema)?;
        let mut args = vec![*expr, *pattern];
        args.extend(escape_char.map(|escape| lit(escape.to_string())));
        Ok(negate(call(&self.similar_to, args), negated))
    }

    fn require_text(&self, operator: &str, expr: &Expr, pattern: &Expr, schema: &DFSchema) -> Result<()> {
        let types = [type_of(expr, schema)?, type_of(pattern, schema)?];
        if types.iter().all(|sql_type| is_string(sql_type) || *sql_type == SqlType::Null) {
            return Ok(());
        }
        Err(crate::error::fix(format!("cannot apply {operator} to {} and {}", types[0], types[1])))
    }
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}
