//! Runs: where one stands, and what became of each of its items.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a run stands.
    RunState {
        Applied = "applied",
        /// A guard withholds its items; an admin decides, or the source takes them back.
        Held = "held",
        /// Released, and not applied yet.
        Approved = "approved",
        Rejected = "rejected",
        /// The source took back everything that was held.
        Withdrawn = "withdrawn",
        /// What a promotion would do, or a rewind that waits for an approval.
        Planned = "planned",
        /// Was planned when its source was promoted.
        Promoted = "promoted",
        /// A rewind that a worker is still working out.
        Planning = "planning",
        /// Another run has taken it back.
        Rewound = "rewound",
    }
}

text_enum! {
    /// What became of an item of a run.
    ItemDecision {
        Applied = "applied",
        /// A guard withholds it; an admin decides, or the source takes it back.
        Held = "held",
        /// Released by an admin, and not applied yet.
        Approved = "approved",
        Rejected = "rejected",
        /// The source no longer wants it, or wants something else by now.
        Withdrawn = "withdrawn",
        /// The source is in simulation: the item is what a promotion would do.
        Simulated = "simulated",
        /// A step of a rewind that waits for an approval.
        Planned = "planned",
        /// A step of a rewind that cannot be taken.
        Impossible = "impossible",
    }
}
