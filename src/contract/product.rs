//! The names and versions of products.
//!
//! One rule: pure, and the only place that says how a product is spelled. [`is_name`] and [`is_version`]
//! are the contract's own forms; [`name_from`] and [`version_from`] are what a person, a launcher or a
//! package said, brought into them. A name is refused when it does not fit, because two products must
//! never become one by accident; a version is never refused, because it only says what ran.

use std::fmt;

use super::compare::contains;
use super::table::{Member, Node, Text};
use super::tables::POINTERS;
use super::wire::{Omittable, Strings, Typed, Wire, strings_node, wire_object};
use miniserde::Deserialize;

/// The product of the gateway, and of every host that is told no other.
pub const OWN_PRODUCT: &str = "mcpproxy";

/// Bytes of the longest name.
pub const MAX_NAME_LENGTH: usize = 64;

/// Digits of the longest number of a version.
const MAX_DIGITS: usize = 5;

/// The version of a product that says none that can be sent.
pub const NO_VERSION: &str = "0.0.0-dev";

/// The tags that a version may carry: a closed list, because a free tag could be a name.
const TAGS: [&str; 7] = ["alpha", "beta", "rc", "dev", "next", "canary", "pre"];

wire_object! {
    at "/properties/product";
    /// Which product a heartbeat is about.
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
    pub struct Product {
        /// Its name.
        pub name: String as ProductName,
        /// Its version.
        pub version: String as ProductVersion,
    }
}

impl Product {
    /// What runs when no other product is named: [`OWN_PRODUCT`] at `version`, our own.
    pub fn own(version: &str) -> Self {
        Product { name: OWN_PRODUCT.to_owned(), version: version_from(version) }
    }
}

/// Why a text is no name of a product. Never holds the text: it may come from a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing but white space.
    Empty,
    /// More than [`MAX_NAME_LENGTH`] bytes.
    TooLong,
    /// [`OWN_PRODUCT`] or a name that begins with it and `-`.
    Ours,
    /// Windows has a device of this name, and no file may be called so.
    Device,
    /// It fits, but the gate takes it for a secret or an address, and would refuse every heartbeat.
    Secret,
    /// Anything else that the form does not allow.
    Form,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("the product name is empty"),
            NameError::TooLong => {
                write!(f, "the product name is longer than {MAX_NAME_LENGTH} characters")
            }
            NameError::Ours => write!(
                f,
                "the product name `{OWN_PRODUCT}`, alone or with `-` after it, is reserved: use the \
                 name of the package that is shipped"
            ),
            NameError::Device => f.write_str(
                "the product name is the name of a Windows device, such as `con` or `com1`: put \
                 something in front of it, such as `my-con`",
            ),
            NameError::Secret => f.write_str(
                "the product name looks like a key or an address, and no heartbeat may hold one: use \
                 the name of the package that is shipped",
            ),
            NameError::Form => f.write_str(
                "a product name begins with a letter a-z or a digit, has only those and `.`, `_`, \
                 `-`, no `..` and no `.` at its end, such as `notes-mcp` or `@scope/name`",
            ),
        }
    }
}

impl std::error::Error for NameError {}

/// Whether `text` is spelled as a name of the contract: `^[a-z0-9][a-z0-9._-]{0,63}$`, without `..`,
/// without a final dot, and no Windows device, with an extension or without: state lies in a directory
/// of this name.
pub fn is_name(text: &str) -> bool {
    form(text).is_ok()
}

fn form(text: &str) -> Result<(), NameError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if text.is_empty() {
        Err(NameError::Empty)
    } else if text.len() > MAX_NAME_LENGTH {
        Err(NameError::TooLong)
    } else if !text.bytes().next().is_some_and(plain)
        || !text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
        || text.contains("..")
        || text.ends_with('.')
    {
        Err(NameError::Form)
    } else if is_device(text) {
        Err(NameError::Device)
    } else {
        Ok(())
    }
}

