//! Projection of an answer to the requested attributes (RFC 7644 §3.9).

use serde_json::{Map, Value};

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::limits::PROJECTED_NAMES;
use crate::path::{AttrPath, resolve};
use crate::schema::{ResourceKind, is_urn};

/// The request of `attributes` and `excludedAttributes`. `id` and `schemas` always stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    mode: Mode,
    selected: Vec<Selector>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// All attributes that are returned by default.
    All,
    Only,
    Except,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Selector {
    /// All attributes of a schema; of the core schema when `None`.
    Schema(Option<String>),
    Path(AttrPath),
}

/// The kept part of one attribute.
enum Keep<'a> {
    Whole,
    Nothing,
    OnlySubs(Vec<&'a str>),
    ExceptSubs(Vec<&'a str>),
}

impl Projection {
    /// All attributes that are returned by default.
    #[must_use]
    pub fn all() -> Self {
        Self { mode: Mode::All, selected: Vec::new() }
    }

    /// Reads the two comma-separated parameters. `attributes` wins when both are given; unknown names select nothing;
    /// `emails[type eq "work"].value` is read as `emails.value`.
    ///
    /// # Errors
    /// `invalidValue` for more names than [`PROJECTED_NAMES`]: each is compared with each attribute of each resource.
    pub fn parse(kind: ResourceKind, attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        let said = |names: Option<&str>| names.is_some_and(|names| !names.trim().is_empty());
        let (mode, names) = match (attributes, excluded) {
            (Some(names), _) if said(attributes) => (Mode::Only, names),
            (_, Some(names)) if said(excluded) => (Mode::Except, names),
            _ => return Ok(Self::all()),
        };
        let names = split_names(names);
        if names.len() > PROJECTED_NAMES {
            let detail = format!("attributes and excludedAttributes take at most {PROJECTED_NAMES} names");
            return Err(ScimError::invalid_value(detail));
        }
        let selected = names.into_iter().flat_map(|name| selectors(kind, &name)).collect();
        Ok(Self { mode, selected })
    }

    /// True if a group's `members` are wanted; otherwise they need not be read.
    #[must_use]
    pub fn wants_members(&self) -> bool {
        self.wants("members")
    }

    /// True if a user's `groups` are wanted.
    #[must_use]
    pub fn wants_groups(&self) -> bool {
        self.wants("groups")
    }

    /// True if `members.display`, returned on request only, was requested.
    #[must_use]
    pub fn wants_member_names(&self) -> bool {
        self.mode == Mode::Only
            && matches!(self.keep(None, "members"), Keep::OnlySubs(subs) if subs.contains(&"display"))
    }

    pub(crate) fn wants(&self, attribute: &str) -> bool {
        !matches!(self.keep(None, attribute), Keep::Nothing)
    }

    /// The kept part of a core or common attribute's value.
    pub(crate) fn cut(&self, attribute: &str, value: Value) -> Option<Value> {
        self.cut_at(None, attribute, value)
    }

    /// The kept part of an extension's attributes.
    pub(crate) fn cut_extension(&self, urn: &str, members: Map<String, Value>) -> Option<Value> {
        let kept: Map<_, _> = members
            .into_iter()
            .filter_map(|(name, value)| self.cut_at(Some(urn), &name, value).map(|kept| (name, kept)))
            .collect();
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    fn cut_at(&self, extension: Option<&str>, attribute: &str, value: Value) -> Option<Value> {
        match self.keep(extension, attribute) {
            Keep::Whole => Some(value),
            Keep::Nothing => None,
            Keep::OnlySubs(subs) => without(value, &|sub| !subs.iter().any(|kept| kept.eq_ignore_ascii_case(sub))),
            Keep::ExceptSubs(subs) => without(value, &|sub| subs.iter().any(|gone| gone.eq_ignore_ascii_case(sub))),
        }
    }

    fn keep(&self, extension: Option<&str>, attribute: &str) -> Keep<'_> {
        if self.mode == Mode::All {
            return Keep::Whole;
        }
        let only = self.mode == Mode::Only;
        let same_extension = |urn: Option<&str>| match (urn, extension) {
            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
            (left, right) => left.is_none() && right.is_none(),
        };
        let mut subs = Vec::new();
        for selector in &self.selected {
            let path = match selector {
                Selector::Schema(urn) if same_extension(urn.as_deref()) => {
                    return if only { Keep::Whole } else { Keep::Nothing };
                }
                Selector::Path(path)
                    if same_extension(path.extension.as_deref()) && path.attribute.eq_ignore_ascii_case(attribute) =>
                {
                    path
                }
                _ => continue,
            };
            match path.sub.as_deref() {
                Some(sub) => subs.push(sub),
                None => return if only { Keep::Whole } else { Keep::Nothing },
            }
        }
        match (only, subs.is_empty()) {
            (true, true) => Keep::Nothing,
            (true, false) => Keep::OnlySubs(subs),
            (false, true) => Keep::Whole,
            (false, false) => Keep::ExceptSubs(subs),
        }
    }
}

/// A value without the sub-attributes that are `gone`; None when nothing remains.
fn without(value: Value, gone: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value {
        Value::Array(elements) => {
            let kept: Vec<_> = elements.into_iter().filter_map(|element| without(element, gone)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::Object(mut members) => {
            members.retain(|name, _| !gone(name));
            (!members.is_empty()).then_some(Value::Object(members))
        }
        plain => Some(plain),
    }
}

/// Names between commas, except commas in brackets and quotes. The filter in brackets is dropped.
fn split_names(names: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut depth, mut in_string) = (0_usize, false);
    for c in names.chars() {
        match c {
            '"' if depth > 0 => in_string = !in_string,
            _ if in_string => {}
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => found.push(String::new()),
            _ if depth == 0 && !c.is_whitespace() => {
                if let Some(name) = found.last_mut() {
                    name.push(c);
                }
            }
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The selection of one name. The URN of an unknown extension is also read as an attribute of a shorter URN, because it
/// may be either.
fn selectors(kind: ResourceKind, name: &str) -> Vec<Selector> {
    if is_urn(name) {
        if name.eq_ignore_ascii_case(kind.core().urn) {
            return vec![Selector::Schema(None)];
        }
        if let Some(schema) = kind.extension(name) {
            return vec![Selector::Schema(Some(schema.urn.to_owned()))];
        }
    }
    let Ok(resolved) = resolve(kind, name, &mut Quirks::new()) else { return Vec::new() };
    let custom = resolved.attribute.is_none().then(|| Selector::Schema(Some(name.to_owned())));
    custom.into_iter().chain([Selector::Path(resolved.path)]).collect()
}
