//! Typed options: `WITH ('key' = 'value', …)` becomes a struct, or all of its errors at once.
//!
//! ```
//! sluice_connector_api::options! {
//!     /// Options of a demonstration.
//!     pub struct DemoOptions {
//!         /// Server host.
//!         "hostname" => hostname: String,
//!         /// Server port.
//!         "port" => port: u16 = 3306u16,
//!         /// Where it starts, if told.
//!         "scan.start" => start: Option<String>,
//!     }
//!     prefixes: ["properties."]
//! }
//! ```
//!
//! A default is converted with `Into`, so numbers carry their type. A field without `= default` is
//! required unless its type is `Option`. The doc comments are the
//! reference documentation. Keys below a prefix are collected, unparsed, in `DemoOptions::extra`.

use std::collections::BTreeMap;
use std::time::Duration;

use sluice_model::{Error, Position, Secret, TableOptions, parse_duration, parse_memory_size, suggest};

/// Documentation of one option, for `HELP`, completion, suggestions and the reference pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionDoc {
    /// Key.
    pub key: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Default as text, if it has one.
    pub default: Option<&'static str>,
    /// Name of the type: `String`, `Duration`, ….
    pub type_name: &'static str,
    /// One or more sentences.
    pub doc: &'static str,
}

/// A struct made by [`options!`](crate::options).
pub trait OptionSet: Sized + Send + Sync + 'static {
    /// Documentation of every option.
    fn docs() -> Vec<OptionDoc>;
    /// Key prefixes that are passed through.
    fn prefixes() -> &'static [&'static str];
    /// Reads the struct; errors are left in the reader.
    fn read(reader: &mut OptionReader<'_>) -> Option<Self>;
}

/// A type that an option's text can be read as.
pub trait OptionValue: Sized {
    /// Name shown in the documentation.
    const TYPE_NAME: &'static str;
    /// Reads it; the error says what would have been right.
    fn parse_option(text: &str) -> Result<Self, String>;
}

/// Options with a closed list of values (an enum in a connector).
pub trait OptionValues: Sized + Copy + 'static {
    /// The words and what they stand for.
    const VALUES: &'static [(&'static str, Self)];
}

macro_rules! parsed_option_value {
    ($($type:ty => $name:literal, $expected:literal;)*) => {$(
        impl OptionValue for $type {
            const TYPE_NAME: &'static str = $name;
            fn parse_option(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $expected.to_owned())
            }
        }
    )*};
}

parsed_option_value! {
    u16 => "Integer", "expected a whole number from 0 to 65535";
    u32 => "Integer", "expected a whole number, 0 or more";
    u64 => "Long", "expected a whole number, 0 or more";
    i64 => "Long", "expected a whole number";
    usize => "Integer", "expected a whole number, 0 or more";
    f64 => "Double", "expected a number";
}

