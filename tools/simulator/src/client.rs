//! Sends one request as the identity provider's client does: its headers, its retries, its faults.
//!
//! Every answer passes [`check::envelope`], so a general departure from SCIM is found in any step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use serde_json::Value;
use tokio::time::Instant;

use crate::call::{Answer, Call, Dress, Sent};
use crate::chaos::Dice;
use crate::check;
use crate::options::{Options, Retries};
use crate::record::{Exchange, Recorder, recorded_body};
use crate::report::{Code, Finding, Ledger, Severity};

/// The connection between the IdP and one source of the hub.
#[derive(Debug)]
pub(crate) struct Link {
    http: reqwest::Client,
    base: String,
    token: String,
    dress: Dress,
    retries: Retries,
    pub(crate) dice: Option<Dice>,
    recorder: Option<Recorder>,
    ledger: Mutex<Ledger>,
    started: Instant,
    /// The hub has answered something that was no refusal.
    answered: AtomicBool,
    /// Why the session is over.
    refused: OnceLock<String>,
}

impl Link {
    pub(crate) fn open(options: &Options, dress: Dress) -> anyhow::Result<Self> {
        let url = url::Url::parse(&options.base_url)
            .with_context(|| format!("{:?} is not the URL of a SCIM endpoint", options.base_url))?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!("{url} is not a http or https URL");
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            bail!("no TLS provider is installed; the program must install one before it simulates");
        }
        let mut builder = reqwest::Client::builder()
            .timeout(options.retries.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(options.concurrency.max(1) * 2);
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let recorder = options.record.as_deref().map(Recorder::append_to).transpose()?;
        let base = options.base_url.split(['?', '#']).next().unwrap_or_default();
        Ok(Self {
            http: builder.build().context("cannot make a HTTP client")?,
            base: base.trim_end_matches('/').to_owned(),
            token: options.token.clone(),
            dress,
            retries: options.retries,
            dice: options.chaos.map(|chaos| Dice::new(chaos, options.seed)),
            recorder,
            ledger: Mutex::new(Ledger::default()),
            started: Instant::now(),
            answered: AtomicBool::new(false),
            refused: OnceLock::new(),
        })
    }

