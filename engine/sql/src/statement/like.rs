//! `CREATE TABLE … LIKE base (INCLUDING … EXCLUDING … OVERWRITING …)`.
//!
//! | feature | by default |
//! |---|---|
//! | physical columns | always taken, in front of the new ones |
//! | options | the new table's win (`OVERWRITING`) |
//! | everything else | taken; the same thing in both tables is an error (`INCLUDING`) |

use sluice_model::{Error, Position, Result};
use sluice_planner::{CatalogColumn, CatalogTable, ColumnKind};

use crate::parser::{LikeClause, LikeFeature, LikeStrategy};

/// The new table with what it takes from its base.
pub(crate) fn merge(base: &CatalogTable, new: CatalogTable, clause: &LikeClause) -> Result<CatalogTable> {
    let strategies = Strategies(clause);
    let mut table = new;
    table.columns = columns(base, &table, &strategies)?;
    merge_options(base, &mut table, &strategies)?;
    merge_key(base, &mut table, &strategies)?;
    match (strategies.of(LikeFeature::Watermarks), &base.watermark, &table.watermark) {
        (LikeStrategy::Including, Some(_), Some(_)) => {
            return Err(twice("watermark", "OVERWRITING WATERMARKS", table.position));
        }
        (LikeStrategy::Excluding, ..) | (_, None, _) | (LikeStrategy::Overwriting, _, Some(_)) => {}
        (_, Some(watermark), None) => table.watermark = Some(watermark.clone()),
    }
    match (strategies.of(LikeFeature::Partitions), table.partitioned_by.is_empty()) {
        (LikeStrategy::Excluding, _) => {}
        (_, true) => table.partitioned_by = base.partitioned_by.clone(),
        (_, false) if base.partitioned_by.is_empty() => {}
        (_, false) => return Err(twice("partitioning", "EXCLUDING PARTITIONS", table.position)),
    }
    if table.comment.is_none() {
        table.comment = base.comment.clone();
    }
    Ok(table)
}

struct Strategies<'a>(&'a LikeClause);

impl Strategies<'_> {
    fn of(&self, feature: LikeFeature) -> LikeStrategy {
        let given = |wanted: LikeFeature| {
            self.0.options.iter().rev().find(|option| option.feature == wanted).map(|option| option.strategy)
        };
        given(feature).or_else(|| given(LikeFeature::All)).unwrap_or(match feature {
            LikeFeature::Options => LikeStrategy::Overwriting,
            _ => LikeStrategy::Including,
        })
    }
}

fn columns(base: &CatalogTable, new: &CatalogTable, strategies: &Strategies<'_>) -> Result<Vec<CatalogColumn>> {
    let mut columns = Vec::new();
    for column in &base.columns {
        let (strategy, is_physical) = match column.kind {
            ColumnKind::Physical { .. } => (LikeStrategy::Including, true),
            ColumnKind::Computed { .. } => (strategies.of(LikeFeature::Generated), false),
            ColumnKind::Metadata { .. } => (strategies.of(LikeFeature::Metadata), false),
        };
        let same = new.columns.iter().find(|other| other.name == column.name);
        match (strategy, same) {
            (LikeStrategy::Excluding, _) => {}
            (LikeStrategy::Overwriting, Some(_)) if !is_physical => {}
            (_, None) => columns.push(column.clone()),
            (_, Some(other)) => {
                return Err(Error::fix(format!("column '{}' is in the table and in its LIKE base", column.name))
                    .at_opt(other.position));
            }
        }
    }
    columns.extend(new.columns.iter().cloned());
    Ok(columns)
}

fn merge_options(base: &CatalogTable, table: &mut CatalogTable, strategies: &Strategies<'_>) -> Result<()> {
    let strategy = strategies.of(LikeFeature::Options);
    if strategy == LikeStrategy::Excluding {
        return Ok(());
    }
    let mut options = base.options.clone();
    for option in table.options.iter() {
        if strategy == LikeStrategy::Including && options.get(&option.key).is_some() {
            return Err(twice(&format!("option '{}'", option.key), "OVERWRITING OPTIONS", option.position));
        }
        options.set(option.clone());
    }
    table.options = options;
    Ok(())
}

fn merge_key(base: &CatalogTable, table: &mut CatalogTable, strategies: &Strategies<'_>) -> Result<()> {
    if strategies.of(LikeFeature::Constraints) == LikeStrategy::Excluding || base.primary_key.is_empty() {
        return Ok(());
    }
    if !table.primary_key.is_empty() {
        return Err(twice("primary key", "EXCLUDING CONSTRAINTS", table.position));
    }
    table.primary_key = base.primary_key.clone();
    table.primary_key_name = base.primary_key_name.clone();
    Ok(())
}

fn twice(what: &str, way_out: &str, position: Option<Position>) -> Error {
    Error::fix(format!("the table and its LIKE base both have a {what}"))
        .at_opt(position)
        .with_hint(format!("say LIKE … ({way_out})"))
}
