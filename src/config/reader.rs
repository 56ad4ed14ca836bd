//! Reading: bounded, strict, and never blocked by what the file turns out to be.
//!
//! One rule: only "there is no such file" means [`ConfigState::Missing`]; every other trouble is
//! [`ConfigState::Unusable`], because an opt-out may be in what could not be read.

use super::{ConfigError, ConfigState, Stamp, TelemetryConfig, Which, products, trust};
use crate::json::{self, Value};
use crate::paths::DataDir;
use mcpproxy_platform::files::FileIdentity;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The largest config that is read.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The byte order mark that some editors put in front of UTF-8; it is allowed and kept.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads the config.
pub fn read(dir: &DataDir) -> ConfigState {
    match load_trusted(dir) {
        Ok(None) => ConfigState::Missing,
        Ok(Some(bytes)) => match parse_section(&bytes) {
            Ok(telemetry) => ConfigState::Loaded(telemetry),
            Err(why) => ConfigState::Unusable(why),
        },
        Err(why) => ConfigState::Unusable(why),
    }
}

/// Reads the config of [`DataDir::users`]. Unlike the given one, no host makes it or keeps anything beside it, so
/// a missing one is no doubt, even in a home directory that belongs to another user.
pub fn read_users(users: &DataDir) -> ConfigState {
    match load(&users.config()) {
        Ok(None) => ConfigState::Missing,
        _ => match trust::check(users) {
            Ok(()) => read(users),
            Err(why) => ConfigState::Unusable(ConfigError::Untrusted(why, Which::Users)),
        },
    }
}

/// The stamp of the config file as it is now; two `stat`s, and one for each name on the way to it.
pub fn stamp(dir: &DataDir) -> Stamp {
    (file_stamp(&dir.config()), trust::check(dir).err())
}

/// The stamp of one file.
pub(crate) fn file_stamp(path: &Path) -> Option<(i128, u64, u64)> {
    match fs::metadata(path) {
        Ok(meta) => {
            let mtime = meta.modified().map_or(0, nanoseconds);
            let inode = FileIdentity::at(path).map_or(0, |identity| identity.inode);
            Some((mtime, meta.len(), inode))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        // Differs from the stamp of every file, so that a config that becomes unreadable is read again.
        Err(_) => Some((i128::MIN, 0, 0)),
    }
}

fn nanoseconds(time: std::time::SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// As [`load`], of a config that is in the hands of this user alone.
pub(super) fn load_trusted(dir: &DataDir) -> Result<Option<Vec<u8>>, ConfigError> {
    trust::check(dir).map_err(|why| ConfigError::Untrusted(why, Which::Given))?;
    load(&dir.config())
}

/// The bytes of the config; `None` when there is none; else what is wrong.
pub(super) fn load(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return if is_dangling(path) || path.parent().is_some_and(is_dangling) {
                Err(ConfigError::Dangling)
            } else {
                Ok(None)
            };
        }
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            return Err(ConfigError::Directory);
        }
        Err(e) => return Err(ConfigError::Io(e.kind())),
    };
    // Before opening: opening a FIFO would wait for a writer.
    if !meta.is_file() {
        return Err(ConfigError::NotAFile);
    }
    let unreadable = |e: io::Error| ConfigError::Io(e.kind());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge);
    }
    Ok(Some(bytes))
}

/// A link whose target is gone (an unmounted disk, say) is not the same as nothing.
fn is_dangling(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok() && fs::metadata(path).is_err()
}

/// The text without its byte order mark, and how many bytes that was.
pub(super) fn without_bom(bytes: &[u8]) -> (&[u8], usize) {
    match bytes.strip_prefix(BOM) {
        Some(rest) => (rest, BOM.len()),
        None => (bytes, 0),
    }
}

/// The text at the root of the config under `key`: ours, but outside our section. `None` when there is no
/// config or no such member; else what is wrong, without values.
pub fn member(dir: &DataDir, key: &str) -> Result<Option<String>, ConfigError> {
    match load_trusted(dir)? {
        Some(bytes) => text_member(&bytes, key),
        None => Ok(None),
    }
}

