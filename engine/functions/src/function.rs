//! What a scalar function is: a name, its parameters, its type, and a kernel over columns.
//!
//! A function is described by a [`Definition`]; [`Function`] carries it into DataFusion. Kernels
//! read their arguments as [`Cells`], which hide whether an argument is a column or a constant:
//!
//! ```text
//! Definition::new("reverse", &[Kind::String], SqlType::STRING, |call| {
//!     let text = call.strings(0)?;
//!     call.write_strings(|row, out| { … Ok(true) })
//! })
//! ```

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sluice_model::{Error, SqlType};

use crate::SessionInfo;
use crate::error::{bug, external};
use crate::types::field_of;

pub(crate) use crate::call::{Call, Cells, Rows, decimals};

/// What a parameter takes, and as which Arrow type the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Character strings, as `Utf8`.
    String,
    /// Byte strings, as `Binary`.
    Binary,
    /// Integers, as `Int64`.
    Integer,
    /// Any number, as `Float64`.
    Double,
    /// Any number, as it is.
    Number,
    /// Truth values.
    Boolean,
    /// Timestamps as they are, dates as `TIMESTAMP(6)`.
    Timestamp,
    /// Dates, times and timestamps, as they are.
    Temporal,
    /// Intervals, as they are.
    Interval,
    /// Arrays, as they are.
    Array,
    /// Maps, as they are.
    Map,
    /// Anything, as it is.
    Any,
}

impl Kind {
    /// What people write for it.
    fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Binary => "BYTES",
            Self::Integer => "integer",
            Self::Double | Self::Number => "number",
            Self::Boolean => "BOOLEAN",
            Self::Timestamp => "TIMESTAMP",
            Self::Temporal => "date or time",
            Self::Interval => "INTERVAL",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Any => "any",
        }
    }

    /// The type that an argument of type `given` gets; `None` if it is not allowed.
    pub(crate) fn accept(self, given: &DataType) -> Option<DataType> {
        let untyped_null = *given == DataType::Null;
        let allowed = |ok: bool| ok.then(|| given.clone());
        let as_type = |ok: bool, wanted: DataType| (ok || untyped_null).then_some(wanted);
        match self {
            Self::String => {
                as_type(matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View), DataType::Utf8)
            }
            Self::Binary => as_type(
                matches!(given, DataType::Binary | DataType::LargeBinary | DataType::BinaryView),
                DataType::Binary,
            ),
            Self::Integer => as_type(given.is_integer(), DataType::Int64),
            Self::Double => as_type(given.is_numeric(), DataType::Float64),
            Self::Number if untyped_null => Some(DataType::Int32),
            Self::Number => allowed(given.is_numeric()),
            Self::Boolean => as_type(*given == DataType::Boolean, DataType::Boolean),
            Self::Timestamp => match given {
                DataType::Timestamp(..) => Some(given.clone()),
                DataType::Date32 | DataType::Null => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
                _ => None,
            },
            Self::Temporal if untyped_null => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
            Self::Temporal => {
                allowed(matches!(given, DataType::Timestamp(..) | DataType::Date32 | DataType::Time64(_)))
            }
            Self::Interval => allowed(matches!(given, DataType::Interval(_))),
            Self::Array => allowed(matches!(given, DataType::List(_))),
            Self::Map => allowed(matches!(given, DataType::Map(..))),
            Self::Any => Some(given.clone()),
        }
    }
}

/// The parameters of a function.
#[derive(Debug, Clone)]
pub(crate) enum Parameters {
    /// One of these lists.
    OneOf(Vec<Vec<Kind>>),
    /// At least `least` arguments of one kind.
    Variadic { kind: Kind, least: usize },
    /// A rule of its own: the types of the arguments, or `None` if they are not allowed.
    Rule(fn(&[DataType]) -> Option<Vec<DataType>>),
}

impl Parameters {
    fn coerce(&self, given: &[DataType]) -> Option<Vec<DataType>> {
        let accept = |kinds: &[Kind]| {
            let same_length = kinds.len() == given.len();
            same_length.then(|| kinds.iter().zip(given).map(|(kind, given)| kind.accept(given)).collect())?
        };
        match self {
            Self::OneOf(lists) => lists.iter().find_map(|kinds| accept(kinds)),
            Self::Variadic { kind, least } => {
                let enough = given.len() >= *least;
                enough.then(|| given.iter().map(|given| kind.accept(given)).collect())?
            }
            Self::Rule(rule) => rule(given),
        }
    }
}

