//! Versions of resources as entity tags (RFC 7644 §3.14, RFC 9110 §13). The tag is weak: it names the state of the resource, not
//! the bytes of one rendering.

/// The entity tag of a version, as in `ETag` and `meta.version`.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// True if a write may proceed: no `If-Match`, `*`, or a tag of the current version. Otherwise answer 412. Tags are
/// compared weakly, because all tags of this server are weak (RFC 7644 §3.14).
#[must_use]
pub fn if_match_allows(header: Option<&str>, version: i64) -> bool {
    header.is_none_or(|header| names(header, version))
}

/// True if the client has the current version already: answer a read with 304, a write with 412.
#[must_use]
pub fn if_none_match_hits(header: Option<&str>, version: i64) -> bool {
    header.is_some_and(|header| names(header, version))
}

fn names(header: &str, version: i64) -> bool {
    let current = format!("\"{version}\"");
    header.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_lists_are_read() {
        assert!(if_match_allows(None, 7));
        for hit in ["*", "W/\"7\"", "\"7\"", "W/\"1\", W/\"7\""] {
            assert!(if_match_allows(Some(hit), 7), "{hit}");
            assert!(if_none_match_hits(Some(hit), 7), "{hit}");
        }
        for miss in ["", "7", "W/\"17\"", "W/\"\"", "\"70\""] {
            assert!(!if_match_allows(Some(miss), 7), "{miss}");
            assert!(!if_none_match_hits(Some(miss), 7), "{miss}");
        }
        assert!(!if_none_match_hits(None, 7));
    }
}
