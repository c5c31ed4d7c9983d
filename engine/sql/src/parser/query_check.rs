//! What sqlparser accepts and Flink's dialect has not.
//!
//! sqlparser reads the union of many dialects. A clause that a planner does not look at would be dropped
//! without a word, so everything outside the dialect is refused here, by name.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sluice_model::{Error, Position, Result};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName, ObjectNamePart, OrderByKind,
    Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator, Spanned, TableAlias, TableFactor, TableVersion,
    Value, Visit, Visitor, WildcardAdditionalOptions,
};
use sqlparser::tokenizer::Span;

use super::dialect::TableArgument;
use super::hints::{Hints, key_of};
use super::lexer::position_of;
use super::reserved::{is_clause_word, is_reserved};

/// Errors: anything outside the dialect, hints that follow no table.
pub(crate) fn check(query: &Query, hints: &Hints) -> Result<()> {
    let mut checker = Checker::default();
    if let ControlFlow::Break(error) = query.visit(&mut checker) {
        return Err(error);
    }
    hints.refuse_unclaimed(|place| checker.tables.contains(&place))
}

/// The same for a lone expression.
pub(crate) fn check_expr(expr: &Expr) -> Result<()> {
    match expr.visit(&mut Checker::default()) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Place of the first query inside an expression.
pub(crate) fn first_subquery(expr: &Expr) -> Option<Option<Position>> {
    struct Finder;
    impl Visitor for Finder {
        type Break = Option<Position>;
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
            ControlFlow::Break(place(query.span()))
        }
    }
    match expr.visit(&mut Finder) {
        ControlFlow::Break(place) => Some(place),
        ControlFlow::Continue(()) => None,
    }
}

#[derive(Default)]
struct Checker {
    /// Places of the last parts of the names of tables.
    tables: HashSet<Position>,
}

type Checked = ControlFlow<Error>;

fn place(span: Span) -> Option<Position> {
    (span.start.line > 0).then(|| position_of(span.start))
}

fn refuse(what: &str, span: Span) -> Checked {
    ControlFlow::Break(Error::fix(format!("{what} is not part of this SQL dialect")).at_opt(place(span)))
}

/// Refuses the first of `features` that is present.
fn refuse_first(features: &[(bool, &str)], span: impl Fn() -> Span) -> Checked {
    match features.iter().find(|(present, _)| *present) {
        Some((_, name)) => refuse(name, span()),
        None => ControlFlow::Continue(()),
    }
}

