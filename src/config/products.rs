//! `telemetry.products`: what the user said about one product.
//!
//! One rule: a name that is no product's makes the config unusable, because an objection may stand under it.

use super::reader::{self, AN_OBJECT, boolean, client_names, refuse_near_misses, string};
use super::{ConfigError, EditError, Editing, NewValue, Step};
use crate::contract::product::{self, NameError};
use crate::json::Value;

/// What the config says about one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductConfig {
    /// `telemetry.products.NAME.enabled`
    pub enabled: Option<bool>,
    /// `telemetry.products.NAME.disabled`, a near name.
    pub disabled: Option<bool>,
    /// `telemetry.products.NAME.endpoint`. An empty one counts as none.
    pub endpoint: Option<String>,
    /// `telemetry.products.NAME.client_names` is `"known"`.
    pub known_client_names_only: bool,
}

impl ProductConfig {
    /// Whether it switches the product off.
    pub fn objects(&self) -> bool {
        self.enabled == Some(false) || self.disabled == Some(true)
    }
}

/// The names in the section of one product.
const OWN: [&str; 4] = ["enabled", "disabled", "endpoint", "client_names"];

/// The name that a user's or a maintainer's text stands for; ours is one of them here.
pub fn product_name(text: &str) -> Result<String, NameError> {
    match product::name_from(text) {
        Err(NameError::Ours) => Ok(text.trim().to_ascii_lowercase()),
        other => other,
    }
}

/// The products of a section, each as often as it is named; else what is wrong, without values.
pub(super) fn parse(
    text: &[u8],
    section: &Value<'_>,
) -> Result<Vec<(String, ProductConfig)>, ConfigError> {
    let Some(products) = section.get("products") else { return Ok(Vec::new()) };
    let members = products
        .members()
        .ok_or_else(|| ConfigError::Wrong("telemetry.products".to_owned(), AN_OBJECT))?;
    members.iter().map(|member| product(text, &member.key, &member.value)).collect()
}

fn product(
    text: &[u8],
    key: &str,
    value: &Value<'_>,
) -> Result<(String, ProductConfig), ConfigError> {
    let name = product_name(key).map_err(ConfigError::Product)?;
    let place = format!("telemetry.products.{name}");
    if value.members().is_none() {
        return Err(ConfigError::Wrong(place, AN_OBJECT));
    }
    refuse_near_misses(text, value, &OWN)?;
    let config = ProductConfig {
        enabled: boolean(value, &place, "enabled")?,
        disabled: boolean(value, &place, "disabled")?,
        endpoint: string(value, &place, "endpoint")?,
        known_client_names_only: client_names(value, &place)?,
    };
    Ok((name, config))
}

impl Editing {
    /// Switches one product off; or takes only its own switch away, and what that leaves empty.
    pub fn switch_product(&mut self, name: &str, enabled: bool) -> Result<(), EditError> {
        let spelled = self.spellings(name)?;
        if !enabled {
            let key = spelled.first().map_or(name, String::as_str);
            let no = NewValue::Literal("false".to_owned());
            return self.set_at(&[TELEMETRY, PRODUCTS, Step::Key(key), Step::Key("enabled")], &no);
        }
        for key in &spelled {
            let product = [TELEMETRY, PRODUCTS, Step::Key(key)];
            for (switch, objecting) in [("enabled", false), ("disabled", true)] {
                let path = [TELEMETRY, PRODUCTS, Step::Key(key), Step::Key(switch)];
                if self.boolean_at(&path)? == Some(objecting) {
                    self.remove(&path)?;
                    self.remove_if_empty(&product)?;
                }
            }
        }
        match spelled.is_empty() {
            true => Ok(()),
            false => {
                self.remove_if_empty(&[TELEMETRY, PRODUCTS])?;
                self.remove_if_empty(&[TELEMETRY])
            }
        }
    }

    /// Takes out the id, its date and the one before it.
    pub fn forget_identity(&mut self) -> Result<(), EditError> {
        self.remove_members(&["anonymous_id", "anonymous_id_created_at", "rotated_from"])
    }

    /// Takes out the switch of all products, where it is off.
    pub fn forget_switch(&mut self) -> Result<(), EditError> {
        if self.telemetry().enabled == Some(false) {
            self.remove_members(&["enabled"])?;
        }
        if self.telemetry().disabled == Some(true) {
            self.remove_members(&["disabled"])?;
        }
        Ok(())
    }

