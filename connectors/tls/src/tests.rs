//! Handshakes in memory, with certificates made for the occasion.

use std::io::Write as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConnection, ServerConfig, ServerConnection};
use tempfile::NamedTempFile;

use super::*;

/// An authority, and a server named `db.example` that it vouches for.
struct Scene {
    authority: CertifiedIssuer<'static, KeyPair>,
    server: Arc<ServerConfig>,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Scene {
    fn new() -> Self {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self { authority, server: Arc::new(server) }
    }

    /// Whether a client that asks for `host` accepts the server.
    fn handshake(&self, check: Check, roots: Option<&NamedTempFile>, host: &'static str) -> Result<(), String> {
        let roots = roots.map(|file| file.path().to_str().unwrap());
        let config = client_config(check, roots, None).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from(host).unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().map_err(|error| error.to_string())?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn pem(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn each_check_asks_for_more_than_the_one_before() {
    let scene = Scene::new();
    let trusted = pem(&scene.authority.pem());
    let other = pem(&authority().pem());

    assert_eq!(scene.handshake(Check::Nothing, None, "elsewhere.example"), Ok(()));

    assert_eq!(scene.handshake(Check::Chain, Some(&trusted), "elsewhere.example"), Ok(()));
    let refused = scene.handshake(Check::Chain, Some(&other), "db.example").unwrap_err();
    assert!(refused.starts_with("invalid peer certificate"), "{refused}");
    let refused = scene.handshake(Check::Chain, None, "db.example").unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");

    assert_eq!(scene.handshake(Check::ChainAndName, Some(&trusted), "db.example"), Ok(()));
    let refused = scene.handshake(Check::ChainAndName, Some(&trusted), "elsewhere.example").unwrap_err();
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[test]
fn a_bad_file_is_told() {
    let why = |result: Result<_, TlsError>| match result {
        Err(TlsError::File { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(certificates(pem("nothing").path().to_str().unwrap())), "there is no BEGIN CERTIFICATE in it");
    let torn = pem("-----BEGIN CERTIFICATE-----\nAAAA\n");
    assert!(matches!(certificates(torn.path().to_str().unwrap()), Err(TlsError::File { .. })));
    assert!(matches!(private_key("/no/such/file"), Err(TlsError::File { path, .. }) if path == "/no/such/file"));
    let key = pem(&KeyPair::generate().unwrap().serialize_pem());
    assert!(private_key(key.path().to_str().unwrap()).is_ok());
}