/// Whether Windows would open a device for a file of this name: what stands before the first dot
/// decides.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    match stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")) {
        Some(number) => matches!(number.as_bytes(), [b'1'..=b'9']),
        None => matches!(stem, "con" | "prn" | "aux" | "nul"),
    }
}

/// The name that `text` stands for: white space around it is dropped, `A`-`Z` become small letters (as
/// npm and PyPI compare names), and the npm form `@scope/name` becomes `scope.name`. The names that are
/// ours are refused.
pub fn name_from(text: &str) -> Result<String, NameError> {
    let mut name = text.trim().to_ascii_lowercase();
    if let Some(scoped) = name.strip_prefix('@') {
        let (scope, bare) = scoped.split_once('/').ok_or(NameError::Form)?;
        if scope.is_empty() || bare.is_empty() {
            return Err(NameError::Form);
        }
        name = format!("{scope}.{bare}");
    }
    form(&name)?;
    match name.strip_prefix(OWN_PRODUCT) {
        Some(rest) if rest.is_empty() || rest.starts_with('-') => Err(NameError::Ours),
        _ => Ok(name),
    }
}

/// Whether `text` is spelled as a version of the contract:
/// `^v?N\.N\.N(-(alpha|beta|rc|dev|next|canary|pre)(\.?N)?)?$` with N = `(0|[1-9][0-9]{0,4})`.
pub fn is_version(text: &str) -> bool {
    let Some((_, rest)) = release(text) else { return false };
    let Some(tagged) = rest.strip_prefix('-') else { return rest.is_empty() };
    TAGS.iter().filter_map(|tag| tagged.strip_prefix(tag)).any(|rest| {
        rest.is_empty() || after_number(rest.strip_prefix('.').unwrap_or(rest)) == Some("")
    })
}

/// The version that `text` stands for: without white space around it and without build metadata; when
/// that does not fit, its `N.N.N-dev`, and when it has none, `0.0.0-dev`.
pub fn version_from(text: &str) -> String {
    let text = text.trim();
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    match release(text) {
        Some(_) if is_version(text) => text.to_owned(),
        Some((release, _)) => format!("{release}-dev"),
        None => NO_VERSION.to_owned(),
    }
}

/// Whether two versions are the same: a leading `v` says nothing.
pub fn same_version(a: &str, b: &str) -> bool {
    bare(a) == bare(b)
}

fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// The `N.N.N` at the start of `text`, without the leading `v`, and what follows it.
fn release(text: &str) -> Option<(&str, &str)> {
    let text = bare(text);
    let rest = after_number(text)?.strip_prefix('.')?;
    let rest = after_number(rest)?.strip_prefix('.')?;
    let rest = after_number(rest)?;
    Some((text.strip_suffix(rest)?, rest))
}

