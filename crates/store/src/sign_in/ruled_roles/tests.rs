//! A role by rule is there while the claim is, reaches no owner, and brings nobody back.

use crate::access::sessions::SignInClient;
use crate::access::tenants::NewTenant;
use crate::admin::member_changes::MemberChanges;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::entity::members;
use crate::sign_in::identities::{ProviderPerson, ProviderSignIn};
use crate::{
    AdminScope, ConnectionTest, Member, NewApiKey, NewSignInConnection, SignInConnectionChange, Store, StoreError,
};
use futures_util::future::join_all;
use rollcall_core::ids::{MemberId, SignInConnectionId};
use rollcall_core::policy::Policy;
use rollcall_core::role_rules::{RULES_MAX, RoleRule, RuledRole};
use rollcall_core::roster::Role;
use rollcall_core::sign_in::{Asserted, ConnectionUse, Unrecognised};
use sea_orm::ColumnTrait;
use serde_json::{Value as Json, json};

const BOSS: &str = "boss@acme.example";
const ANN: &str = "ann@acme.example";

pub(in crate::sign_in) struct Office {
    pub(in crate::sign_in) store: Store,
    pub(in crate::sign_in) scope: AdminScope,
    pub(in crate::sign_in) connection: SignInConnectionId,
}

fn rules() -> Vec<RoleRule> {
    let rule = |value: &str, role| RoleRule { claim: "groups".into(), value: value.into(), role };
    vec![
        rule("hub-admins", RuledRole::Admin),
        rule("hub-auditors", RuledRole::Auditor),
        rule("finance", RuledRole::BillingContact),
    ]
}

impl Office {
    /// A tenant with a proven domain, and a connection in use with rules.
    pub(in crate::sign_in) async fn open(store: Store, seats: u32, creates_members: bool, owner: Option<&str>) -> Self {
        let owner_email = owner.map(str::to_owned);
        let new = NewTenant { name: "Acme".into(), seats, policy: Policy::default(), owner_email };
        let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
        let scope = store.operator_scope(&slug).await.expect("a scope");
        let domain = store.add_domain(&scope, "acme.example").await.expect("a domain").id.into();
        store.note_domain_check(&scope, domain, true).await.expect("noted");
        let (issuer, client_id) = ("https://idp.example", "rollcall");
        let new = NewSignInConnection { issuer, client_id, client_secret: None, email_trusted: false };
        let connection = store.create_sign_in_connection(&scope, &new).await.expect("a connection").id.into();
        let test = ConnectionTest { subject: None, accepted: true, report: json!({}) };
        store.note_connection_test(&scope, connection, test).await.expect("noted");
        let office = Self { store, scope, connection };
        let rules = rules();
        let change = SignInConnectionChange {
            usage: Some(ConnectionUse::Offered),
            role_rules: Some(&rules),
            creates_members: Some(creates_members),
            ..Default::default()
        };
        office.change(&change).await;
        office
    }

    pub(in crate::sign_in) async fn change(&self, change: &SignInConnectionChange<'_>) {
        let changed = self.store.change_sign_in_connection(&self.scope, self.connection, change, None).await;
        let _ = changed.expect("a change").unannounced();
    }

    /// A sign-in of the person with this name, and these groups, of which a trial says the same before.
    pub(in crate::sign_in) async fn sign_in(&self, name: &str, groups: &[&str]) -> ProviderSignIn<Role> {
        self.sign_in_with(name, &json!({ "groups": groups }), false).await
    }

    pub(in crate::sign_in) async fn sign_in_with(
        &self,
        name: &str,
        claims: &Json,
        unanswered: bool,
    ) -> ProviderSignIn<Role> {
        let email = format!("{name}@acme.example");
        let person = person(name, &email, claims, unanswered);
        let connection = self.store.open_connection(self.scope.tenant(), self.connection).await.expect("it");
        let would = self.store.would_sign_in(&connection, &person).await.expect("a trial").outcome;
        let outcome = self.end_of_sign_in(name, claims, unanswered).await.expect("an answer");
        let as_tried = match (&would, &outcome) {
            (ProviderSignIn::SignedIn((_, would)), ProviderSignIn::SignedIn(role)) => would == role,
            (ProviderSignIn::Unrecognised(would), ProviderSignIn::Unrecognised(why)) => would == why,
            (ProviderSignIn::NotAllowed(would), ProviderSignIn::NotAllowed(member)) => would == member,
            _ => false,
        };
        assert!(as_tried, "{would:?} {outcome:?}");
        outcome
    }

