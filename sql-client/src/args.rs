//! The options of `sql-client`: Flink's names, Flink's short forms.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, ValueEnum};
use sluice_model::{Error, Result, suggest};

/// Flink's long options with one dash, which clap would read as a bundle of short ones.
const SINGLE_DASH: [&str; 8] = ["hist", "pyarch", "pyexec", "pyclientexec", "pyfs", "pyreq", "pypath", "update"];

/// Where statements run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Mode {
    /// On a running server if there is one, else in this process.
    #[default]
    Embedded,
    /// On the server of --endpoint.
    Gateway,
}

/// How to find a server, and be let in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The server to use: host:port or a URL.
    #[arg(short, long, value_name = "ENDPOINT", global = true)]
    pub(crate) endpoint: Option<String>,
    /// File that holds the server's token (also: SLUICE_TOKEN holds the token itself).
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
}

/// Runs Flink SQL: a job file with -f, or a shell without it.
#[derive(Debug, Parser)]
#[command(name = "sql-client", version, disable_help_subcommand = true, arg_required_else_help = false)]
#[command(after_help = "Exit codes: 0 all went well, 1 a statement or a job failed, 2 wrong usage, \
                        7 the server cannot be reached, 130 interrupted twice.")]
pub(crate) struct SqlArgs {
    /// Where statements run.
    #[arg(value_enum, default_value = "embedded")]
    pub(crate) mode: Mode,
    /// Run this job file and stop at the first failure.
    #[arg(short, long, value_name = "FILE", conflicts_with = "update")]
    pub(crate) file: Option<PathBuf>,
    /// Run this file of declarations and settings first.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) init: Option<PathBuf>,
    /// A setting, as SET does; may be repeated.
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Name of the session, shown by the server.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub(crate) session: String,
    /// File of the shell's history (also: -hist).
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Accepted and without effect: connectors are part of this program.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) jar: Vec<PathBuf>,
    /// Accepted and without effect, as --jar.
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(crate) library: Vec<PathBuf>,
    /// A statement to run (Flink's deprecated -u).
    #[arg(short, long, value_name = "STATEMENT")]
    pub(crate) update: Option<String>,
    #[command(flatten)]
    pub(crate) python: PythonArgs,
}

/// Flink's options for Python functions, which Sluice does not have.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PythonArgs {
    #[arg(long, hide = true)]
    pyarch: Option<String>,
    #[arg(long, hide = true)]
    pyexec: Option<String>,
    #[arg(long, hide = true)]
    pyclientexec: Option<String>,
    #[arg(long, hide = true)]
    pyfs: Option<String>,
    #[arg(long, hide = true)]
    pyreq: Option<String>,
    #[arg(long, hide = true)]
    pypath: Option<String>,
}

impl PythonArgs {
    fn any(&self) -> bool {
        [&self.pyarch, &self.pyexec, &self.pyclientexec, &self.pyfs, &self.pyreq, &self.pypath]
            .iter()
            .any(|option| option.is_some())
    }
}

impl SqlArgs {
    /// What is accepted but has no effect, one sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.jar.is_empty() || !self.library.is_empty() {
            notes
                .push("--jar and --library have no effect: connectors and formats are part of this program".to_owned());
        }
        if self.python.any() {
            notes.push("the options for Python functions have no effect: Sluice has no Python functions".to_owned());
        }
        notes
    }
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Parsed<T> {
    Run(T),
    /// Text of `--help` or `--version`.
    Show(String),
}

/// Parses a command line (without the program's name).
///
/// # Errors
/// An unknown or incomplete option, with a suggestion.
pub(crate) fn parse<T: Parser>(program: &str, arguments: Vec<OsString>) -> Result<Parsed<T>> {
    let arguments = std::iter::once(OsString::from(program)).chain(arguments.into_iter().map(normalise));
    let matches = T::command().bin_name(program.to_owned()).try_get_matches_from(arguments);
    match matches.and_then(|matches| T::from_arg_matches(&matches)) {
        Ok(parsed) => Ok(Parsed::Run(parsed)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Show(error.render().to_string()))
        }
        Err(error) => Err(typed(&error, program)),
    }
}

