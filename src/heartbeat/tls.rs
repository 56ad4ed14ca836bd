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
    let provider = CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() };
    TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(provider)).build()
}
