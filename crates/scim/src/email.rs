//! Plausibility of an email address. An undeliverable address would make a member who can never accept an invitation. It is
//! stored unchanged, and the user gets no member (dispute `no_email`).

/// True if `text` is a plausible address: one `@`, a local part of at most 64 bytes without spaces or controls, and a
/// domain of dot-separated labels of at most 63 bytes. International addresses pass; a domain without a dot does not.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.len() <= 254 && is_local_part(local) && is_domain(domain)
}

fn is_local_part(local: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"(),:;<>@[\\]".contains(c);
    !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(plain)
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    domain.contains('.') && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::is_email;

    #[test]
    fn plausible_addresses_pass() {
        for good in ["a@b.co", "o'neil+tag@sub.example.com", "josé@exämple.de", "a&b=c@x-y.io", "1@2.34"] {
            assert!(is_email(good), "{good}");
        }
    }

    #[test]
    fn others_do_not() {
        let long = format!("{}@x.de", "a".repeat(65));
        for bad in [
            "", "a", "@x.de", "a@", "a@b", "a b@x.de", "a@x..de", "a@-x.de", "a@x.de.", "a@@x.de", "a\0@x.de",
            ".a@x.de", &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
