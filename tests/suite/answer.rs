//! An HTTP answer with its request, so that a failed expectation is a complete bug report.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

pub(crate) const SCIM_ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const SHOWN_CHARACTERS: usize = 600;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `null` when the body is empty or not JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Err without a whole answer: the hub is down, or died while answering.
    pub(crate) async fn try_of(request: RequestBuilder) -> Result<Self, String> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| error.to_string())?;
        let body = request.body().and_then(|body| body.as_bytes()).map(String::from_utf8_lossy);
        let line = format!("{} {} {}", request.method(), request.url(), shorten(&body.unwrap_or_default()));
        let response = client.execute(request).await.map_err(|error| format!("{line}: {error:?}"))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream of events has no end to wait for.
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if is_stream { Ok(String::new()) } else { response.text().await };
        let text = text.map_err(|error| format!("{line}: {error:?}"))?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { request: line, status, headers, text, json })
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "expected {status}: {}", self.describe());
        self
    }

    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert!((200..300).contains(&self.status), "expected success: {}", self.describe());
        self
    }

    /// A SCIM error body (RFC 7644 §3.12) of this status; `scim_type` is checked when the RFC or the contract fixes it.
    #[track_caller]
    pub(crate) fn expect_scim_error(self, status: u16, scim_type: Option<&str>) -> Self {
        if let Err(problem) = self.check_scim_error(status, scim_type) {
            panic!("{problem}");
        }
        self
    }

    pub(crate) fn check_scim_error(&self, status: u16, scim_type: Option<&str>) -> Result<(), String> {
        let as_text = status.to_string();
        let is_error = self.status == status
            && self.content_type().starts_with("application/scim+json")
            && self.json["schemas"] == serde_json::json!([SCIM_ERROR])
            && self.json["status"] == as_text.as_str()
            && self.json["detail"].as_str().is_some_and(|detail| !detail.is_empty());
        let has_type = scim_type.is_none_or(|wanted| self.json["scimType"] == wanted);
        if is_error && has_type {
            return Ok(());
        }
        Err(format!("expected a SCIM error {status} {}: {}", scim_type.unwrap_or("(any type)"), self.describe()))
    }

    /// A problem document (RFC 9457) of this status.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16) -> Self {
        if let Err(problem) = self.check_problem(status) {
            panic!("{problem}");
        }
        self
    }

    pub(crate) fn check_problem(&self, status: u16) -> Result<(), String> {
        let is_problem = self.status == status
            && self.content_type().starts_with("application/problem+json")
            && self.json["status"] == status
            && ["type", "title", "code", "detail"]
                .iter()
                .all(|member| self.json[*member].as_str().is_some_and(|text| !text.is_empty()));
        if is_problem {
            return Ok(());
        }
        Err(format!("expected a problem document {status}: {}", self.describe()))
    }

    /// The text at a JSON pointer; absent or not text is a failure.
    #[track_caller]
    pub(crate) fn text_at(&self, pointer: &str) -> String {
        match self.at(pointer).as_str() {
            Some(text) => text.to_owned(),
            None => panic!("no text at {pointer}: {}", self.describe()),
        }
    }

    /// The value at a JSON pointer; `null` when absent.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.text_at("/id")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type")
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "\n  request: {}\n  answer:  {} [{}] {}",
            self.request,
            self.status,
            self.content_type(),
            shorten(&self.text)
        )
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("{start}… ({} bytes)", text.len())
}
