//! What a member's attributes are made of, where a record's own of the same name do not do (PE13): expressions in the Common
//! Expression Language over the record's SCIM attributes, `user`.
//!
//! An admin writes them, so they are bounded before anything runs: 500 bytes, a closed list of functions, no loop within a
//! loop, nothing that makes a list or a map grow. What is left ends soon and holds little, whatever the record says.

use super::mapping_language::{Expression, Language};
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

text_enum! {
    /// An attribute of a member that an expression may give.
    MappedAttribute {
        Email = "email",
        DisplayName = "display_name",
        GivenName = "given_name",
        FamilyName = "family_name",
    }
}

/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 500;
/// Longest text an expression may give, in bytes: what a directory may say itself.
const VALUE_BYTES_MAX: usize = 320;
/// The parser and the interpreter recurse as deep as an expression nests and as long as it goes on: in a debug build 180 kB
/// for a bracket, 35 kB for a step.
const STACK_BYTES: usize = 64 << 20;

/// The expressions of a policy; an attribute without one is the record's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

/// What the expressions give for one record; an empty text and `null` are no value. An error names the expression and what
/// went wrong with it.
pub type Mapped = Result<Vec<(MappedAttribute, Option<String>)>, String>;

impl Mapping {
    pub fn is_empty(&self) -> bool {
        self.expressions().next().is_none()
    }

    fn expressions(&self) -> impl Iterator<Item = (MappedAttribute, &str)> {
        let all = [
            (MappedAttribute::Email, &self.email),
            (MappedAttribute::DisplayName, &self.display_name),
            (MappedAttribute::GivenName, &self.given_name),
            (MappedAttribute::FamilyName, &self.family_name),
        ];
        all.into_iter().filter_map(|(attribute, text)| Some((attribute, text.as_deref()?)))
    }

    /// # Errors
    /// Names the expression, the place in it, and what is wrong there.
    pub fn check(&self) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        on_own_stack(|| self.compile(&Language::new()).map(|_| ()))?
    }

    /// Evaluates the expressions for each of the records, in order.
    ///
    /// # Errors
    /// As [`check`](Self::check); a record that an expression fails for is an error of its own, and the rest goes on.
    pub fn of_records(&self, records: &[&Json]) -> Result<Vec<Mapped>, String> {
        on_own_stack(|| {
            let language = Language::new();
            let expressions = self.compile(&language)?;
            let evaluate = |record: &&Json| {
                let user = language.user(record)?;
                let value = |(attribute, text, expression): &(MappedAttribute, &str, Expression)| {
                    let value = expression.evaluate(&user).and_then(bounded);
                    // What the record or the expression made of it is shown, and kept.
                    let failed = |error: String| format!("{attribute}: {text}: {error}").replace('\0', "\u{fffd}");
                    value.map(|value| (*attribute, value)).map_err(failed)
                };
                expressions.iter().map(value).collect()
            };
            Ok(records.iter().map(evaluate).collect())
        })?
    }

    fn compile(&self, language: &Language) -> Result<Vec<(MappedAttribute, &str, Expression)>, String> {
        let compile = |(attribute, text): (MappedAttribute, &'_ str)| {
            if text.len() > EXPRESSION_BYTES_MAX {
                return Err(format!("mapping.{attribute} is longer than {EXPRESSION_BYTES_MAX} bytes"));
            }
            language.compile(text).map_err(|error| format!("mapping.{attribute}: {error}"))
        };
        self.expressions().map(|(attribute, text)| Ok((attribute, text, compile((attribute, text))?))).collect()
    }
}

fn bounded(value: Option<String>) -> Result<Option<String>, String> {
    match value.as_ref().map(String::len) {
        Some(0) => Ok(None),
        Some(_) if value.as_ref().is_some_and(|text| text.contains('\0')) => Err("gives a text with a NUL".into()),
        Some(bytes) if bytes > VALUE_BYTES_MAX => Err(format!("gives a text of more than {VALUE_BYTES_MAX} bytes")),
        _ => Ok(value),
    }
}

/// Runs on a thread with a stack that no expression exhausts, so it does not matter how deep the caller is; should the
/// interpreter panic, that ends here.
fn on_own_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|e| format!("the mapping cannot be run now: {e}"))?;
        thread.join().map_err(|_| "the mapping: the interpreter failed on an expression".to_owned())
    })
}