/// When a call has to be evaluated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stability {
    /// The same arguments give the same value.
    Immutable,
    /// Once a batch: the clock functions.
    PerBatch,
    /// Once a row: random numbers.
    PerRow,
}

/// Whether a result can be `NULL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nullability {
    /// If an argument can.
    Arguments,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Type of a function's result.
#[derive(Debug, Clone)]
pub(crate) enum Returns {
    /// Always this one.
    Type(SqlType),
    /// That of an argument.
    SameAs(usize),
    /// That of an argument, without the details that Arrow's type does not say.
    Unlabelled(usize),
    /// By a rule of its own.
    Rule(fn(&Arguments<'_>) -> Result<SqlType>),
}

/// Types and constants of a call's arguments, while planning.
#[derive(Debug)]
pub(crate) struct Arguments<'a> {
    fields: &'a [FieldRef],
    constants: &'a [Option<&'a ScalarValue>],
}

impl Arguments<'_> {
    /// Type of an argument; `NULL` for one that is not there.
    pub(crate) fn sql_type(&self, index: usize) -> SqlType {
        self.fields.get(index).map_or(SqlType::Null, |field| SqlType::of_field(field))
    }

    pub(crate) fn sql_types(&self) -> Vec<SqlType> {
        self.fields.iter().map(|field| SqlType::of_field(field)).collect()
    }

    /// An argument that is an integer literal.
    pub(crate) fn constant_integer(&self, index: usize) -> Option<i64> {
        let value = (*self.constants.get(index)?)?;
        match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value,
            _ => None,
        }
    }

    /// An argument that is a string literal.
    pub(crate) fn constant_string(&self, index: usize) -> Option<&str> {
        (*self.constants.get(index)?)?.try_as_str().flatten()
    }
}

/// Evaluates a function on whole columns.
pub(crate) type Kernel = fn(&Call<'_>) -> Result<ArrayRef>;

/// All there is to say about a function.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) aliases: Vec<String>,
    pub(crate) parameters: Parameters,
    pub(crate) returns: Returns,
    pub(crate) nullability: Nullability,
    pub(crate) stability: Stability,
    /// Whether a value of the data can make it fail; such a call must not be moved in front of its guard.
    pub(crate) fallible: bool,
    /// The operator it is written as, `a + b`.
    pub(crate) infix: Option<&'static str>,
    kernel: Kernel,
}