    async fn end_of_sign_in(
        &self,
        name: &str,
        claims: &Json,
        unanswered: bool,
    ) -> Result<ProviderSignIn<Role>, StoreError> {
        let email = format!("{name}@acme.example");
        let connection = self.store.open_connection(self.scope.tenant(), self.connection).await?;
        let person = person(name, &email, claims, unanswered);
        let ended = self.store.sign_in_by_provider(&connection, &person, &SignInClient::default()).await?;
        Ok(match ended.unannounced() {
            ProviderSignIn::SignedIn(started) => ProviderSignIn::SignedIn(started.session.role),
            ProviderSignIn::Unrecognised(why) => ProviderSignIn::Unrecognised(why),
            ProviderSignIn::NotAllowed(member) => ProviderSignIn::NotAllowed(member),
            ProviderSignIn::SwitchedOff => ProviderSignIn::SwitchedOff,
        })
    }

    pub(in crate::sign_in) async fn member(&self, email: &str) -> Option<Member> {
        // A list shows a row once no older transaction of the cluster is open.
        let tx = self.store.read(&self.scope.scope).await.expect("a transaction");
        let there = tx.find::<members::Entity>().filter(members::Column::EmailFolded.eq(email));
        there.filter(members::Column::Status.ne("removed")).one().await.expect("an answer")
    }

    /// The role of a member, whether they are a billing contact, and whether a rule lends something.
    async fn authority(&self, email: &str) -> (String, bool, bool) {
        let member = self.member(email).await.expect("a member");
        let lent = member.role_before_rule.is_some() || member.contact_by_rule;
        (member.role, member.billing_contact, lent)
    }

    async fn give(&self, email: &str, role: Role) {
        let id: MemberId = self.member(email).await.expect("a member").id.into();
        let changes = MemberChanges { role: Some(role), ..Default::default() };
        let _ = self.store.change_member(&self.scope, id, &changes).await.expect("a change").unannounced();
    }

    pub(in crate::sign_in) async fn events(&self, kind: &str) -> Vec<Json> {
        use crate::entity::audit_events::{Column, Entity};
        let tx = self.store.read(&self.scope.scope).await.expect("a transaction");
        let found = tx.find::<Entity>().filter(Column::Kind.eq(kind)).ascending(Column::Id);
        let found: Vec<crate::AuditEvent> = found.all().await.expect("the log");
        found.into_iter().map(|event| json!({ "actor": event.actor, "detail": event.detail })).collect()
    }

    async fn seats_used(&self) -> i64 {
        self.store.tenant_summary(&self.scope).await.expect("a tenant").seats_used
    }

    async fn sessions(&self, email: &str) -> usize {
        let id = self.member(email).await.expect("a member").id;
        self.store.sessions(&self.scope, Some(id.into())).await.expect("a list").len()
    }
}

fn person<'a>(subject: &'a str, email: &'a str, claims: &'a Json, unanswered: bool) -> ProviderPerson<'a> {
    ProviderPerson {
        subject,
        asserted: Asserted { email: Some(email), email_verified: Some(true), hosted_domain: None },
        session: None,
        authenticated_at: None,
        claims: claims.as_object().expect("an object"),
        unanswered,
    }
}

fn role_of(outcome: &ProviderSignIn<Role>) -> Option<Role> {
    match outcome {
        ProviderSignIn::SignedIn(role) => Some(*role),
        _ => None,
    }
}

fn refusal(outcome: ProviderSignIn<Role>) -> Unrecognised {
    match outcome {
        ProviderSignIn::Unrecognised(why) => why,
        other => panic!("{other:?}"),
    }
}

fn lent(role: &str, billing: bool) -> (String, bool, bool) {
    (role.into(), billing, true)
}

fn own(role: &str) -> (String, bool, bool) {
    (role.into(), false, false)
}

