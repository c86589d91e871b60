//! A change of a policy: whole, or only the keys that change. In neither form does a missing key silently get its
//! default.

use crate::ids::SourceId;
use crate::policy::Policy;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// Keys whose own keys change one by one. Every other value is given whole.
const CHANGED_BY_PART: &[&str] = &["creation_limit", "mapping", "modification_limit", "removal_limit", "sources"];

/// Keys that decide which record is whose account, and how many seats are bought. Whoever sets them can take an account over or spend
/// money, so only an owner does.
const OWNERS_KEYS: &[&str] = &["adopt_existing", "email_attribute", "mapping", "protected_members", "seat_cap"];

impl Policy {
    /// The first of the `OWNERS_KEYS` that has another value afterwards, for the tenant or for one of its sources.
    ///
    /// # Errors
    /// Names the part of a policy that is invalid for a source.
    pub fn owners_key_changed(&self, after: &Self) -> Result<Option<&'static str>, String> {
        let sources: BTreeSet<SourceId> = self.sources.keys().chain(after.sources.keys()).copied().collect();
        let mut pairs = vec![(self.keys()?, after.keys()?)];
        for source in sources {
            pairs.push((self.of_source(source)?.keys()?, after.of_source(source)?.keys()?));
        }
        let differs = |key: &&&str| pairs.iter().any(|(before, after)| before.get(**key) != after.get(**key));
        Ok(OWNERS_KEYS.iter().find(differs).copied())
    }

    /// Reads a policy that must have every key.
    ///
    /// # Errors
    /// Names the missing keys, or the key with an invalid value.
    pub fn whole(given: &Map<String, Json>) -> Result<Self, String> {
        let policy = read(given)?;
        let known = policy.keys()?;
        let missing: Vec<&str> = known.keys().filter(|key| !given.contains_key(*key)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(policy);
        }
        Err(format!(
            "policy: {} not given; PUT takes every key, PATCH changes those that it is given",
            missing.join(", ")
        ))
    }

    /// This policy with some keys changed. A null source in `sources` loses its own values.
    ///
    /// # Errors
    /// Names the key that does not exist or has an invalid value.
    pub fn with_changes(&self, changes: &Map<String, Json>) -> Result<Self, String> {
        let mut keys = self.keys()?;
        for (key, change) in changes {
            let by_part = CHANGED_BY_PART.contains(&key.as_str());
            match (keys.get_mut(key).filter(|_| by_part), change) {
                (Some(Json::Object(parts)), Json::Object(changes)) => {
                    parts.extend(changes.clone());
                    if key == "sources" {
                        parts.retain(|_, own| !own.is_null());
                    }
                }
                _ => drop(keys.insert(key.clone(), change.clone())),
            }
        }
        read(&keys)
    }

    fn keys(&self) -> Result<Map<String, Json>, String> {
        match serde_json::to_value(self).map_err(|e| e.to_string())? {
            Json::Object(keys) => Ok(keys),
            _ => Err("a policy is a JSON object".into()),
        }
    }
}

fn read(keys: &Map<String, Json>) -> Result<Policy, String> {
    // Read one by one only to name the invalid key.
    let wrong = || {
        keys.iter().find_map(|(key, value)| {
            let alone = Map::from_iter([(key.clone(), value.clone())]);
            Policy::deserialize(Json::Object(alone)).err().map(|e| format!("policy.{key}: {e}"))
        })
    };
    Policy::deserialize(Json::Object(keys.clone())).map_err(|e| wrong().unwrap_or_else(|| format!("policy: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(json: Json) -> Map<String, Json> {
        json.as_object().cloned().unwrap_or_default()
    }

    fn stored() -> Policy {
        let settings =
            ["approval=true", "removal_limit.count=3", "removal_limit.percent=1", "mapping.email=user.title"];
        Policy::with_settings(settings).unwrap()
    }

    #[test]
    fn a_whole_policy_has_every_key() {
        let given = keys(serde_json::to_value(stored()).unwrap());
        assert_eq!(Policy::whole(&given), Ok(stored()));
        for key in given.keys() {
            let mut part = given.clone();
            part.remove(key);
            let error = Policy::whole(&part).unwrap_err();
            assert!(error.contains(key) && error.contains("PATCH"), "{key}: {error}");
        }
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_was() {
        let [one, other] = [1, 2].map(|id| SourceId(uuid::Uuid::from_u128(id)));
        let both = json!({ "sources": { one.to_string(): { "approval": false }, other.to_string(): { "onboarding": "invite" } } });
        let before = stored().with_changes(&keys(both)).unwrap();
        assert_eq!(stored().with_changes(&Map::new()), Ok(stored()));
        let changes = json!({
            "removal_limit": { "count": 4 },
            "creation_limit": { "count": 7 },
            "mapping": { "given_name": "user.title" },
            "sources": { one.to_string(): null },
        });
        let after = before.with_changes(&keys(changes)).unwrap();
        assert_eq!((after.approval, after.removal_limit.count, after.removal_limit.percent), (true, 4, 1));
        assert_eq!((after.creation_limit.map(|limit| limit.count), after.mapping.email.is_some()), (Some(7), true));
        assert_eq!(after.sources.keys().copied().collect::<Vec<_>>(), [other]);
        let off = after.with_changes(&keys(json!({ "creation_limit": null, "mapping": { "email": null } }))).unwrap();
        assert_eq!((off.creation_limit, off.mapping.email), (None, None));
    }

    #[test]
    fn s5_the_owners_keys_are_found_in_the_tenant_and_in_a_source() {
        let source = SourceId(uuid::Uuid::from_u128(1)).to_string();
        for (changes, key) in [
            (json!({ "approval": false, "removal_limit": { "count": 9 } }), None),
            (json!({ "adopt_existing": false }), Some("adopt_existing")),
            (json!({ "email_attribute": "userName" }), Some("email_attribute")),
            (json!({ "mapping": { "email": "user.userName" } }), Some("mapping")),
            (json!({ "protected_members": ["01890000-0000-7000-8000-000000000000"] }), Some("protected_members")),
            (json!({ "sources": { source.clone(): { "approval": false } } }), None),
            (json!({ "sources": { source.clone(): { "adopt_existing": true } } }), None),
            (json!({ "sources": { source.clone(): { "adopt_existing": false } } }), Some("adopt_existing")),
            (json!({ "sources": { source.clone(): { "mapping": {} } } }), Some("mapping")),
        ] {
            let after = stored().with_changes(&keys(changes.clone())).unwrap();
            assert_eq!(stored().owners_key_changed(&after), Ok(key), "{changes}");
            assert_eq!(after.owners_key_changed(&stored()), Ok(key), "back from {changes}");
        }
    }

    #[test]
    fn a_wrong_change_is_named() {
        for (changes, named) in [
            (json!({ "aproval": true }), "aproval"),
            (json!({ "auto_provision": true, "approval": "perhaps" }), "policy.approval"),
            (json!({ "removal_limit": { "counts": 1 } }), "policy.removal_limit"),
            (json!({ "removal_limit": null }), "policy.removal_limit"),
            (json!({ "removal_limit": [5, 5, 24] }), "policy.removal_limit: takes an object"),
            (json!({ "group_scope": ["Staff"] }), "policy.group_scope: takes an object"),
            (json!({ "creation_limit": 20 }), "policy.creation_limit: takes an object"),
            (json!({ "sources": { "nobody": {} } }), "policy.sources"),
        ] {
            let error = stored().with_changes(&keys(changes.clone())).unwrap_err();
            assert!(error.contains(named), "{changes}: {error}");
        }
    }
}