impl Definition {
    /// A function of a fixed list of parameters.
    pub(crate) fn new(name: &'static str, parameters: &[Kind], returns: SqlType, kernel: Kernel) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            parameters: Parameters::OneOf(vec![parameters.to_vec()]),
            returns: Returns::Type(returns),
            nullability: Nullability::Arguments,
            stability: Stability::Immutable,
            fallible: false,
            infix: None,
            kernel,
        }
    }

    /// Another list of parameters that it takes as well.
    pub(crate) fn or(mut self, parameters: &[Kind]) -> Self {
        if let Parameters::OneOf(lists) = &mut self.parameters {
            lists.push(parameters.to_vec());
        }
        self
    }

    pub(crate) fn variadic(mut self, kind: Kind, least: usize) -> Self {
        self.parameters = Parameters::Variadic { kind, least };
        self
    }

    pub(crate) fn parameters(mut self, rule: fn(&[DataType]) -> Option<Vec<DataType>>) -> Self {
        self.parameters = Parameters::Rule(rule);
        self
    }

    pub(crate) fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    pub(crate) fn alias(mut self, alias: &str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    pub(crate) fn same_as(mut self, index: usize) -> Self {
        self.returns = Returns::SameAs(index);
        self
    }

    pub(crate) fn unlabelled(mut self, index: usize) -> Self {
        self.returns = Returns::Unlabelled(index);
        self
    }

    /// How it is called: `SUBSTRING(STRING, integer)`; empty if a rule decides.
    fn signatures(&self) -> Vec<String> {
        let name = self.name.to_uppercase();
        match &self.parameters {
            Parameters::OneOf(lists) => {
                let list = |kinds: &Vec<Kind>| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
                lists.iter().map(|kinds| format!("{name}({})", list(kinds))).collect()
            }
            Parameters::Variadic { kind, .. } => vec![format!("{name}({}, …)", kind.name())],
            Parameters::Rule(_) => Vec::new(),
        }
    }

    pub(crate) fn returns(mut self, rule: fn(&Arguments<'_>) -> Result<SqlType>) -> Self {
        self.returns = Returns::Rule(rule);
        self
    }

    pub(crate) fn nullable(mut self) -> Self {
        self.nullability = Nullability::Always;
        self
    }

    pub(crate) fn not_null(mut self) -> Self {
        self.nullability = Nullability::Never;
        self
    }

    pub(crate) fn stability(mut self, stability: Stability) -> Self {
        self.stability = stability;
        self
    }

    pub(crate) fn infix(mut self, operator: &'static str) -> Self {
        self.infix = Some(operator);
        self
    }

    pub(crate) fn fallible(mut self) -> Self {
        self.fallible = true;
        self
    }
}

/// A [`Definition`] as DataFusion sees it.
#[derive(Debug)]
pub(crate) struct Function {
    definition: Definition,
    session: SessionInfo,
    signature: Signature,
}

/// Whether a function is written as an operator, `a + b`: then it is NULL if one side is.
pub fn is_infix(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<Function>().is_some_and(|function| function.definition.infix.is_some())
}

impl Function {
    pub(crate) fn new(definition: Definition, session: &SessionInfo) -> Self {
        let volatility = match definition.stability {
            Stability::Immutable => Volatility::Immutable,
            Stability::PerBatch | Stability::PerRow => Volatility::Volatile,
        };
        Self { definition, session: session.clone(), signature: Signature::user_defined(volatility) }
    }

    pub(crate) fn udf(definition: Definition, session: &SessionInfo) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Self::new(definition, session)))
    }

    fn written(&self, args: &[String]) -> String {
        match (self.definition.infix, args) {
            (Some(operator), [left, right]) => format!("{left} {operator} {right}"),
            // A cast that has its type in its name; the type is a literal.
            (None, [name, value]) if self.definition.name == "__as" => {
                let name = name.trim_start_matches("Utf8(\"").trim_end_matches("\")");
                format!("CAST({value} AS {name})")
            }
            _ => format!("{}({})", self.definition.name, args.join(",")),
        }
    }

    /// Whether a value of the data can make it fail.
    pub(crate) fn is_fallible(&self) -> bool {
        self.definition.fallible
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && self.session == other.session
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
        self.session.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn aliases(&self) -> &[String] {
        &self.definition.aliases
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        Ok(self.written(&args))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(self.written(&args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Err(bug("a function's type depends on more than Arrow types"))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let definition = &self.definition;
        definition.parameters.coerce(given).ok_or_else(|| refuse_call(definition.name, given, &definition.signatures()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = match self.definition.nullability {
            Nullability::Arguments => args.arg_fields.iter().any(|field| field.is_nullable()),
            Nullability::Always => true,
            Nullability::Never => false,
        };
        let arguments = Arguments { fields: args.arg_fields, constants: args.scalar_arguments };
        let sql_type = match &self.definition.returns {
            Returns::Unlabelled(index) => {
                let data_type = arguments.sql_type(*index).to_arrow();
                return Ok(Arc::new(Field::new(self.definition.name, data_type, nullable)));
            }
            Returns::Type(sql_type) => sql_type.clone(),
            Returns::SameAs(index) => arguments.sql_type(*index),
            Returns::Rule(rule) => rule(&arguments)?,
        };
        Ok(Arc::new(field_of(self.definition.name, &sql_type, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let once = constant && self.definition.stability != Stability::PerRow;
        let rows = if once { 1 } else { args.number_rows };
        let call = Call::new(&args, rows, &self.session);
        let result = (self.definition.kernel)(&call)?;
        if once { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)) } else { Ok(result.into()) }
    }
}

/// "No such call", with the types of the arguments.
pub(crate) fn refuse(name: &str, given: &[DataType]) -> datafusion_common::DataFusionError {
    refuse_call(name, given, &[])
}

fn refuse_call(name: &str, given: &[DataType], signatures: &[String]) -> datafusion_common::DataFusionError {
    let types: Vec<String> = given.iter().map(|data_type| SqlType::of_arrow(data_type).to_string()).collect();
    let name = name.trim_start_matches('_').to_uppercase();
    let error = Error::fix(format!("cannot apply {name} to ({})", types.join(", ")));
    external(if signatures.is_empty() || name.starts_with('_') {
        error.with_hint("check the number and the types of its arguments; CAST converts them")
    } else {
        error.with_hint(format!("write {}; CAST converts the types", signatures.join(" or ")))
    })
}
