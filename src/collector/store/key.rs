//! The key that ids are hashed with.
//!
//! One rule: it is made once, by the collector that finds a database without a fingerprint; every other start
//! must bring the same one, because with another every install would be new.

use super::engine::Engine;
use super::error::StoreError;
use super::sql;
use mcpproxy_platform::files;
use rusqlite::params;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The file in the data directory that a made key is written to.
pub(super) const FILE: &str = "collector.key";
/// Bytes of its file that are read.
const MOST: u64 = 4_096;
/// The name of the fingerprint in the database.
const META: &str = "key";

/// Where a given key comes from.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum KeySource {
    /// `collector.key` of the data directory, made if the database has no fingerprint.
    #[default]
    Own,
    /// `--key-file`
    File(PathBuf),
    /// `MCPPROXY_COLLECTOR_KEY`
    Variable(String),
}

impl KeySource {
    /// The file of the key.
    pub fn path(&self, dir: &Path) -> Option<PathBuf> {
        match self {
            Self::Own => Some(dir.join(FILE)),
            Self::File(path) => Some(path.clone()),
            Self::Variable(_) => None,
        }
    }
}

/// Without the key.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "Own",
            Self::File(_) => "File",
            Self::Variable(_) => "Variable",
        })
    }
}

/// 256 secret bits.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Without the key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The name under which an install is kept: HMAC-SHA-256(key, product, 0, id). An id is a UUID, which is the same
    /// in capitals (RFC 9562, 4).
    pub fn install(&self, product: &str, id: &str) -> [u8; 32] {
        let id = id.to_ascii_lowercase();
        let message = [product.as_bytes(), &[0], id.as_bytes()].concat();
        hmac_sha256::HMAC::mac(message, self.0)
    }

    /// What tells two keys apart and says nothing about either. No product has such a name.
    fn fingerprint(&self) -> String {
        hex(&hmac_sha256::HMAC::mac("mcpproxy collector: fingerprint of the key", self.0)[..8])
    }

    fn read(text: &str, place: &'static str) -> Result<Self, StoreError> {
        let wrong = || StoreError::KeyForm(place);
        let text: &[u8; 64] = text.trim().as_bytes().try_into().map_err(|_| wrong())?;
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or_else(wrong);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Ok(Self(key))
    }

    fn make() -> Result<Self, StoreError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| StoreError::NoRandom)?;
        Ok(Self(key))
    }

    /// The key that was given; `None` when there is none yet. Nothing is changed.
    pub fn given(source: &KeySource, dir: &Path) -> Result<Option<Self>, StoreError> {
        match source {
            KeySource::Variable(text) => Self::read(text, "MCPPROXY_COLLECTOR_KEY").map(Some),
            KeySource::File(path) => Self::from_file(path, "the file of --key-file")?
                .ok_or(StoreError::KeyFile(io::ErrorKind::NotFound))
                .map(Some),
            KeySource::Own => match Self::from_file(&dir.join(FILE), "collector.key") {
                Err(StoreError::KeyFile(kind @ io::ErrorKind::NotADirectory)) => {
                    Err(StoreError::Directory(kind))
                }
                given => given,
            },
        }
    }

    /// The key of this database: the given one if it fits, or a new one if there is no fingerprint.
    pub fn settle(
        given: Option<Self>,
        dir: &Path,
        engine: &dyn Engine,
    ) -> Result<Self, StoreError> {
        let known = fingerprint(engine)?;
        let key = match given {
            Some(key) => key,
            None if known.is_some() => return Err(StoreError::KeyMissing),
            None => {
                let key = Self::make()?;
                // On disk before the fingerprint is: a database without its key is worth nothing.
                key.keep_in(dir)?;
                key
            }
        };
        match known {
            Some(known) if known == key.fingerprint() => Ok(key),
            Some(_) => Err(StoreError::KeyWrong),
            None => {
                engine.execute(sql::META_INSERT, params![META, key.fingerprint()])?;
                match fingerprint(engine)? == Some(key.fingerprint()) {
                    true => Ok(key),
                    false => Err(StoreError::KeyRace),
                }
            }
        }
    }

    /// The given key, if it is that of this database. None is made.
    pub fn known(given: Option<Self>, engine: &dyn Engine) -> Result<Self, StoreError> {
        let key = given.ok_or(StoreError::KeyMissing)?;
        match key.fits(engine)? {
            Some(true) => Ok(key),
            Some(false) => Err(StoreError::KeyWrong),
            // No heartbeat was ever stored.
            None => Err(StoreError::KeyMissing),
        }
    }

    /// Whether it is the key of this database; `None` if that has no fingerprint yet.
    pub fn fits(&self, engine: &dyn Engine) -> Result<Option<bool>, StoreError> {
        Ok(fingerprint(engine)?.map(|known| known == self.fingerprint()))
    }

    /// Whether this database was made with a key.
    pub fn is_known_to(engine: &dyn Engine) -> Result<bool, StoreError> {
        Ok(fingerprint(engine)?.is_some())
    }

    /// The line of a key file.
    pub fn text(&self) -> String {
        format!("{}\n", hex(&self.0))
    }

    /// Writes it to the key file of `dir`.
    pub fn keep_in(&self, dir: &Path) -> Result<(), StoreError> {
        files::write_atomically(&dir.join(FILE), self.text().as_bytes(), 0o600)
            .map_err(|error| StoreError::KeyFile(error.kind()))
    }

    fn from_file(path: &Path, place: &'static str) -> Result<Option<Self>, StoreError> {
        match read_start(path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| StoreError::KeyForm(place))?;
                Self::read(&text, place).map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::KeyFile(error.kind())),
        }
    }
}

/// What a file begins with: more than a key is none, and a device never ends.
fn read_start(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether others on this machine may read the key's file.
pub fn is_exposed(source: &KeySource, dir: &Path) -> bool {
    match source {
        KeySource::Own => files::is_readable_by_others(&dir.join(FILE)),
        KeySource::File(path) => files::is_readable_by_others(path),
        KeySource::Variable(_) => false,
    }
}

fn fingerprint(engine: &dyn Engine) -> Result<Option<String>, StoreError> {
    engine.one(sql::META, &[&META])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_is_another_install_under_another_product_or_key() {
        let one = Key([1; 32]);
        let install = one.install("notes-mcp", "id");
        assert_eq!(one.install("notes-mcp", "id"), install);
        assert_ne!(one.install("notes", "-mcpid"), install);
        assert_ne!(one.install("other", "id"), install);
        assert_ne!(Key([2; 32]).install("notes-mcp", "id"), install);
        // RFC 4231, test case 2, has a shorter key; the form of the message is ours to pin.
        let by_hand = hmac_sha256::HMAC::mac(b"notes-mcp\0id", [1; 32]);
        assert_eq!(install, by_hand);
        assert_eq!(one.install("notes-mcp", "ID"), install, "a UUID in capitals is the same");
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let good = "00ff".repeat(16);
        assert!(Key::read(&format!(" {good}\n"), "x").is_ok_and(|key| key.0[..2] == [0, 255]));
        for bad in ["", "00ff", &"0g".repeat(32), &"00".repeat(33), &"\u{e9}".repeat(32)] {
            assert_eq!(Key::read(bad, "x").map(drop), Err(StoreError::KeyForm("x")), "{bad}");
        }
        assert_eq!(format!("{:?}", Key([7; 32])), "Key");
    }
}
