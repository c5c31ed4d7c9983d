//! What a statement says, one type per kind of statement.
//!
//! Queries and expressions stay in sqlparser's form; everything that is Flink's own has its own type.
//! Every name and option carries its place in the script.

use std::fmt;

use sluice_model::{Error, Position, SqlType, TableOptions};
use sqlparser::ast::{Expr, Query};

use super::hints::Hints;

/// A name as written, without its backticks. Names are matched case-sensitively.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The name.
    pub value: String,
    /// Its place.
    pub position: Position,
}

/// `[[catalog.]database.]name`: one to three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPath {
    /// The parts, never empty.
    pub parts: Vec<Identifier>,
}

impl ObjectPath {
    /// The last part.
    pub fn name(&self) -> &str {
        self.parts.last().map_or("", |part| part.value.as_str())
    }

    /// Place of the first part.
    pub fn position(&self) -> Position {
        self.parts.first().map_or(Position { line: 1, column: 1 }, |part| part.position)
    }
}

/// The parts with dots between them, as in messages.
impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{}", part.value)?;
        }
        Ok(())
    }
}

/// A query with its text and its hints.
#[derive(Debug, Clone)]
pub struct ParsedQuery {
    /// The query. Types in it are read with [`sql_type_of`](super::sql_type_of), `TABLE t` arguments
    /// with [`TableArgument::of`](super::TableArgument::of).
    pub query: Box<Query>,
    /// The query as written, hints included.
    pub text: String,
    /// Its hints, by place.
    pub hints: Hints,
    /// Place of its first character.
    pub position: Position,
}

/// An expression with its text.
#[derive(Debug, Clone)]
pub struct ParsedExpr {
    /// The expression.
    pub expr: Expr,
    /// The expression as written.
    pub text: String,
    /// Place of its first character.
    pub position: Position,
}

/// A type as written in a column definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// The type.
    pub sql_type: SqlType,
    /// False after `NOT NULL`.
    pub nullable: bool,
    /// Place of the type.
    pub position: Position,
}

/// What stands after a column's name.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "columns are few and short-lived")]
pub enum ColumnKind {
    /// `name TYPE [NOT NULL]`.
    Physical(ColumnType),
    /// `name AS expression`.
    Computed(ParsedExpr),
    /// `name TYPE METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata {
        /// Declared type.
        data_type: ColumnType,
        /// The key, where it is not the column's name.
        from: Option<String>,
        /// Not written to a sink.
        is_virtual: bool,
    },
    /// Only a name: the reordered columns of `CREATE TABLE t (b, a) … AS query`.
    NameOnly,
}

/// One column of `CREATE TABLE`.
#[derive(Debug, Clone)]
pub struct ColumnDefinition {
    /// Name and place.
    pub name: Identifier,
    /// What it is.
    pub kind: ColumnKind,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
}

/// `[CONSTRAINT name] PRIMARY KEY (a, b) NOT ENFORCED`, or the same after one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryKey {
    /// Name of the constraint.
    pub constraint: Option<Identifier>,
    /// Key columns in order; each names a column of the table.
    pub columns: Vec<Identifier>,
    /// Place of `PRIMARY`.
    pub position: Position,
}

/// `WATERMARK FOR column AS expression`.
#[derive(Debug, Clone)]
pub struct Watermark {
    /// The column, or a path into a row column.
    pub column: Vec<Identifier>,
    /// The watermark.
    pub expr: ParsedExpr,
    /// Place of `WATERMARK`.
    pub position: Position,
}

/// `DISTRIBUTED [BY [HASH | RANGE] (a, b)] [INTO n BUCKETS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// `HASH` or `RANGE`, upper-case.
    pub kind: Option<String>,
    /// Columns.
    pub columns: Vec<Identifier>,
    /// Number of buckets.
    pub buckets: Option<u64>,
    /// Place of `DISTRIBUTED`.
    pub position: Position,
}

/// `LIKE source (INCLUDING ALL …)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikeClause {
    /// The table to copy from.
    pub source: ObjectPath,
    /// What to copy, in order.
    pub options: Vec<LikeOption>,
}

/// `INCLUDING OPTIONS` and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LikeOption {
    /// What to do.
    pub strategy: LikeStrategy,
    /// With what.
    pub feature: LikeFeature,
    /// Place of the strategy.
    pub position: Position,
}

