//! Values that a settings file and the environment give: each has a known key and the type of its default, or the message names what
//! is near.

use super::Settings;
use anyhow::{Result, bail};
use rollcall_core::spelling::did_you_mean;
use toml::{Table, Value};

/// Variables with the prefix that are not settings.
const NOT_SETTINGS: [&str; 3] = ["ROLLCALL_CONFIG", "ROLLCALL_DATA", "ROLLCALL_BIN"];
/// The same, by how they begin.
const NOT_SETTINGS_BELOW: [&str; 2] = ["ROLLCALL_TEST_", "ROLLCALL_BENCH_"];

/// Variables that other programs use too.
pub(super) const USUAL_NAMES: [(&str, &str, &str); 3] =
    [("DATABASE_URL", "database", "url"), ("AMQP_URL", "queue", "url"), ("REDIS_URL", "cache", "url")];

pub(super) fn merge_file(table: &mut Table, given: Table) -> Result<()> {
    for (section, entries) in given {
        let Some(Value::Table(known)) = table.get_mut(&section) else {
            let near = did_you_mean(&section, table.keys());
            bail!("the settings file has a section [{section}] that does not exist; {LISTED}{near}");
        };
        let Value::Table(entries) = entries else { bail!("{section} in the settings file must be a section") };
        for (key, value) in entries {
            let name = format!("{section}.{key}");
            let Some(slot) = known.get_mut(&key) else {
                let near = did_you_mean(&key, known.keys());
                bail!("the settings file has a key {name} that does not exist; {LISTED}{near}");
            };
            *slot = of_same_type(&name, slot, value)?;
        }
    }
    Ok(())
}

pub(super) fn merge_variable(table: &mut Table, name: &str, text: &str) -> Result<()> {
    if let Some((_, section, key)) = USUAL_NAMES.iter().find(|(usual, ..)| *usual == name) {
        if let Some(slot) = table.get_mut(*section).and_then(|section| section.get_mut(*key)) {
            *slot = Value::String(text.to_owned());
        }
        return Ok(());
    }
    let is_other = NOT_SETTINGS.contains(&name) || NOT_SETTINGS_BELOW.iter().any(|other| name.starts_with(other));
    if !name.starts_with("ROLLCALL_") || is_other {
        return Ok(());
    }
    for (section, entries) in table.iter_mut() {
        let Value::Table(entries) = entries else { continue };
        for (key, slot) in entries.iter_mut() {
            if name == variable_of(section, key) {
                let value = match slot {
                    Value::String(_) => Value::String(text.to_owned()),
                    Value::Boolean(_) => {
                        text.parse().map(Value::Boolean).unwrap_or_else(|_| Value::String(text.to_owned()))
                    }
                    _ => text
                        .parse::<i64>()
                        .map(Value::Integer)
                        .or_else(|_| text.parse().map(Value::Float))
                        .unwrap_or_else(|_| Value::String(text.to_owned())),
                };
                *slot = of_same_type(&format!("{section}.{key} ({name})"), slot, value)?;
                return Ok(());
            }
        }
    }
    if is_service_link(name, text) {
        return Ok(());
    }
    let near = meant_variable(name)?;
    bail!("the environment variable {name} is no setting; {LISTED}{near}")
}

/// Kubernetes gives every container variables about each Service of its namespace (`enableServiceLinks`), and a Service may be
/// called `rollcall`. They are known by name and value together, so that a mistyped setting is still told.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let is_link = |text: &str| {
        let address = ["tcp://", "udp://", "sctp://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        address.and_then(|address| address.rsplit_once(':')).is_some_and(|(_, port)| is_port(port))
    };
    let is_host = |text: &str| text.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if name.ends_with("_SERVICE_HOST") {
        return is_host(text);
    }
    if name.contains("_SERVICE_PORT") {
        return is_port(text);
    }
    let Some((_, about)) = name.split_once("_PORT") else { return false };
    // ROLLCALL_PORT, ROLLCALL_PORT_8080_TCP, and below the latter _PROTO, _PORT and _ADDR.
    match about.rsplit('_').next().unwrap_or_default() {
        "" | "TCP" | "UDP" | "SCTP" => is_link(text),
        "PROTO" => matches!(text, "tcp" | "udp" | "sctp"),
        "PORT" => is_port(text),
        "ADDR" => is_host(text),
        _ => false,
    }
}

const LISTED: &str = "`rollcall help config` lists them";

/// The variables that may be meant: those of the same key when the section was left out, else the nearest one.
fn meant_variable(name: &str) -> Result<String> {
    let variables: Vec<String> = Settings::variables()?.into_iter().map(|(variable, _)| variable).collect();
    let key = name.trim_start_matches("ROLLCALL");
    let same_key: Vec<&str> = variables.iter().map(String::as_str).filter(|known| known.ends_with(key)).collect();
    Ok(match same_key.as_slice() {
        [] => did_you_mean(name, &variables),
        meant => format!(". Did you mean {}?", meant.join(" or ")),
    })
}

pub(super) fn variable_of(section: &str, key: &str) -> String {
    format!("ROLLCALL_{}_{}", section.to_uppercase(), key.to_uppercase())
}

/// The value in the type of its default.
fn of_same_type(name: &str, default: &Value, given: Value) -> Result<Value> {
    Ok(match (default, given) {
        (Value::Float(_), Value::Integer(number)) => Value::Float(number as f64),
        (Value::Integer(_), Value::Integer(number)) if number >= 0 => Value::Integer(number),
        (Value::Float(_), value @ Value::Float(_)) | (Value::String(_), value @ Value::String(_)) => value,
        (Value::Boolean(_), value @ Value::Boolean(_)) => value,
        (Value::Boolean(_), given) => bail!("{name} is {given}; it takes true or false"),
        (Value::Float(_) | Value::Integer(_), given) => {
            bail!("{name} is {given}; it takes a number, not negative, e.g. {default}")
        }
        (_, given) => bail!("{name} is {given}; it takes a text in quotes, e.g. {default}"),
    })
}
