//! Removes passwords from the body of a rejected request before it is kept.

use rollcall_store::REJECTED_BODY_BYTES;

/// The body without passwords. A body that is not JSON is kept unchanged, unless it may hold a password.
pub(super) fn storable(body: Vec<u8>) -> Option<String> {
    if body.is_empty() || body.len() > REJECTED_BODY_BYTES {
        return None;
    }
    let text = String::from_utf8(body).ok().filter(|text| !text.contains('\0'))?;
    if !text.to_ascii_lowercase().contains("password") {
        return Some(text);
    }
    let mut json: serde_json::Value = serde_json::from_str(&text).ok()?;
    forget_passwords(&mut json);
    let text = json.to_string();
    // A password elsewhere, such as in JSON text within a string: nothing is kept then.
    (!text.to_ascii_lowercase().contains("password")).then_some(text)
}

/// Removes every member called `password`, and every PATCH operation on that path, because the hub uses neither.
fn forget_passwords(json: &mut serde_json::Value) {
    let names_password = |text: &str| text.to_ascii_lowercase().contains("password");
    match json {
        serde_json::Value::Object(members) => {
            members.retain(|key, _| !names_password(key));
            members.values_mut().for_each(forget_passwords);
        }
        serde_json::Value::Array(items) => {
            items.retain(|item| {
                let path =
                    item.as_object().and_then(|item| item.iter().find(|(key, _)| key.eq_ignore_ascii_case("path")));
                !path.and_then(|(_, path)| path.as_str()).is_some_and(names_password)
            });
            items.iter_mut().for_each(forget_passwords);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(body: &str) -> Option<String> {
        storable(body.as_bytes().to_vec())
    }

    #[test]
    fn passwords_are_not_kept() {
        let kept = stored(r#"{"userName":1,"Password":"hunter2"}"#);
        assert_eq!(kept.as_deref(), Some(r#"{"userName":1}"#));
        let kept = stored(r#"{"Operations":[{"op":"replace","path":"password","value":"hunter2"},{"op":"shoe"}]}"#);
        assert_eq!(kept.as_deref(), Some(r#"{"Operations":[{"op":"shoe"}]}"#));
        assert_eq!(stored(r#"{"password":"hunter2""#), None);
        assert_eq!(stored(r#"{"value":"{\"password\":\"hunter2\"}"}"#), None);
    }

    #[test]
    fn other_bodies_are_kept_as_they_came() {
        assert_eq!(stored("{ not json").as_deref(), Some("{ not json"));
        assert_eq!(stored(r#"{ "op": 1 }"#).as_deref(), Some(r#"{ "op": 1 }"#));
        assert_eq!(stored(""), None);
        assert_eq!(stored(&"x".repeat(REJECTED_BODY_BYTES + 1)), None);
    }
}
