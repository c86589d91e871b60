//! Pages for people that need no script: a head, a style sheet of this hub, and escaped text.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use html_escape::encode_safe;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A whole page; `body` is HTML.
pub(crate) fn page(title: &str, style: &str, body: &str) -> String {
    page_with(title, style, "", body)
}

/// A page that goes on to another address at once; `url` is escaped.
pub(crate) fn page_that_leads(title: &str, style: &str, url: &str, body: &str) -> String {
    page_with(title, style, &format!("<meta http-equiv=\"refresh\" content=\"0; url={url}\">"), body)
}

fn page_with(title: &str, style: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         {head}<link rel=\"stylesheet\" href=\"{style}\"></head>\n<body>\n{body}\n</body></html>\n",
        encode_safe(title)
    )
}

/// The answer with a page, which no other site may frame and whose address no other site learns.
pub(crate) fn answer(status: StatusCode, page: String) -> HttpResponse {
    HttpResponseBuilder::new(status)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

pub(crate) fn style(sheet: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(sheet)
}

/// Text whose words in back quotes are code.
pub(crate) fn prose(text: &str) -> String {
    let part = |(number, part)| match number % 2 {
        0 => encode_safe(part).into_owned(),
        _ => format!("<code>{}</code>", encode_safe(part)),
    };
    text.split('`').enumerate().map(part).collect()
}

/// As [`prose`], as a sentence of its own.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{}.", prose(&format!("{first}{}", letters.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_its_quotes_are_code() {
        assert_eq!(prose("a <b> & `x < 1`"), "a &lt;b&gt; &amp; <code>x &lt; 1</code>");
        assert_eq!(sentence("ask `<owner>`"), "Ask <code>&lt;owner&gt;</code>.");
    }
}