/// What `LIKE` does with a feature of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeStrategy {
    /// Copy it; two of the same name are an error.
    Including,
    /// Leave it out.
    Excluding,
    /// Copy it; the new table's wins over the source's.
    Overwriting,
}

/// What `LIKE` can copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeFeature {
    /// All of them.
    All,
    /// The primary key.
    Constraints,
    /// The distribution.
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// `WITH` options.
    Options,
    /// Partition columns.
    Partitions,
    /// Watermarks.
    Watermarks,
}

/// `CREATE TABLE`.
#[derive(Debug, Clone)]
pub struct CreateTable {
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The table.
    pub name: ObjectPath,
    /// Columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// The primary key, however it was written.
    pub primary_key: Option<PrimaryKey>,
    /// The watermark.
    pub watermark: Option<Watermark>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `DISTRIBUTED …`.
    pub distribution: Option<Distribution>,
    /// `PARTITIONED BY (…)`.
    pub partitioned_by: Vec<Identifier>,
    /// `WITH (…)`.
    pub options: TableOptions,
    /// `LIKE …`; then columns may be missing here that the source has.
    pub like: Option<LikeClause>,
    /// `AS query`; then columns may be missing here that the query has.
    pub as_query: Option<ParsedQuery>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `TEMPORARY`.
    pub temporary: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The view.
    pub name: ObjectPath,
    /// New names for the query's columns; empty if none are given.
    pub columns: Vec<Identifier>,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// The query.
    pub query: ParsedQuery,
}

/// `CREATE DATABASE [IF NOT EXISTS] [catalog.]name [COMMENT '…'] [WITH (…)]`.
#[derive(Debug, Clone)]
pub struct CreateDatabase {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// One or two parts.
    pub name: ObjectPath,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: TableOptions,
}

/// `CREATE CATALOG [IF NOT EXISTS] name [COMMENT '…'] [WITH (…)]`.
#[derive(Debug, Clone)]
pub struct CreateCatalog {
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The catalog.
    pub name: Identifier,
    /// `COMMENT '…'`.
    pub comment: Option<String>,
    /// `WITH (…)`.
    pub options: TableOptions,
}

/// `DROP [TEMPORARY] kind [IF EXISTS] name [RESTRICT | CASCADE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// What to drop.
    pub kind: DropKind,
    /// `TEMPORARY`; only tables and views.
    pub temporary: bool,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// Its name; a catalog has one part, a database one or two.
    pub name: ObjectPath,
    /// `CASCADE`; only databases.
    pub cascade: bool,
}

/// What `DROP` drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A database.
    Database,
    /// A catalog.
    Catalog,
}

/// `[EXECUTE] INSERT INTO | OVERWRITE target [hints] [PARTITION (…)] [(columns)] query`.
#[derive(Debug, Clone)]
pub struct Insert {
    /// Place of `INSERT`.
    pub position: Position,
    /// `OVERWRITE` instead of `INTO`.
    pub overwrite: bool,
    /// The sink.
    pub target: ObjectPath,
    /// `/*+ OPTIONS(…) */` of the sink; empty without.
    pub target_options: TableOptions,
    /// `PARTITION (a = 1, b)`.
    pub partition: Vec<(Identifier, Option<Expr>)>,
    /// Columns to write; empty means all of them, in order.
    pub columns: Vec<Identifier>,
    /// The rows, also for `VALUES`.
    pub source: ParsedQuery,
}

/// `EXECUTE STATEMENT SET BEGIN … END`.
#[derive(Debug, Clone)]
pub struct StatementSet {
    /// Place of its first word.
    pub position: Position,
    /// At least one.
    pub inserts: Vec<Insert>,
}

/// `[NOT] LIKE | ILIKE 'pattern'` of `SHOW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikePattern {
    /// `NOT`.
    pub negated: bool,
    /// `ILIKE`.
    pub case_insensitive: bool,
    /// SQL pattern with `%` and `_`.
    pub pattern: String,
}

