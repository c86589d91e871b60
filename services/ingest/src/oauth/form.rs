//! The form of a request to `/oauth`, and the client's name and secret in it or in its `Authorization` header (RFC 6749 §2.3.1).

use super::error::OauthError;
use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollcall_web::Body;

/// A form holds two secrets at most.
const BYTES_MAX: usize = 16 * 1024;
const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The fields of a form. None comes twice, and one without a value counts as left out (RFC 6749 §3.2).
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(payload: Body) -> Result<Self, OauthError> {
        let media_type = payload.media_type();
        if media_type != MEDIA_TYPE {
            return Err(OauthError::invalid("send the parameters as application/x-www-form-urlencoded"));
        }
        let bytes = payload.read(BYTES_MAX).await?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, OauthError> {
        let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(bytes).into_owned().collect();
        fields.retain(|(_, value)| !value.is_empty());
        fields.sort();
        if fields.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(OauthError::invalid("a parameter comes twice"));
        }
        Ok(Self(fields))
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A client's name and secret as presented: in the header, or in the form, and not in both.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Presented {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Presented {
    pub(super) fn of(request: &HttpRequest, form: &Form) -> Result<Self, OauthError> {
        let (id, secret) = (form.value("client_id"), form.value("client_secret"));
        if let Some(header) = request.headers().get(header::AUTHORIZATION) {
            if secret.is_some() {
                return Err(OauthError::invalid("send the client's secret in the header or in the form, not in both"));
            }
            let basic = header.to_str().ok().and_then(Self::of_basic);
            let presented = basic.ok_or(OauthError::InvalidClient { by_header: true })?;
            if id.is_some_and(|id| id != presented.id) {
                return Err(OauthError::invalid("the header and the form name different clients"));
            }
            return Ok(presented);
        }
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Self { id: id.to_owned(), secret: secret.to_owned() }),
            _ => Err(OauthError::InvalidClient { by_header: false }),
        }
    }

    /// Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
    fn of_basic(header: &str) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        let joined = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let joined = String::from_utf8(joined).ok()?;
        let (id, secret) = joined.split_once(':')?;
        Some(Self { id: decoded(id), secret: decoded(secret) })
    }
}

/// The text of one form-encoded value.
fn decoded(value: &str) -> String {
    let value = value.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(value.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn presented(header: Option<&str>, form: &str) -> Result<Presented, String> {
        let request = TestRequest::default();
        let request = header.iter().fold(request, |request, value| request.insert_header(("authorization", *value)));
        let form = Form::parse(form.as_bytes()).map_err(|e| e.to_string())?;
        Presented::of(&request.to_http_request(), &form).map_err(|e| e.to_string())
    }

    #[test]
    fn a_client_is_named_in_the_header_or_in_the_form() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let ann = Ok(Presented { id: "ann".into(), secret: "s_-e".into() });
        assert_eq!(presented(None, "client_id=ann&client_secret=s_-e"), ann);
        assert_eq!(presented(Some(&basic("ann:s_-e")), ""), ann);
        assert_eq!(presented(Some(&basic("ann:s%5F%2de").replace("Basic", "basic")), "client_id=ann"), ann);
        for (header, form) in [
            (None, ""),
            (None, "client_id=ann"),
            (None, "client_secret=s_-e"),
            (None, "client_id=ann&client_secret="),
            (None, "client_id=ann&client_secret=s_-e&client_id=bea"),
            (Some("Basic ???"), ""),
            (Some("Basic YW5u"), ""),
            (Some("Bearer s_-e"), "client_id=ann"),
            (Some(basic("ann:s_-e").as_str()), "client_secret=s_-e"),
            (Some(basic("ann:s_-e").as_str()), "client_id=bea"),
        ] {
            assert!(presented(header, form).is_err(), "{header:?} {form}");
        }
    }
}
