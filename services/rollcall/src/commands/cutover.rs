//! `source promote` and `source detach`: without a digest they show what would happen, with it they do it; and `source release`.

use super::operator::{print, scope_of, wake};
use crate::cli::{SourceDetach, SourcePromote, SourceRelease};
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Context, Result};
use rollcall_core::directory::PeopleAfter;
use rollcall_runtime::Metrics;
use rollcall_store::{AdminScope, Promotion, SecretDigest, Store};
use serde_json::json;

pub(crate) async fn promote(args: SourcePromote, store: &Store, backend: &Backend, settings: &Settings) -> Result<()> {
    let scope = scope_of(store, &args.tenant).await?;
    let source = args.source.parse().context("--source takes the id of a source")?;
    let Some(digest) = args.digest else {
        let promotion = store.promotion(&scope, source).await?;
        print(&args.output, json!(promotion), &told(&promotion));
        return Ok(());
    };
    let tokens = store.promote(&scope, source, &digest).await?;
    switched(&scope, tokens, backend, settings).await?;
    let lines = "The source is live. What differs is worked on now; see GET /api/v1/runs.";
    print(&args.output, json!({ "source_id": source, "mode": "live" }), lines);
    Ok(())
}

pub(crate) async fn detach(args: SourceDetach, store: &Store, backend: &Backend, settings: &Settings) -> Result<()> {
    let scope = scope_of(store, &args.tenant).await?;
    let source = args.source.parse().context("--source takes the id of a source")?;
    let Some(digest) = args.digest else {
        let plan = store.detachment(&scope, source, args.people).await?;
        let fate = match args.people {
            PeopleAfter::Keep => "stay and are managed by nobody",
            PeopleAfter::Remove => "leave",
        };
        let lines = format!(
            "{} members and {} groups {fate}; {} people more than the removal limit allows.\nTo do it: --digest {}",
            plan.members, plan.groups, plan.removal_limit.over, plan.digest
        );
        print(&args.output, json!(plan), &lines);
        return Ok(());
    };
    let tokens = store.detach(&scope, source, args.people, &digest).await?;
    switched(&scope, tokens, backend, settings).await?;
    print(&args.output, json!({ "source_id": source, "mode": "off" }), "The source is detached and off.");
    Ok(())
}

pub(crate) async fn release(args: SourceRelease, store: &Store, backend: &Backend, settings: &Settings) -> Result<()> {
    let scope = scope_of(store, &args.tenant).await?;
    let source = args.source.parse().context("--source takes the id of a source")?;
    store.release_source(&scope, source).await?;
    wake(backend, settings, &scope).await?;
    let lines = "The source is released; what was held is planned again.";
    print(&args.output, json!({ "source_id": source, "released": true }), lines);
    Ok(())
}

/// Every process forgets what it believed of the tokens, and a worker looks at what is different now.
async fn switched(scope: &AdminScope, tokens: Vec<SecretDigest>, backend: &Backend, settings: &Settings) -> Result<()> {
    let cache = ports::open_cache(backend, settings, &Metrics::new()?)?;
    for digest in tokens {
        cache.refresh_credential(&digest).await;
    }
    wake(backend, settings, scope).await
}

fn told(promotion: &Promotion) -> String {
    let (people, groups) = (&promotion.people, &promotion.groups);
    let mut lines = vec![
        format!(
            "People: {} transferred, {} new, {} adopted, {} leaving, {} suspended, {} restored, {} profiles change.",
            people.transferred,
            people.new,
            people.adopted,
            people.leaving,
            people.suspended,
            people.restored,
            people.profile_changes
        ),
        format!(
            "Groups: {} the same, {} renamed, {} created, {} removed; memberships: {} added, {} removed.",
            groups.same,
            groups.renamed,
            groups.created,
            groups.removed,
            promotion.memberships.added,
            promotion.memberships.removed
        ),
        format!("Records that would be skipped: {}.", promotion.disputed),
    ];
    lines.extend(
        promotion.spelled_differently.iter().map(|g| format!("Spelled differently: {:?}, {:?}.", g.before, g.after)),
    );
    lines.extend(promotion.warnings.iter().map(|warning| format!("Warning: {warning}")));
    if promotion.pending_changes > 0 {
        lines.push(format!("{} changes of the source are still being planned: look again.", promotion.pending_changes));
    }
    lines.push(format!("To do it: --digest {}", promotion.digest));
    lines.join("\n")
}
