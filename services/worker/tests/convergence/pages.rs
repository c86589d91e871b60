//! A plan of 100,000 items is read page by page, and compared with another of that size: the last page costs as much as
//! the first. The milliseconds depend on the machine (docs/queries.md, and `make bench`).

use crate::desk::Desk;
use crate::engine;
use rollcall_core::ids::RunId;
use rollcall_core::policy::Policy;
use rollcall_store::{PageRequest, Store};
use std::time::{Duration, Instant};
use uuid::Uuid;

const ITEMS: u128 = 100_000;
/// The best of ten tries of a later page may take this many times the first page's best; a scan would take hundreds.
const FACTOR: u32 = 4;

/// Inserts the items of a run, with ids from 1.
async fn fill(url: &str, engine: &str, desk: &Desk, run: RunId) {
    let (tenant, run) = (desk.tenant.0.simple(), run.0.simple());
    let (id, tenant, run) = match engine {
        "Postgres" => ("lpad(to_hex(i), 32, '0')::uuid", format!("'{tenant}'::uuid"), format!("'{run}'::uuid")),
        _ => ("unhex(printf('%032x', i))", format!("x'{tenant}'"), format!("x'{run}'")),
    };
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ITEMS}) \
         INSERT INTO run_items (tenant_id, run_id, id, action, subject_id, object_id, subject_kind, why, decision, detail, \
         digest, who, before, after) SELECT {tenant}, {run}, {id}, 'suspend', {id}, {id}, 'directory_user', \
         'disabled_at_source', 'applied', '{{}}', '', '{{\"email\": \"ann@x.test\"}}', '{{\"status\": \"active\"}}', \
         '{{\"status\": \"suspended\"}}' FROM n"
    );
    engine::statement(url, &sql).await;
}

/// The shortest of several tries, because other tests run at the same time.
async fn best_of(look: impl AsyncFn() -> usize) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let begun = Instant::now();
        assert_eq!(look().await, 200);
        best = best.min(begun.elapsed());
    }
    best
}

#[test]
fn a_page_of_100_000_items_costs_the_same_wherever_it_is() {
    engine::on_each_database(async |store: Store, engine, url| {
        let desk = Desk::open(&store, "pages", Policy::default()).await;
        for name in ["ann", "bob"] {
            desk.hire(name).await;
            desk.work().await;
        }
        let runs: Vec<RunId> = desk.runs().await.iter().map(|run| run.id.into()).collect();
        for run in &runs {
            fill(url, engine, &desk, *run).await;
        }
        // The cursors of the first page, of one in the middle, and of the last full one: the run has an item of its own.
        let (mut cursors, mut last) = (vec![None], PageRequest::first(200));
        while let Some(next) = desk.store.run_items(&desk.api, runs[0], &last).await.expect("a page").next {
            last = last.after(Some(next));
            cursors.push(Some(next));
        }
        let pages = u128::try_from(cursors.len()).expect("few");
        let mut first = None;
        for at in [0, pages / 2, pages - 2] {
            let after = (at > 0).then(|| Uuid::from_u128(at * 200));
            let page = PageRequest::first(200).after(cursors[usize::try_from(at).expect("few")]);
            let shown =
                best_of(async || desk.store.run_items(&desk.api, runs[0], &page).await.expect("a page").items.len());
            let shown = shown.await;
            let cursor = after.map(|id| format!("{id}.suspend.{id}"));
            let compared = best_of(async || {
                let page = desk.store.compare_runs(&desk.api, (runs[0], runs[1]), 200, cursor.as_deref()).await;
                page.expect("a page").items.len()
            });
            let compared = compared.await;
            let (shown_first, compared_first) = *first.get_or_insert((shown, compared));
            let steady = shown <= shown_first * FACTOR && compared <= compared_first * FACTOR;
            assert!(
                steady,
                "{engine}, after {after:?}: {shown:?} ({shown_first:?}), {compared:?} ({compared_first:?})"
            );
        }
    });
}
