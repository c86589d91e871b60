//! Distinguished names, compared as they are meant and never as text (RFC 4514): directories write `\2C` in one place and `\,` in another,
//! another case, spaces, and an OID for a type.

/// The known names of attribute types that come as OIDs.
const OIDS: &[(&str, &str)] = &[
    ("2.5.4.3", "cn"),
    ("2.5.4.10", "o"),
    ("2.5.4.11", "ou"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("0.9.2342.19200300.100.1.25", "dc"),
];

/// A form that equal names share.
pub(super) fn folded(name: &str) -> String {
    let parts = split(name, b",;").into_iter().map(|part| {
        let mut pairs: Vec<String> = split(part, b"+").into_iter().map(pair).collect();
        pairs.sort();
        pairs.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

/// The value of the first part, such as `Ann` of `CN=Ann,DC=acme`.
pub(super) fn first_value(name: &str) -> Option<String> {
    let (_, value) = split(name, b",;").first()?.split_once('=')?;
    Some(unescaped(value.trim()))
}

/// True if a name is that of the base or below it.
pub(super) fn is_below(name: &str, base: &str) -> bool {
    let (name, base) = (folded(name), folded(base));
    name == base || name.strip_suffix(&base).is_some_and(|above| above.ends_with(','))
}

/// Splits at signs that are neither escaped nor in quotation marks.
fn split<'n>(name: &'n str, at: &[u8]) -> Vec<&'n str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (position, byte) in name.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && at.contains(&byte) => {
                parts.push(&name[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&name[start..]);
    parts
}

fn pair(pair: &str) -> String {
    let (kind, value) = pair.split_once('=').unwrap_or(("", pair));
    let kind = kind.trim().to_lowercase();
    let kind = kind.strip_prefix("oid.").unwrap_or(&kind);
    let kind = OIDS.iter().find(|(oid, _)| *oid == kind).map_or(kind, |(_, name)| name);
    let value = unescaped(value.trim());
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    // Written as one text, the value's own signs must not look like the end of a part.
    format!("{kind}={}", value.replace('\\', "\\5c").replace(',', "\\2c").replace('+', "\\2b"))
}

fn unescaped(value: &str) -> String {
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let hexadecimal = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match after {
            [one, two, after @ ..] if hexadecimal(one).is_some() && hexadecimal(two).is_some() => {
                bytes.push(hexadecimal(one).unwrap_or(0) << 4 | hexadecimal(two).unwrap_or(0));
                rest = after;
            }
            [sign, after @ ..] => {
                bytes.push(*sign);
                rest = after;
            }
            [] => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lies_below_its_bases() {
        assert!(is_below("CN=Ann, OU=People,DC=acme", "ou=people,dc=ACME"));
        assert!(is_below("dc=acme", "DC=acme"));
        assert!(!is_below("ou=morepeople,dc=acme", "ou=people,dc=acme"));
        assert!(!is_below("dc=acme", "ou=people,dc=acme"));
        assert_eq!(first_value(r"CN=Li\2C Mei,DC=acme").as_deref(), Some("Li, Mei"));
    }

    #[test]
    fn names_that_mean_the_same_are_equal() {
        let same = [
            r"CN=Li\, Mei,OU=People,DC=acme,DC=test",
            r"cn=Li\2C Mei, ou=people ,dc=Acme,dc=TEST",
            r"CN=Li\2c  Mei,OU=People;DC=acme,DC=test",
            r#"2.5.4.3="Li, Mei",OID.2.5.4.11=People,0.9.2342.19200300.100.1.25=acme,DC=test"#,
        ];
        for name in same {
            assert_eq!(folded(name), folded(same[0]), "{name}");
        }
        assert_eq!(folded(r"cn=a+sn=b,dc=x"), folded(r"SN=b + CN=a,dc=x"));
        assert_eq!(folded(r"cn=\C3\A9,dc=x"), folded("cn=é,dc=x"));
        for (one, two) in [("cn=a,dc=x", "cn=a,cn=x"), (r"cn=a\,dc\=b,dc=x", "cn=a,dc=b,dc=x"), (r"cn=a\+b", "cn=a+b")]
        {
            assert_ne!(folded(one), folded(two), "{one} and {two}");
        }
    }
}
