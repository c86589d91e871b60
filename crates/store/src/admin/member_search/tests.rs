//! Searches in a roster in which one word is everybody's, and the words that triggers keep.

use super::*;
use crate::directory::filter::tests::engines::on_each_engine;
use crate::{ListOrder, MAX_LIMIT, NewTenant};
use rollcall_core::policy::Policy;
use std::collections::BTreeMap;

/// More than an index may name.
const PEOPLE: i64 = 1_500;

async fn crowd(store: &Store) -> AdminScope {
    let new = NewTenant { name: "T".into(), seats: 9, policy: Policy::default(), owner_email: None };
    let (_, slug) = store.create_tenant(&new).await.expect("a tenant");
    let scope = store.operator_scope(&slug).await.expect("a scope");
    let (id, number) = match store.is_postgres() {
        true => ("gen_random_uuid()", "generate_series(1, $2) AS n(i)"),
        false => (
            "randomblob(16)",
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) SELECT i FROM n) AS n",
        ),
    };
    let sql = format!(
        "INSERT INTO members (tenant_id, id, email, email_folded, search_text, status, role, created_at, modified_at) \
         SELECT $1, {id}, 'p' || i || '@x.test', 'p' || i || '@x.test', ' everybody p' || i || '@x.test', 'active', \
         'member', $3, $3 FROM {number}"
    );
    let tx = store.write(&scope.scope).await.expect("a transaction");
    let values = [scope.tenant().0.into(), PEOPLE.into(), store.clock.now().into()];
    tx.tx.exec(&sql, values).await.expect("members");
    tx.commit().await.expect("committed");
    scope
}

/// The addresses in the order of the list. They are read from the newest on: the other end stops before open transactions of other tests.
async fn all(store: &Store, scope: &AdminScope, filter: &MemberFilter) -> Vec<String> {
    let mut page = PageRequest { order: ListOrder::Descending, ..PageRequest::first(MAX_LIMIT) };
    let mut found = Vec::new();
    loop {
        let read = store.members(scope, filter, &page).await.expect("a page");
        found.extend(read.items.into_iter().map(|member| member.email));
        let Some(next) = read.next else {
            found.reverse();
            return found;
        };
        page = page.after(Some(next));
    }
}

/// The members whom the index names for a search.
async fn leads(store: &Store, scope: &AdminScope, text: &str) -> usize {
    let tx = store.read(&scope.scope).await.expect("a transaction");
    match tx.named(&text.parse().expect("words")).await.expect("an answer") {
        Named::These(ids) => ids.len(),
        Named::TooMany => usize::MAX,
    }
}

/// Managed or left behind, and whether an index names the members or the list is read.
#[test]
fn an_external_id_means_the_same_member_on_every_path() {
    on_each_engine(async |store, engine| {
        let scope = crowd(&store).await;
        let tx = store.write(&scope.scope).await.expect("a transaction");
        // A word of nobody, and one of everybody else, for which the list is read.
        for (email, external_id) in [("p7@x.test", "ext-7"), ("p8@x.test", "everybody")] {
            let sql = "UPDATE members SET external_id = $2, search_text = ' x' WHERE tenant_id = $1 AND email = $3";
            tx.tx.exec(sql, [tx.tenant.0.into(), external_id.into(), email.into()]).await.expect("an update");
        }
        tx.commit().await.expect("committed");
        assert_eq!(all(&store, &scope, &asking("ext-7")).await, ["p7@x.test"], "{engine}: by the index");
        assert_eq!(leads(&store, &scope, "everybody").await, usize::MAX, "{engine}");
        assert!(all(&store, &scope, &asking("everybody")).await.contains(&"p8@x.test".to_owned()), "{engine}");
    });
}

fn asking(text: &str) -> MemberFilter {
    MemberFilter { text: Some(text.parse().expect("words")), ..MemberFilter::default() }
}

#[test]
fn a_search_finds_the_same_whether_an_index_names_the_members_or_the_list_is_read() {
    on_each_engine(async |store, engine| {
        let scope = crowd(&store).await;
        crowd(&store).await;
        let everybody = all(&store, &scope, &MemberFilter::default()).await;
        assert_eq!(i64::try_from(everybody.len()), Ok(PEOPLE), "{engine}");
        let with = |begin: &str| -> Vec<String> {
            everybody.iter().filter(|email| email.starts_with(begin)).cloned().collect()
        };
        assert_eq!(all(&store, &scope, &asking("Every")).await, everybody, "{engine}: too many for an index");
        assert_eq!(all(&store, &scope, &asking("P77")).await, with("p77"), "{engine}: by the index");
        assert_eq!(
            all(&store, &scope, &asking("everybody p77")).await,
            with("p77"),
            "{engine}: the rarer word is the shorter"
        );
        assert!(all(&store, &scope, &asking("p%")).await.is_empty(), "{engine}: no wildcards");
        assert_eq!(
            leads(&store, &scope, "everybody p77").await,
            with("p77").len(),
            "{engine}: the rarest word leads, and not the longest"
        );
        assert_eq!(leads(&store, &scope, "p@ nobody everybody").await, 0, "{engine}: nobody is the fewest");
        assert_eq!(leads(&store, &scope, "every p").await, usize::MAX, "{engine}: too many for each");
        let parts = MemberFilter { parts: Some("77@x.te verybod".parse().expect("parts")), ..MemberFilter::default() };
        let ends: Vec<String> = everybody.iter().filter(|email| email.contains("77@")).cloned().collect();
        assert_eq!((ends.len(), all(&store, &scope, &parts).await), (15, ends), "{engine}");
    });
}

#[derive(FromQueryResult)]
struct WordRow {
    word: String,
    members: i64,
}

async fn words(tx: &TenantTx) -> BTreeMap<String, i64> {
    let sql = "SELECT word, count(*) AS members FROM member_words WHERE tenant_id = $1 GROUP BY word";
    let rows: Vec<WordRow> = tx.tx.all(sql, [tx.tenant.0.into()]).await.expect("words");
    rows.into_iter().map(|row| (row.word, row.members)).collect()
}

#[test]
fn a_changed_text_loses_its_words_and_gains_others() {
    on_each_engine(async |store, engine| {
        let scope = crowd(&store).await;
        let tx = store.write(&scope.scope).await.expect("a transaction");
        let before = words(&tx).await;
        assert_eq!(
            before,
            BTreeMap::from([("everybody".to_owned(), PEOPLE)]),
            "{engine}: addresses have an index of their own"
        );
        let sql =
            "UPDATE members SET search_text = ' p7 anew' WHERE tenant_id = $1 AND email IN ('p7@x.test', 'p8@x.test')";
        tx.tx.exec(sql, [tx.tenant.0.into()]).await.expect("an update");
        let mut after = before.clone();
        after.insert("everybody".into(), PEOPLE - 2);
        after.insert("p7".into(), 2);
        after.insert("anew".into(), 2);
        assert_eq!(words(&tx).await, after, "{engine}");
    });
}
