//! A filter's text as tokens, one at a time, with the place for error messages.

use crate::error::ScimError;
use crate::path::quoted;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// An attribute path, an operator, or a value without quotes.
    Word(&'a str),
    /// A JSON string, unescaped.
    Quoted(String),
    End,
}

/// Reads tokens from the start of `rest`.
pub(super) struct Lexer<'a> {
    text: &'a str,
    place: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, place: 0 }
    }

    /// An `invalidFilter` that says where.
    pub(super) fn error(&self, reason: &str) -> ScimError {
        ScimError::invalid_filter(format!("filter, at position {}: {reason}", self.place + 1))
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, ScimError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let token = match first {
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenBracket,
            ']' => Token::CloseBracket,
            '"' => return self.quoted(rest),
            _ => {
                let end = rest.find(is_delimiter).unwrap_or(rest.len());
                let (word, _) = rest.split_at(end);
                self.place += word.len();
                return Ok(Token::Word(word));
            }
        };
        self.place += 1;
        Ok(token)
    }

    /// Looks at the next token without taking it.
    pub(super) fn peek(&mut self) -> Result<Token<'a>, ScimError> {
        let place = self.place;
        let token = self.next();
        self.place = place;
        token
    }

    /// Takes `.sub` directly behind a bracket.
    pub(super) fn sub_attribute(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.place..)?.strip_prefix('.')?;
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        self.place += 1 + end;
        rest.get(..end)
    }

    /// What is left, from the next token on.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.place..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.place += rest.len() - trimmed.len();
        trimmed
    }

    fn quoted(&mut self, rest: &'a str) -> Result<Token<'a>, ScimError> {
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let Some(literal) = end.and_then(|end| rest.get(..end + 2)) else {
            return Err(self.error("the string has no closing quote"));
        };
        let text: String = serde_json::from_str(literal)
            .map_err(|_| self.error(&format!("{} is not a JSON string", quoted(literal))))?;
        if text.contains('\0') {
            return Err(self.error("the string contains a NUL character"));
        }
        self.place += literal.len();
        Ok(Token::Quoted(text))
    }
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"')
}
