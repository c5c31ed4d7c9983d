//! What a session has declared: catalogs, databases, tables and views.
//!
//! Everything lives in the session's memory, as in Flink's `GenericInMemoryCatalog`. Names are
//! case-sensitive. A temporary object hides a permanent one of the same path.

mod path;
mod table;
mod watermark_options;

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_model::{Error, Position, Result, suggest};

pub use path::ObjectPath;
pub use table::{CatalogColumn, CatalogTable, CatalogView, ColumnKind, Watermark};
pub use watermark_options::WatermarkOptions;

/// Name of the catalog that every session starts in.
pub const DEFAULT_CATALOG: &str = "default_catalog";
/// Name of the database that every session starts in.
pub const DEFAULT_DATABASE: &str = "default_database";

/// A table or a view.
#[derive(Debug, Clone)]
pub enum CatalogEntry {
    /// A table.
    Table(Arc<CatalogTable>),
    /// A view.
    View(Arc<CatalogView>),
}

impl CatalogEntry {
    /// `table` or `view`, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::View(_) => "view",
        }
    }
}

/// The catalogs of a session.
#[derive(Debug, Clone)]
pub struct Catalog {
    current: (String, String),
    /// Databases by catalog and name; each maps names to permanent objects.
    databases: BTreeMap<(String, String), BTreeMap<String, CatalogEntry>>,
    temporary: BTreeMap<ObjectPath, CatalogEntry>,
}

impl Default for Catalog {
    fn default() -> Self {
        let home = (DEFAULT_CATALOG.to_owned(), DEFAULT_DATABASE.to_owned());
        Self { current: home.clone(), databases: BTreeMap::from([(home, BTreeMap::new())]), temporary: BTreeMap::new() }
    }
}

impl Catalog {
    /// Name of the current catalog.
    pub fn current_catalog(&self) -> &str {
        &self.current.0
    }

    /// Name of the current database.
    pub fn current_database(&self) -> &str {
        &self.current.1
    }

    /// Completes a name of one to three parts with the current catalog and database.
    ///
    /// # Errors
    /// No part, or more than three.
    pub fn resolve(&self, parts: &[String]) -> Result<ObjectPath> {
        let (catalog, database, name) = match parts {
            [name] => (self.current.0.clone(), self.current.1.clone(), name),
            [database, name] => (self.current.0.clone(), database.clone(), name),
            [catalog, database, name] => (catalog.clone(), database.clone(), name),
            _ => {
                return Err(Error::fix(format!("'{}' is not the name of a table", parts.join(".")))
                    .with_hint("a name is [[catalog.]database.]table"));
            }
        };
        Ok(ObjectPath { catalog, database, name: name.clone() })
    }

    /// The object at a path: the temporary one first.
    pub fn get(&self, path: &ObjectPath) -> Option<&CatalogEntry> {
        self.temporary.get(path).or_else(|| self.database(&path.catalog, &path.database)?.get(&path.name))
    }

    /// The object at a path.
    ///
    /// # Errors
    /// There is none; the hint names one that is spelt alike.
    pub fn require(&self, path: &ObjectPath, position: Option<Position>) -> Result<&CatalogEntry> {
        self.get(path).ok_or_else(|| {
            let names = self.names(&path.catalog, &path.database);
            let hint = match suggest(&path.name, names.iter().map(String::as_str)) {
                Some(like) => format!("did you mean '{like}'?"),
                None if names.is_empty() => "no table has been created in this database".to_owned(),
                None => format!("tables and views: {}", names.join(", ")),
            };
            Error::fix(format!("object '{}' not found", path.name)).at_opt(position).with_hint(hint)
        })
    }

    /// Adds an object. With `if_not_exists` an existing one is left as it is.
    ///
    /// # Errors
    /// The path is taken, or its database is not there.
    pub fn create(
        &mut self,
        path: ObjectPath,
        entry: CatalogEntry,
        temporary: bool,
        if_not_exists: bool,
        position: Option<Position>,
    ) -> Result<()> {
        self.require_database(&path.catalog, &path.database, position)?;
        let objects = &mut self.temporary;
        let taken = if temporary {
            objects.contains_key(&path)
        } else {
            self.database(&path.catalog, &path.database).is_some_and(|objects| objects.contains_key(&path.name))
        };
        if taken && if_not_exists {
            return Ok(());
        }
        if taken {
            return Err(Error::fix(format!("table or view '{path}' already exists"))
                .at_opt(position)
                .with_hint("drop it first, or say IF NOT EXISTS"));
        }
        if temporary {
            self.temporary.insert(path, entry);
        } else if let Some(objects) = self.databases.get_mut(&(path.catalog, path.database)) {
            objects.insert(path.name, entry);
        }
        Ok(())
    }

    /// Replaces or adds an object.
    ///
    /// # Errors
    /// Its database is not there.
    pub fn replace(&mut self, path: ObjectPath, entry: CatalogEntry, temporary: bool) -> Result<()> {
        if temporary {
            self.temporary.remove(&path);
        } else if let Some(objects) = self.databases.get_mut(&(path.catalog.clone(), path.database.clone())) {
            objects.remove(&path.name);
        }
        self.create(path, entry, temporary, false, None)
    }

