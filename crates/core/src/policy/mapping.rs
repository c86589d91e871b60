//! Mappings: expressions in the Common Expression Language over the record's SCIM attributes, `user`, that give a member's
//! attributes instead of the record's own of the same name (PE13).
//!
//! Admins write them, so they are bounded before they run: 500 bytes, a closed list of functions, no nested loops, nothing
//! that makes a list or a map grow, and a cost that follows from the expression and the record. So each evaluation is short and
//! small, and many of them end with their [`Budget`] (decision 0063).

use super::mapping_language::{Expression, Language, User};
use crate::budget::{Budget, Spent};
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
/// Longest result, in characters: the same as for a directory's own value.
const VALUE_CHARACTERS_MAX: usize = 320;
/// Stack for the parser and the interpreter, which recurse with the nesting and the length of an expression: in a debug
/// build 180 kB for a bracket, 35 kB for a step.
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

/// Results for one record; an empty string and `null` are no value. An error names the expression and the problem.
pub type Mapped = Result<Vec<(MappedAttribute, Option<String>)>, String>;

/// Reason why no record is mapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmapped {
    #[error("{0}")]
    Invalid(String),
    #[error("the expressions were not all evaluated: {0}")]
    Spent(#[from] Spent),
}

impl From<String> for Unmapped {
    fn from(error: String) -> Self {
        Self::Invalid(error)
    }
}

/// An attribute, its expression's text, and the expression.
type Compiled<'m> = (MappedAttribute, &'m str, Expression);

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

    /// Each expression as a mapping of its own.
    pub fn one_by_one(&self) -> impl Iterator<Item = Self> {
        let Self { email, display_name, given_name, family_name } = self.clone();
        let alone = [
            email.map(|text| Self { email: Some(text), ..Self::default() }),
            display_name.map(|text| Self { display_name: Some(text), ..Self::default() }),
            given_name.map(|text| Self { given_name: Some(text), ..Self::default() }),
            family_name.map(|text| Self { family_name: Some(text), ..Self::default() }),
        ];
        alone.into_iter().flatten()
    }

    /// The attributes that have an expression.
    pub fn attributes(&self) -> impl Iterator<Item = MappedAttribute> {
        self.expressions().map(|(attribute, _)| attribute)
    }

    /// # Errors
    /// Names the expression, the position in it, and the problem.
    pub fn check(&self) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        on_own_stack(|| {
            let language = Language::new();
            self.compile(&language)?;
            let check = |(attribute, text): (MappedAttribute, &str)| {
                language.check(text).map_err(|error| format!("mapping.{attribute}: {error}"))
            };
            self.expressions().try_for_each(check)
        })?
    }

    /// Evaluates the expressions for each of the records, in order. The budget is asked before each evaluation, so work that is
    /// stopped ends after the present one; a single evaluation is bounded by its cost.
    ///
    /// # Errors
    /// [`Unmapped::Invalid`] as [`check`](Self::check); a failed record has an error of its own, and the others go on.
    /// [`Unmapped::Spent`] when the budget ends before the records do.
    pub fn of_records(&self, records: &[&Json], budget: &Budget) -> Result<Vec<Mapped>, Unmapped> {
        on_own_stack(|| {
            let language = Language::new();
            let expressions = self.compile(&language)?;
            let mut all = Vec::with_capacity(records.len());
            for record in records {
                budget.take(1)?;
                all.push(match language.user(record) {
                    Ok(user) => of_record(&expressions, &user, budget)?,
                    Err(error) => Err(error),
                });
            }
            Ok(all)
        })?
    }

    fn compile(&self, language: &Language) -> Result<Vec<Compiled<'_>>, String> {
        let compile = |(attribute, text): (MappedAttribute, &'_ str)| {
            if text.len() > EXPRESSION_BYTES_MAX {
                return Err(format!("mapping.{attribute} is longer than {EXPRESSION_BYTES_MAX} bytes"));
            }
            language.compile(text).map_err(|error| format!("mapping.{attribute}: {error}"))
        };
        self.expressions().map(|(attribute, text)| Ok((attribute, text, compile((attribute, text))?))).collect()
    }
}

/// The values of one record, or the error of the first expression that fails for it.
fn of_record(expressions: &[Compiled<'_>], user: &User<'_>, budget: &Budget) -> Result<Mapped, Spent> {
    let mut values = Vec::with_capacity(expressions.len());
    for (attribute, text, expression) in expressions {
        budget.check()?;
        match expression.evaluate(user).and_then(bounded) {
            Ok(value) => values.push((*attribute, value)),
            // Errors from a record or an expression are shown and stored.
            Err(error) => return Ok(Err(format!("{attribute}: {text}: {error}").replace('\0', "\u{fffd}"))),
        }
    }
    Ok(Ok(values))
}

fn bounded(value: Option<String>) -> Result<Option<String>, String> {
    match value.as_deref() {
        Some("") => Ok(None),
        Some(text) if text.contains('\0') => Err("gives a text with a NUL".into()),
        Some(text) if text.chars().nth(VALUE_CHARACTERS_MAX).is_some() => {
            Err(format!("gives a text of more than {VALUE_CHARACTERS_MAX} characters"))
        }
        _ => Ok(value),
    }
}

/// Runs on a thread with a stack that no expression exhausts, so the caller's depth does not matter; a panic of the
/// interpreter ends here.
fn on_own_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|e| format!("the mapping cannot be run now: {e}"))?;
        thread.join().map_err(|_| "the mapping: the interpreter failed on an expression".to_owned())
    })
}
