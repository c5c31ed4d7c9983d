//! Event groups, and the record of those that are complete.

use std::sync::Arc;

use sluice_model::Result;
use sluice_mysql_decode::{Flavour, Gtid, GtidSet, MariaGtid, MariaGtidPos};

use crate::decode_error;
use crate::position::{Offset, Place};
use crate::snapshot::Visible;

/// Id of a group.
#[derive(Debug, Clone)]
enum GroupId {
    MySql(Gtid),
    MariaDb(MariaGtid),
    Anonymous,
}

/// The event group that is open.
#[derive(Debug, Clone)]
pub(super) struct Group {
    id: GroupId,
    /// Several events follow, up to a commit; otherwise the next statement is all of it.
    pub(super) is_begun: bool,
    /// Rows of captured tables were among it.
    pub(super) has_rows: bool,
    /// It is the first phase of an XA transaction.
    pub(super) is_prepared: bool,
    /// It lies before the time that reading starts at.
    pub(super) is_before_start: bool,
}

impl Group {
    fn new(id: GroupId, is_begun: bool) -> Self {
        Self { id, is_begun, has_rows: false, is_prepared: false, is_before_start: false }
    }

    pub(super) fn mysql(gtid: Gtid) -> Self {
        Self::new(GroupId::MySql(gtid), false)
    }

    pub(super) fn mariadb(gtid: MariaGtid, is_begun: bool) -> Self {
        Self::new(GroupId::MariaDb(gtid), is_begun)
    }

    pub(super) fn anonymous() -> Self {
        Self::new(GroupId::Anonymous, false)
    }
}

/// Which groups are complete.
#[derive(Debug, Clone)]
pub(super) enum Executed {
    MySql(GtidSet),
    MariaDb(MariaGtidPos),
    /// Reading began at a place whose past is not known.
    Unknown(Flavour),
}

impl Executed {
    pub(super) fn parse(flavour: Flavour, offset: &Offset) -> Result<Self> {
        if offset.gtid.is_empty() && !offset.is_beginning() {
            return Ok(Self::Unknown(flavour));
        }
        match flavour {
            Flavour::MySql => offset.gtid.parse().map(Self::MySql).map_err(decode_error),
            Flavour::MariaDb => offset.gtid.parse().map(Self::MariaDb).map_err(decode_error),
        }
    }

    /// The first file tells what was executed before it.
    pub(super) fn begin_with_mysql(&mut self, set: GtidSet) {
        if let Self::MySql(executed) = self {
            // A file in the middle tells nothing new, but for transactions that were read without being counted.
            if executed.is_empty() {
                *executed = set;
            }
        }
    }

    pub(super) fn begin_with_mariadb(&mut self, position: &MariaGtidPos) {
        if let Self::MariaDb(executed) = self {
            executed.union(position);
        }
    }

    pub(super) fn add(&mut self, group: &Group) {
        match (&mut *self, &group.id) {
            (Self::MySql(executed), GroupId::MySql(gtid)) => executed.add(gtid),
            (Self::MariaDb(executed), GroupId::MariaDb(gtid)) => executed.add(*gtid),
            // A transaction without a name makes the set incomplete, and useless for telling what is visible.
            (Self::MySql(_), GroupId::Anonymous) => *self = Self::Unknown(Flavour::MySql),
            _ => {}
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::MySql(executed) => executed.to_string(),
            Self::MariaDb(executed) => executed.to_string(),
            Self::Unknown(_) => String::new(),
        }
    }

    /// What a read has to show that begins now, with `group` open.
    pub(super) fn visible(&self, group: Option<&Group>, rows_place: Option<Place>) -> Visible {
        match self {
            Self::MySql(executed) => {
                let mut consumed = executed.clone();
                match group.map(|group| &group.id) {
                    Some(GroupId::MySql(gtid)) => consumed.add(gtid),
                    Some(GroupId::Anonymous) => return Visible::Unnamed,
                    Some(GroupId::MariaDb(_)) | None => {}
                }
                if consumed.is_empty() { Visible::Nothing } else { Visible::Gtids(Arc::from(consumed.to_string())) }
            }
            Self::MariaDb(_) | Self::Unknown(Flavour::MariaDb) => rows_place.map_or(Visible::Nothing, Visible::Place),
            Self::Unknown(Flavour::MySql) => Visible::Unnamed,
        }
    }
}
