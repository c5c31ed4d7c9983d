//! Errors of expressions on their way through DataFusion.
//!
//! A [`sluice_model::Error`] travels as [`DataFusionError::External`], so that its hint survives;
//! [`from_datafusion`] takes it out again.

use datafusion_common::{DataFusionError, SchemaError};
use sluice_model::Error;

/// An error of the user's SQL or data, ready to travel through DataFusion.
pub(crate) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The user has to change something.
pub(crate) fn fix(what: impl Into<String>) -> DataFusionError {
    external(Error::fix(what))
}

/// A defect of Sluice.
pub(crate) fn bug(what: impl Into<String>) -> DataFusionError {
    external(Error::bug(what))
}

/// `/ by zero`, the way Java words it.
pub(crate) fn division_by_zero() -> DataFusionError {
    external(Error::fix("/ by zero").with_hint("guard the divisor, for example with NULLIF(x, 0)"))
}

/// An error of planning or evaluating an expression, for people.
///
/// What this crate raised comes back as it was, with its hint; DataFusion's own complaints about
/// the plan or the data are the user's to fix; the rest are defects.
pub fn from_datafusion(error: DataFusionError) -> Error {
    if let Some(own) = find_own(&error) {
        return own.clone();
    }
    match error.find_root() {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            arrow_schema::ArrowError::ExternalError(inner) => {
                inner.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::bug(inner.to_string()))
            }
            arrow_schema::ArrowError::DivideByZero => {
                Error::fix("/ by zero").with_hint("guard the divisor, for example with NULLIF(x, 0)")
            }
            other => Error::fix(other.to_string()),
        },
        DataFusionError::Execution(text) | DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => {
            Error::fix(text.clone())
        }
        DataFusionError::SchemaError(schema_error, _) => from_schema_error(schema_error),
        DataFusionError::SQL(parse_error, _) => Error::fix(parse_error.to_string()),
        other => Error::bug(other.to_string()),
    }
}

fn from_schema_error(error: &SchemaError) -> Error {
    Error::fix(error.to_string())
}

/// The first error of ours in the chain of causes.
fn find_own(error: &DataFusionError) -> Option<&Error> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(own) = cause.downcast_ref::<Error>() {
            return Some(own);
        }
        if let Some(DataFusionError::External(inner)) = cause.downcast_ref::<DataFusionError>()
            && let Some(own) = inner.downcast_ref::<Error>()
        {
            return Some(own);
        }
        cause = cause.source()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_hint_on_the_way_through_datafusion() {
        let wrapped = fix("cannot cast").context("in a projection").context("in a plan");
        assert_eq!(from_datafusion(wrapped).what(), "cannot cast");
        assert_eq!(
            from_datafusion(division_by_zero()).hint(),
            Some("guard the divisor, for example with NULLIF(x, 0)")
        );
    }
}
