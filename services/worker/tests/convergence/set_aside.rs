//! A change that cannot be applied is set aside as a dispute, and only that one.

use crate::desk::Desk;
use crate::engine::{on_each_database, on_each_engine, statement};
use crate::office::{Office, pages};
use crate::situations::hire;
use crate::unannounced::Unannounced;
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::policy::Policy;
use rollcall_scim::GroupResource;
use rollcall_store::{MemberFilter, SkippedFilter, SkippedRecord, Store};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

async fn skipped(office: &Office) -> Vec<SkippedRecord> {
    let all = SkippedFilter::default();
    pages(async |page| office.store.skipped_records(&office.api, &all, &page).await).await
}

/// Marks all people as changed, in the bulk lane.
async fn look_again(desk: &Desk) {
    let source = desk.store.sources(&desk.api).await.expect("sources").into_iter().next().expect("a source");
    for mode in [SourceMode::Simulate, SourceMode::Live] {
        desk.store.change_source(&desk.api, SourceId(source.id), mode.into()).await.expect("a switch").unannounced();
    }
}

#[test]
fn what_was_pushed_while_a_chunk_was_planned_is_not_consumed_with_it() {
    on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(&store, engine, Policy::default()).await;
        desk.hire("ann").await;
        desk.work().await;
        // Both lanes in one chunk; a change that arrives meanwhile comes between the two.
        look_again(&desk).await;
        desk.hire("bob").await;
        let hire = async || {
            desk.hire("cy").await;
        };
        assert_eq!(desk.work_while(hire).await, 0, "{engine}");
        let members: BTreeSet<String> = desk.members().await.into_iter().map(|member| member.email).collect();
        let expected = ["ann", "bob", "cy", "owner"].map(|name| format!("{name}@x.test"));
        assert_eq!(members, BTreeSet::from(expected), "{engine}");
    });
}

#[test]
fn what_was_pushed_while_a_change_failed_is_not_set_aside_with_it() {
    on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(&store, engine, Policy::default()).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        look_again(&desk).await;
        // In the bulk lane, so that a push overtakes it.
        let lease = desk.lease().await;
        let failed = desk.store.next_chunk(&lease, 1).await.expect("an answer").expect("a change");
        desk.hire("cy").await;
        desk.store.set_aside(&lease, &failed, "it failed").await.expect("an end");
        let list = SkippedFilter::default();
        let skipped = pages(async |page| desk.store.skipped_records(&desk.api, &list, &page).await).await;
        let subjects: Vec<_> = skipped.iter().map(|record| (record.subject_id, record.dispute.as_str())).collect();
        assert_eq!(subjects, [(ann.0, "failed")], "{engine}");
        desk.work().await;
        let members: Vec<String> = desk.members().await.into_iter().map(|member| member.email).collect();
        assert!(members.contains(&"cy@x.test".to_owned()), "{engine}: {members:?}");
    });
}

/// Makes the database refuse that row.
async fn refuse(url: &str, engine: &str, table: &str, condition: &str) {
    let sql = match engine {
        "Postgres" => format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF {condition} THEN RAISE EXCEPTION 'refused by the test'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        ),
        _ => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} \
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        ),
    };
    statement(url, &sql).await;
}

async fn group(office: &Office, name: &str, users: &[DirectoryUserId]) -> uuid::Uuid {
    let named: Map<String, Value> = json!({ "displayName": name }).as_object().expect("an object").clone();
    let group = GroupResource::from_stored(named);
    office.store.create_group(&office.source(), group, users).await.expect("a group").unannounced().id.0
}

#[test]
fn a_person_who_cannot_be_written_is_listed_and_the_others_come_in() {
    on_each_database(async |store: Store, engine, url| {
        refuse(url, engine, "members", "NEW.email = 'bad@x.test'").await;
        let mut office = Office::open(store, 1, 1, engine).await;
        let bad = hire(&office, "bad", "bad@x.test", None).await;
        for name in ["ann", "bob", "cy"] {
            hire(&office, name, &format!("{name}@x.test"), None).await;
        }
        office.wake();
        office.rest().await;
        let members =
            pages(async |page| office.store.members(&office.api, &MemberFilter::default(), &page).await).await;
        assert_eq!(members.len(), 1 + 3, "{engine}: {members:#?}");
        let skipped = skipped(&office).await;
        let subjects: Vec<_> = skipped.iter().map(|record| (record.subject_id, record.dispute.as_str())).collect();
        assert_eq!(subjects, [(bad.0, "failed")], "{engine}");
        office.close().await;
    });
}

#[test]
fn of_a_membership_that_cannot_be_written_the_group_is_listed() {
    on_each_database(async |store: Store, engine, url| {
        let mut office = Office::open(store, 1, 1, engine).await;
        let (ann, bob) =
            (hire(&office, "ann", "ann@x.test", None).await, hire(&office, "bob", "bob@x.test", None).await);
        office.wake();
        office.rest().await;
        refuse(url, engine, "sharing_group_members", "TRUE").await;
        let design = group(&office, "Design", &[ann, bob]).await;
        office.wake();
        office.rest().await;
        let skipped = skipped(&office).await;
        let subjects: Vec<_> = skipped
            .iter()
            .map(|record| (record.subject_kind.as_str(), record.subject_id, record.dispute.as_str()))
            .collect();
        assert_eq!(subjects, [("directory_group", design, "failed")], "{engine}: {skipped:?}");
        office.close().await;
    });
}