/// As [`member`], of a config text.
pub fn text_member(bytes: &[u8], key: &str) -> Result<Option<String>, ConfigError> {
    match root(bytes)?.get(key) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(ConfigError::Wrong(key.to_owned(), A_STRING)),
        },
    }
}

/// The root object of a config text; else what is wrong with it, without values.
pub(super) fn root(bytes: &[u8]) -> Result<Value<'_>, ConfigError> {
    let (text, _) = without_bom(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ConfigError::Empty);
    }
    let root = json::parse(text).map_err(ConfigError::Json)?;
    match root.members() {
        Some(_) => Ok(root),
        None => Err(ConfigError::NotAnObject),
    }
}

const A_STRING: &str = "a string";
pub(super) const AN_OBJECT: &str = "an object";

/// A member of our section that must be `what`.
fn wrong(place: &str, key: &str, what: &'static str) -> ConfigError {
    ConfigError::Wrong([place, key].join("."), what)
}

/// The names in our section.
const OWN: [&str; 8] = [
    "enabled",
    "disabled",
    "anonymous_id",
    "anonymous_id_created_at",
    "rotated_from",
    "endpoint",
    "client_names",
    "products",
];

/// Whether `key` is `own` with one slip: a byte that is wrong, missing or too many, two in the wrong order, or
/// letters of the other case.
fn is_near(key: &[u8], own: &[u8]) -> bool {
    if key == own {
        return false;
    }
    let same = key.iter().zip(own).take_while(|(one, two)| one == two).count();
    let (key_left, own_left) = (&key[same..], &own[same..]);
    let ends = key_left.iter().rev().zip(own_left.iter().rev());
    let same = ends.take_while(|(one, two)| one == two).count();
    let (key_left, own_left) =
        (&key_left[..key_left.len() - same], &own_left[..own_left.len() - same]);
    match (key_left, own_left) {
        ([one, two], [first, second]) if one == second && two == first => true,
        _ => key_left.len().max(own_left.len()) == 1 || key.eq_ignore_ascii_case(own),
    }
}

