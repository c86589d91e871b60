use super::{Actor, AuditKind, Difference, Event, MemberDetail, MemberLink, NoDetail};
use crate::action::Why;
use crate::directory::SourceSettings;
use crate::roster::MemberStatus;
use serde_json::json;
use uuid::Uuid;

/// The product holds members and sharing groups, so it is notified of every event about one, and of no other.
#[test]
fn what_concerns_a_member_or_a_sharing_group_is_outgoing() {
    for kind in AuditKind::ALL {
        let (noun, _) = kind.as_str().split_once('.').expect("noun.verb");
        let concerned = ["member", "seat", "device", "sharing_keys", "sharing_group"].contains(&noun);
        assert_eq!(kind.is_outgoing(), concerned, "{kind}");
    }
}

#[test]
fn a_mail_goes_to_the_invited_and_to_admins_who_have_to_decide_or_know() {
    let mail: Vec<&str> = AuditKind::ALL.iter().filter(|kind| kind.causes_mail()).map(|kind| kind.as_str()).collect();
    assert_eq!(
        mail,
        [
            "source.quarantined",
            "sign_in_link.used",
            "member.invited",
            "member.invited_again",
            "webhook.disabled",
            "run.held"
        ]
    );
}

#[test]
fn a_detail_is_the_json_that_readers_know() {
    let id = Uuid::from_u128(7);
    let link = MemberLink { directory_user_id: Some(id.into()), external_id: None, managed_by: None };
    let after = MemberLink { managed_by: Some(None), ..link.clone() };
    let why = Why::MatchedByEmail;
    for (event, subject, detail) in [
        (Event::CredentialRevoked(id.into(), NoDetail), "credential", None),
        (
            Event::SourceUpdated(
                id.into(),
                Difference {
                    before: SourceSettings::default(),
                    after: SourceSettings { users_only: true, ..SourceSettings::default() },
                },
            ),
            "source",
            Some(json!({
                "before": { "users_only": false, "plain_discovery": false },
                "after": { "users_only": true, "plain_discovery": false },
            })),
        ),
        (Event::SeatReleased(id.into(), MemberDetail::Nothing {}), "member", Some(json!({}))),
        (
            Event::MemberRemoved(
                id.into(),
                MemberDetail::Removed { from: MemberStatus::Active, why: Why::DeletedAtSource },
            ),
            "member",
            Some(json!({ "from": "active", "why": "deleted_at_source" })),
        ),
        (
            Event::MemberAdopted(id.into(), MemberDetail::Linked { before: link, after, why }),
            "member",
            Some(json!({
                "before": { "directory_user_id": id, "external_id": null },
                "after": { "directory_user_id": id, "external_id": null, "managed_by": null },
                "why": "matched_by_email",
            })),
        ),
    ] {
        assert_eq!(event.subject(), (subject, id));
        assert_eq!(event.detail(), detail, "{event:?}");
    }
}

#[test]
fn an_actor_reads_back_from_its_text() {
    let id = Uuid::from_u128(7);
    for actor in [
        Actor::Source(id.into()),
        Actor::ApiKey(id.into()),
        Actor::Member(id.into()),
        Actor::SetupLink(id.into()),
        Actor::Operator,
        Actor::OperatorKey(id.into()),
        Actor::OperatorPerson(id.into()),
        Actor::System,
    ] {
        assert_eq!(Actor::of_text(&actor.to_text()), Some(actor));
    }
    assert_eq!(Actor::of_text("setup_link"), None);
}
