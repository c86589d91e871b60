//! Writes each exchange as one line of JSON, so that an admin can attach a conversation to a ticket.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

/// One exchange. It has no field for headers, so the token cannot get in.
#[derive(Serialize)]
pub(crate) struct Exchange<'a> {
    /// Milliseconds since the run began.
    pub(crate) at_ms: u64,
    pub(crate) phase: &'a str,
    pub(crate) step: &'a str,
    pub(crate) method: &'a str,
    /// Relative to the SCIM endpoint, query included.
    pub(crate) path: &'a str,
    pub(crate) request: Option<Value>,
    /// 0 without an answer.
    pub(crate) status: u16,
    /// The answer's JSON, or its text.
    pub(crate) answer: Option<Value>,
    pub(crate) duration_ms: f64,
    pub(crate) attempt: u32,
    /// `duplicate` or `answer dropped` for chaos; an error text when the connection failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'a str>,
}

#[derive(Debug)]
pub(crate) struct Recorder {
    file: Mutex<BufWriter<File>>,
}

impl Recorder {
    pub(crate) fn append_to(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write the recording {}", path.display()))?;
        Ok(Self { file: Mutex::new(BufWriter::new(file)) })
    }

    /// A full disk must not stop the conversation; [`Recorder::finish`] reports it.
    pub(crate) fn write(&self, exchange: &Exchange<'_>) {
        if let Ok(mut line) = serde_json::to_vec(exchange) {
            line.push(b'\n');
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = file.write_all(&line);
        }
    }

    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush().context("the recording is incomplete")
    }
}

/// The recorded body: passwords, though invented, are masked.
pub(crate) fn recorded_body(body: Option<&str>) -> Option<Value> {
    let mut value: Value = serde_json::from_str(body?).ok()?;
    mask_passwords(&mut value);
    Some(value)
}

fn mask_passwords(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if key.eq_ignore_ascii_case("password") {
                    *field = Value::from("***");
                } else {
                    mask_passwords(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_passwords),
        _ => {}
    }
}
