//! Parses a [`Filter`] from text: recursive descent over `or`, `and`, `not`, groups, value paths and comparisons.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Number;

use super::lexer::{Lexer, Token, is_half_quoted};
use super::{CompareOp, CompareValue, Filter};
use crate::dialect::{Quirk, Quirks};
use crate::error::ScimError;
use crate::limits::{FILTER_BYTES, FILTER_DEPTH, FILTER_TERMS};
use crate::path::{AttrPath, PathError, Resolved, quoted, resolve};
use crate::scalars::{boolean_of, truth_of};
use crate::schema::{Kind, ResourceKind};

/// An extension that no resource has.
const NOBODYS: &str = "urn:rollcall:nobody";

pub(super) fn parse(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Filter, ScimError> {
    Parser::new(kind, None, text, quirks)?.whole()
}

pub(super) fn parse_for_all(kind: ResourceKind, text: &str, quirks: &mut Quirks) -> Result<Filter, ScimError> {
    let other = match kind {
        ResourceKind::User => ResourceKind::Group,
        ResourceKind::Group => ResourceKind::User,
    };
    Parser { other: Some(other), ..Parser::new(kind, None, text, quirks)? }.whole()
}

/// Parses the inside of `element[…]`.
pub(crate) fn parse_element(
    kind: ResourceKind,
    element: &Resolved,
    text: &str,
    quirks: &mut Quirks,
) -> Result<Filter, ScimError> {
    Parser::new(kind, Some(element.clone()), text, quirks)?.whole()
}

struct Parser<'a, 'q> {
    kind: ResourceKind,
    /// The kind whose attributes are known too; all of them are unassigned here.
    other: Option<ResourceKind>,
    /// Inside brackets, the attribute of the element that names are relative to.
    element: Option<Resolved>,
    tokens: Lexer<'a>,
    depth: usize,
    terms: usize,
    quirks: &'q mut Quirks,
}

impl<'a, 'q> Parser<'a, 'q> {
    fn new(
        kind: ResourceKind,
        element: Option<Resolved>,
        text: &'a str,
        quirks: &'q mut Quirks,
    ) -> Result<Self, ScimError> {
        if text.len() > FILTER_BYTES {
            return Err(ScimError::invalid_filter(format!("the filter is longer than {FILTER_BYTES} bytes")));
        }
        if text.contains('\0') {
            return Err(ScimError::invalid_filter("the filter contains a NUL character"));
        }
        Ok(Self { kind, other: None, element, tokens: Lexer::new(text), depth: 0, terms: 0, quirks })
    }

    fn whole(mut self) -> Result<Filter, ScimError> {
        let filter = self.alternatives()?;
        match self.tokens.peek()? {
            Token::End => Ok(filter),
            _ => Err(self.tokens.error("expected \"and\", \"or\" or the end")),
        }
    }

    /// `a or b or c`
    fn alternatives(&mut self) -> Result<Filter, ScimError> {
        let mut filters = vec![self.conjunction()?];
        while self.take_word("or")? {
            filters.push(self.conjunction()?);
        }
        Ok(Filter::any(filters))
    }

    /// `a and b and c`
    fn conjunction(&mut self) -> Result<Filter, ScimError> {
        let mut filters = vec![self.term()?];
        while self.take_word("and")? {
            filters.push(self.term()?);
        }
        Ok(Filter::all(filters))
    }

    fn term(&mut self) -> Result<Filter, ScimError> {
        match self.tokens.next()? {
            Token::Open => self.nested(Token::Close),
            Token::Word(word) if word.eq_ignore_ascii_case("not") && self.tokens.peek()? == Token::Open => {
                self.tokens.next()?;
                Ok(Filter::Not(Box::new(self.nested(Token::Close)?)))
            }
            Token::Word(name) => self.expression(name),
            _ => Err(self.tokens.error("expected an attribute, \"not\" or \"(\"")),
        }
    }

    /// A filter up to its closing token.
    fn nested(&mut self, close: Token<'_>) -> Result<Filter, ScimError> {
        self.depth += 1;
        if self.depth > FILTER_DEPTH {
            return Err(self.tokens.error(&format!("nested deeper than {FILTER_DEPTH} levels")));
        }
        let filter = self.alternatives()?;
        self.depth -= 1;
        if self.tokens.next()? == close {
            return Ok(filter);
        }
        Err(self.tokens.error(if close == Token::Close { "expected \")\"" } else { "expected \"]\"" }))
    }

    /// The rest after an attribute's name: `pr`, an operator with its value, or a value path.
    fn expression(&mut self, name: &str) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > FILTER_TERMS {
            return Err(self.tokens.error(&format!("more than {FILTER_TERMS} comparisons")));
        }
        let resolved = match &self.element {
            Some(element) => element.with_sub(name, self.quirks),
            None => resolve(self.kind, name, self.quirks).or_else(|error| self.of_the_other(name).ok_or(error)),
        };
        let resolved = resolved.map_err(|error| self.path_error(error))?;
        if self.tokens.peek()? == Token::OpenBracket {
            return self.value_path(resolved);
        }
        self.comparison(resolved)
    }

    /// An attribute that only the other kind has, as one of an extension without values.
    fn of_the_other(&self, name: &str) -> Option<Resolved> {
        resolve(self.other?, name, &mut Quirks::new()).ok()?;
        Some(Resolved { path: AttrPath::custom(NOBODYS, "attribute"), attribute: None, sub: None })
    }

    /// `emails[type eq "work"]`, and Entra's `emails[type eq "work"].value eq "x"`, which tests the same element.
    fn value_path(&mut self, list: Resolved) -> Result<Filter, ScimError> {
        let can_be_inside = list.path.sub.is_none() && matches!(list.path.kind, Kind::Complex | Kind::Any);
        if self.element.is_some() || !can_be_inside {
            return Err(self.tokens.error("a value filter belongs behind a complex attribute"));
        }
        self.tokens.next()?;
        self.element = Some(list.clone());
        let mut filter = self.nested(Token::CloseBracket)?;
        if let Some(sub) = self.tokens.sub_attribute() {
            self.quirks.note(Quirk::ValuePathSubAttribute);
            let sub = list.with_sub(sub, self.quirks).map_err(|error| self.path_error(error))?;
            filter = Filter::all(vec![filter, self.comparison(sub)?]);
        }
        self.element = None;
        Ok(Filter::ValuePath { path: list.path, filter: Box::new(filter) })
    }

    fn comparison(&mut self, resolved: Resolved) -> Result<Filter, ScimError> {
        let Token::Word(operator) = self.tokens.next()? else {
            return Err(self.tokens.error("expected an operator"));
        };
        if operator.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(resolved.path));
        }
        let Some(op) = CompareOp::from_word(operator) else {
            return Err(self.tokens.error(&format!("{} is not an operator", quoted(operator))));
        };
        let path = resolved.comparable().path;
        let literal = match self.tokens.next()? {
            Token::WronglyQuoted(text) => {
                self.quirks.note(Quirk::WrongQuotes);
                Token::Quoted(text)
            }
            literal => literal,
        };
        if matches!(literal, Token::Word(word) if word.eq_ignore_ascii_case("null")) {
            return match op {
                CompareOp::Eq => Ok(Filter::Not(Box::new(Filter::Present(path)))),
                CompareOp::Ne => Ok(Filter::Present(path)),
                _ => Err(self.tokens.error("null can only be compared with eq and ne")),
            };
        }
        let value = self.value(path.kind, op, literal)?;
        let value = self.plain_id(&path, value);
        let fits = match value {
            CompareValue::String(_) => path.kind != Kind::Binary || !op.is_order(),
            CompareValue::Boolean(_) => matches!(op, CompareOp::Eq | CompareOp::Ne),
            CompareValue::DateTime(_) | CompareValue::Number(_) => !op.is_substring(),
        };
        if !fits {
            return Err(self.tokens.error(&format!("{path} cannot be compared with {}", op.as_str())));
        }
        Ok(Filter::Compare { path, op, value })
    }

    fn value(&mut self, kind: Kind, op: CompareOp, literal: Token<'_>) -> Result<CompareValue, ScimError> {
        match (kind, literal) {
            (Kind::Boolean, literal) => self.boolean(literal),
            (Kind::DateTime, Token::Quoted(text)) => self.instant(&text),
            (Kind::DateTime, Token::Word(text)) => {
                self.quirks.note(Quirk::UnquotedFilterValue);
                self.instant(text)
            }
            (Kind::Complex, _) => Err(self.tokens.error("name a sub-attribute to compare")),
            (_, Token::Quoted(text)) => Ok(CompareValue::String(text)),
            (Kind::Any, Token::Word(word)) => self.untyped(op, word),
            (_, Token::Word(word)) => self.bare(op, word),
            _ => Err(self.tokens.error("expected a value")),
        }
    }

    /// An id of this server in the spelling that it has: paths take it in capitals, in braces and as `urn:uuid:` too.
    fn plain_id(&mut self, path: &AttrPath, value: CompareValue) -> CompareValue {
        let is_id = matches!(path.core(), Some(("id", None) | ("members" | "groups", Some("value"))));
        match value {
            CompareValue::String(text) if is_id => match id_of(&text) {
                Some(id) if id != text => {
                    self.quirks.note(Quirk::IdSpelling);
                    CompareValue::String(id)
                }
                _ => CompareValue::String(text),
            },
            other => other,
        }
    }

    fn boolean(&mut self, literal: Token<'_>) -> Result<CompareValue, ScimError> {
        let (text, is_plain) = match literal {
            Token::Word(word) => (word.to_owned(), boolean_of(word).is_some()),
            Token::Quoted(text) => (text, false),
            _ => return Err(self.tokens.error("expected true or false")),
        };
        if !is_plain {
            self.quirks.note(Quirk::StringBoolean);
        }
        let read = truth_of(&text.into());
        read.map(CompareValue::Boolean).ok_or_else(|| self.tokens.error("expected true or false"))
    }

    /// RFC 3339; UTC without an offset.
    fn instant(&self, text: &str) -> Result<CompareValue, ScimError> {
        let read = DateTime::parse_from_rfc3339(text).map(|instant| instant.with_timezone(&Utc));
        read.or_else(|_| text.parse::<NaiveDateTime>().map(|naive| naive.and_utc()))
            .map(CompareValue::DateTime)
            .map_err(|_| self.tokens.error("expected a date and time such as \"2026-11-21T10:00:00Z\""))
    }

    /// A string without quotes, as in Entra's documentation and Microsoft's own collection; after an operator of order only
    /// a JSON number.
    fn bare(&mut self, op: CompareOp, word: &str) -> Result<CompareValue, ScimError> {
        if is_half_quoted(word) || op.is_order() && word.parse::<Number>().is_err() {
            return Err(self.tokens.error("a string needs double quotes"));
        }
        self.quirks.note(Quirk::UnquotedFilterValue);
        Ok(CompareValue::String(word.to_owned()))
    }

    fn untyped(&mut self, op: CompareOp, word: &str) -> Result<CompareValue, ScimError> {
        if let Some(truth) = boolean_of(word) {
            return Ok(CompareValue::Boolean(truth));
        }
        match word.parse::<Number>() {
            Ok(number) => Ok(CompareValue::Number(number)),
            Err(_) => self.bare(op, word),
        }
    }

    fn take_word(&mut self, wanted: &str) -> Result<bool, ScimError> {
        let found = matches!(self.tokens.peek()?, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        if found {
            self.tokens.next()?;
        }
        Ok(found)
    }

    fn path_error(&self, error: PathError) -> ScimError {
        match error {
            PathError::Malformed(reason) | PathError::Unknown(reason) => self.tokens.error(&reason),
        }
    }
}

/// A UUID with hyphens and in small letters, if the text is one in any of its spellings.
fn id_of(text: &str) -> Option<String> {
    let text = text.trim();
    let behind_urn = text.get(.."urn:uuid:".len()).filter(|start| start.eq_ignore_ascii_case("urn:uuid:"));
    let text = behind_urn.map_or(text, |urn| &text[urn.len()..]);
    let text = text.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')).unwrap_or(text);
    let has_hyphens = text.len() == 36 && [8, 13, 18, 23].iter().all(|index| text.as_bytes()[*index] == b'-');
    let digits: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let is_uuid =
        (has_hyphens || text.len() == 32) && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let part = |range| digits.get(range).unwrap_or_default();
    is_uuid.then(|| [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-"))
}

impl CompareOp {
    fn from_word(word: &str) -> Option<Self> {
        const ALL: [CompareOp; 9] = [
            CompareOp::Eq,
            CompareOp::Ne,
            CompareOp::Co,
            CompareOp::Sw,
            CompareOp::Ew,
            CompareOp::Gt,
            CompareOp::Ge,
            CompareOp::Lt,
            CompareOp::Le,
        ];
        ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(word))
    }

    /// The operator in its wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}