#[test]
fn a_role_by_rule_is_there_while_the_claim_is() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        assert_eq!(role_of(&office.sign_in("ann", &["hub-admins", "staff"]).await), Some(Role::Admin), "{engine}");
        assert_eq!(office.authority(ANN).await, lent("admin", false), "{engine}");
        assert_eq!(role_of(&office.sign_in("ann", &["hub-admins"]).await), Some(Role::Admin), "{engine}");
        assert_eq!(office.events("member.updated").await, Vec::<Json>::new(), "{engine}: nothing changed");
        assert_eq!(office.sessions(ANN).await, 2, "{engine}");
        assert_eq!(
            role_of(&office.sign_in("ann", &["hub-auditors", "finance"]).await),
            Some(Role::Auditor),
            "{engine}"
        );
        assert_eq!(office.authority(ANN).await, lent("auditor", true), "{engine}");
        assert_eq!(office.sessions(ANN).await, 1, "{engine}: another role ends the sessions of before");
        let gone = office.sign_in("ann", &["staff"]).await;
        assert!(matches!(gone, ProviderSignIn::NotAllowed(_)), "{engine}: {gone:?}");
        assert_eq!((office.authority(ANN).await, office.sessions(ANN).await), (own("member"), 0), "{engine}");
        let updates = office.events("member.updated").await;
        let [first, last] = updates.as_slice() else { panic!("{engine}: {updates:?}") };
        assert_eq!(first["actor"], "system", "{engine}");
        assert_eq!(first["detail"]["sign_in_connection_id"], json!(office.connection), "{engine}");
        assert_eq!(first["detail"]["before"], json!({ "role": "admin", "billing_contact": false }), "{engine}");
        assert_eq!(first["detail"]["rules"][0]["value"], "hub-auditors", "{engine}");
        assert_eq!(last["detail"]["after"], json!({ "role": "member", "billing_contact": false }), "{engine}");
        assert_eq!(last["detail"]["rules"], json!([]), "{engine}");
    });
}

#[test]
fn what_people_gave_stays_and_their_word_counts() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        office.sign_in("ann", &["hub-auditors"]).await;
        office.give(ANN, Role::Admin).await;
        assert_eq!(
            office.authority(ANN).await,
            own("admin"),
            "{engine}: a person's word takes the place of the rule's"
        );
        for groups in [&["hub-auditors"] as &[&str], &[], &["hub-admins"]] {
            assert_eq!(role_of(&office.sign_in("ann", groups).await), Some(Role::Admin), "{engine}: {groups:?}");
            assert_eq!(office.authority(ANN).await, own("admin"), "{engine}: {groups:?}");
        }
        office.give(ANN, Role::Auditor).await;
        assert_eq!(role_of(&office.sign_in("ann", &["hub-admins"]).await), Some(Role::Admin), "{engine}");
        assert_eq!(role_of(&office.sign_in("ann", &[]).await), Some(Role::Auditor), "{engine}");
        assert_eq!(office.authority(ANN).await, own("auditor"), "{engine}");
    });
}

#[test]
fn a_claim_that_nobody_read_takes_nothing_back() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        office.sign_in("ann", &["hub-admins", "finance"]).await;
        let elsewhere = json!({ "_claim_names": { "groups": "src1" } });
        for (claims, unanswered) in [(elsewhere, false), (json!({}), true)] {
            let outcome = office.sign_in_with("ann", &claims, unanswered).await;
            assert_eq!(role_of(&outcome), Some(Role::Admin), "{engine}: {claims}");
            assert_eq!(office.authority(ANN).await, lent("admin", true), "{engine}: {claims}");
        }
    });
}

#[test]
fn no_rule_reaches_an_owner() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        for groups in [&["hub-auditors", "finance"] as &[&str], &[]] {
            assert_eq!(role_of(&office.sign_in("boss", groups).await), Some(Role::Owner), "{engine}");
            assert_eq!(office.authority(BOSS).await, ("owner".into(), true, false), "{engine}");
        }
    });
}

#[test]
fn the_last_admin_and_the_last_billing_contact_stay() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, None).await;
        for groups in [&["hub-admins", "finance"] as &[&str], &[]] {
            assert_eq!(role_of(&office.sign_in("ann", groups).await), Some(Role::Admin), "{engine}: {groups:?}");
            assert_eq!(office.authority(ANN).await, lent("admin", true), "{engine}: {groups:?}");
        }
        office.sign_in("bea", &["hub-auditors", "finance"]).await;
        assert_eq!(role_of(&office.sign_in("ann", &[]).await), Some(Role::Admin), "{engine}: an auditor is no admin");
        assert_eq!(office.authority(ANN).await, lent("admin", false), "{engine}: Bea is a billing contact");
        office.sign_in("cat", &["hub-admins"]).await;
        assert!(matches!(office.sign_in("ann", &[]).await, ProviderSignIn::NotAllowed(_)), "{engine}: Cat is an admin");
        assert_eq!(office.authority(ANN).await, own("member"), "{engine}");
    });
}

