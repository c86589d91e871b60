//! State of a run, and decision about each of its items.

use crate::text_enum::text_enum;

text_enum! {
    /// State of a run.
    RunState {
        Applied = "applied",
        /// A guard withholds its items; an admin decides, or the source takes them back.
        Held = "held",
        /// Released, and not applied yet.
        Approved = "approved",
        Rejected = "rejected",
        /// The source took back everything that was held, also after an approval: nothing of it happened.
        Withdrawn = "withdrawn",
        /// The effect of a promotion, or a rewind that waits for an approval.
        Planned = "planned",
        /// Was planned when its source was promoted.
        Promoted = "promoted",
        /// A rewind whose plan a worker has not finished.
        Planning = "planning",
        /// Another run has rewound it.
        Rewound = "rewound",
        /// Another run has rewound a part of it. The rest could not be taken back then, and a later rewind may complete it.
        PartlyRewound = "partly_rewound",
    }
}

text_enum! {
    /// Whether everything in a run happened.
    RunVerdict {
        Applied = "applied",
        /// Something was held, planned or simulated.
        Withheld = "withheld",
    }
}

text_enum! {
    /// In which of two compared runs an action is.
    FoundIn {
        OnlyThis = "only_this",
        OnlyOther = "only_other",
        Same = "same",
        /// The same action on the same subject, with another outcome.
        Differs = "differs",
    }
}

text_enum! {
    /// Decision about an item of a run.
    ItemDecision {
        Applied = "applied",
        /// A guard withholds it; an admin decides, or the source takes it back.
        Held = "held",
        /// Released by an admin, and not applied yet.
        Approved = "approved",
        Rejected = "rejected",
        /// The source no longer wants it, or has changed it since.
        Withdrawn = "withdrawn",
        /// The source is in simulation: a promotion would apply the item.
        Simulated = "simulated",
        /// A step of a rewind that waits for an approval.
        Planned = "planned",
        /// A step of a rewind that cannot be taken.
        Impossible = "impossible",
    }
}
