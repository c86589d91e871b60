//! Random resources and random filters over them, rich in strings that fold, escape and quote in odd ways.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rollcall_scim::ResourceKind;
use rollcall_scim::schema::{Attribute, ENTERPRISE_USER, Kind};
use serde_json::{Map, Value as Json, json};

/// Pairs and triples of these are equal but for case, or only nearly.
const ODD: [&str; 44] = [
    "",
    " ",
    "a",
    "A",
    "ab",
    "AB",
    "b",
    "ß",
    "ss",
    "SS",
    "ẞ",
    "straße",
    "STRASSE",
    "Å",
    "å",
    "a\u{30a}",
    "A\u{30a}",
    "\u{212b}",
    "é",
    "E\u{301}",
    "ς",
    "Σ",
    "σ",
    "İ",
    "i\u{307}",
    "ı",
    "I",
    "ﬁ",
    "fi",
    "Ａ",
    "日本",
    "👩‍🚀",
    "%",
    "_",
    "\\",
    "a%b",
    "a_b",
    "\"q\"",
    "o'neil",
    "$.a",
    "null",
    "true",
    "7",
    "\u{345}Α\u{301}",
];
/// Local parts that make good addresses.
const LOCAL: [&str; 9] = ["ada", "ADA", "straße", "STRASSE", "åsa", "A\u{30a}SA", "o'neil", "a%b", "a_b"];
const TYPES: [&str; 5] = ["work", "WORK", "home", "other", "straße"];
const ACME: [&str; 3] = ["urn:acme:hr:1.0:User", "URN:ACME:hr:1.0:user", "urn:acme:hr:1.0:user"];

fn pick<'a, T: ?Sized>(rng: &mut StdRng, from: &[&'a T]) -> &'a T {
    from.choose(rng).expect("not empty")
}

fn text(rng: &mut StdRng) -> String {
    let parts = rng.random_range(1..3);
    (0..parts).map(|_| pick(rng, &ODD)).collect()
}

fn address(rng: &mut StdRng) -> String {
    format!("{}@{}", pick(rng, &LOCAL), pick(rng, &["x.de", "X.DE", "y.se"]))
}

pub(super) fn random_user(rng: &mut StdRng, number: usize) -> Json {
    let mut user = Map::new();
    user.insert("userName".into(), format!("{}{number}@x.de", text(rng)).into());
    for attribute in ResourceKind::User.attributes() {
        match attribute.name {
            "userName" | "id" | "meta" | "schemas" | "groups" | "password" => {}
            "externalId" => maybe(rng, &mut user, "externalId", |rng| text(rng).into()),
            "emails" => maybe(rng, &mut user, "emails", emails),
            name => maybe(rng, &mut user, name, |rng| value(rng, attribute)),
        }
    }
    for attribute in ResourceKind::User.extensions().iter().flat_map(|schema| schema.attributes) {
        maybe(rng, &mut user, &format!("{ENTERPRISE_USER}:{}", attribute.name), |rng| value(rng, attribute));
    }
    for urn in ACME {
        maybe(rng, &mut user, urn, custom_extension);
    }
    Json::Object(user)
}

pub(super) fn random_group(rng: &mut StdRng, number: usize) -> Json {
    let mut group = json!({ "displayName": format!("{}{}", text(rng), number % 5) });
    if rng.random() {
        group["externalId"] = text(rng).into();
    }
    if rng.random() {
        group[ACME[0]] = custom_extension(rng);
    }
    group
}

fn maybe(rng: &mut StdRng, object: &mut Map<String, Json>, name: &str, make: impl FnOnce(&mut StdRng) -> Json) {
    if rng.random_range(0..3) > 0 {
        object.insert(name.to_owned(), make(rng));
    }
}

/// A value of an attribute's type.
fn value(rng: &mut StdRng, attribute: &Attribute) -> Json {
    if attribute.multi {
        let count = rng.random_range(0..4);
        return (0..count).map(|_| single(rng, attribute)).collect();
    }
    single(rng, attribute)
}

fn single(rng: &mut StdRng, attribute: &Attribute) -> Json {
    match attribute.kind {
        Kind::Boolean => rng.random::<bool>().into(),
        Kind::Complex => {
            let mut members = Map::new();
            for sub in attribute.sub {
                maybe(rng, &mut members, sub.name, |rng| single(rng, sub));
            }
            Json::Object(members)
        }
        _ if attribute.name == "type" => pick(rng, &TYPES).into(),
        _ => text(rng).into(),
    }
}

