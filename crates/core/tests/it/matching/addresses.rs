//! Addresses of people who have left, or whose invitation ended (R5, R6).
//!
//! Neighbours tried: the former holder in every status, deleted and disabled, held, protected, admin, billing contact,
//! without external id; the newcomer new, linked, returning, disabled, waiting, simulated, withheld by a switch or a limit.

use super::{Case, play_all};

pub(super) const ENDED_INVITATIONS: &[Case] = &[
    (
        "r5: an ended invitation comes back to the present address",
        "set onboarding=invite; new a typo@x #1; run; mail a right@x; run; off a; run; on a; run",
        "1 a invited right@x",
    ),
    (
        "r5: a suspended member with an ended invitation follows the record",
        "set onboarding=invite; new a typo@x #1; run; mail a right@x; run; off a; run",
        "1 a suspended right@x",
    ),
    (
        "r5: invited, deleted and made again under another address",
        "set onboarding=invite; new a typo@x #1; run; del a; run; new b right@x #1; run",
        "1 b invited right@x",
    ),
    (
        "r5: the same in one go",
        "set onboarding=invite; new a typo@x #1; run; del a; new b right@x #1; run",
        "1 b invited right@x",
    ),
    (
        "r5: the present address is another's",
        "set onboarding=invite; new b right@x #2; new a typo@x #1; run; mail a right@x; run; off a; run; on a; run",
        "1 b invited right@x | 2 a invited typo@x | a? email_taken",
    ),
    (
        "r5: an ended invitation lets go of its address",
        "set onboarding=invite; new a ann@x #1; run; off a; mail a an@x; new b ann@x #2; run",
        "1 a suspended an@x | 2 b invited ann@x",
    ),
    (
        "r5: an open invitation is not changed",
        "set onboarding=invite; new a typo@x #1; run; mail a right@x; name a Ann; run",
        "1 a invited typo@x",
    ),
];

