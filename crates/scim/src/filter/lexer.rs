//! A filter's text as tokens, one at a time, with the position for error messages.

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
    /// A string in quotes that are not the grammar's.
    WronglyQuoted(String),
    End,
}

/// Reads tokens from the start of `rest`.
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// An `invalidFilter` with the position.
    pub(super) fn error(&self, reason: &str) -> ScimError {
        ScimError::invalid_filter(format!("filter, at position {}: {reason}", self.position + 1))
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
            quote if closing_quotes(quote).is_some() => return self.wrongly_quoted(rest, quote),
            _ => {
                let end = rest.find(is_delimiter).unwrap_or(rest.len());
                let (word, _) = rest.split_at(end);
                self.position += word.len();
                return Ok(Token::Word(word));
            }
        };
        self.position += 1;
        Ok(token)
    }

    /// Looks at the next token without taking it.
    pub(super) fn peek(&mut self) -> Result<Token<'a>, ScimError> {
        let position = self.position;
        let token = self.next();
        self.position = position;
        token
    }

    /// Takes `.sub` directly after a bracket.
    pub(super) fn sub_attribute(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.position..)?.strip_prefix('.')?;
        let end = rest.find(is_delimiter).unwrap_or(rest.len());
        self.position += 1 + end;
        rest.get(..end)
    }

    /// The remaining text, from the next token on.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.position += rest.len() - trimmed.len();
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
        self.position += literal.len();
        Ok(Token::Quoted(text))
    }

    /// A string up to the first closing quote at the end of a token, so that `'O'Brien'` is one name.
    fn wrongly_quoted(&mut self, rest: &'a str, quote: char) -> Result<Token<'a>, ScimError> {
        let closing = closing_quotes(quote).unwrap_or_default();
        let inside = rest.get(quote.len_utf8()..).unwrap_or_default();
        let ends_word =
            |behind: &str| behind.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, ')' | ']'));
        let end = inside
            .char_indices()
            .find(|(index, c)| closing.contains(*c) && inside.get(index + c.len_utf8()..).is_some_and(ends_word));
        let Some((end, close)) = end else {
            return Err(self.error("the string has no closing quote; use double quotes"));
        };
        let text = inside.get(..end).unwrap_or_default().to_owned();
        self.position += quote.len_utf8() + end + close.len_utf8();
        Ok(Token::WronglyQuoted(text))
    }
}

/// The closing quotes of a string that begins with a quote other than the grammar's `"`: editors and command lines turn it into
/// single and typographic quotes.
fn closing_quotes(opening: char) -> Option<&'static str> {
    const SINGLE: &str = "'‘’‚‛`´′＇";
    const DOUBLE: &str = "“”„‟″＂\"";
    match opening {
        '"' => None,
        '«' | '»' => Some("«»"),
        '‹' | '›' => Some("‹›"),
        quote if SINGLE.contains(quote) => Some(SINGLE),
        quote if DOUBLE.contains(quote) => Some(DOUBLE),
        _ => None,
    }
}

/// Quotes that were escaped for another place, or once too often.
const ESCAPED_QUOTES: [&str; 6] = ["&quot;", "&apos;", "&#34;", "&#39;", "%22", "%27"];

/// Whether a text without the grammar's quotes begins or ends in some other quote.
pub(super) fn is_half_quoted(word: &str) -> bool {
    let is_quote = |c: Option<char>| c.is_some_and(|c| closing_quotes(c).is_some());
    let is_escaped = ESCAPED_QUOTES.iter().any(|quote| word.starts_with(quote) || word.ends_with(quote));
    is_escaped || is_quote(word.chars().next()) || is_quote(word.chars().next_back())
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"')
}
