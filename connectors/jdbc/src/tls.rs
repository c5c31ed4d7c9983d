//! `sslmode` and certificates.
//!
//! | sslmode | encrypted | certificate checked | host name checked |
//! |---|---|---|---|
//! | disable | no | | |
//! | allow | only if the server insists | no | no |
//! | prefer (default) | if the server can | no | no |
//! | require | yes | only with `sslrootcert` | no |
//! | verify-ca | yes | yes | no |
//! | verify-full | yes | yes | yes |
//!
//! Source: libpq's documentation, "SSL Support"; pgjdbc reads the same words.

use sluice_model::{Error, Result, suggest};
use sluice_tls::{Check, Identity, TlsError};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How much encryption is asked for. Ordered from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

impl SslMode {
    /// The mode of a word; the error lists the words.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        if let Some((_, mode)) = MODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            return Ok(*mode);
        }
        let words = MODES.map(|(name, _)| name);
        match suggest(word, words) {
            Some(like) => Err(format!("unknown sslmode '{word}', did you mean '{like}'?")),
            None => Err(format!("unknown sslmode '{word}': expected one of {}", words.join(", "))),
        }
    }

    /// What the connection tries, in order.
    pub(crate) fn attempts(self) -> &'static [tokio_postgres::config::SslMode] {
        use tokio_postgres::config::SslMode::{Disable, Prefer, Require};
        match self {
            Self::Disable => &[Disable],
            Self::Allow => &[Disable, Require],
            Self::Prefer => &[Prefer, Disable],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[Require],
        }
    }
}

/// What the URL says about encryption. Paths are of PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) mode: SslMode,
    pub(crate) root_certificate: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

impl TlsOptions {
    /// A connector for these options.
    ///
    /// # Errors
    /// A certificate or key file that cannot be read.
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect> {
        let check = match self.mode {
            SslMode::VerifyFull => Check::ChainAndName,
            SslMode::VerifyCa => Check::Chain,
            _ if self.root_certificate.is_some() => Check::Chain,
            _ => Check::Nothing,
        };
        let config = sluice_tls::client_config(check, self.root_certificate.as_deref(), self.identity()?);
        Ok(MakeRustlsConnect::new(config.map_err(|error| explain("sslrootcert", CERTIFICATE, error))?))
    }

    fn identity(&self) -> Result<Option<Identity>> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let certificates = sluice_tls::certificates(certificate);
                let certificates = certificates.map_err(|error| explain("sslcert", CERTIFICATE, error))?;
                let key = sluice_tls::private_key(key).map_err(|error| explain("sslkey", KEY, error))?;
                Ok(Some((certificates, key)))
            }
            (None, None) => Ok(None),
            _ => Err(Error::fix("URL parameters 'sslcert' and 'sslkey' are of use only together")
                .with_hint("give the PEM files of both")),
        }
    }
}

const CERTIFICATE: &str = "give a PEM file with BEGIN CERTIFICATE";
const KEY: &str = "give a PEM file with BEGIN PRIVATE KEY; openssl pkcs8 converts the DER form of the Java driver";

/// What is wrong with the file of a URL parameter, and how it should be.
fn explain(parameter: &str, hint: &str, error: TlsError) -> Error {
    match error {
        TlsError::File { path, why } => {
            Error::fix(format!("'{parameter}' file '{path}' cannot be read")).because(why).with_hint(hint.to_owned())
        }
        TlsError::Setup(why) => Error::fix("the certificates that 'url' names cannot be used").because(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_told_with_their_parameter() {
        let options = TlsOptions { root_certificate: Some("/no/such/file".into()), ..TlsOptions::default() };
        let Err(error) = options.connector() else { panic!("a file that is not there was read") };
        assert_eq!(error.what(), "'sslrootcert' file '/no/such/file' cannot be read");
        let options = TlsOptions { certificate: Some("/no/such/file".into()), ..TlsOptions::default() };
        let Err(error) = options.connector() else { panic!("a certificate without a key was taken") };
        assert_eq!(error.what(), "URL parameters 'sslcert' and 'sslkey' are of use only together");
    }
}
