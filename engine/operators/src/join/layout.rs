//! Which columns of a side mean what, and its state table.
//!
//! | side `id, name, price`, join key `name` | state table | key |
//! |---|---|---|
//! | unique key `id` | `k0` (name), `c0` (id), `c2` (price), `degree` | 2 |
//! | only inserts | `k0` (name), `arrival`, `c0` (id), `c2` (price), `degree` | 2 |
//! | anything else | `k0` (name), `c0` (id), `c2` (price), `count`, `degree` | 3 |
//!
//! `count` is there if a row can occur more than once, `degree` if the join has to know the number
//! of partners of a row of this side.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{Error, Result};
use sluice_plan::{Join, JoinKind};

use crate::StateTable;

/// See the module.
#[derive(Debug)]
pub(super) struct Layout {
    input: SchemaRef,
    /// The input column of each state column but the last ones.
    columns: Vec<usize>,
    num_keys: usize,
    identity: Identity,
    is_multiset: bool,
    tracks_degree: bool,
    keeps_null_keys: bool,
}

/// What identifies a row of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The join key.
    Key,
    /// So many leading columns: the unique key and the join key, or all.
    Columns(usize),
    /// When it came.
    Arrival,
}

impl Layout {
    /// The layout of a side: 0 is the left.
    ///
    /// # Errors
    /// A bug in the planner: a column that is not there.
    pub(super) fn new(node: &Join, side: usize, input: SchemaRef) -> Result<Self> {
        let mut columns: Vec<_> =
            node.keys.iter().map(|(left, right)| if side == 0 { *left } else { *right }).collect();
        let num_keys = columns.len();
        let unique = node.unique_keys[side].as_ref();
        let add = |columns: &mut Vec<usize>, column| {
            if !columns.contains(&column) {
                columns.push(column);
            }
        };
        for column in unique.into_iter().flatten() {
            add(&mut columns, *column);
        }
        if columns.iter().any(|column| *column >= input.fields().len()) {
            return Err(Error::bug("a join key is not a column of the input"));
        }
        let num_unique = columns.len();
        (0..input.fields().len()).for_each(|column| add(&mut columns, column));
        let identity = match unique {
            Some(_) if num_unique == num_keys => Identity::Key,
            _ if node.inserts_only[side] => Identity::Arrival,
            Some(_) => Identity::Columns(num_unique),
            None => Identity::Columns(columns.len()),
        };
        let (left, right) = match node.kind {
            JoinKind::Inner => (false, false),
            JoinKind::Left | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftMark => (true, false),
            JoinKind::Right => (false, true),
            JoinKind::Full => (true, true),
        };
        let tracks_degree = if side == 0 { left } else { right };
        Ok(Self {
            input,
            columns,
            num_keys,
            identity,
            is_multiset: unique.is_none() && identity != Identity::Arrival,
            tracks_degree,
            // A row of a semi join needs a partner, and nothing is equal to NULL.
            keeps_null_keys: tracks_degree && node.kind != JoinKind::LeftSemi,
        })
    }

    /// The columns of the join key, in its order.
    pub(super) fn keys(&self) -> &[usize] {
        &self.columns[..self.num_keys]
    }

    /// What identifies a row.
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// The columns that identify a row, those of the key first.
    pub(super) fn identity_columns(&self) -> &[usize] {
        match self.identity {
            Identity::Columns(count) => &self.columns[..count],
            Identity::Key | Identity::Arrival => self.keys(),
        }
    }

    /// The input columns in the order of the state table.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The place of the arrival among the columns of the state table, if it has one.
    pub(super) fn arrival(&self) -> Option<usize> {
        (self.identity == Identity::Arrival).then_some(self.num_keys)
    }

    /// A row can occur more than once.
    pub(super) fn is_multiset(&self) -> bool {
        self.is_multiset
    }

    /// The number of partners decides what is put out.
    pub(super) fn tracks_degree(&self) -> bool {
        self.tracks_degree
    }

    /// Rows whose key is equal to nothing are put out.
    pub(super) fn keeps_null_keys(&self) -> bool {
        self.keeps_null_keys
    }

    /// Types of the input.
    pub(super) fn types(&self) -> impl Iterator<Item = &DataType> {
        self.input.fields().iter().map(|field| field.data_type())
    }

    /// Types of the join key.
    pub(super) fn key_types(&self) -> Vec<DataType> {
        self.keys().iter().map(|column| self.input.field(*column).data_type().clone()).collect()
    }

    /// Types of the columns that identify a row.
    pub(super) fn identity_types(&self) -> Vec<DataType> {
        self.identity_columns().iter().map(|column| self.input.field(*column).data_type().clone()).collect()
    }

    /// The state table of this side.
    pub(super) fn table(&self, name: &str) -> StateTable {
        let field = |(position, column): (usize, &usize)| {
            let name = if position < self.num_keys { format!("k{position}") } else { format!("c{column}") };
            // Nullable: a removed row has NULL outside its key.
            self.input.field(*column).clone().with_name(name).with_nullable(true)
        };
        let mut fields: Vec<_> = self.columns.iter().enumerate().map(field).collect();
        if let Some(place) = self.arrival() {
            fields.insert(place, Field::new("arrival", DataType::Int64, false));
        }
        for (name, wanted) in [("count", self.is_multiset), ("degree", self.tracks_degree)] {
            if wanted {
                fields.push(Field::new(name, DataType::Int64, true));
            }
        }
        StateTable {
            name: name.to_owned(),
            schema: Arc::new(Schema::new(fields)),
            key: self.identity_columns().len() + usize::from(self.arrival().is_some()),
            distribution: self.num_keys,
        }
    }
}
