//! Every authority under every combination of rules, and how claims are read.

use super::*;
use serde_json::json;

fn rule(claim: &str, value: &str, role: RuledRole) -> RoleRule {
    RoleRule { claim: claim.into(), value: value.into(), role }
}

fn ruled(claims: &Json, unanswered: bool) -> Ruled {
    let rules = [
        rule("groups", "money", RuledRole::BillingContact),
        rule("groups", "looks", RuledRole::Auditor),
        rule("groups", "runs it", RuledRole::Admin),
    ];
    Ruled::by(&rules, claims.as_object().expect("an object"), unanswered)
}

fn every_authority() -> impl Iterator<Item = Authority> {
    let roles = Role::ALL.iter().copied();
    let lent = |role: Role| {
        let before = [None, Some(Role::Member), Some(Role::Auditor)].into_iter();
        before.filter(move |before| before.is_none_or(|before| role != Role::Owner && !before.is_at_least(role)))
    };
    roles.flat_map(move |role| lent(role).map(move |before| (role, before))).flat_map(|(role, role_before_rule)| {
        [(false, false), (true, false), (true, true)].map(|(billing_contact, contact_by_rule)| Authority {
            role,
            billing_contact,
            role_before_rule,
            contact_by_rule,
        })
    })
}

fn every_ruled() -> impl Iterator<Item = Ruled> {
    [None, Some(Role::Auditor), Some(Role::Admin)].into_iter().flat_map(|role| {
        [false, true].into_iter().flat_map(move |billing_contact| {
            [false, true].map(|incomplete| Ruled { role, billing_contact, incomplete, rules: Vec::new() })
        })
    })
}

#[test]
fn the_strongest_role_of_the_matching_rules_counts() {
    let of = |groups: Json| {
        let ruled = ruled(&json!({ "groups": groups }), false);
        (ruled.role, ruled.billing_contact, ruled.rules.len())
    };
    assert_eq!(of(json!(["looks", "runs it"])), (Some(Role::Admin), false, 2));
    assert_eq!(of(json!(["runs it", "looks"])), (Some(Role::Admin), false, 2));
    assert_eq!(of(json!(["money"])), (None, true, 1));
    assert_eq!(of(json!("looks")), (Some(Role::Auditor), false, 1));
    for nothing in
        [json!([]), json!(null), json!("Runs it"), json!("runs it "), json!({ "runs it": true }), json!([["runs it"]])]
    {
        assert_eq!(of(nothing), (None, false, 0));
    }
}

#[test]
fn numbers_and_booleans_are_read_as_json_writes_them() {
    let rules = [rule("is_admin", "true", RuledRole::Admin), rule("level", "7", RuledRole::Auditor)];
    let role = |claims: Json| Ruled::by(&rules, claims.as_object().expect("an object"), false).role;
    assert_eq!(role(json!({ "is_admin": true })), Some(Role::Admin));
    assert_eq!(role(json!({ "is_admin": "true" })), Some(Role::Admin));
    assert_eq!(role(json!({ "is_admin": false, "level": 7 })), Some(Role::Auditor));
    assert_eq!(role(json!({ "level": 70 })), None);
}

#[test]
fn a_claim_that_is_elsewhere_or_was_not_answered_takes_nothing_back() {
    let elsewhere =
        json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://x" } } });
    assert!(ruled(&elsewhere, false).incomplete);
    assert!(!ruled(&json!({ "_claim_names": { "others": "src1" } }), false).incomplete);
    assert!(ruled(&json!({}), true).incomplete);
    assert!(!ruled(&json!({}), false).incomplete);
    assert!(!ruled(&json!({ "groups": [] }), true).incomplete, "it is there");
    assert!(!Ruled::by(&[], &Map::new(), true).incomplete, "nobody asks for a claim");
}

#[test]
fn no_rule_makes_an_owner_and_none_reaches_one() {
    for authority in every_authority() {
        for ruled in every_ruled() {
            let after = authority.under(&ruled);
            assert_eq!(after.role == Role::Owner, authority.role == Role::Owner, "{authority:?} {ruled:?}");
            if authority.role == Role::Owner {
                assert_eq!(after, authority, "{ruled:?}");
            }
        }
    }
}

#[test]
fn rules_lend_and_never_take_what_people_gave() {
    for authority in every_authority() {
        let own = authority.role_before_rule.unwrap_or(authority.role);
        let own_contact = authority.billing_contact && !authority.contact_by_rule;
        for ruled in every_ruled() {
            let after = authority.under(&ruled);
            let seen = format!("{authority:?} {ruled:?} {after:?}");
            assert!(after.role.is_at_least(own) && after.billing_contact >= own_contact, "{seen}");
            assert_eq!(after.role_before_rule.unwrap_or(after.role), own, "what people gave is kept: {seen}");
            assert_eq!(after.billing_contact && !after.contact_by_rule, own_contact, "{seen}");
            if authority.role != Role::Owner {
                assert!(ruled.role.is_none_or(|role| after.role.is_at_least(role)), "{seen}");
            }
            if ruled.incomplete {
                assert!(
                    after.role.is_at_least(authority.role) && after.billing_contact >= authority.billing_contact,
                    "{seen}"
                );
            }
            assert_eq!(after.under(&ruled), after, "a second sign-in changes nothing: {seen}");
            let gone = after.under(&Ruled::default());
            if authority.role != Role::Owner {
                assert_eq!(gone, Authority::given(own, own_contact), "without the claim: {seen}");
            }
        }
    }
}

#[test]
fn rules_are_few_and_name_what_the_organisation_says() {
    let one = |claim: &str, value: &str| check(&[rule(claim, value, RuledRole::Admin)]);
    assert_eq!(one("groups", "Admins of the hub"), Ok(()));
    assert_eq!(one("https://acme.example/roles", "admin"), Ok(()));
    assert_eq!(one("sub", "00u1"), Ok(()));
    let long = "x".repeat(RULE_TEXT_BYTES_MAX + 1);
    for (claim, value) in [("", "a"), ("groups", ""), ("groups", "a\0b"), (&long, "a"), ("groups", &long)] {
        assert!(one(claim, value).is_err_and(|why| why.contains("bytes")), "{claim:?} {value:?}");
    }
    for claim in ["email", "name", "preferred_username", "nonce"] {
        assert!(one(claim, "x").is_err_and(|why| why.contains("groups")), "{claim}");
    }
    let rules = vec![rule("groups", "a", RuledRole::Auditor); RULES_MAX + 1];
    assert!(check(&rules).is_err() && check(&rules[1..]).is_ok());
    for wrong in [
        json!({ "claim": "groups", "value": "a", "role": "owner" }),
        json!({ "claim": "groups", "value": "a", "role": "admin", "more": 1 }),
    ] {
        assert!(serde_json::from_value::<RoleRule>(wrong.clone()).is_err(), "{wrong}");
    }
}