    /// Removes members of our section, and the section when they were all of it.
    fn remove_members(&mut self, keys: &[&str]) -> Result<(), EditError> {
        let mut removed = false;
        for key in keys {
            let path = [TELEMETRY, Step::Key(key)];
            let root = reader::root(self.bytes()).map_err(EditError::Unusable)?;
            if at(&root, &path).is_some() {
                self.remove(&path)?;
                removed = true;
            }
        }
        if removed { self.remove_if_empty(&[TELEMETRY]) } else { Ok(()) }
    }

    /// Whether nothing stands in the whole text.
    pub fn is_empty(&self) -> bool {
        let root = reader::root(self.bytes());
        root.is_ok_and(|root| root.members().is_some_and(<[_]>::is_empty))
    }

    /// The keys under which this product stands, the contract's own spelling first.
    fn spellings(&self, name: &str) -> Result<Vec<String>, EditError> {
        let root = reader::root(self.bytes()).map_err(EditError::Unusable)?;
        let products = at(&root, &[TELEMETRY, PRODUCTS]).and_then(Value::members);
        let keys = products.unwrap_or_default().iter().map(|member| member.key.as_ref());
        let is_it = |key: &&str| product_name(key).is_ok_and(|known| known == name);
        let mut found: Vec<String> = keys.filter(is_it).map(str::to_owned).collect();
        found.sort_by_key(|key| key != name);
        Ok(found)
    }

    fn boolean_at(&self, path: &[Step<'_>]) -> Result<Option<bool>, EditError> {
        let root = reader::root(self.bytes()).map_err(EditError::Unusable)?;
        Ok(at(&root, path).and_then(Value::as_bool))
    }

    fn remove_if_empty(&mut self, path: &[Step<'_>]) -> Result<(), EditError> {
        let root = reader::root(self.bytes()).map_err(EditError::Unusable)?;
        match at(&root, path).and_then(Value::members) {
            Some([]) => self.remove(path),
            _ => Ok(()),
        }
    }
}

const TELEMETRY: Step<'static> = Step::Key("telemetry");
const PRODUCTS: Step<'static> = Step::Key("products");

/// The value that these keys lead to.
fn at<'v, 't>(root: &'v Value<'t>, path: &[Step<'_>]) -> Option<&'v Value<'t>> {
    path.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Item(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(text: &str, enabled: bool) -> String {
        let mut editing = Editing::of(text.into()).expect("a config");
        editing.switch_product("acme.notes", enabled).expect("an edit");
        String::from_utf8(editing.bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn one_product_is_switched_off_where_it_stands_and_nothing_else_moves() {
        for (before, after) in [
            ("{}", r#"{"telemetry":{"products":{"acme.notes":{"enabled":false}}}}"#),
            (
                "{\n  \"a\": 1,\n  \"telemetry\": {\"x\": [1,2]}\n}\n",
                "{\n  \"a\": 1,\n  \"telemetry\": {\"x\": [1,2], \"products\": {\"acme.notes\": {\"enabled\": false}}}\n}\n",
            ),
            (
                r#"{"telemetry":{"products":{"@acme/notes":{"y":2,"enabled":true},"b":{}}}}"#,
                r#"{"telemetry":{"products":{"@acme/notes":{"y":2,"enabled":false},"b":{}}}}"#,
            ),
        ] {
            let found = switched(before, false);
            assert_eq!(
                found.split_whitespace().collect::<String>(),
                after.split_whitespace().collect::<String>()
            );
            assert_eq!(switched(&found, false), found, "a second time changes nothing");
        }
    }

    #[test]
    fn switching_on_takes_away_the_switch_alone() {
        for (before, after) in [
            ("{}", "{}"),
            (r#"{"telemetry":{"products":{}}}"#, r#"{"telemetry":{"products":{}}}"#),
            (
                r#"{"telemetry":{"enabled":true,"products":{"acme.notes":{"enabled":false}}}}"#,
                r#"{"telemetry":{"enabled":true}}"#,
            ),
            (
                r#"{"telemetry":{"products":{"Acme.Notes":{"disabled":true},"b":{"enabled":false}}}}"#,
                r#"{"telemetry":{"products":{"b":{"enabled":false}}}}"#,
            ),
            (
                r#"{"telemetry":{"products":{"acme.notes":{"enabled":false,"endpoint":"x"},"@acme/notes":{"enabled":false}}}}"#,
                r#"{"telemetry":{"products":{"acme.notes":{"endpoint":"x"}}}}"#,
            ),
        ] {
            assert_eq!(switched(before, true), after);
        }
    }
}