impl OptionValue for String {
    const TYPE_NAME: &'static str = "String";
    fn parse_option(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl OptionValue for Secret {
    const TYPE_NAME: &'static str = "Secret";
    fn parse_option(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

impl OptionValue for bool {
    const TYPE_NAME: &'static str = "Boolean";
    fn parse_option(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        }
    }
}

impl OptionValue for Duration {
    const TYPE_NAME: &'static str = "Duration";
    fn parse_option(text: &str) -> Result<Self, String> {
        parse_duration(text).ok_or_else(|| "expected a duration such as 10s, 500ms or 5 min".to_owned())
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize(pub u64);

impl OptionValue for MemorySize {
    const TYPE_NAME: &'static str = "MemorySize";
    fn parse_option(text: &str) -> Result<Self, String> {
        parse_memory_size(text).map(Self).ok_or_else(|| "expected a size such as 128 kb or 2mb".to_owned())
    }
}

impl<T: OptionValues> OptionValue for T {
    const TYPE_NAME: &'static str = "Enum";
    fn parse_option(text: &str) -> Result<Self, String> {
        let word = text.trim();
        T::VALUES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = T::VALUES.iter().map(|(name, _)| *name).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

/// Reads options one by one and remembers everything that is wrong with them.
pub struct OptionReader<'a> {
    owner: String,
    table_position: Option<Position>,
    options: &'a TableOptions,
    known: Vec<&'static str>,
    prefixes: Vec<String>,
    errors: Vec<Error>,
}

impl<'a> OptionReader<'a> {
    /// Reads `options` on behalf of `owner`, e.g. `connector 'jdbc' of table 't'`.
    pub fn new(owner: impl Into<String>, table_position: Option<Position>, options: &'a TableOptions) -> Self {
        Self {
            owner: owner.into(),
            table_position,
            options,
            known: vec!["connector"],
            prefixes: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Says that these keys belong to somebody (a format, the engine) and are not unknown.
    pub fn also_known(&mut self, keys: impl IntoIterator<Item = &'static str>) {
        self.known.extend(keys);
    }

    /// Says that keys below these prefixes are passed through.
    pub fn allow_prefixes<S: Into<String>>(&mut self, prefixes: impl IntoIterator<Item = S>) {
        self.prefixes.extend(prefixes.into_iter().map(Into::into));
    }

    /// A key that must be there.
    pub fn required<T: OptionValue>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        if self.options.get(key).is_none() {
            let error = Error::fix(format!("{} needs option '{key}'", self.owner))
                .at_opt(self.table_position)
                .with_hint(format!("add '{key}' = '…' to the WITH clause"));
            self.errors.push(error);
            return None;
        }
        self.optional(key)
    }

    /// A key that may be there.
    pub fn optional<T: OptionValue>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let text = self.options.get(key)?;
        match T::parse_option(text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let shown = Secret::mask_option(key, text);
                self.reject(key, format!("invalid value '{shown}' for option '{key}' of {}", self.owner), expected);
                None
            }
        }
    }

    /// All options below the allowed prefix, with the prefix cut off.
    pub fn below(&self, prefix: &str) -> BTreeMap<String, String> {
        self.options
            .iter()
            .filter_map(|option| option.key.strip_prefix(prefix).map(|rest| (rest.to_owned(), option.value.clone())))
            .collect()
    }

    /// Reports a value or a conflict at the place of `key`.
    pub fn reject(&mut self, key: &str, what: String, hint: impl Into<String>) {
        let error =
            Error::fix(what).at_opt(self.options.position_of(key).or(self.table_position)).with_hint(hint.into());
        self.errors.push(error);
    }

    /// Reports an error made elsewhere, e.g. by a format.
    pub fn push(&mut self, error: Error) {
        self.errors.push(error);
    }

    /// Ends reading: unknown keys are errors too.
    ///
    /// # Errors
    /// Everything that was wrong, in one error.
    pub fn finish(mut self) -> Result<(), Error> {
        for option in self.options.iter() {
            let key = option.key.as_str();
            let passed =
                self.prefixes.iter().any(|prefix| key.len() > prefix.len() && key.starts_with(prefix.as_str()));
            if passed || self.known.contains(&key) {
                continue;
            }
            let mut known = self.known.clone();
            known.sort_unstable();
            known.dedup();
            let hint = match suggest(key, known.iter().copied()) {
                Some(like) => format!("did you mean '{like}'?"),
                None => format!("known options: {}", known.join(", ")),
            };
            let error =
                Error::fix(format!("unknown option '{key}' of {}", self.owner)).at_opt(option.position).with_hint(hint);
            self.errors.push(error);
        }
        self.errors.sort_by_key(Error::position);
        Error::many(self.errors).map_or(Ok(()), Err)
    }
}

/// Declares a struct of typed options. See the [module documentation](self).
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $struct_doc:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $key:literal => $field:ident : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
        $(prefixes: [$($prefix:literal),* $(,)?])?
    ) => {
        $(#[doc = $struct_doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
            /// Options below the pass-through prefixes: full key to value. May hold secrets.
            pub extra: $crate::ExtraOptions,
        }

        impl $crate::OptionSet for $name {
            fn docs() -> Vec<$crate::OptionDoc> {
                vec![$(
                    $crate::OptionDoc {
                        key: $key,
                        required: $crate::options!(@required $type $(, $default)?),
                        default: $crate::options!(@default $($default)?),
                        type_name: <$type as $crate::FieldType>::TYPE_NAME,
                        doc: concat!($($doc, "\n"),*),
                    }
                ),*]
            }

            fn prefixes() -> &'static [&'static str] {
                &[$($($prefix),*)?]
            }

            fn read(reader: &mut $crate::OptionReader<'_>) -> Option<Self> {
                $( let $field = $crate::options!(@read reader, $key, $type $(, $default)?); )*
                let extra = $crate::ExtraOptions::below(reader, <Self as $crate::OptionSet>::prefixes());
                Some(Self { $( $field: $field?, )* extra })
            }
        }
    };
    (@required $type:ty, $default:expr) => { false };
    (@required $type:ty) => { <$type as $crate::FieldType>::REQUIRED };
    (@default $default:expr) => { Some(stringify!($default)) };
    (@default) => { None };
    (@read $reader:ident, $key:literal, $type:ty, $default:expr) => {
        Some(<$type as $crate::FieldType>::read_optional($reader, $key).unwrap_or_else(|| $default.into()))
    };
    (@read $reader:ident, $key:literal, $type:ty) => {
        <$type as $crate::FieldType>::read($reader, $key)
    };
}

options! {
    /// The options of a connector that has none.
    pub struct NoOptions {}
}

/// A type that a field of an option struct may have: a value, or an `Option` of one.
pub trait FieldType: Sized {
    /// Name of the value's type.
    const TYPE_NAME: &'static str;
    /// Whether a field of this type without a default must be given.
    const REQUIRED: bool;
    /// Reads a field without a default.
    fn read(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self>;
    /// Reads a field that has a default.
    fn read_optional(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self>;
}

impl<T: OptionValue> FieldType for T {
    const TYPE_NAME: &'static str = T::TYPE_NAME;
    const REQUIRED: bool = true;
    fn read(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self> {
        reader.required(key)
    }
    fn read_optional(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self> {
        reader.optional(key)
    }
}

impl<T: OptionValue> FieldType for Option<T> {
    const TYPE_NAME: &'static str = T::TYPE_NAME;
    const REQUIRED: bool = false;
    fn read(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self> {
        Some(reader.optional(key))
    }
    fn read_optional(reader: &mut OptionReader<'_>, key: &'static str) -> Option<Self> {
        Some(reader.optional(key))
    }
}

/// Options below pass-through prefixes, by full key. Their `Debug` masks secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExtraOptions(BTreeMap<String, String>);

impl ExtraOptions {
    /// Collects what a reader has below these prefixes.
    pub fn below(reader: &mut OptionReader<'_>, prefixes: &[&str]) -> Self {
        reader.allow_prefixes(prefixes.iter().copied());
        let mut all = BTreeMap::new();
        for prefix in prefixes {
            all.extend(reader.below(prefix).into_iter().map(|(rest, value)| (format!("{prefix}{rest}"), value)));
        }
        Self(all)
    }

    /// `(rest of the key, value)` of the options below one prefix, in order of their keys.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// Value of a full key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

impl std::fmt::Debug for ExtraOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, value)| (key, Secret::mask_option(key, value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::TableOption;

    options! {
        /// Test options.
        struct TestOptions {
            /// Host.
            "hostname" => hostname: String,
            /// Port.
            "port" => port: u16 = 3306u16,
            /// Password.
            "password" => password: Secret,
            /// Wait.
            "wait" => wait: Option<Duration>,
        }
        prefixes: ["properties."]
    }

    fn read(pairs: &[(&str, &str)]) -> Result<TestOptions, Error> {
        let mut options = TableOptions::default();
        for (index, (key, value)) in pairs.iter().enumerate() {
            let position = Some(Position { line: index as u64 + 1, column: 3 });
            options.set(TableOption { key: (*key).into(), value: (*value).into(), position });
        }
        let mut reader = OptionReader::new("connector 'test'", None, &options);
        let read = TestOptions::read(&mut reader);
        reader.finish().map(|()| read.unwrap())
    }

    #[test]
    fn reads_typed_values_and_defaults() {
        let options = read(&[("hostname", "h"), ("password", "p"), ("wait", "2s"), ("properties.a.b", "c")]).unwrap();
        assert_eq!((options.hostname.as_str(), options.port), ("h", 3306));
        assert_eq!((options.password.expose(), options.wait), ("p", Some(Duration::from_secs(2))));
        assert_eq!(options.extra.with_prefix("properties.").collect::<Vec<_>>(), [("a.b", "c")]);
        assert!(!format!("{options:?}").contains("\"p\""));
    }

    #[test]
    fn reports_everything_that_is_wrong_at_once() {
        let error = read(&[("hostnme", "h"), ("port", "many"), ("pasword", "secret-text")]).unwrap_err().to_string();
        assert!(error.contains("needs option 'hostname'"), "{error}");
        assert!(error.contains("needs option 'password'"), "{error}");
        assert!(error.contains("invalid value 'many' for option 'port'"), "{error}");
        assert!(error.contains("line 1, column 3"), "{error}");
        assert!(error.contains("did you mean 'hostname'?"), "{error}");
        assert!(!error.contains("secret-text"), "{error}");
    }

    #[test]
    fn documents_itself() {
        let docs = TestOptions::docs();
        assert_eq!(docs.len(), 4);
        assert!(docs[0].required && !docs[1].required && !docs[3].required);
        assert_eq!(docs[1].default, Some("3306u16"));
        assert_eq!(docs[3].type_name, "Duration");
        assert_eq!(docs[0].doc.trim(), "Host.");
    }
}
