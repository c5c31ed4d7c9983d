//! TLS as clients of databases mean it: how much of a server's certificate is checked is an option.
//!
//! | [`Check`] | PostgreSQL's `sslmode` | MySQL's `ssl-mode` |
//! |---|---|---|
//! | `Nothing` | `require` | `REQUIRED` |
//! | `Chain` | `verify-ca` | `VERIFY_CA` |
//! | `ChainAndName` | `verify-full` | `VERIFY_IDENTITY` |
//!
//! ```
//! use sluice_tls::{Check, client_config};
//!
//! let config = client_config(Check::ChainAndName, None, None)?;
//! assert!(client_config(Check::Chain, Some("/no/such/file.pem"), None).is_err());
//! # Ok::<(), sluice_tls::TlsError>(())
//! ```

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

mod verifier;

use verifier::CheckedVerifier;

/// How much of a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Encryption without authentication: the certificates that servers make for themselves prove nothing.
    Nothing,
    /// It comes from a trusted authority, whatever host it names.
    Chain,
    /// It comes from a trusted authority and names the host.
    ChainAndName,
}

/// A client's own certificates, its own first, and the key to them.
pub type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Why TLS cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("the file '{path}' cannot be read: {why}")]
    File {
        /// As the user gave it.
        path: String,
        /// In a few words.
        why: String,
    },
    /// Certificates and keys that do not fit.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsError {
    fn file(path: &str, why: impl ToString) -> Self {
        Self::File { path: path.to_owned(), why: why.to_string() }
    }

    fn setup(why: impl ToString) -> Self {
        Self::Setup(why.to_string())
    }
}

/// Settings of a client that trusts the authorities in the PEM file `roots`, or Mozilla's.
///
/// # Errors
/// A file that cannot be read; an identity whose key does not fit.
pub fn client_config(check: Check, roots: Option<&str>, identity: Option<Identity>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = match check {
        Check::Nothing => None,
        Check::Chain | Check::ChainAndName => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(trusted(roots)?), Arc::clone(&provider))
                .build()
                .map_err(TlsError::setup)?,
        ),
    };
    let verifier = CheckedVerifier::new(Arc::clone(&provider), chain, check == Check::ChainAndName);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match identity {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key).map_err(TlsError::setup),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn trusted(path: Option<&str>) -> Result<RootCertStore, TlsError> {
    let Some(path) = path else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::file(path, format!("a certificate in it is bad: {error}")))?;
    }
    Ok(roots)
}

/// The certificates in a PEM file, one at least.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error: pem::Error| TlsError::file(path, error);
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    match found.map_err(unreadable)? {
        none if none.is_empty() => Err(TlsError::file(path, "there is no BEGIN CERTIFICATE in it")),
        found => Ok(found),
    }
}

/// The private key in a PEM file.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::file(path, error))
}

#[cfg(test)]
mod tests;
