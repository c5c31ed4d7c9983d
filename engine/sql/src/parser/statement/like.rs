//! `LIKE source (INCLUDING ALL OVERWRITING OPTIONS …)` of `CREATE TABLE`.

use sluice_model::{Error, Result};
use sqlparser::tokenizer::Token;

use super::super::ast::{LikeClause, LikeFeature, LikeOption, LikeStrategy};
use super::super::cursor::{Cursor, Tokens};

const FEATURES: [(&str, LikeFeature); 8] = [
    ("ALL", LikeFeature::All),
    ("CONSTRAINTS", LikeFeature::Constraints),
    ("DISTRIBUTION", LikeFeature::Distribution),
    ("GENERATED", LikeFeature::Generated),
    ("METADATA", LikeFeature::Metadata),
    ("OPTIONS", LikeFeature::Options),
    ("PARTITIONS", LikeFeature::Partitions),
    ("WATERMARKS", LikeFeature::Watermarks),
];

/// Reads the clause behind the word `LIKE`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<LikeClause> {
    let source = cursor.path("the table to copy from")?;
    let mut options: Vec<LikeOption> = Vec::new();
    if cursor.accept_symbol(&Token::LParen) {
        while !cursor.accept_symbol(&Token::RParen) {
            let option = option(cursor)?;
            if options.iter().any(|known| known.feature == option.feature) {
                return Err(Error::fix("a feature is named twice behind LIKE").at(option.position));
            }
            options.push(option);
        }
    }
    Ok(LikeClause { source, options })
}

fn option(cursor: &mut Cursor<'_>) -> Result<LikeOption> {
    let position = cursor.position();
    let strategy = if cursor.accept("INCLUDING") {
        LikeStrategy::Including
    } else if cursor.accept("EXCLUDING") {
        LikeStrategy::Excluding
    } else if cursor.accept("OVERWRITING") {
        LikeStrategy::Overwriting
    } else {
        return Err(cursor.unexpected("INCLUDING, EXCLUDING, OVERWRITING"));
    };
    let Some((name, feature)) = FEATURES.iter().find(|(name, _)| cursor.accept(name)) else {
        return Err(cursor.unexpected(&FEATURES.map(|(name, _)| name).join(", ")));
    };
    let can_overwrite = matches!(
        feature,
        LikeFeature::Generated | LikeFeature::Metadata | LikeFeature::Options | LikeFeature::Watermarks
    );
    if strategy == LikeStrategy::Overwriting && !can_overwrite {
        return Err(Error::fix(format!("OVERWRITING {name} does not exist"))
            .at(position)
            .with_hint("only GENERATED, METADATA, OPTIONS and WATERMARKS can be overwritten"));
    }
    Ok(LikeOption { strategy, feature: *feature, position })
}