#[test]
fn somebody_joins_by_a_rule_where_that_is_on_and_a_seat_is_free() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 2, false, Some(BOSS)).await;
        let nobody = Unrecognised::NoMember(ANN.into());
        assert_eq!(refusal(office.sign_in("ann", &["hub-admins"]).await), nobody, "{engine}: it is off at first");
        office.change(&SignInConnectionChange { creates_members: Some(true), ..Default::default() }).await;
        assert_eq!(refusal(office.sign_in("ann", &["staff"]).await), nobody, "{engine}: no rule gives a role");
        assert_eq!(role_of(&office.sign_in("ann", &["hub-auditors"]).await), Some(Role::Auditor), "{engine}");
        assert_eq!(office.seats_used().await, 2, "{engine}");
        let made = office.events("member.created").await;
        let joined = &made[1]["detail"];
        assert_eq!((&joined["email"], &joined["role"]), (&json!(ANN), &json!("auditor")), "{engine}");
        assert_eq!(joined["sign_in_connection_id"], json!(office.connection), "{engine}");
        assert!(made[0]["detail"].get("rules").is_none(), "{engine}: the owner of the tenant came by none");
        let bea = "bea@acme.example";
        let full = refusal(office.sign_in("bea", &["hub-admins"]).await);
        assert_eq!(full, Unrecognised::NoSeat(bea.into()), "{engine}");
        assert_eq!((office.seats_used().await, office.member(bea).await.is_none()), (2, true), "{engine}");
    });
}

#[test]
fn nobody_who_was_removed_comes_back_by_a_rule() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        office.sign_in("ann", &["hub-admins"]).await;
        let id = office.member(ANN).await.expect("a member").id;
        let tx = office.store.write(&office.scope.scope).await.expect("a transaction");
        let gone = tx.update::<members::Entity>(members::Column::Id.eq(id)).set(members::Column::Status, "removed");
        gone.exec().await.expect("a change");
        tx.commit().await.expect("a commit");
        let refused = refusal(office.sign_in("ann", &["hub-admins"]).await);
        assert_eq!(refused, Unrecognised::WasRemoved(ANN.into()), "{engine}");
        // Another account of the provider with the same address is no other person for that.
        let email = json!({ "groups": ["hub-admins"] });
        let connection = office.store.open_connection(office.scope.tenant(), office.connection).await.expect("it");
        let another = person("another", ANN, &email, false);
        let ended = office.store.sign_in_by_provider(&connection, &another, &SignInClient::default()).await;
        match ended.expect("an answer").unannounced() {
            ProviderSignIn::Unrecognised(why) => assert_eq!(why, Unrecognised::WasRemoved(ANN.into()), "{engine}"),
            _ => panic!("{engine}: signed in"),
        }
    });
}

#[test]
fn many_first_sign_ins_at_once_make_one_member() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        let groups = json!({ "groups": ["hub-admins"] });
        let all = join_all((0..4).map(|_| office.end_of_sign_in("ann", &groups, false))).await;
        assert!(all.iter().all(|one| matches!(one, Ok(ProviderSignIn::SignedIn(Role::Admin)))), "{engine}: {all:?}");
        assert_eq!((office.events("member.created").await.len(), office.seats_used().await), (2, 2), "{engine}");
    });
}

#[test]
fn rules_are_set_by_somebody_who_could_give_what_they_give() {
    on_each_engine(async |store, engine| {
        let office = Office::open(store, 5, true, Some(BOSS)).await;
        let set = async |scope: &AdminScope, rules: &[RoleRule]| {
            let change = SignInConnectionChange { role_rules: Some(rules), ..Default::default() };
            let changed = office.store.change_sign_in_connection(scope, office.connection, &change, None).await;
            changed.map(crate::Committed::unannounced)
        };
        for (role, may) in [(Role::Auditor, false), (Role::Member, false), (Role::Admin, true)] {
            let key = office.store.create_api_key(&office.scope, &NewApiKey::of(role, "")).await.expect("a key").secret;
            let key = office.store.credential(&crate::digest(&key)).await.expect("an answer").expect("a key");
            let scope = AdminScope::of_key(&key).expect("its scope");
            assert_eq!(set(&scope, &rules()[..1]).await.is_ok(), may, "{engine}: {role}");
        }
        let rule = rules().remove(0);
        for wrong in [vec![rule.clone(); RULES_MAX + 1], vec![RoleRule { claim: "name".into(), ..rule.clone() }]] {
            assert!(matches!(set(&office.scope, &wrong).await, Err(StoreError::Invalid(_))), "{engine}");
        }
        let kept =
            set(&office.scope, std::slice::from_ref(&rule)).await.expect("a change").role_rules().expect("rules");
        assert_eq!(kept, [rule], "{engine}");
        let told =
            office.events("sign_in_connection.updated").await.pop().expect("an event")["detail"]["after"].clone();
        assert_eq!(told["role_rules"][0]["role"], "admin", "{engine}: {told}");
    });
}
