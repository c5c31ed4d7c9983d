//! Aggregate functions as DataFusion's planner sees them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::planner::RawAggregateExpr;
use datafusion_expr::utils::AggregateOrderSensitivity;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility};
use sluice_model::{Error, SqlType};

use super::batch::Gathered;
use crate::SessionInfo;
use crate::decimal::MAX_PRECISION;
use crate::error::{bug, external};
use crate::function::refuse;
use crate::types::{field_of, is_binary, is_numeric};

/// The functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Aggregate {
    Count,
    ApproxCountDistinct,
    Sum,
    Sum0,
    Avg,
    Min,
    Max,
    FirstValue,
    LastValue,
    SingleValue,
    ListAgg,
    ArrayAgg,
    StddevPop,
    StddevSamp,
    VarPop,
    VarSamp,
}

impl Aggregate {
    pub(super) const ALL: [Self; 16] = [
        Self::Count,
        Self::ApproxCountDistinct,
        Self::Sum,
        Self::Sum0,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::FirstValue,
        Self::LastValue,
        Self::SingleValue,
        Self::ListAgg,
        Self::ArrayAgg,
        Self::StddevPop,
        Self::StddevSamp,
        Self::VarPop,
        Self::VarSamp,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::ApproxCountDistinct => "approx_count_distinct",
            Self::Sum => "sum",
            Self::Sum0 => "sum0",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::FirstValue => "first_value",
            Self::LastValue => "last_value",
            Self::SingleValue => "single_value",
            Self::ListAgg => "listagg",
            Self::ArrayAgg => "array_agg",
            Self::StddevPop => "stddev_pop",
            Self::StddevSamp => "stddev_samp",
            Self::VarPop => "var_pop",
            Self::VarSamp => "var_samp",
        }
    }

    fn aliases(self) -> Vec<String> {
        match self {
            Self::StddevSamp => vec!["stddev".to_owned()],
            Self::VarSamp => vec!["variance".to_owned()],
            _ => Vec::new(),
        }
    }

    /// The result over no rows, if it is not NULL.
    fn is_never_null(self) -> bool {
        matches!(self, Self::Count | Self::ApproxCountDistinct | Self::Sum0)
    }

    /// Types of the arguments as the function takes them; `None` if it does not take them.
    fn accept(self, given: &[DataType]) -> Option<Vec<DataType>> {
        let untyped =
            |wanted: DataType, given: &DataType| if *given == DataType::Null { wanted } else { given.clone() };
        let accepts = |argument: &DataType| {
            let sql_type = SqlType::of_arrow(argument);
            let is_nested = matches!(sql_type, SqlType::Array(_) | SqlType::Map(..) | SqlType::Row(_));
            match self {
                Self::Sum | Self::Sum0 | Self::Avg => is_numeric(&sql_type),
                Self::StddevPop | Self::StddevSamp | Self::VarPop | Self::VarSamp => is_numeric(&sql_type),
                Self::Min | Self::Max => !is_nested && !is_binary(&sql_type),
                Self::ListAgg => *argument == DataType::Utf8,
                _ => true,
            }
        };
        match (self, given) {
            (Self::ListAgg, [text, separator]) => {
                let (text, separator) = (untyped(DataType::Utf8, text), untyped(DataType::Utf8, separator));
                (accepts(&text) && separator == DataType::Utf8).then(|| vec![text, separator])
            }
            (_, [argument]) => {
                let wanted = if self == Self::ListAgg { DataType::Utf8 } else { DataType::Int32 };
                let argument = untyped(wanted, argument);
                accepts(&argument).then(|| vec![argument])
            }
            _ => None,
        }
    }

    fn result(self, argument: &SqlType) -> Result<SqlType> {
        let widened = |sql_type: &SqlType, least_scale: u8| match sql_type {
            SqlType::Decimal(_, scale) => SqlType::Decimal(MAX_PRECISION, *scale.max(&least_scale)),
            other => other.clone(),
        };
        Ok(match self {
            Self::Count | Self::ApproxCountDistinct => SqlType::BigInt,
            Self::Sum | Self::Sum0 => widened(argument, 0),
            Self::Avg | Self::StddevPop | Self::StddevSamp | Self::VarPop | Self::VarSamp => {
                widened(argument, AVERAGE_SCALE)
            }
            Self::Min | Self::Max | Self::FirstValue | Self::LastValue | Self::SingleValue => argument.clone(),
            Self::ListAgg => SqlType::STRING,
            Self::ArrayAgg => SqlType::Array(Box::new(argument.clone())),
        })
    }
}

/// Least number of digits after the point of an average of decimals.
const AVERAGE_SCALE: u8 = 6;

/// Looks at what the types do not say: clauses that would be dropped, constants that are none.
pub(crate) fn check_call(call: &RawAggregateExpr) -> Result<()> {
    let name = call.func.name().to_uppercase();
    if name == "COUNT" && call.args.len() > 1 {
        let error = Error::fix("We now only support the count of one field.");
        return Err(external(error.with_hint("COUNT(*) counts rows; COUNT(DISTINCT ROW(a, b)) combinations")));
    }
    if !call.order_by.is_empty() {
        return Err(external(Error::fix(format!("ORDER BY inside {name} is not supported"))));
    }
    let is_constant = |separator: &Expr| matches!(separator, Expr::Literal(..) | Expr::Cast(_));
    if name == "LISTAGG" && !call.args.get(1).is_none_or(is_constant) {
        return Err(external(Error::fix("the separator of LISTAGG has to be a constant")));
    }
    Ok(())
}

/// An [`Aggregate`] as DataFusion sees it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Function {
    aggregate: Aggregate,
    aliases: Vec<String>,
    session: SessionInfo,
    signature: Signature,
}

impl Function {
    pub(super) fn udf(aggregate: Aggregate, session: &SessionInfo) -> Arc<AggregateUDF> {
        let signature = Signature::user_defined(Volatility::Immutable);
        let function = Self { aggregate, aliases: aggregate.aliases(), session: session.clone(), signature };
        Arc::new(AggregateUDF::new_from_impl(function))
    }
}

impl AggregateUDFImpl for Function {
    fn name(&self) -> &str {
        self.aggregate.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.aggregate.accept(given).ok_or_else(|| refuse(self.name(), given))
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Err(bug("an aggregate's type depends on more than Arrow types"))
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        let argument = arg_fields.first().map_or(SqlType::Null, |field| SqlType::of_field(field));
        let result = self.aggregate.result(&argument)?;
        Ok(Arc::new(field_of(self.name(), &result, self.is_nullable())))
    }

    fn is_nullable(&self) -> bool {
        !self.aggregate.is_never_null()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        if self.aggregate.is_never_null() { ScalarValue::new_zero(data_type) } else { ScalarValue::try_from(data_type) }
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.aggregate == Aggregate::ArrayAgg
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let argument = args.input_fields.first().ok_or_else(|| bug("an aggregate without an argument"))?;
        let values = DataType::new_list(argument.data_type().clone(), true);
        let fields = [Field::new("values", values, true), Field::new("separator", DataType::Utf8, true)];
        Ok(fields.map(Arc::new).to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let argument = args.expr_fields.first().ok_or_else(|| bug("an aggregate without an argument"))?;
        let gathered = Gathered::new(self.aggregate, argument.data_type(), &args.return_field, &self.session);
        let distinct = args.is_distinct || self.aggregate == Aggregate::ApproxCountDistinct;
        Ok(Box::new(gathered.distinct(distinct).ignore_nulls(args.ignore_nulls)))
    }
}