/// Up to four; the preferred one must be an address.
fn emails(rng: &mut StdRng) -> Json {
    let primary = rng.random_range(0..6);
    let email = |rng: &mut StdRng, place: usize| {
        let mut email = json!({ "value": address(rng), "type": pick(rng, &TYPES) });
        if place == primary || rng.random_range(0..4) == 0 {
            email["primary"] = (place == primary).into();
        }
        if place != 0 && place != primary && rng.random_range(0..4) == 0 {
            email["value"] = text(rng).into();
        }
        email
    };
    let count = rng.random_range(0..5);
    (0..count).map(|place| email(rng, place)).collect()
}

fn custom_extension(rng: &mut StdRng) -> Json {
    let mut extension = Map::new();
    for name in ["badge", "Badge", "floor", "tags", "place"] {
        maybe(rng, &mut extension, name, |rng| any(rng, 2));
    }
    Json::Object(extension)
}

fn any(rng: &mut StdRng, depth: usize) -> Json {
    match rng.random_range(0..if depth > 0 { 7 } else { 4 }) {
        0 => rng.random_range(-2..9_i64).into(),
        1 => rng.random::<bool>().into(),
        2 => (f64::from(rng.random_range(-9..40)) / 4.0).into(),
        3 => text(rng).into(),
        4 => {
            let count = rng.random_range(0..4);
            (0..count).map(|_| any(rng, depth - 1)).collect()
        }
        _ => {
            let mut members = Map::new();
            for name in ["value", "Value", "colour", "type"] {
                maybe(rng, &mut members, name, |rng| any(rng, depth - 1));
            }
            Json::Object(members)
        }
    }
}

/// A filter's text; now and then one that does not parse.
pub(super) fn random_filter(rng: &mut StdRng, kind: ResourceKind, words: &[String]) -> String {
    nested(rng, 2, &mut |rng| match rng.random_range(0..4) {
        0 => {
            let list = complex_name(rng, kind);
            let inside = nested(rng, 1, &mut |rng| {
                let name = sub_name(rng, kind, &list);
                comparison(rng, &name, words)
            });
            let behind = match rng.random_range(0..4) {
                0 => {
                    let name = sub_name(rng, kind, &list);
                    format!(".{}", comparison(rng, &name, words))
                }
                _ => String::new(),
            };
            format!("{list}[{inside}]{behind}")
        }
        _ => {
            let name = name(rng, kind);
            comparison(rng, &name, words)
        }
    })
}

fn nested(rng: &mut StdRng, depth: usize, leaf: &mut dyn FnMut(&mut StdRng) -> String) -> String {
    let choice = if depth == 0 { 9 } else { rng.random_range(0..8) };
    match choice {
        0 | 1 => format!("not ({})", nested(rng, depth - 1, leaf)),
        2 | 3 => {
            let word = pick(rng, &["and", "or"]);
            format!("({}) {word} {}", nested(rng, depth - 1, leaf), nested(rng, depth - 1, leaf))
        }
        _ => leaf(rng),
    }
}

const CUSTOM: [&str; 3] = ["urn:acme:hr:1.0:User", "urn:ACME:hr:1.0:user", "urn:acme:hr:2.0:User"];
const CUSTOM_NAMES: [&str; 5] = ["badge", "BADGE", "floor", "tags", "place"];
const CUSTOM_SUBS: [&str; 4] = ["value", "colour", "TYPE", "Value"];

fn attributes(kind: ResourceKind) -> Vec<(String, &'static Attribute)> {
    let own = kind.attributes().map(|attribute| (attribute.name.to_owned(), attribute));
    let extensions = kind.extensions().iter().flat_map(|schema| {
        schema.attributes.iter().map(|attribute| (format!("{}:{}", schema.urn, attribute.name), attribute))
    });
    own.chain(extensions).collect()
}