    /// Why nothing is sent any more, once nothing is.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.get().map(String::as_str)
    }

    /// The SCIM endpoint, for `$ref`s.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        self.recorder.as_ref().map_or(Ok(()), Recorder::finish)
    }

    pub(crate) fn found(&self, code: Code, call: &Call, status: u16, detail: impl Into<String>) {
        self.note(code, Severity::Defect, call, status, detail.into());
    }

    fn note(&self, code: Code, severity: Severity, call: &Call, status: u16, detail: String) {
        let mut ledger = self.ledger();
        let phase = ledger.phase();
        ledger.found(Finding {
            code,
            severity,
            phase,
            step: call.step,
            count: 1,
            request: format!("{} /{}", call.method, call.path),
            status,
            detail,
        });
    }

    /// Notes that the session is over after this outcome: retries do not help against a wrong address or token.
    fn is_over(&self, call: &Call, outcome: &anyhow::Result<Answer>) -> bool {
        let Some(why) = self.refusal(call, outcome) else {
            self.answered.fetch_or(outcome.is_ok(), Ordering::Relaxed);
            return false;
        };
        // The first reason is reported.
        let _ = self.refused.set(why);
        true
    }

    fn refusal(&self, call: &Call, outcome: &anyhow::Result<Answer>) -> Option<String> {
        let base = &self.base;
        let answered = self.answered.load(Ordering::Relaxed);
        match outcome {
            // A hub that was there comes back.
            Err(error)
                if !answered && error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect) =>
            {
                let cause = error.root_cause();
                let refused = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                Some(match refused {
                    Some(std::io::ErrorKind::ConnectionRefused) => {
                        format!(
                            "nothing listens at {base} (connection refused); `rollcall up` prints the hub's address"
                        )
                    }
                    _ if cause.to_string().contains("InvalidContentType") => {
                        format!("what listens at {base} speaks plain HTTP; begin the address with http://")
                    }
                    _ => format!("the hub at {base} cannot be reached: {cause}"),
                })
            }
            // A slow hub answers in the end; another server does not.
            Err(error)
                if !answered && error.downcast_ref::<reqwest::Error>().is_some_and(|error| !error.is_timeout()) =>
            {
                Some(format!("what listens at {base} does not speak HTTP: {}", error.root_cause()))
            }
            Ok(answer) if answer.status == 401 && !call.bad_token => {
                let detail = told(answer);
                Some(format!("the hub at {base} refuses the token{detail}; check that it is a token of this source"))
            }
            Ok(answer) if answer.status == 403 && !answered => {
                Some(format!("the hub at {base} refuses the source{}", told(answer)))
            }
            Ok(answer) if answer.status == 404 && !answered && call.is_of_a_collection() => Some(format!(
                "there is no SCIM endpoint at {base}; check the SCIM address that `rollcall source create` prints, and that the token is of the same source"
            )),
            _ => None,
        }
    }

    /// Sends until there is an answer below 500 other than 429, or the retries are used up.
    pub(crate) async fn send(&self, call: &Call) -> Sent {
        let mut throttled = 0;
        let mut attempt = 1;
        let mut repeated = false;
        loop {
            if self.refused().is_some() {
                return Sent::Lost;
            }
            let duplicate = self.duplicates(call, attempt);
            let outcome = if duplicate {
                let (first, _) = futures_util::future::join(
                    self.exchange(call, attempt, None),
                    self.exchange(call, attempt, Some("duplicate")),
                )
                .await;
                repeated = true;
                first
            } else {
                self.exchange(call, attempt, None).await
            };
            if self.is_over(call, &outcome) {
                return Sent::Lost;
            }
            match outcome {
                Ok(answer) if answer.status == 429 => {
                    throttled += 1;
                    if throttled > self.retries.throttled {
                        self.found(Code::ThrottledForEver, call, 429, format!("{throttled} times"));
                        return Sent::Lost;
                    }
                    tokio::time::sleep(self.asked_wait(call, &answer)).await;
                    continue;
                }
                Ok(answer) if answer.status < 500 || answer.status == 501 => {
                    if attempt >= self.retries.attempts || !self.drops(call, attempt) {
                        return Sent::Answered(Answer { repeated, ..answer });
                    }
                    if !call.repeatable {
                        return Sent::Lost;
                    }
                }
                failed => {
                    if let Some(end) = self.give_up(call, failed, attempt) {
                        return end;
                    }
                    tokio::time::sleep(self.own_wait(attempt)).await;
                    if !call.repeatable {
                        return Sent::Lost;
                    }
                }
            }
            repeated = true;
            attempt += 1;
        }
    }

    /// Notes a 5xx or a broken connection; returns the end when no attempt is left.
    fn give_up(&self, call: &Call, failed: anyhow::Result<Answer>, attempt: u32) -> Option<Sent> {
        let last = attempt >= self.retries.attempts;
        let severity = if last { Severity::Defect } else { Severity::Recovered };
        match failed {
            Ok(answer) => {
                self.ledger().retries.server_errors += 1;
                let detail = shortened(&answer.text);
                self.note(Code::ServerError, severity, call, answer.status, detail);
            }
            Err(error) => {
                self.ledger().retries.transport += 1;
                self.note(Code::Unreachable, severity, call, 0, format!("{error:#}"));
            }
        }
        last.then_some(Sent::Lost)
    }

    fn drops(&self, call: &Call, attempt: u32) -> bool {
        let drops = self.dice.as_ref().is_some_and(|dice| dice.drops(call.step, &call.subject, attempt));
        if drops {
            self.ledger().retries.answers_dropped += 1;
        }
        drops
    }

    fn duplicates(&self, call: &Call, attempt: u32) -> bool {
        let duplicates = call.repeatable
            && call.method != Method::GET
            && self.dice.as_ref().is_some_and(|dice| dice.duplicates(call.step, &call.subject, attempt));
        if duplicates {
            self.ledger().retries.duplicates += 1;
        }
        duplicates
    }

    /// The wait of `Retry-After`, in whole seconds, up to the longest wait.
    fn asked_wait(&self, call: &Call, answer: &Answer) -> Duration {
        self.ledger().retries.throttled += 1;
        let asked = answer.retry_after.as_deref().and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(seconds) = asked {
            return Duration::from_secs(seconds).min(self.retries.longest_wait);
        }
        let got = answer.retry_after.clone().unwrap_or_else(|| "none".to_owned());
        self.found(Code::ThrottledWithoutRetryAfter, call, 429, got);
        Duration::from_secs(1).min(self.retries.longest_wait)
    }

    fn own_wait(&self, attempt: u32) -> Duration {
        let doubled = self.retries.first_wait.saturating_mul(1 << (attempt - 1).min(16));
        doubled.min(self.retries.longest_wait)
    }

    /// One request and its answer, measured, recorded and checked for form.
    async fn exchange(&self, call: &Call, attempt: u32, note: Option<&str>) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let outcome = self.transfer(call).await;
        let took = started.elapsed();
        let status = outcome.as_ref().map_or(0, |answer| answer.status);
        self.ledger().exchange(u32::try_from(took.as_micros()).unwrap_or(u32::MAX), status);
        if let Some(recorder) = &self.recorder {
            let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
            recorder.write(&Exchange {
                at_ms: u64::try_from(started.duration_since(self.started).as_millis()).unwrap_or(u64::MAX),
                phase: self.ledger().phase(),
                step: call.step,
                method: call.method.as_str(),
                path: &call.path,
                request: recorded_body(call.body.as_deref()),
                status,
                answer: outcome.as_ref().ok().and_then(recorded_answer),
                duration_ms: took.as_secs_f64() * 1000.0,
                attempt,
                note: note.or(error.as_deref()),
            });
        }
        if let Ok(answer) = &outcome {
            check::envelope(self, call, answer);
        }
        outcome
    }

    async fn transfer(&self, call: &Call) -> anyhow::Result<Answer> {
        let token = if call.bad_token { "not-the-token" } else { self.token.as_str() };
        let mut request = self
            .http
            .request(call.method.clone(), self.url(&call.path))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(ACCEPT, self.dress.accept)
            .header(USER_AGENT, self.dress.user_agent);
        for (name, value) in self.dress.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, self.dress.content_type).body(body.clone());
        }
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let status = response.status().as_u16();
        let content_type = header(CONTENT_TYPE);
        let location = header(reqwest::header::LOCATION);
        let retry_after = header(RETRY_AFTER);
        let text = response.text().await.map_err(reqwest::Error::without_url)?;
        Ok(Answer {
            status,
            json: serde_json::from_str(&text).ok(),
            text,
            content_type,
            location,
            retry_after,
            repeated: false,
        })
    }

    /// The tenant URL's flag comes first in the query, as Entra puts it.
    fn url(&self, path: &str) -> String {
        match (self.dress.flag, path.split_once('?')) {
            (None, _) => format!("{}/{path}", self.base),
            (Some(flag), Some((path, query))) => format!("{}/{path}?{flag}&{query}", self.base),
            (Some(flag), None) => format!("{}/{path}?{flag}", self.base),
        }
    }
}

/// The detail of a SCIM error, as the end of a sentence.
fn told(answer: &Answer) -> String {
    let detail = answer.json.as_ref().and_then(|body| body.get("detail")).and_then(Value::as_str);
    detail.map_or_else(|| format!(" ({})", answer.status), |detail| format!(" ({detail})"))
}

fn recorded_answer(answer: &Answer) -> Option<Value> {
    recorded_body(Some(&answer.text)).or_else(|| {
        let text = (!answer.text.is_empty()).then(|| answer.text.clone())?;
        Some(Value::from(text))
    })
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The beginning of a text, for findings.
pub(crate) fn shortened(text: &str) -> String {
    const LIMIT: usize = 300;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    let start: String = text.chars().take(LIMIT).collect();
    format!("{start}…")
}
