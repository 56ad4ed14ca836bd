//! The request to erase an install, as its bytes say it.
//!
//! One rule: a closed form. What is wrong is said by rule and place, and no value is repeated.

use super::answer::Refused;
use super::store::Erasure;
use crate::contract::table::Text;
use crate::gate::RefusalRule;
use crate::json::{self, Value};

/// The erasure that `bytes` ask for: `{"product":..,"id":..}` and nothing else.
pub fn read(bytes: &[u8], asked: u64) -> Result<Erasure, Refused> {
    let refused =
        |rule: RefusalRule, field: &str| Refused { rule: rule.as_str(), field: field.to_owned() };
    let body = json::parse(bytes).map_err(|_| refused(RefusalRule::Syntax, ""))?;
    let is_closed = body
        .members()
        .is_some_and(|all| all.iter().all(|member| matches!(&*member.key, "product" | "id")));
    let text = |name: &str, shape: Text| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| shape.matches(text));
        text.ok_or_else(|| refused(RefusalRule::Shape, &format!("/{name}")))
    };
    if !is_closed {
        return Err(refused(RefusalRule::Shape, ""));
    }
    let (product, id) = (text("product", Text::ProductName)?, text("id", Text::Uuid)?);
    Ok(Erasure { product: product.to_owned(), id: id.to_owned(), asked })
}
