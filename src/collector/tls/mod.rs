//! TLS of the collector's own: the certificate, and how a new one takes the place of the old.
//!
//! One rule: a start with files that do not work is refused; later, files that do not work change nothing.

mod greeting;
mod renewal;
mod validity;

pub use greeting::Greeter;
pub use renewal::{Renewing, Tls};
pub use validity::ends_at;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A chain of certificates is some kilobytes; anything longer is another file.
const MOST_BYTES: u64 = 1 << 20;
/// A certificate that ends within so many days should have been renewed.
pub const SOON: u64 = 14;

/// `--tls-cert` and `--tls-key`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why the files do not work.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsError {
    /// One of them cannot be read.
    File(PathBuf, io::ErrorKind),
    /// The first holds no certificate in PEM.
    NoCertificate(PathBuf),
    /// The second holds no private key in PEM.
    NoKey(PathBuf),
    /// The key is another certificate's.
    DoesNotFit(TlsFiles),
    /// rustls does not take them.
    Unusable(PathBuf, rustls::Error),
    /// There is no thread to read them again.
    Thread(io::ErrorKind),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, kind) => write!(
                f,
                "{}: {kind}; name files that the collector may read with --tls-cert FILE and --tls-key FILE",
                path.display()
            ),
            Self::NoCertificate(path) => write!(
                f,
                "{}: it holds no certificate in PEM (-----BEGIN CERTIFICATE-----); name the full chain with \
                 --tls-cert FILE",
                path.display()
            ),
            Self::NoKey(path) => write!(
                f,
                "{}: it holds no private key in PEM (-----BEGIN PRIVATE KEY-----, without a password); name it with \
                 --tls-key FILE",
                path.display()
            ),
            Self::DoesNotFit(files) => write!(
                f,
                "{}: it is not the key of the first certificate in {}; name the two files of one certificate",
                files.key.display(),
                files.certificate.display()
            ),
            Self::Thread(kind) => write!(f, "no threads could be started: {kind}"),
            Self::Unusable(path, error) => write!(
                f,
                "{}: {error}; use a certificate for servers with an RSA, ECDSA or Ed25519 key",
                path.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {}

/// What the files held.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bytes {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Bytes {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let failed = |error: io::Error| TlsError::File(path.to_owned(), error.kind());
            let mut bytes = Vec::new();
            let file = fs::File::open(path).map_err(failed)?;
            file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
            Ok(bytes)
        };
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }
}

/// A certificate in use.
#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// Seconds since 1970.
    ends_at: Option<u64>,
}

impl Current {
    fn new(bytes: &Bytes, files: &TlsFiles) -> Result<Self, TlsError> {
        let none = || TlsError::NoCertificate(files.certificate.clone());
        let chain = CertificateDer::pem_slice_iter(&bytes.certificate);
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|_| none())?;
        let ends_at = validity::ends_at(chain.first().ok_or_else(none)?);
        let key = PrivateKeyDer::from_pem_slice(&bytes.key)
            .map_err(|_| TlsError::NoKey(files.key.clone()))?;
        let unusable = |error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::DoesNotFit(files.clone()),
            // rustls has only this for a key that its provider cannot read.
            rustls::Error::General(_) => TlsError::Unusable(files.key.clone(), error),
            _ => TlsError::Unusable(files.certificate.clone(), error),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), ends_at })
    }
}