pub(super) const REISSUED: &[Case] = &[
    (
        "r6: the former holder is disabled",
        "new a ann@x #1; run; off a; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: the former holder gets the address while disabled, in one go with its next person",
        "new a cy@x #1; run; off a; run; mail a ann@x; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: the former holder goes to an older, disabled record of theirs, in one go with the address's next person",
        "new a - #1; off a; run; new b ann@x #1; run; del b; new c ann@x #2; run",
        "1 a suspended (ann@x) | 2 c active ann@x",
    ),
    ("r6: in one go", "new a ann@x #1; run; del a; new b ann@x #2; run", "1 a suspended (ann@x) | 2 b active ann@x"),
    (
        "r6: a linked person takes the address on",
        "new a ann@x #1; new b bob@x #2; run; del a; run; mail b ann@x; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: the former holder was active and still is",
        "new a ann@x #1; run; new b ann@x #2; run",
        "1 a active ann@x | b? email_taken",
    ),
    (
        "r6: the former holder was invited",
        "set onboarding=invite; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b invited ann@x",
    ),
    (
        "r6: the former holder was pending",
        "set approval=true; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b pending ann@x",
    ),
    (
        "r6: the former holder waited for a seat",
        "seats 1; new z z@x #9; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 z active z@x | 2 a suspended (ann@x) | 3 b pending ann@x",
    ),
    (
        "r6: the former holder is removed",
        "set on_deleted=remove; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a removed ann@x | 2 b active ann@x",
    ),
    (
        "r6: the former holder has no external id and is disabled",
        "new a ann@x; run; off a; run; new b ann@x #2; run",
        "1 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: the former holder is an admin",
        "new z z@x #9; new a ann@x #1; run; admin z; admin a; del a; run; new b ann@x #2; run",
        // An admin leaves once an owner approves it.
        "1 z active z@x | 2 a active ann@x | b? email_taken",
    ),
    (
        "r6: the former holder is no admin any more",
        "new z z@x #9; new a ann@x #1; run; admin z; admin a; del a; run; new b ann@x #2; run; member a; run",
        "1 z active z@x | 2 a suspended (ann@x) | 3 b active ann@x",
    ),
    (
        "r6: the former holder is a billing contact",
        "new z z@x #9; new a ann@x #1; run; billing z; billing a; del a; run; new b ann@x #2; run",
        "1 z active z@x | 2 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: the former holder is protected",
        "new a ann@x #1; run; del a; run; protect a; new b ann@x #2; run",
        "1 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: a protected member does not leave",
        "new a ann@x #1; run; protect a; del a; run; new b ann@x #2; run",
        "1 a active ann@x | b? email_taken",
    ),
    (
        "r6: the departure is held over the limit (suspend_only)",
        "set removal_limit.count=0; set removal_limit.percent=0; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: and is approved",
        "set removal_limit.count=0; set removal_limit.percent=0; new a ann@x #1; run; del a; run; new b ann@x #2; run; \
         approve; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: the departure is held over the limit (hold)",
        "set over_limit=hold; set removal_limit.count=0; set removal_limit.percent=0; new a ann@x #1; run; del a; run; \
         new b ann@x #2; run",
        "1 a active ann@x | b? email_taken",
    ),
    (
        "r6: departures are switched off",
        "set auto_deprovision=false; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a active ann@x | b? email_taken",
    ),
    (
        "r6: the former holder was made by hand",
        "hand ann@x; new a ann@x #1; run; del a; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: a disabled newcomer takes nothing",
        "new a ann@x #1; run; del a; run; new b ann@x #2; off b; run",
        "1 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: a newcomer without a seat has the address all the same",
        "new a ann@x #1; run; seats 1; del a; run; new z z@x #9; run; new b ann@x #2; run",
        "1 a suspended (ann@x) | 2 z active z@x | 3 b pending ann@x",
    ),
    (
        "r6: newcomers are switched off",
        "new a ann@x #1; run; del a; run; set auto_provision=false; new b ann@x #2; run",
        "1 a suspended ann@x | b? email_taken",
    ),
    (
        "r6: a source in simulation takes nothing",
        "new a ann@x #1; run; del a; run; sim s ann@x #9; run",
        "1 a suspended ann@x | s? email_taken",
    ),
    (
        "r6: two newcomers want the address",
        "new a ann@x #1; run; del a; run; new b ann@x #2; new c ann@x #3; run",
        "1 a suspended (ann@x) | 2 b active ann@x | c? email_taken",
    ),
    (
        "r6: the former holder returns under another address",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run; new c an@x #1; run",
        "1 c active an@x | 2 b active ann@x",
    ),
    (
        "r6: the former holder returns under the former address",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run; new c ann@x #1; run",
        "1 a suspended (ann@x) | 2 b active ann@x | c? email_taken",
    ),
    (
        "r6: and comes in as soon as it is free",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run; new c ann@x #1; run; mail b b@x; run",
        "1 c active ann@x | 2 b active b@x",
    ),
    (
        "r6: the former holder returns without an address",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run; new c - #1; run",
        "1 a suspended (ann@x) | 2 b active ann@x | c? email_taken",
    ),
    (
        "r6: the former holder is enabled again",
        "new a ann@x #1; run; off a; run; new b ann@x #2; run; on a; run",
        "1 a suspended (ann@x) | 2 b active ann@x | a? email_taken",
    ),
    (
        "r6: and has another address then",
        "new a ann@x #1; run; off a; run; new b ann@x #2; run; on a; mail a an@x; run",
        "1 a active an@x | 2 b active ann@x",
    ),
    (
        "r6: the former holder's record changes while it is disabled",
        "new a ann@x #1; run; off a; run; new b ann@x #2; run; name a Ann; run",
        "1 a suspended (ann@x) | 2 b active ann@x",
    ),
    (
        "r6: the former holder has another address while they are out",
        "new a ann@x #1; run; off a; run; new b ann@x #2; run; mail a an@x; run",
        "1 a suspended an@x | 2 b active ann@x",
    ),
    (
        "r6: and it is another's",
        "new a ann@x #1; new c an@x #3; run; off a; run; new b ann@x #2; run; mail a an@x; run",
        "1 a suspended (ann@x) | 2 c active an@x | 3 b active ann@x | a? email_taken",
    ),
    (
        "r6: two people swap addresses, one of whom is out",
        "new a ann@x #1; new b bob@x #2; run; off a; run; mail b ann@x; run; mail a bob@x; run",
        "1 a suspended bob@x | 2 b active ann@x",
    ),
    (
        "r6: the second holder leaves too",
        "new a ann@x #1; run; del a; run; new b ann@x #2; run; del b; run; new c ann@x #3; run",
        "1 a suspended (ann@x) | 2 b suspended (ann@x) | 3 c active ann@x",
    ),
];

#[test]
fn r5_dx13_an_invitation_that_ended_freezes_nothing() {
    play_all(ENDED_INVITATIONS);
}

#[test]
fn r6_an_address_goes_to_the_living() {
    play_all(REISSUED);
}
