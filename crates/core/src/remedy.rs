//! Remedies: the one table of the advice that answers give. Each names the ways to carry it out, and a test of the program
//! checks that every route and command among them exists.

/// One way to carry out a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Method and path of the REST API.
    Route(&'static str),
    /// A command of the operator, after `rollcall`.
    Command(&'static str),
    /// At the identity provider or in the directory.
    Source,
    /// No action is necessary.
    Wait,
}

/// A sentence for people, and the ways.
#[derive(Debug, PartialEq, Eq)]
pub struct Remedy {
    pub sentence: &'static str,
    pub ways: &'static [Way],
}

macro_rules! remedies {
    ($($name:ident = $sentence:literal by [$($way:expr),+ $(,)?];)+) => {
        $(pub static $name: Remedy = Remedy { sentence: $sentence, ways: &[$($way),+] };)+

        /// Every remedy.
        pub static ALL: &[&Remedy] = &[$(&$name),+];
    };
}

const APPROVE_RUN: Way = Way::Route("POST /api/v1/runs/{id}/approve");
const POLICY: Way = Way::Route("PATCH /api/v1/policy");
const MEMBER: Way = Way::Route("PATCH /api/v1/members/{id}");
const INVITE: Way = Way::Route("POST /api/v1/members");
const TAKE_OUT: Way = Way::Route("DELETE /api/v1/members/{id}");
const APPROVE_MEMBER: Way = Way::Route("POST /api/v1/members/{id}/approve");
const SOURCE: Way = Way::Route("PATCH /api/v1/sources/{id}");
const SET_MODE: Way = Way::Command("source set-mode");
const PROMOTE: Way = Way::Route("POST /api/v1/sources/{id}/promote");
const PROMOTE_COMMAND: Way = Way::Command("source promote");
const RETRY: Way = Way::Route("POST /api/v1/skipped-records/{id}/retry");
const DELETE_GROUP: Way = Way::Route("DELETE /api/v1/groups/{id}");
const SET_QUOTA: Way = Way::Command("tenant set-quota");
const GATES: Way = Way::Route("GET /api/v1/members/{id}/explain");

remedies! {
    REMOVAL_OVER_LIMIT = "Check that these people really left, then approve the run. A higher limit counts for what comes after."
        by [APPROVE_RUN, POLICY];
    CREATION_OVER_LIMIT = "Check that these people belong in, then approve the run. A higher limit counts for what comes after."
        by [APPROVE_RUN, POLICY];
    MODIFICATION_OVER_LIMIT = "Check that the directory means these changes, then approve the run. A higher limit counts for what \
        comes after." by [APPROVE_RUN, POLICY];
    GROUP_WIPE = "Check that the group was emptied on purpose, then approve the run, or put the people back at the source."
        by [APPROVE_RUN, Way::Source];
    PROTECTED_MEMBER = "Take the member out of the policy's `protected_members` if they really left." by [POLICY];
    PRIVILEGED_MEMBER = "Have an owner approve the run, after checking with the person that the directory means it; or take the \
        role from the member first." by [APPROVE_RUN, MEMBER];
    LAST_ADMIN = "Make another active member an admin first." by [MEMBER];
    LAST_BILLING_CONTACT = "Make another active member the billing contact first." by [MEMBER];
    PROVISIONING_OFF = "Turn `auto_provision` on in the policy." by [POLICY];
    DEPROVISIONING_OFF = "Turn `auto_deprovision` on in the policy, after checking that everybody is in scope." by [POLICY];
    QUARANTINED = "Check what the source says; then release the source, or switch it off."
        by [Way::Route("POST /api/v1/sources/{id}/release"), Way::Command("source release"), SOURCE];
    SIMULATION = "Promote the source when the plan is what you want." by [PROMOTE, PROMOTE_COMMAND];
    SOURCE_OFF = "Set the source to live." by [SOURCE, SET_MODE];
    SECOND_LIVE = "only one source may decide who is a member. To move the tenant to the new source, make it or put it in mode \
        simulate (`--mode simulate`, PATCH /api/v1/sources/{id}, `rollcall source set-mode`), read what would happen (GET \
        /api/v1/sources/{id}/promotion) and promote it (POST /api/v1/sources/{id}/promote, `rollcall source promote`). To give \
        the live one up, detach it (POST /api/v1/sources/{id}/detach)."
        by [SOURCE, SET_MODE, Way::Route("GET /api/v1/sources/{id}/promotion"), PROMOTE, PROMOTE_COMMAND,
            Way::Route("POST /api/v1/sources/{id}/detach")];
    OTHER_MANAGES = "would stay as they are, whatever this source says. To move them, set that source to live again and this one to \
        simulate (PATCH /api/v1/sources/{id}, `rollcall source set-mode`), read what would happen (GET \
        /api/v1/sources/{id}/promotion) and promote this one (POST /api/v1/sources/{id}/promote). To give them up, detach that source \
        (POST /api/v1/sources/{id}/detach)."
        by [SOURCE, SET_MODE, Way::Route("GET /api/v1/sources/{id}/promotion"), PROMOTE, Way::Route("POST /api/v1/sources/{id}/detach")];
    NOT_SIMULATED = "set it to simulate (PATCH /api/v1/sources/{id}), let it say whom it has, and read the preview."
        by [SOURCE];

    PLAIN_DISCOVERY = "Some clients refuse a configuration with an attribute that RFC 7643 does not have (`pagination`), and say so \
        in their own log only. Set `plain_discovery` for the source (PATCH /api/v1/sources/{id}, `rollcall source configure`)."
        by [SOURCE, Way::Command("source configure")];
    ASK_THE_CLIENT = "Discovery is plain already: the client's own log says why it stops there." by [Way::Source];
    MEMBERS_LEFT_OUT = "Let it send PATCH, or \"members\": []. If it cannot, set `put_without_members` to \"empty\" for the source, under \
        `sources` in the policy (PATCH /api/v1/policy): such a PUT then empties the group, under the group guard."
        by [Way::Source, POLICY];

    NO_EMAIL = "Give the person an email address in the directory, or name the attribute that carries it in the policy's \
        `email_attribute`." by [Way::Source, POLICY];
    MAPPING_FAILED = "Change the expression in the policy (`mapping`), or the attributes it reads; try it with a preview."
        by [POLICY, Way::Route("POST /api/v1/policy/mapping/preview"), Way::Source];
    EMAIL_TAKEN = "Change the address of one of the two people in the directory, or unassign the one who does not need access. The \
        address of a person who has left goes on by itself once no held run waits for them; that of an admin, a billing contact or \
        a protected member stays until an admin changes the role or the policy and retries."
        by [Way::Source, APPROVE_RUN, MEMBER, POLICY, RETRY];
    EXTERNAL_ID_TAKEN = "Disable or delete one of the two records in the directory, or give each person an external id of their own."
        by [Way::Source];
    ADOPTION_OFF = "Turn `adopt_existing` on in the policy: the source then manages the member that was made by hand. Or take that \
        member out: the source then makes its own." by [POLICY, TAKE_OUT];
    GROUP_OUT_OF_SCOPE = "Take the group into the policy's `group_scope` again, or delete it in the product if nobody needs it."
        by [POLICY, DELETE_GROUP];
    GROUP_LEFT_OUT = "Take the group into the policy's `group_scope`." by [POLICY];
    GROUP_DELETED_HERE = "Delete the group at the source or take it out of `group_scope`; retry to have it in the product again."
        by [Way::Source, POLICY, RETRY];
    GROUP_NAME_TAKEN = "Rename one of the two groups at the source, or delete the other one in the product."
        by [Way::Source, DELETE_GROUP];
    GROUP_SYNC_OFF = "Turn `group_sync` on in the policy." by [POLICY];
    FAILED = "Retry it; if it fails again, give the error to the operator." by [RETRY];
    UNKNOWN_DISPUTE = "Retry it; the worker's log has the error." by [RETRY];

    ASSIGN = "Assign the person to this application in the identity provider." by [Way::Source];
    ASSIGN_AGAIN = "Assign the person to this application at the source again." by [Way::Source];
    ENABLE = "Enable the person at the source." by [Way::Source];
    ADD_TO_GROUP = "Add the person to the group at the source." by [Way::Source];
    MAKE_GROUP = "Rename or re-create the group at the source." by [Way::Source];
    ADD_TO_SCOPE = "Add the person to one of these groups at the source, or name a group of theirs in `user_scope`."
        by [Way::Source, POLICY];
    APPROVE = "Approve the member: the decision can be changed at any time." by [APPROVE_MEMBER];
    UNBLOCK = "Unblock the member: a source that wants them then lets them in, as far as seats and limits allow."
        by [Way::Route("POST /api/v1/members/{id}/unblock")];
    APPROVE_OR_TRUST = "Approve the member, or turn `approval` off in the policy for those who come after."
        by [APPROVE_MEMBER, POLICY];
    BUY_SEATS = "Have the operator set more seats (`rollcall tenant set-seats`), raise `seat_cap` in the policy, or take somebody \
        out at the source: the next on the waitlist is let in without further action."
        by [Way::Command("tenant set-seats"), POLICY, Way::Source];
    STORES_TOO_MUCH = "Delete some at the source, or have the operator raise the quota (`rollcall tenant set-quota`)."
        by [Way::Source, SET_QUOTA];
    TOO_MANY_SOURCES = "Delete a source that never sent a record (`rollcall source delete`), or have the operator raise the quota \
        (`rollcall tenant set-quota`)." by [Way::Command("source delete"), SET_QUOTA];
    TOO_MANY_KEYS = "Revoke tokens and keys that nobody uses, or have the operator raise the quota (`rollcall tenant set-quota`)."
        by [Way::Route("DELETE /api/v1/sources/{id}/tokens/{token_id}"), Way::Command("api-key revoke"), SET_QUOTA];
    TOO_MANY_WEBHOOKS = "Delete an endpoint that nobody needs, or have the operator raise the quota (`rollcall tenant set-quota`)."
        by [Way::Route("DELETE /api/v1/webhooks/{id}"), SET_QUOTA];
    TOO_MANY_CHANGES = "Try again when a worker has read some; if none does, have the operator look at the workers." by [Way::Wait];
    ADOPT_BY_SOURCE = "No source manages the member: a live source that has the person takes them over while `adopt_existing` is \
        on. Or take the member out and invite the person." by [POLICY, PROMOTE, Way::Source, TAKE_OUT, INVITE];
    ACCEPT = "Have the person accept the invitation." by [Way::Route("POST /api/v1/members/{id}/accept")];
    ACCEPT_OR_INVITE_AGAIN = "Have the person accept the invitation. If it went to a wrong address, disable the person at the source \
        and enable them again: the invitation then goes to the present address."
        by [Way::Route("POST /api/v1/members/{id}/accept"), Way::Source];
    RETURN_WITH_ADDRESS = "Enable the person at the source, with an address that nobody else has." by [Way::Source];
    EARLIER_GATES = "Look at the gates of the person before this one." by [GATES];
    TELL_OPERATOR = "Give the error to the operator, who asks `rollcall doctor`." by [Way::Command("doctor")];
    SAY_AGAIN = "Have the source send the person or the group again: what it says then is planned anew." by [Way::Source];
    ASK_AGAIN = "Ask again in a moment." by [Way::Wait];
}