/// A name of ours with one slip is damage or a mistake: an objection may stand under it, and taking it for a
/// foreign key would turn telemetry on.
pub(super) fn refuse_near_misses(
    text: &[u8],
    object: &Value<'_>,
    own: &[&'static str],
) -> Result<(), ConfigError> {
    let members = object.members().unwrap_or_default();
    let is_near_member = |own: &str| {
        members.iter().any(|member| {
            // As it is meant and, because damage may begin an escape, as it is written.
            let written = text.get(member.key_span.start + 1..member.key_span.end - 1);
            let meant = member.key.as_bytes();
            let own = own.as_bytes();
            is_near(meant, own) || meant != own && written.is_some_and(|key| is_near(key, own))
        })
    };
    match own.iter().find(|own| is_near_member(own)) {
        Some(own) => Err(ConfigError::NearMiss(own)),
        None => Ok(()),
    }
}

/// Our section of a config text; else what is wrong with it, without values.
pub(super) fn parse_section(bytes: &[u8]) -> Result<TelemetryConfig, ConfigError> {
    let root = root(bytes)?;
    let (text, _) = without_bom(bytes);
    refuse_near_misses(text, &root, &["telemetry"])?;
    let Some(section) = root.get("telemetry") else { return Ok(TelemetryConfig::default()) };
    if section.members().is_none() {
        return Err(ConfigError::Wrong("telemetry".to_owned(), AN_OBJECT));
    }
    refuse_near_misses(text, section, &OWN)?;
    let place = "telemetry";
    Ok(TelemetryConfig {
        enabled: boolean(section, place, "enabled")?,
        disabled: boolean(section, place, "disabled")?,
        anonymous_id: string(section, place, "anonymous_id")?,
        anonymous_id_created_at: string(section, place, "anonymous_id_created_at")?,
        rotated_from: string(section, place, "rotated_from")?,
        endpoint: string(section, place, "endpoint")?,
        known_client_names_only: client_names(section, place)?,
        products: products::parse(text, section)?,
    })
}

pub(super) fn boolean(
    section: &Value<'_>,
    place: &str,
    key: &str,
) -> Result<Option<bool>, ConfigError> {
    let Some(value) = section.get(key) else { return Ok(None) };
    value.as_bool().ok_or_else(|| wrong(place, key, "true or false")).map(Some)
}

pub(super) fn string(
    section: &Value<'_>,
    place: &str,
    key: &str,
) -> Result<Option<String>, ConfigError> {
    let Some(value) = section.get(key) else { return Ok(None) };
    match value.as_str() {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(wrong(place, key, A_STRING)),
    }
}

/// Whether only known names of clients are wanted.
pub(super) fn client_names(section: &Value<'_>, place: &str) -> Result<bool, ConfigError> {
    match string(section, place, "client_names")?.as_deref() {
        None | Some("all") => Ok(false),
        Some("known") => Ok(true),
        // A misspelled wish for less must not send more.
        Some(_) => Err(wrong(place, "client_names", "\"known\" or \"all\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<TelemetryConfig, ConfigError> {
        parse_section(text.as_bytes())
    }

    #[test]
    fn our_keys_are_read_and_foreign_ones_ignored() {
        let text = r#"{"mcpServers":{"a":{"command":"x"}},"telemetry":{"enabled":false,"anonymous_id":"ID",
            "anonymous_id_created_at":"then","endpoint":"https://t.example","client_names":"known","x":[1]}}"#;
        let expected = TelemetryConfig {
            enabled: Some(false),
            disabled: None,
            anonymous_id: Some("ID".into()),
            anonymous_id_created_at: Some("then".into()),
            rotated_from: None,
            endpoint: Some("https://t.example".into()),
            known_client_names_only: true,
            products: Vec::new(),
        };
        assert_eq!(section(text), Ok(expected.clone()));
        assert_eq!(section(&format!("\u{feff}{text}\r\n")), Ok(expected));
        for nothing in ["{}", r#"{"telemetry":{}}"#, r#"{"telemetry":{"client_names":"all"}}"#] {
            assert_eq!(section(nothing), Ok(TelemetryConfig::default()), "{nothing}");
        }
    }

    #[test]
    fn escaped_spellings_of_our_keys_are_our_keys() {
        let text = r#"{"\u0074elemetry":{"en\u0061bled":false}}"#;
        assert_eq!(section(text).map(|t| t.enabled), Ok(Some(false)));
    }

    #[test]
    fn wrong_types_of_our_keys_are_named_without_their_values() {
        for (key, value) in [
            ("enabled", "\"no\""),
            ("enabled", "0"),
            ("enabled", "null"),
            ("disabled", "\"yes\""),
            ("products", "[]"),
            ("anonymous_id", "7"),
            ("anonymous_id", "null"),
            ("anonymous_id_created_at", "[]"),
            ("endpoint", "{}"),
            ("client_names", "true"),
            ("client_names", "\"Known\""),
        ] {
            let why = section(&format!(r#"{{"telemetry":{{"{key}":{value}}}}}"#))
                .unwrap_err()
                .to_string();
            assert!(why.contains(&format!("telemetry.{key}")), "{key}={value}: {why}");
            assert!(!why.contains("Known"), "{why}");
        }
    }

    #[test]
    fn products_are_read_under_the_name_of_the_contract() {
        let text = r#"{"telemetry":{"products":{"notes-mcp":{"enabled":false,"x":1},
            "@Acme/Files":{"endpoint":"https://t.example","client_names":"known"},
            "acme.files":{"disabled":true},"mcpproxy":{"endpoint":""}}}}"#;
        let found = section(text).expect("it is read");
        let notes: Vec<_> = found.product("notes-mcp").map(|product| product.enabled).collect();
        assert_eq!(notes, [Some(false)]);
        let files: Vec<_> = found.product("acme.files").cloned().collect();
        assert_eq!(files[0].endpoint.as_deref(), Some("https://t.example"));
        assert_eq!((files[0].known_client_names_only, files[1].disabled), (true, Some(true)));
        assert_eq!(found.product("mcpproxy").next().map(|own| own.endpoint.clone()), Some(None));
        assert_eq!(found.product("other").count(), 0);
    }

    #[test]
    fn what_is_wrong_about_a_product_is_named_without_its_value() {
        for (products, part) in [
            (r#"{"notes-mcp":false}"#, "`telemetry.products.notes-mcp` must be an object"),
            (r#"{"notes-mcp":{"enabled":"no"}}"#, "`telemetry.products.notes-mcp.enabled`"),
            (r#"{"notes-mcp":{"Enabled":false}}"#, "almost `enabled`"),
            (r#"{"notes-mcp":{"client_names":"some"}}"#, "products.notes-mcp.client_names`"),
            (r#"{"notes-mcp":{"endpoint":7}}"#, "`telemetry.products.notes-mcp.endpoint`"),
            (r#"{"secret notes":{}}"#, "`telemetry.products` is no product's"),
        ] {
            let why = section(&format!(r#"{{"telemetry":{{"products":{products}}}}}"#));
            let why = why.expect_err(products).to_string();
            assert!(why.contains(part) && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_name_that_is_almost_ours_is_no_foreign_key() {
        for text in [
            r#"{"telemetrx":{"enabled":false}}"#,
            r#"{"Telemetry":{"enabled":false}}"#,
            r#"{"telemetry":{"enablee":false}}"#,
            r#"{"telemetry":{"enable":false}}"#,
            r#"{"telemetry":{"disable":true}}"#,
            r#"{"telemetry":{"enabledd":false}}"#,
            r#"{"telemetry":{"enalbed":false}}"#,
            r#"{"telemetr":{"enabled":false}}"#,
            r#"{"telemetry":{"ENABLED":false}}"#,
            r#"{"telemetry":{"Disabled":true}}"#,
            r#"{"telemetry":{"productz":{"notes-mcp":{"enabled":false}}}}"#,
            r#"{"telemetry":{"enabled":true,"client_namez":"known"}}"#,
        ] {
            let why = section(text).unwrap_err().to_string();
            assert!(why.contains("almost `"), "{text}: {why}");
        }
        let others =
            r#"{"telemetries":1,"tele":2,"telemetry":{"en":1,"enabling":1,"notice_shown":false}}"#;
        assert_eq!(section(others), Ok(TelemetryConfig::default()));
    }

    /// What one damaged bit makes of an opt-out is an opt-out.
    #[test]
    fn no_single_bit_turns_telemetry_back_on() {
        for text in [
            &br#"{"telemetry":{"enabled":false}}"#[..],
            b"{\n  \"mcpServers\": {},\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}\n",
        ] {
            for bit in 0..text.len() * 8 {
                let mut damaged = text.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let read = parse_section(&damaged).map(|telemetry| telemetry.enabled);
                let shown = String::from_utf8_lossy(&damaged);
                assert!(!matches!(read, Ok(None | Some(true))), "{bit}: {shown}");
            }
            for length in 0..text.trim_ascii_end().len() {
                assert!(parse_section(&text[..length]).is_err(), "{length}");
            }
        }
    }

    #[test]
    fn what_is_no_strict_json_object_is_unusable() {
        for text in [
            "",
            " \n",
            "\u{feff}",
            "null",
            "[]",
            "\"x\"",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{// no\n}",
            "{\"a\":1,\"a\":2}",
            "{\"x\":{\"b\":1,\"b\":1}}",
            "{'a':1}",
            "{\"telemetry\":null}",
            "{\"telemetry\":true}",
            "{\"telemetry\":[]}",
        ] {
            assert!(section(text).is_err(), "{text}");
        }
        assert!(parse_section(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse_section(b"\0\0\0\0").is_err());
    }
}
