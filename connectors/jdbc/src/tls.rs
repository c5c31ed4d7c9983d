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

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sluice_model::{Error, Result, suggest};
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
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::bug(format!("no TLS version to speak: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(read_certificates("sslcert", certificate)?, read_key(key)?)
                .map_err(|error| Error::fix(format!("'sslcert' and 'sslkey' cannot be used: {error}")))?,
            (None, None) => builder.with_no_client_auth(),
            _ => {
                return Err(Error::fix("URL parameters 'sslcert' and 'sslkey' are of use only together")
                    .with_hint("give the PEM files of both"));
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let checks_chain = self.mode >= SslMode::VerifyCa || self.root_certificate.is_some();
        let chain = if checks_chain {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), Arc::clone(provider))
                .build()
                .map_err(|error| Error::fix(format!("the root certificates cannot be used: {error}")))?;
            Some(verifier)
        } else {
            None
        };
        let checks_name = self.mode == SslMode::VerifyFull;
        Ok(Arc::new(ModeVerifier { provider: Arc::clone(provider), chain, checks_name }))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let Some(path) = &self.root_certificate else {
            return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        };
        let mut roots = RootCertStore::empty();
        for certificate in read_certificates("sslrootcert", path)? {
            roots
                .add(certificate)
                .map_err(|error| Error::fix(format!("'sslrootcert' file '{path}' holds a bad certificate: {error}")))?;
        }
        Ok(roots)
    }
}

fn read_certificates(parameter: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        Error::fix(format!("'{parameter}' file '{path}' cannot be read"))
            .because(error.to_string())
            .with_hint("give a PEM file with BEGIN CERTIFICATE")
    };
    CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)
}

fn read_key(path: &str) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        Error::fix(format!("'sslkey' file '{path}' cannot be read"))
            .because(error.to_string())
            .with_hint("give a PEM file with BEGIN PRIVATE KEY; openssl pkcs8 converts the DER form of the Java driver")
    })
}

/// Checks as much of a certificate as the mode asks for. Signatures are checked always: the one
/// who presents a certificate must hold its key.
#[derive(Debug)]
struct ModeVerifier {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
    checks_name: bool,
}

impl ServerCertVerifier for ModeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