/// `-hist` becomes `--history`, `-pyfs` becomes `--pyfs`.
fn normalise(argument: OsString) -> OsString {
    let Some(text) = argument.to_str() else {
        return argument;
    };
    let Some(name) = text.strip_prefix('-').filter(|name| !name.starts_with('-')) else {
        return argument;
    };
    let (option, value) = name.split_once('=').map_or((name, None), |(option, value)| (option, Some(value)));
    if !SINGLE_DASH.contains(&option) {
        return argument;
    }
    let long = if option == "hist" { "history" } else { option };
    match value {
        Some(value) => format!("--{long}={value}").into(),
        None => format!("--{long}").into(),
    }
}

fn key_value(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("a setting is written as -D key=value".to_owned()),
    }
}

/// clap's error as one of ours. Values are left out: one may be a password.
fn typed(error: &clap::Error, program: &str) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let hint = format!("{program} --help lists the options");
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let hint = context(ContextKind::SuggestedArg).map_or(hint, |like| format!("did you mean '{like}'?"));
            Error::fix(format!("unknown option '{argument}'")).with_hint(hint)
        }
        ErrorKind::UnknownArgument => Error::fix(format!("'{argument}' is one argument too many")).with_hint(hint),
        ErrorKind::InvalidSubcommand => {
            let given = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            let hint = context(ContextKind::SuggestedSubcommand).map_or(hint, |like| format!("did you mean '{like}'?"));
            Error::fix(format!("unknown command '{given}'")).with_hint(hint)
        }
        ErrorKind::InvalidValue => match context(ContextKind::InvalidValue) {
            Some(value) if argument.contains("MODE") => {
                let like = suggest(&value, ["embedded", "gateway"]);
                let hint = like.map_or_else(
                    || "the modes are embedded and gateway".to_owned(),
                    |like| format!("did you mean '{like}'?"),
                );
                Error::fix(format!("unknown mode '{value}'")).with_hint(hint)
            }
            _ => Error::fix(format!("'{argument}' needs a value")).with_hint(hint),
        },
        ErrorKind::ValueValidation => Error::fix(format!("the value of '{argument}' is wrong")).with_hint(hint),
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            Error::fix(format!("'{argument}' and '{other}' exclude each other")).with_hint(hint)
        }
        ErrorKind::MissingRequiredArgument => Error::fix(format!("'{argument}' is missing")).with_hint(hint),
        _ => Error::fix("the command line cannot be read").with_hint(hint),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse_sql(line: &str) -> Result<SqlArgs> {
        match parse("sql-client", line.split_whitespace().map(OsString::from).collect())? {
            Parsed::Run(args) => Ok(args),
            Parsed::Show(text) => Err(Error::fix(text)),
        }
    }

    #[test]
    fn flinks_command_lines() {
        let args = parse_sql("embedded -f job.sql -Dparallelism.default=2 -D a=b=c -j x.jar -hist /h -s mine").unwrap();
        assert_eq!(args.mode, Mode::Embedded);
        assert_eq!(args.file.as_deref(), Some(std::path::Path::new("job.sql")));
        assert_eq!(args.settings, [("parallelism.default".into(), "2".into()), ("a".into(), "b=c".into())]);
        assert_eq!(args.history.as_deref(), Some(std::path::Path::new("/h")));
        assert_eq!(args.session, "mine");
        assert_eq!(args.notes().len(), 1);
        let args = parse_sql("gateway -e localhost:8083 --init i.sql -pyfs x").unwrap();
        assert_eq!(args.mode, Mode::Gateway);
        assert_eq!(args.server.endpoint.as_deref(), Some("localhost:8083"));
        assert!(args.notes()[0].contains("Python"));
        assert!(parse_sql("").unwrap().file.is_none());
    }

    #[test]
    fn wrong_command_lines_say_what_and_how() {
        let text = |line: &str| parse_sql(line).unwrap_err().to_string();
        assert_eq!(text("--fiel job.sql"), "unknown option '--fiel'\n  hint: did you mean '--file'?");
        assert_eq!(
            text("-D novalue"),
            "the value of '-D <KEY=VALUE>' is wrong\n  hint: sql-client --help lists the options"
        );
        assert_eq!(text("gatewya"), "unknown mode 'gatewya'\n  hint: did you mean 'gateway'?");
        assert_eq!(text("-f"), "'--file <FILE>' needs a value\n  hint: sql-client --help lists the options");
        assert!(text("embedded job.sql").contains("one argument too many"));
    }

    #[test]
    fn the_definition_is_consistent() {
        SqlArgs::command().debug_assert();
    }
}
