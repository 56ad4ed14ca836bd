//! The names of all variables that classification and consent may ask for.
//!
//! One rule: an environment is read for the names of the marks, those listed here and the few of
//! [`crate::machine`]; all others are dropped while it is read.

use super::marks;

/// The variables that can object to telemetry, of this process and of every ancestor. What a value of each
/// says is in `consent`, which does not build without a rule for every name.
///
/// The last two are near names: a user who sets one of them has objected.
pub const OBJECTIONS: &[&str] =
    &["DO_NOT_TRACK", "MCPPROXY_TELEMETRY", "MCPPROXY_TELEMETRY_DISABLED", "MCPPROXY_DO_NOT_TRACK"];

/// The variables by which a product is named to a host, name and version. They are read of this process alone,
/// and are no business of the programs that it starts.
pub const OF_PRODUCTS: [&str; 2] = ["MCPPROXY_PRODUCT", "MCPPROXY_PRODUCT_VERSION"];
/// How these begin, and whatever is said about a product in a variable.
pub const PREFIX_OF_PRODUCTS: &str = OF_PRODUCTS[0];

/// Whether [`super::classify`] asks for the variable `name`.
pub fn is_asked_for(name: &[u8]) -> bool {
    marks::find(name).is_some()
}

/// What is kept of a value of `name`: a word that classification takes for the same. `None` where it does not ask for it.
pub fn reduced(name: &[u8], value: &str) -> Option<&'static str> {
    marks::find(name).map(|number| marks::judge(number, value).1)
}

/// Every name that classification asks for.
pub fn all() -> impl Iterator<Item = &'static str> {
    (0..marks::COUNT).map(marks::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_listed_names_are_asked_for() {
        for name in all() {
            assert!(is_asked_for(name.as_bytes()), "{name}");
            assert!(!is_asked_for(name.to_lowercase().as_bytes()) || name == "container", "{name}");
            assert!(!is_asked_for(format!("{name}_").as_bytes()), "{name}_");
        }
        for name in ["", "PATH", "BUILD_NUMBER", "x", "\u{e9}"] {
            assert!(!is_asked_for(name.as_bytes()), "{name}");
        }
        assert!(!is_asked_for(&[b'C'; 100]) && !is_asked_for(&[b'C'; 64]));
    }

    #[test]
    fn what_a_user_configures_is_not_read() {
        for name in "CODEX_HOME COPILOT_MODEL COPILOT_ALLOW_ALL COPILOT_GITHUB_TOKEN GOOSE_PROVIDER AMP_HOME \
             TERM_PROGRAM SSH_CONNECTION VSCODE_IPC_HOOK_CLI OPENCODE_TERMINAL"
            .split_whitespace()
        {
            assert!(!is_asked_for(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn no_name_is_listed_twice() {
        let mut names: Vec<_> = all().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