/// Any path there is.
fn name(rng: &mut StdRng, kind: ResourceKind) -> String {
    if rng.random_range(0..6) == 0 {
        let name = format!("{}:{}", pick(rng, &CUSTOM), pick(rng, &CUSTOM_NAMES));
        return if rng.random() { name } else { format!("{name}.{}", pick(rng, &CUSTOM_SUBS)) };
    }
    let attributes = attributes(kind);
    let (name, attribute) = attributes.choose(rng).expect("attributes");
    match attribute.sub.choose(rng) {
        Some(sub) if rng.random_range(0..5) > 0 => format!("{name}.{}", sub.name),
        _ => name.clone(),
    }
}

fn complex_name(rng: &mut StdRng, kind: ResourceKind) -> String {
    if rng.random_range(0..5) == 0 {
        return format!("{}:{}", pick(rng, &CUSTOM), pick(rng, &CUSTOM_NAMES));
    }
    let complex: Vec<_> =
        attributes(kind).into_iter().filter(|(_, attribute)| attribute.kind == Kind::Complex).collect();
    complex.choose(rng).expect("complex attributes").0.clone()
}

fn sub_name(rng: &mut StdRng, kind: ResourceKind, list: &str) -> String {
    let attributes = attributes(kind);
    match attributes.iter().find(|(name, _)| name == list) {
        Some((_, attribute)) => attribute.sub.choose(rng).expect("sub-attributes").name.to_owned(),
        None => pick(rng, &CUSTOM_SUBS).to_owned(),
    }
}

fn comparison(rng: &mut StdRng, name: &str, words: &[String]) -> String {
    const OPERATORS: [&str; 12] = ["eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"];
    match pick(rng, &OPERATORS) {
        "pr" => format!("{name} pr"),
        operator => format!("{name} {operator} {}", literal(rng, name, words)),
    }
}

fn literal(rng: &mut StdRng, name: &str, words: &[String]) -> String {
    let last = name.rsplit(['.', ':']).next().unwrap_or_default();
    match (last, rng.random_range(0..12)) {
        (_, 0) => "null".to_owned(),
        ("active" | "primary", _) => pick(rng, &["true", "false"]).to_owned(),
        ("created" | "lastModified", choice) => instant(rng, choice, words),
        (_, 1) if name.starts_with("urn:") => pick(rng, &["true", "false"]).to_owned(),
        (_, 2 | 3) if name.starts_with("urn:") => (f64::from(rng.random_range(-9..40)) / 4.0).to_string(),
        (_, 4 | 5) if name.starts_with("urn:") => rng.random_range(-2..9).to_string(),
        (_, 6) => Json::from(text(rng)).to_string(),
        (_, 7) => Json::from(part(rng, words)).to_string(),
        ("type", 8 | 9) => Json::from(pick(rng, &TYPES)).to_string(),
        (_, choice) => {
            let word = words.choose(rng).expect("words");
            let word = match choice {
                8 => word.to_uppercase(),
                9 => word.to_lowercase(),
                _ => word.clone(),
            };
            Json::from(word).to_string()
        }
    }
}

/// An instant that occurs, or one close to it, or far off.
fn instant(rng: &mut StdRng, choice: usize, words: &[String]) -> String {
    let occurring: Vec<_> = words.iter().filter_map(|word| chrono::DateTime::parse_from_rfc3339(word).ok()).collect();
    let instant = *occurring.choose(rng).expect("instants");
    let nanos = match choice {
        1..=6 => 0,
        7 => 1_000_000,
        8 => -1_000_000,
        9 => 456_000,
        _ => 1,
    };
    let instant = instant + chrono::TimeDelta::nanoseconds(nanos);
    match rng.random_range(0..12) {
        0 => r#""9999-12-31T23:59:60-12:00""#.to_owned(),
        1 => r#""0000-01-01T00:00:00+12:00""#.to_owned(),
        2 => r#""+12345-01-01T00:00:00""#.to_owned(),
        3..=6 => format!(
            "\"{}\"",
            instant.with_timezone(&chrono::FixedOffset::east_opt(19_800).expect("an offset")).to_rfc3339()
        ),
        _ => format!("\"{}\"", instant.to_rfc3339()),
    }
}

fn part(rng: &mut StdRng, words: &[String]) -> String {
    let word: Vec<char> = words.choose(rng).expect("words").chars().collect();
    let from = rng.random_range(0..=word.len());
    let to = rng.random_range(from..=word.len());
    word[from..to].iter().collect()
}
