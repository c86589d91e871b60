//! What is different for the records of one source. Guards count over all channels, so their limits and switches are the
//! tenant's alone; what is here decides about single records.

use crate::ids::SourceId;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};

/// The keys of a [`Policy`] that one source may have its own value of.
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
    "user_scope",
];

/// Keys of a policy with their values for one source; a key that is not there has the tenant's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourcePolicy(pub BTreeMap<String, Json>);

impl Policy {
    /// The policy for one source's records.
    ///
    /// # Errors
    /// Names the key that takes no value of this kind.
    pub fn of_source(&self, source: SourceId) -> Result<Self, String> {
        let tenant = Self { sources: BTreeMap::new(), ..self.clone() };
        let Some(SourcePolicy(own)) = self.sources.get(&source) else { return Ok(tenant) };
        let mut json = serde_json::to_value(&tenant).map_err(|e| e.to_string())?;
        for (key, value) in own {
            json[key] = value.clone();
            serde_json::from_value::<Self>(json.clone()).map_err(|e| format!("sources.{source}.{key}: {e}"))?;
        }
        serde_json::from_value(json).map_err(|e| e.to_string())
    }

    /// The policies of all sources for which something is different.
    ///
    /// # Errors
    /// As [`of_source`](Self::of_source).
    pub fn by_source(&self) -> Result<HashMap<SourceId, Self>, String> {
        self.sources.keys().map(|source| Ok((*source, self.of_source(*source)?))).collect()
    }

    /// # Errors
    /// Names the source and the key that cannot be its own, or the value that is none.
    pub(crate) fn check_sources(&self) -> Result<(), String> {
        for (source, SourcePolicy(own)) in &self.sources {
            if let Some(key) = own.keys().find(|key| !OVERRIDABLE.contains(&key.as_str())) {
                let known = OVERRIDABLE.join(", ");
                return Err(format!(
                    "sources.{source}: `{key}` is the whole tenant's; a source may have its own {known}"
                ));
            }
            self.of_source(*source)?.validate().map_err(|e| format!("sources.{source}: {e}"))?;
        }
        Ok(())
    }
}
