//! Policy values of one source. Guards count over all channels, so limits and switches belong to the tenant; only keys
//! about single records can differ.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The keys of a [`Policy`](super::Policy) that may have a value for one source.
pub const OVERRIDABLE: &[&str] = &[
    "adopt_existing",
    "approval",
    "email_attribute",
    "group_scope",
    "group_sync",
    "local_attributes",
    "mapping",
    "on_deleted",
    "on_disabled",
    "on_out_of_scope",
    "onboarding",
    "put_without_members",
    "user_scope",
];

/// Keys of a policy with their values for one source; a missing key has the tenant's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourcePolicy(pub BTreeMap<String, Json>);

impl SourcePolicy {
    /// The tenant's policy with this source's values.
    ///
    /// # Errors
    /// Names the key with an invalid value.
    pub(super) fn laid_over<P: Serialize + DeserializeOwned>(&self, tenant: &P) -> Result<P, String> {
        let mut json = serde_json::to_value(tenant).map_err(|e| e.to_string())?;
        for (key, value) in &self.0 {
            json[key] = value.clone();
            serde_json::from_value::<P>(json.clone()).map_err(|e| format!("{key}: {e}"))?;
        }
        serde_json::from_value(json).map_err(|e| e.to_string())
    }

    /// # Errors
    /// Names the key that only the tenant as a whole can have.
    pub(super) fn check_keys(&self) -> Result<(), String> {
        let Some(key) = self.0.keys().find(|key| !OVERRIDABLE.contains(&key.as_str())) else { return Ok(()) };
        Err(format!("`{key}` is the whole tenant's; a source may have its own {}", OVERRIDABLE.join(", ")))
    }
}