    /// Removes a table or a view (`kind` is `table` or `view`).
    ///
    /// # Errors
    /// It is not there, is of the other kind, or is hidden by a temporary one.
    pub fn drop(
        &mut self,
        path: &ObjectPath,
        kind: &str,
        temporary: bool,
        if_exists: bool,
        position: Option<Position>,
    ) -> Result<()> {
        let found = if temporary {
            self.temporary.get(path)
        } else if self.temporary.contains_key(path) {
            return Err(Error::fix(format!("a temporary {kind} with the path '{path}' exists"))
                .at_opt(position)
                .with_hint(format!("drop it first: DROP TEMPORARY {} {path}", kind.to_uppercase())));
        } else {
            self.database(&path.catalog, &path.database).and_then(|objects| objects.get(&path.name))
        };
        match found {
            None if if_exists => return Ok(()),
            None => {
                self.require(path, position)?;
                let hint = format!("it is temporary: DROP TEMPORARY {} {path}", kind.to_uppercase());
                return Err(Error::fix(format!("no permanent {kind} '{path}'")).at_opt(position).with_hint(hint));
            }
            Some(entry) if entry.kind() != kind => {
                let actual = entry.kind();
                return Err(Error::fix(format!("'{path}' is a {actual}, not a {kind}"))
                    .at_opt(position)
                    .with_hint(format!("use DROP {}", actual.to_uppercase())));
            }
            Some(_) => {}
        }
        if temporary {
            self.temporary.remove(path);
        } else if let Some(objects) = self.databases.get_mut(&(path.catalog.clone(), path.database.clone())) {
            objects.remove(&path.name);
        }
        Ok(())
    }

    /// Adds a database.
    ///
    /// # Errors
    /// It exists, or its catalog does not.
    pub fn create_database(
        &mut self,
        catalog: &str,
        name: &str,
        if_not_exists: bool,
        position: Option<Position>,
    ) -> Result<()> {
        self.require_catalog(catalog, position)?;
        let key = (catalog.to_owned(), name.to_owned());
        if self.databases.contains_key(&key) {
            if if_not_exists {
                return Ok(());
            }
            return Err(Error::fix(format!("database '{name}' already exists")).at_opt(position));
        }
        self.databases.insert(key, BTreeMap::new());
        Ok(())
    }

    /// Removes a database; with `cascade` also what is in it.
    ///
    /// # Errors
    /// It is not there, is in use, or is not empty.
    pub fn drop_database(
        &mut self,
        catalog: &str,
        name: &str,
        if_exists: bool,
        cascade: bool,
        position: Option<Position>,
    ) -> Result<()> {
        let Some(objects) = self.database(catalog, name) else {
            return if if_exists { Ok(()) } else { self.require_database(catalog, name, position) };
        };
        if !objects.is_empty() && !cascade {
            return Err(Error::fix(format!("database '{name}' is not empty"))
                .at_opt(position)
                .with_hint("say CASCADE to drop its tables with it"));
        }
        if self.current == (catalog.to_owned(), name.to_owned()) {
            return Err(Error::fix(format!("database '{name}' is in use"))
                .at_opt(position)
                .with_hint("USE another database first"));
        }
        self.databases.remove(&(catalog.to_owned(), name.to_owned()));
        Ok(())
    }

    /// Makes a database the current one.
    ///
    /// # Errors
    /// It is not there.
    pub fn use_database(&mut self, catalog: Option<&str>, name: &str, position: Option<Position>) -> Result<()> {
        let catalog = catalog.unwrap_or(&self.current.0).to_owned();
        self.require_database(&catalog, name, position)?;
        self.current = (catalog, name.to_owned());
        Ok(())
    }

    /// Makes a catalog the current one, in its default database.
    ///
    /// # Errors
    /// It is not there.
    pub fn use_catalog(&mut self, name: &str, position: Option<Position>) -> Result<()> {
        self.require_catalog(name, position)?;
        self.current = (name.to_owned(), DEFAULT_DATABASE.to_owned());
        Ok(())
    }

    /// Names of the catalogs.
    pub fn catalogs(&self) -> Vec<String> {
        let mut names: Vec<_> = self.databases.keys().map(|(catalog, _)| catalog.clone()).collect();
        names.dedup();
        names
    }

    /// Names of the databases of a catalog.
    pub fn databases(&self, catalog: &str) -> Vec<String> {
        self.databases.keys().filter(|(owner, _)| owner == catalog).map(|(_, name)| name.clone()).collect()
    }

    /// Names of all tables and views of a database, temporary ones included, sorted.
    pub fn names(&self, catalog: &str, database: &str) -> Vec<String> {
        self.entries(catalog, database).into_keys().collect()
    }

    /// Names and objects of a database, temporary ones included, sorted.
    pub fn entries(&self, catalog: &str, database: &str) -> BTreeMap<String, CatalogEntry> {
        let mut entries = self.database(catalog, database).cloned().unwrap_or_default();
        let temporary = self.temporary.iter().filter(|(path, _)| path.catalog == catalog && path.database == database);
        entries.extend(temporary.map(|(path, entry)| (path.name.clone(), entry.clone())));
        entries
    }

    fn database(&self, catalog: &str, database: &str) -> Option<&BTreeMap<String, CatalogEntry>> {
        self.databases.get(&(catalog.to_owned(), database.to_owned()))
    }

    fn require_catalog(&self, name: &str, position: Option<Position>) -> Result<()> {
        let names = self.catalogs();
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Error::fix(format!("catalog '{name}' not found"))
            .at_opt(position)
            .with_hint(format!("catalogs: {}", names.join(", "))))
    }

    fn require_database(&self, catalog: &str, name: &str, position: Option<Position>) -> Result<()> {
        self.require_catalog(catalog, position)?;
        if self.database(catalog, name).is_some() {
            return Ok(());
        }
        let names = self.databases(catalog);
        let hint = match suggest(name, names.iter().map(String::as_str)) {
            Some(like) => format!("did you mean '{like}'?"),
            None => format!("CREATE DATABASE {name}, or use one of {}", names.join(", ")),
        };
        Err(Error::fix(format!("database '{name}' not found in catalog '{catalog}'")).at_opt(position).with_hint(hint))
    }
}
