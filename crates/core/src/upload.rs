//! Uploads of agents: their kinds and states, and why one is refused (DA3). Each refusal has a number like that of HTTP, a word for
//! programs, and a sentence with the way out.

use crate::text_enum::text_enum;

text_enum! {
    /// Kind of an upload.
    UploadKind {
        /// All entries of the buckets that it covers.
        Snapshot = "snapshot",
        /// Changes since a cursor (PE5).
        Delta = "delta",
    }
}

text_enum! {
    /// State of an upload.
    UploadState {
        /// Parts are coming.
        Open = "open",
        /// It is kept until an admin verifies the key (DA4).
        Unverified = "unverified",
        /// It is complete, and a worker will look at it.
        Waiting = "waiting",
        /// A worker writes it into the directory.
        Applying = "applying",
        Done = "done",
        Refused = "refused",
        /// It was given up, or another one took its place.
        Abandoned = "abandoned",
    }
}

text_enum! {
    /// Why an upload, or a part of one, is refused.
    UploadRefusal {
        /// More people would leave than the limit allows (DA10).
        RemovalOverLimit = "member_removal_over_limit",
        EmptySnapshot = "empty_snapshot",
        NoUserWithEmail = "no_user_with_email",
        PartFlawed = "part_flawed",
        PartForeign = "part_foreign",
        PartDoubled = "part_doubled",
        PartDiffers = "part_differs",
        PartsMissing = "parts_missing",
        ManifestDiffers = "manifest_differs",
        NotCovered = "not_covered",
        GoneInSnapshot = "gone_in_snapshot",
        CountsDiffer = "counts_differ",
        UnknownGroup = "unknown_group",
        TooManyGroups = "too_many_groups",
        /// The source takes people only (DS3, DA9).
        GroupsNotTaken = "groups_not_taken",
        /// The directory at the hub is not the one that the agent saw.
        SequenceMoved = "sequence_moved",
        /// The delta begins elsewhere than the last upload ended (PE5).
        CursorMoved = "cursor_moved",
        UploadInProgress = "upload_in_progress",
        UploadEnded = "upload_ended",
        IdTaken = "id_taken",
        StorageFull = "storage_full",
        QuotaUsedUp = "quota_used_up",
        ProvisioningOff = "provisioning_off",
        KeyRevoked = "key_revoked",
        Superseded = "superseded",
        Expired = "expired",
        GivenUp = "given_up",
        Internal = "internal",
    }
}

impl UploadRefusal {
    /// The number, as HTTP has it.
    pub const fn code(self) -> u16 {
        match self {
            Self::ProvisioningOff | Self::KeyRevoked | Self::QuotaUsedUp => 403,
            Self::PartForeign
            | Self::PartDiffers
            | Self::PartsMissing
            | Self::ManifestDiffers
            | Self::SequenceMoved
            | Self::CursorMoved
            | Self::UploadInProgress
            | Self::UploadEnded
            | Self::IdTaken
            | Self::Superseded
            | Self::Expired
            | Self::GivenUp => 409,
            Self::StorageFull => 429,
            Self::Internal => 500,
            Self::RemovalOverLimit
            | Self::EmptySnapshot
            | Self::NoUserWithEmail
            | Self::PartFlawed
            | Self::PartDoubled
            | Self::NotCovered
            | Self::GoneInSnapshot
            | Self::CountsDiffer
            | Self::UnknownGroup
            | Self::TooManyGroups
            | Self::GroupsNotTaken => 400,
        }
    }

    /// The sentence for people, with the way out, where there is no more to say.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::RemovalOverLimit => {
                "more people would leave than the limit allows; check the directory, then repeat with removalLimit"
            }
            Self::EmptySnapshot => {
                "the upload has no active person, and the hub has some: nothing was changed. Check what the agent reads; to end \
                 everybody's access on purpose, detach the source"
            }
            Self::NoUserWithEmail => "no person of the upload has an email address; check which attribute carries it",
            Self::PartFlawed => "a part is not understood",
            Self::PartForeign => "the part is of another upload, or has another number",
            Self::PartDoubled => "two parts cover the same buckets",
            Self::PartDiffers => "the upload has another part of this number; begin a new upload",
            Self::PartsMissing => "parts are missing; send them, then commit again",
            Self::ManifestDiffers => "the parts that are here are not those of the manifest; begin a new upload",
            Self::NotCovered => "the parts do not cover the buckets for which the upload was begun",
            Self::GoneInSnapshot => "a snapshot says that somebody is gone; only a delta may",
            Self::CountsDiffer => "the upload has other numbers of people and groups than it was begun with",
            Self::UnknownGroup => "a person is in a group that neither the upload nor the hub has",
            Self::TooManyGroups => "the upload has too many groups; sync fewer",
            Self::GroupsNotTaken => "the source takes people only; leave groups out",
            Self::SequenceMoved => "another upload was applied meanwhile; read the state again, then repeat",
            Self::CursorMoved => "the delta does not begin where the last upload ended; send a snapshot",
            Self::UploadInProgress => "another upload of this source is being applied; wait for its end",
            Self::UploadEnded => "the upload has ended, or is committed; begin a new one",
            Self::IdTaken => "another upload has this id",
            Self::StorageFull => "too much waits to be applied for this organisation; wait, or give uploads up",
            Self::QuotaUsedUp => "the organisation may keep no more records; ask the operator for a larger quota",
            Self::ProvisioningOff => "provisioning is switched off for this source; an admin switches it on",
            Self::KeyRevoked => "the key of the agent was revoked; enrol the agent again",
            Self::Superseded => "a later upload of the agent took its place",
            Self::Expired => "the upload was not completed in time",
            Self::GivenUp => "the agent gave the upload up",
            Self::Internal => {
                "an error of the hub, which its operator finds in the log; nothing is lost, so repeat later"
            }
        }
    }
}
