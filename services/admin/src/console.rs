//! The console: pages for admins, built by `console/build` and compiled into the hub. They use the REST API as every other client does.

use crate::html;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_web::MayKeep;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::LazyLock;

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// One file, as it is and packed.
struct File {
    name: &'static str,
    kind: &'static str,
    whole: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// Everything comes from this hub, no script is written into a page, and no text ever becomes markup (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";
/// Names with a hash never get another content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
const NOT_BUILT: &str = "<main><h1>The console was not built</h1>\n\
     <p>This hub was compiled without its pages for admins. Run <code>make console</code> and build the hub again; \
     it needs Node 20.19 or later, or PyPI to fetch one.</p>\n\
     <p><a href=\"/sign-in\">Sign in</a> and the <a href=\"/api/docs\">REST API</a> work without it.</p></main>";

/// The entity tag of each file: strangers ask for them, and a digest of some hundred kilobytes a request would be theirs to spend.
static TAGS: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
    let tag = |file: &File| format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(file.whole)[..12]));
    FILES.iter().map(|file| (file.name, tag(file))).collect()
});

/// True if this hub has the console's pages.
pub(crate) fn is_built() -> bool {
    file("index.html").is_some()
}

/// Any page of the console: the browser shows the one that the address names.
pub(crate) async fn page(request: HttpRequest) -> HttpResponse {
    match file("index.html") {
        Some(index) => served(&request, index, ASK_AGAIN),
        None => html::answer(StatusCode::OK, html::page("Rollcall", "/sign-in.css", NOT_BUILT)),
    }
}

pub(crate) async fn asset(request: HttpRequest) -> HttpResponse {
    let name = format!("assets/{}", request.match_info().get("file").unwrap_or_default());
    match file(&name) {
        Some(found) => served(&request, found, if has_hash(&name) { FOR_EVER } else { ASK_AGAIN }),
        None => HttpResponse::NotFound().finish(),
    }
}

fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

/// The build names a file by its content, with eight characters before the ending: `Members-B3kd_2aQ.js`.
fn has_hash(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let hash = stem.len().checked_sub(8).and_then(|at| stem.split_at_checked(at));
    hash.is_some_and(|(before, hash)| {
        before.ends_with('-') && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

fn served(request: &HttpRequest, file: &'static File, cache: &'static str) -> HttpResponse {
    let tag = TAGS.get(file.name).cloned().unwrap_or_default();
    let asked = |name: header::HeaderName| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let is_known = asked(header::IF_NONE_MATCH).split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut answer = HttpResponseBuilder::new(if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    answer.insert_header((header::ETAG, tag)).insert_header((header::VARY, "Accept-Encoding"));
    // Files of the hub's own, the same for everybody.
    answer.extensions_mut().insert(MayKeep(cache));
    if file.kind.starts_with("text/html") {
        answer
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::X_FRAME_OPTIONS, "DENY"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header(("Cross-Origin-Opener-Policy", "same-origin"));
    }
    if is_known {
        return answer.finish();
    }
    let (encoding, body) = packed(file, asked(header::ACCEPT_ENCODING));
    if let Some(encoding) = encoding {
        answer.insert_header((header::CONTENT_ENCODING, encoding));
    }
    answer.content_type(file.kind).body(body)
}

/// The smallest form that the browser takes.
fn packed(file: &'static File, accepted: &str) -> (Option<&'static str>, &'static [u8]) {
    let takes = |encoding: &str| {
        accepted.split(',').any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case(encoding) && weight.replace(' ', "") != "q=0"
        })
    };
    [("br", file.brotli), ("gzip", file.gzip)]
        .into_iter()
        .find_map(|(encoding, body)| body.filter(|_| takes(encoding)).map(|body| (Some(encoding), body)))
        .unwrap_or((None, file.whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_are_kept_for_ever() {
        assert!(has_hash("assets/Members-B3kd_2aQ.js") && has_hash("assets/index-a-b_c1Z9.css"));
        assert!(!has_hash("assets/theme.js") && !has_hash("assets/icon.svg") && !has_hash("index.html"));
    }

    #[test]
    fn the_smallest_form_that_is_accepted_is_sent() {
        static FILE: File =
            File { name: "a.js", kind: "text/javascript", whole: b"whole", gzip: Some(b"gz"), brotli: Some(b"b") };
        let of = |accepted: &str| packed(&FILE, accepted).0;
        assert_eq!(of("gzip, deflate, br"), Some("br"));
        assert_eq!(of("gzip, br;q=0"), Some("gzip"));
        assert_eq!(of(""), None);
    }
}