impl Visitor for Checker {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> Checked {
        check_query(query)?;
        check_body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> Checked {
        check_select(select)?;
        for item in &select.projection {
            check_item(item)?;
        }
        select.from.iter().flat_map(|from| &from.joins).try_for_each(check_join)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> Checked {
        check_table_name(relation)?;
        self.tables.extend(key_of(relation));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Checked {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            table_with_joins.joins.iter().try_for_each(check_join)?;
        }
        check_factor(factor)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Checked {
        if let Some(argument) = TableArgument::of(expr) {
            self.tables.extend(key_of(&argument.table));
        }
        check_one_expr(expr)
    }
}

/// sqlparser takes any word for a table: in `SELECT a FROM WHERE b` the table would be `WHERE`.
fn check_table_name(name: &ObjectName) -> Checked {
    match name.0.first().and_then(ObjectNamePart::as_ident) {
        Some(first) if first.quote_style.is_none() && is_reserved(&first.value) => {
            let error = Error::fix(format!("expected a table but found the reserved word '{}'", first.value))
                .at_opt(place(first.span));
            ControlFlow::Break(if is_clause_word(&first.value) {
                error
            } else {
                error.with_hint(format!("quote it with backticks: `{}`", first.value))
            })
        }
        _ => ControlFlow::Continue(()),
    }
}

fn check_query(query: &Query) -> Checked {
    let limit_by =
        matches!(&query.limit_clause, Some(LimitClause::LimitOffset { limit_by, .. }) if !limit_by.is_empty());
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    refuse_first(
        &[
            (query.with.as_ref().is_some_and(|with| with.recursive), "WITH RECURSIVE"),
            (ctes.clone().any(|cte| cte.materialized.is_some()), "MATERIALIZED in WITH"),
            (!query.locks.is_empty(), "FOR UPDATE"),
            (query.for_clause.is_some(), "FOR XML or FOR JSON"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (!query.pipe_operators.is_empty(), "the operator '|>'"),
            (matches!(query.limit_clause, Some(LimitClause::OffsetCommaLimit { .. })), "LIMIT with two numbers"),
            (limit_by, "LIMIT BY"),
            (query.fetch.as_ref().is_some_and(|fetch| fetch.percent), "FETCH … PERCENT"),
            (query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties), "FETCH … WITH TIES"),
            (
                query.order_by.as_ref().is_some_and(|order_by| {
                    order_by.interpolate.is_some() || matches!(order_by.kind, OrderByKind::All(_))
                }),
                "ORDER BY ALL",
            ),
        ],
        || query.span(),
    )?;
    check_limits(query)?;
    ctes.filter(|cte| cte.from.is_none()).try_for_each(|cte| check_alias(Some(&cte.alias), || cte.span()))
}

fn check_body(mut body: &SetExpr) -> Checked {
    loop {
        match body {
            SetExpr::SetOperation { op: SetOperator::Minus, .. } => return refuse_minus(body),
            SetExpr::SetOperation { left, right, .. } => {
                check_body(right)?;
                body = left;
            }
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => return ControlFlow::Continue(()),
            SetExpr::Insert(_) => {
                return ControlFlow::Break(
                    Error::fix("WITH in front of INSERT is not part of this SQL dialect")
                        .at_opt(place(body.span()))
                        .with_hint("write INSERT INTO target WITH … SELECT …"),
                );
            }
            SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return refuse("WITH in front of a change", body.span());
            }
            SetExpr::Table(_) => {
                return ControlFlow::Break(
                    Error::fix("TABLE as a query is not supported yet").with_hint("write SELECT * FROM table"),
                );
            }
        }
    }
}

/// Apart, because [`check_body`] calls itself.
fn refuse_minus(body: &SetExpr) -> Checked {
    let error = Error::fix("MINUS is not part of this SQL dialect").at_opt(place(body.span()));
    ControlFlow::Break(error.with_hint("write EXCEPT"))
}

fn check_select(select: &Select) -> Checked {
    let grouping = &select.group_by;
    refuse_first(
        &[
            (!select.optimizer_hints.is_empty(), "this hint"),
            (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
            (select.select_modifiers.is_some(), "a modifier of SELECT"),
            (select.top.is_some(), "TOP"),
            (select.exclude.is_some(), "EXCLUDE"),
            (select.into.is_some(), "SELECT … INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (select.value_table_mode.is_some(), "SELECT AS"),
            (select.flavor != SelectFlavor::Standard, "FROM in front of SELECT"),
            (matches!(grouping, GroupByExpr::All(_)), "GROUP BY ALL"),
            (
                matches!(grouping, GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty()),
                "WITH behind GROUP BY",
            ),
        ],
        || select.span(),
    )
}

fn check_item(item: &SelectItem) -> Checked {
    match item {
        SelectItem::UnnamedExpr(_) => ControlFlow::Continue(()),
        SelectItem::ExprWithAlias { alias, .. } => check_name(alias, || item.span()),
        SelectItem::ExprWithAliases { .. } => refuse("a list of aliases", item.span()),
        SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => check_wildcard(options),
    }
}

fn check_wildcard(options: &WildcardAdditionalOptions) -> Checked {
    let features = [
        (options.opt_ilike.is_some(), "* ILIKE"),
        (options.opt_exclude.is_some(), "* EXCLUDE"),
        (options.opt_except.is_some(), "* EXCEPT"),
        (options.opt_replace.is_some(), "* REPLACE"),
        (options.opt_rename.is_some(), "* RENAME"),
        (options.opt_alias.is_some(), "an alias of *"),
    ];
    refuse_first(&features, || options.wildcard_token.0.span)
}

fn check_join(join: &Join) -> Checked {
    use JoinOperator as Op;
    let constraint = match &join.join_operator {
        Op::CrossJoin(JoinConstraint::None) => return ControlFlow::Continue(()),
        Op::CrossJoin(_) => return refuse("CROSS JOIN with a condition", join.relation.span()),
        Op::Join(on)
        | Op::Inner(on)
        | Op::Left(on)
        | Op::LeftOuter(on)
        | Op::Right(on)
        | Op::RightOuter(on)
        | Op::FullOuter(on) => on,
        Op::Semi(_) | Op::LeftSemi(_) | Op::RightSemi(_) | Op::Anti(_) | Op::LeftAnti(_) | Op::RightAnti(_) => {
            return ControlFlow::Break(
                Error::fix("SEMI JOIN and ANTI JOIN are not part of this SQL dialect")
                    .at_opt(place(join.relation.span()))
                    .with_hint("use WHERE … IN (SELECT …), EXISTS or NOT EXISTS"),
            );
        }
        _ => return refuse("this kind of join", join.relation.span()),
    };
    if join.global {
        return refuse("GLOBAL JOIN", join.relation.span());
    }
    match constraint {
        JoinConstraint::None => ControlFlow::Break(
            Error::fix("a join needs a condition")
                .at_opt(place(join.relation.span()))
                .with_hint("add ON …, or write CROSS JOIN"),
        ),
        _ => ControlFlow::Continue(()),
    }
}

fn check_factor(factor: &TableFactor) -> Checked {
    let span = || factor.span();
    match factor {
        TableFactor::Table {
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
            ..
        } => {
            let version_differs = !matches!(version, None | Some(TableVersion::ForSystemTimeAsOf(_)));
            refuse_first(
                &[
                    (!with_hints.is_empty() || !index_hints.is_empty(), "WITH behind a table"),
                    (version_differs, "this way to name a version of a table"),
                    (*with_ordinality, "WITH ORDINALITY without UNNEST"),
                    (!partitions.is_empty(), "PARTITION behind a table"),
                    (json_path.is_some(), "a path behind a table"),
                    (sample.is_some(), "TABLESAMPLE"),
                    (args.as_ref().is_some_and(|args| args.settings.is_some()), "SETTINGS"),
                ],
                span,
            )?;
            check_alias(alias.as_ref(), span)
        }
        TableFactor::Derived { alias, sample, .. } => {
            refuse_first(&[(sample.is_some(), "TABLESAMPLE")], span)?;
            check_alias(alias.as_ref(), span)
        }
        TableFactor::UNNEST { alias, with_offset, .. } => {
            refuse_first(&[(*with_offset, "WITH OFFSET")], span)?;
            check_alias(alias.as_ref(), span)
        }
        TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::MatchRecognize { alias, .. } => check_alias(alias.as_ref(), span),
        TableFactor::Pivot { .. } => refuse("PIVOT", span()),
        TableFactor::Unpivot { .. } => refuse("UNPIVOT", span()),
        TableFactor::JsonTable { .. } => refuse("JSON_TABLE", span()),
        TableFactor::OpenJsonTable { .. } => refuse("OPENJSON", span()),
        TableFactor::XmlTable { .. } => refuse("XMLTABLE", span()),
        TableFactor::SemanticView { .. } => refuse("SEMANTIC_VIEW", span()),
    }
}

fn check_alias(alias: Option<&TableAlias>, near: impl Fn() -> Span) -> Checked {
    let Some(alias) = alias else { return ControlFlow::Continue(()) };
    check_name(&alias.name, &near)?;
    let typed = alias.columns.iter().any(|column| column.data_type.is_some());
    refuse_first(&[(typed, "a type in an alias"), (alias.at.is_some(), "AT in an alias")], || alias.name.span)?;
    alias.columns.iter().try_for_each(|column| check_name(&column.name, &near))
}

/// sqlparser takes strings and reserved words for names.
fn check_name(name: &Ident, near: impl Fn() -> Span) -> Checked {
    if name.quote_style == Some('\'') {
        return ControlFlow::Break(
            Error::fix("a string cannot be a name")
                .at_opt(place(name.span).or_else(|| place(near())))
                .with_hint(format!("quote the name with backticks: `{}`", name.value)),
        );
    }
    if name.quote_style.is_none() && is_clause_word(&name.value) {
        return ControlFlow::Break(
            Error::fix(format!("the reserved word '{}' cannot be an alias", name.value))
                .at_opt(place(name.span).or_else(|| place(near())))
                .with_hint(format!("if it is a name, quote it with backticks: `{}`", name.value)),
        );
    }
    ControlFlow::Continue(())
}

fn check_one_expr(expr: &Expr) -> Checked {
    let foreign = match expr {
        Expr::BinaryOp { op, .. } if !is_operator(op) => return refuse(&format!("the operator {op}"), expr.span()),
        Expr::TypedString(typed)
            if !matches!(typed.data_type, DataType::Date | DataType::Time(None, _) | DataType::Timestamp(None, _)) =>
        {
            "a literal of this type"
        }
        Expr::Function(function) if function.parameters != FunctionArguments::None => "a second list of arguments",
        Expr::Cast { kind: CastKind::DoubleColon | CastKind::SafeCast, .. } => "this kind of cast",
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => "LIKE ANY",
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => "a placeholder",
        Expr::Array(array) if !array.named => "an array without the word ARRAY",
        Expr::Convert { .. } => "CONVERT",
        Expr::InUnnest { .. } => "IN UNNEST",
        Expr::RLike { .. } => "RLIKE",
        Expr::JsonAccess { .. } => "the operator ':'",
        Expr::Collate { .. } => "COLLATE",
        Expr::Struct { .. } | Expr::Named { .. } => "STRUCT",
        Expr::Dictionary(_) | Expr::Map(_) => "a literal in braces",
        Expr::Lambda(_) => "a lambda",
        Expr::MatchAgainst { .. } => "MATCH … AGAINST",
        Expr::MemberOf(_) => "MEMBER OF",
        Expr::OuterJoin(_) => "(+)",
        Expr::Trim { trim_characters: Some(_), .. } => "a list of characters in TRIM",
        Expr::Function(function) => return check_function(function),
        Expr::Interval(interval) => return check_interval(interval, expr.span()),
        _ => return ControlFlow::Continue(()),
    };
    refuse(foreign, expr.span())
}

/// `*` and nothing at all are arguments of few functions.
fn check_function(function: &Function) -> Checked {
    let FunctionArguments::List(list) = &function.args else { return ControlFlow::Continue(()) };
    let name = function.name.to_string();
    let is_count = name.eq_ignore_ascii_case("COUNT");
    let error = match list.args.as_slice() {
        [] if is_count => Error::fix("COUNT needs an argument").with_hint("COUNT(*) counts rows"),
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if !is_count => {
            Error::fix(format!("{} does not take *", name.to_uppercase())).with_hint("name a column")
        }
        _ => return ControlFlow::Continue(()),
    };
    let start = function.name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| place(ident.span));
    ControlFlow::Break(error.at_opt(start))
}

/// `LIMIT`, `OFFSET` and `FETCH` take plain numbers.
fn check_limits(query: &Query) -> Checked {
    let (limit, offset) = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit.as_ref(), offset.as_ref()),
        _ => (None, None),
    };
    let fetch = query.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref());
    let clauses = [("LIMIT", limit), ("OFFSET", offset.map(|offset| &offset.value)), ("FETCH", fetch)];
    for (name, count) in clauses {
        let Some(count) = count else { continue };
        let is_number = matches!(count, Expr::Value(value)
            if matches!(&value.value, Value::Number(digits, _) if digits.parse::<i64>().is_ok()));
        if !is_number {
            let error = Error::fix(format!("{name} takes a number of rows, 0 or more, not {count}"));
            return ControlFlow::Break(error.at_opt(place(count.span())));
        }
    }
    ControlFlow::Continue(())
}

fn check_interval(interval: &sqlparser::ast::Interval, span: Span) -> Checked {
    let value = match interval.value.as_ref() {
        Expr::UnaryOp { expr, .. } => expr.as_ref(),
        value => value,
    };
    let is_length = matches!(value, Expr::Value(value)
        if matches!(value.value, Value::SingleQuotedString(_) | Value::Number(..)));
    if is_length && interval.leading_field.is_some() {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(
        Error::fix("an INTERVAL needs a unit").at_opt(place(span)).with_hint("write it like INTERVAL '5' SECOND"),
    )
}

fn is_operator(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::StringConcat
            | Op::Gt
            | Op::Lt
            | Op::GtEq
            | Op::LtEq
            | Op::Eq
            | Op::NotEq
            | Op::And
            | Op::Or
            | Op::Overlaps
    )
}