/// What `SHOW` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// `SHOW CATALOGS`.
    Catalogs(Option<LikePattern>),
    /// `SHOW CURRENT CATALOG`.
    CurrentCatalog,
    /// `SHOW CURRENT DATABASE`.
    CurrentDatabase,
    /// `SHOW DATABASES [FROM catalog]`.
    Databases(Option<Identifier>, Option<LikePattern>),
    /// `SHOW TABLES [FROM database]`.
    Tables(Option<ObjectPath>, Option<LikePattern>),
    /// `SHOW VIEWS [FROM database]`.
    Views(Option<ObjectPath>, Option<LikePattern>),
    /// `SHOW COLUMNS FROM table`.
    Columns(ObjectPath, Option<LikePattern>),
    /// `SHOW CREATE TABLE`.
    CreateTable(ObjectPath),
    /// `SHOW CREATE VIEW`.
    CreateView(ObjectPath),
    /// `SHOW CREATE CATALOG`.
    CreateCatalog(Identifier),
    /// `SHOW [USER] FUNCTIONS [FROM database]`.
    Functions {
        /// Only user-defined ones.
        user: bool,
        /// Database.
        from: Option<ObjectPath>,
        /// Filter.
        like: Option<LikePattern>,
    },
    /// `SHOW [FULL] MODULES`.
    Modules {
        /// Also the unused ones.
        full: bool,
    },
    /// `SHOW JARS`.
    Jars,
    /// `SHOW JOBS`.
    Jobs,
}

/// What `DESCRIBE` describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Describe {
    /// A table or view.
    Table(ObjectPath),
    /// `DESCRIBE CATALOG`.
    Catalog(Identifier),
    /// `DESCRIBE DATABASE`.
    Database(ObjectPath),
    /// `DESCRIBE JOB 'id'`: id and its place.
    Job(String, Position),
}

/// What `EXPLAIN` shows besides the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainDetail {
    /// Costs.
    EstimatedCost,
    /// Changelog modes.
    ChangelogMode,
    /// The plan as JSON.
    JsonExecutionPlan,
    /// Advice.
    PlanAdvice,
}

/// `EXPLAIN [PLAN FOR | detail, …] statement`.
#[derive(Debug, Clone)]
pub struct Explain {
    /// In the order given.
    pub details: Vec<ExplainDetail>,
    /// A query, an `INSERT` or a statement set.
    pub target: Box<Statement>,
}

/// `STOP JOB 'id' [WITH SAVEPOINT] [WITH DRAIN]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopJob {
    /// The job.
    pub id: String,
    /// Place of the id.
    pub position: Position,
    /// `WITH SAVEPOINT`.
    pub savepoint: bool,
    /// `WITH DRAIN`; only together with a savepoint.
    pub drain: bool,
}

/// A statement that the dialect has and Sluice has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSupported {
    /// Its name, e.g. `ALTER TABLE`.
    pub name: String,
    /// Its place.
    pub position: Position,
    /// What to do instead, if there is something.
    pub hint: Option<&'static str>,
}

impl NotSupported {
    /// The error to report when it is to be run.
    pub fn to_error(&self) -> Error {
        let error = Error::fix(format!("{} is not supported yet", self.name)).at(self.position);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// One statement of the dialect.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "statements are few and short-lived")]
pub enum Statement {
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `CREATE CATALOG`.
    CreateCatalog(CreateCatalog),
    /// `DROP TABLE | VIEW | DATABASE | CATALOG`.
    Drop(Drop),
    /// `INSERT`.
    Insert(Insert),
    /// Several `INSERT`s as one job.
    StatementSet(StatementSet),
    /// A query to show.
    Query(ParsedQuery),
    /// `SET 'key' = 'value'`.
    Set {
        /// Key.
        key: String,
        /// Value.
        value: String,
        /// Place of the key.
        position: Position,
    },
    /// `SET`: list everything.
    SetList,
    /// `RESET 'key'`.
    Reset {
        /// Key.
        key: String,
        /// Place of the key.
        position: Position,
    },
    /// `RESET`: everything.
    ResetAll,
    /// `SHOW …`.
    Show(Show),
    /// `DESCRIBE …`.
    Describe(Describe),
    /// `EXPLAIN …`.
    Explain(Explain),
    /// `USE CATALOG name`.
    UseCatalog(Identifier),
    /// `USE [catalog.]database`.
    UseDatabase(ObjectPath),
    /// `USE MODULES a, b`.
    UseModules(Vec<Identifier>),
    /// `STOP JOB`.
    StopJob(StopJob),
    /// `ADD JAR 'path'`: accepted, has no effect.
    AddJar(String),
    /// `REMOVE JAR 'path'`: accepted, has no effect.
    RemoveJar(String),
    /// `QUIT`, `EXIT`.
    Quit,
    /// `CLEAR`.
    Clear,
    /// `HELP`.
    Help,
    /// Known, but not to Sluice.
    NotSupported(NotSupported),
}
