//! An upload in the hands of a worker.

use crate::agent::uploads::Upload;
use crate::engine::error::StoreError;
use crate::scope::TenantScope;
use rollcall_core::event::UploadEnded;
use rollcall_core::ids::{SourceId, UploadId};
use rollcall_core::upload::{UploadRefusal, UploadState};
use rollcall_snapshot::Begun;
use serde_json::Value as Json;

/// An upload that a worker works on.
#[derive(Debug)]
pub struct UploadWork {
    pub(crate) scope: TenantScope,
    pub(crate) upload: Upload,
}

impl UploadWork {
    pub fn id(&self) -> UploadId {
        self.upload.id.into()
    }

    pub(super) fn source(&self) -> SourceId {
        self.upload.source_id.into()
    }

    pub fn is_checked(&self) -> bool {
        self.upload.is(UploadState::Applying)
    }

    pub fn simulates(&self) -> bool {
        self.upload.simulate
    }

    /// The number of the next part to be applied; none when all are.
    pub fn next_part(&self) -> Option<u32> {
        let next = self.upload.applied_parts + 1;
        u32::try_from(next).ok().filter(|_| next <= self.upload.parts)
    }

    pub fn parts(&self) -> u32 {
        u32::try_from(self.upload.parts).unwrap_or(0)
    }

    /// The terms under which it was begun.
    ///
    /// # Errors
    /// For a row that cannot be read.
    pub fn begun(&self) -> Result<Begun, StoreError> {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Begun {
            upload: self.upload.id.to_string(),
            is_delta: self.upload.is_delta(),
            covers: self.upload.ranges()?,
            users: number(self.upload.users),
            groups: number(self.upload.user_groups),
        })
    }
}

impl UploadWork {
    pub(super) fn ended(&self, why: Option<UploadRefusal>) -> UploadEnded {
        UploadEnded {
            upload_id: self.id(),
            key_id: self.upload.key_id.into(),
            reason: why.map(|why| why.as_str().to_owned()),
            counts: self.upload.counts.clone().unwrap_or(Json::Null),
        }
    }
}