/// What follows the number at the start of `text`; `None` when there is none, or one that is too long
/// or begins with a zero.
fn after_number(text: &str) -> Option<&str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let zero_first = digits > 1 && text.starts_with('0');
    if digits == 0 || digits > MAX_DIGITS || zero_first { None } else { text.get(digits..) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_packages_are_taken_as_they_are_spelled() {
        let long = "a".repeat(MAX_NAME_LENGTH);
        for name in
            ["notes-mcp", "7zip", "a", "a_b.c-d", "console", "com10", "com0", "nul-mcp", &long]
        {
            assert_eq!(name_from(name).as_deref(), Ok(name));
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn scopes_capitals_and_white_space_have_one_spelling() {
        for (text, name) in [
            ("@modelcontextprotocol/server-git", "modelcontextprotocol.server-git"),
            ("  @Acme/Notes\n", "acme.notes"),
            ("Notes-MCP", "notes-mcp"),
            ("mcpproxyx", "mcpproxyx"),
            ("@mcpproxy/x", "mcpproxy.x"),
        ] {
            assert_eq!(name_from(text).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_do_not_fit_are_refused_and_say_why() {
        let long = "a".repeat(MAX_NAME_LENGTH + 1);
        for (text, error) in [
            ("", NameError::Empty),
            (" \t", NameError::Empty),
            (long.as_str(), NameError::TooLong),
            ("a..b", NameError::Form),
            ("notes.", NameError::Form),
            (".notes", NameError::Form),
            ("-notes", NameError::Form),
            ("../notes", NameError::Form),
            ("notes mcp", NameError::Form),
            ("notizb\u{fc}cher", NameError::Form),
            ("@scope", NameError::Form),
            ("@/name", NameError::Form),
            ("@scope/", NameError::Form),
            ("@scope/a/b", NameError::Form),
            ("scope/name", NameError::Form),
            ("con", NameError::Device),
            ("NUL", NameError::Device),
            ("aux.tar.gz", NameError::Device),
            ("@prn/notes", NameError::Device),
            ("com1", NameError::Device),
            ("lpt9.x", NameError::Device),
            ("mcpproxy", NameError::Ours),
            ("MCPProxy", NameError::Ours),
            ("mcpproxy-tap", NameError::Ours),
        ] {
            assert_eq!(name_from(text), Err(error), "{text}");
            assert!(!error.to_string().contains('\n'));
        }
        assert!(is_name(OWN_PRODUCT), "ours is refused from outside only");
    }

    #[test]
    fn versions_that_fit_are_kept_without_build_metadata() {
        for (text, version) in [
            ("1.4.0", "1.4.0"),
            ("v1.4.0", "v1.4.0"),
            (" 0.0.99999\n", "0.0.99999"),
            ("1.4.0-rc.1", "1.4.0-rc.1"),
            ("1.4.0-rc1+build.5", "1.4.0-rc1"),
            ("1.4.0-pre", "1.4.0-pre"),
            ("1.4.0+20261128", "1.4.0"),
        ] {
            assert_eq!(version_from(text), version);
            assert!(is_version(version), "{version}");
        }
    }

    #[test]
    fn versions_that_do_not_fit_keep_their_numbers_only() {
        for (text, version) in [
            ("1.4.0-tims-laptop", "1.4.0-dev"),
            ("v1.4.0-rc.1.2", "1.4.0-dev"),
            ("1.4.0rc1", "1.4.0-dev"),
            ("1.4.0.2", "1.4.0-dev"),
            ("1.4.0-rc.01", "1.4.0-dev"),
            ("1.4.0-rc.", "1.4.0-dev"),
            ("1.4.0-", "1.4.0-dev"),
            ("1.4.0-RC1", "1.4.0-dev"),
            ("1.4", "0.0.0-dev"),
            ("1.4.x", "0.0.0-dev"),
            ("2026.01.05", "0.0.0-dev"),
            ("1.4.100000", "0.0.0-dev"),
            ("vv1.4.0", "0.0.0-dev"),
            ("V1.4.0", "0.0.0-dev"),
            ("latest", "0.0.0-dev"),
            ("", "0.0.0-dev"),
            ("+1.4.0", "0.0.0-dev"),
        ] {
            assert_eq!(version_from(text), version, "{text}");
            assert!(is_version(version) && (text == version || !is_version(text)), "{text}");
        }
    }

    #[test]
    fn a_leading_v_makes_no_other_version() {
        assert!(same_version("v1.4.0", "1.4.0") && same_version("1.4.0", "1.4.0"));
        assert!(!same_version("1.4.0", "1.4.0-dev") && !same_version("vv1.4.0", "1.4.0"));
        let own = Product::own("v0.1.0-nightly");
        assert_eq!((own.name.as_str(), own.version.as_str()), (OWN_PRODUCT, "0.1.0-dev"));
    }

    proptest! {
        #[test]
        fn what_comes_out_fits_and_stays(text in "\\PC*|[@a-zA-Z0-9._/ -]{0,70}|v?[0-9.]{5,14}[-+a-z.0-9]{0,9}") {
            let version = version_from(&text);
            prop_assert!(is_version(&version));
            prop_assert_eq!(version_from(&version), version.clone());
            if let Ok(name) = name_from(&text) {
                prop_assert!(is_name(&name) && name.len() <= MAX_NAME_LENGTH);
                prop_assert_eq!(name_from(&name), Ok(name.clone()));
            }
        }
    }
}
