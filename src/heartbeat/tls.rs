//! What the sender's HTTPS is made of: the cryptography of `ring`, and the bundled web roots.
//!
//! One rule: the sender never says who it is, so it has no key of its own.

use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use std::sync::Arc;
use ureq::tls::TlsConfig;

/// Loads no private key. With a provider that does, all that signs with one is in the program: 40 KB.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this program has no key of its own".to_owned()))
    }
}

/// How a connection is secured.
pub fn config() -> TlsConfig {
    TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(provider())).build()
}

/// What is wrong with the other side's TLS, without a name or an address.
pub fn kind_of(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "the endpoint's certificate has expired, or the clock here is wrong"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the endpoint's certificate is not valid yet, or the clock here is wrong"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "the endpoint's certificate is for another host"
            }
            Certificate::UnknownIssuer => {
                "the endpoint's certificate is of an authority that this program does not know"
            }
            _ => "the endpoint's certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "the endpoint does not speak TLS",
        rustls::Error::PeerIncompatible(_) => "the endpoint and this program find no common TLS",
        _ => "TLS error",
    }
}

fn provider() -> CryptoProvider {
    CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::version::{TLS12, TLS13};
    use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;
    use ureq::tls::{Certificate, RootCerts};

    const AUTHORITY: &[u8] = include_bytes!("../../tests/data/tls/ca.pem");
    const KEYS: [(&[u8], &[u8]); 2] = [
        (
            include_bytes!("../../tests/data/tls/ec.pem"),
            include_bytes!("../../tests/data/tls/ec.key"),
        ),
        (
            include_bytes!("../../tests/data/tls/rsa.pem"),
            include_bytes!("../../tests/data/tls/rsa.key"),
        ),
    ];

    /// A server that answers one request, if the handshake succeeds.
    fn server(
        (certificate, key): (&[u8], &[u8]),
        version: &'static SupportedProtocolVersion,
    ) -> (SocketAddr, JoinHandle<bool>) {
        let chain = vec![CertificateDer::from_pem_slice(certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a key that fits");
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("its address");
        let served = std::thread::spawn(move || {
            let (socket, _) = listener.accept().expect("a client");
            let session = ServerConnection::new(Arc::new(config)).expect("a session");
            let mut stream = BufReader::new(StreamOwned::new(session, socket));
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                match stream.read_line(&mut line) {
                    Ok(read) if read > 0 => {}
                    _ => return false,
                }
            }
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok()
        });
        (address, served)
    }

    fn get(address: SocketAddr, tls: TlsConfig) -> Result<u16, ureq::Error> {
        let agent = ureq::Agent::config_builder().tls_config(tls).proxy(None).build().new_agent();
        agent.get(format!("https://{address}/")).call().map(|answer| answer.status().as_u16())
    }

    #[test]
    fn certificates_of_both_kinds_are_verified_in_both_versions_of_tls() {
        for keys in KEYS {
            for version in [&TLS12, &TLS13] {
                let (address, served) = server(keys, version);
                let authority = Certificate::from_pem(AUTHORITY).expect("an authority");
                let tls = TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(Arc::new(provider()))
                    .root_certs(RootCerts::new_with_certs(&[authority]))
                    .build();
                assert_eq!(get(address, tls).expect("an answer"), 204, "{version:?}");
                assert!(served.join().expect("the server"));
            }
        }
    }

    #[test]
    fn a_server_that_no_web_root_knows_gets_no_request() {
        let (address, served) = server(KEYS[0], &TLS13);
        let error = get(address, config()).expect_err("an unknown authority");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let said = super::super::post::kind_of(&error);
        assert_eq!(
            said,
            "the endpoint's certificate is of an authority that this program does not know"
        );
        assert!(!served.join().expect("the server"), "a request arrived");
    }
}
