//! `source promote` and `source detach`: without a digest they show the effect, with it they carry it out; `source
//! release` and `source rewind`.

use super::operator::{Operator, print};
use crate::cli::{Json, OfSource, SourceDetach, SourcePromote, SourceRewind};
use anyhow::Result;
use rollcall_admin::view;
use rollcall_core::directory::PeopleAfter;
use rollcall_store::Promotion;
use serde_json::json;

pub(crate) async fn promote(args: SourcePromote, operator: &Operator<'_>) -> Result<()> {
    let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
    let Some(digest) = args.digest else {
        let promotion = operator.store.promotion(&scope, source).await?;
        let lines = told(&promotion);
        return Ok(print(&args.output, json!(view::promotion::Promotion::from(promotion)), &lines)?);
    };
    operator.after_commit(operator.store.promote(&scope, source, &digest).await?).await?;
    let lines = "The source is live. A worker applies what differs: at once, or with its next sweep (`sweep_seconds`) when the hub is \
                 embedded; see GET /api/v1/runs.";
    Ok(print(&args.output, json!({ "source_id": source, "mode": "live" }), lines)?)
}

pub(crate) async fn detach(args: SourceDetach, operator: &Operator<'_>) -> Result<()> {
    let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
    let Some(digest) = args.digest else {
        let plan = operator.store.detachment(&scope, source, args.people).await?;
        let fate = match args.people {
            PeopleAfter::Keep => "stay and are managed by nobody",
            PeopleAfter::Remove => "leave",
        };
        let lines = format!(
            "{} members and {} groups {fate}; {} people more than the removal limit allows.\nTo do it: --digest {}",
            plan.members, plan.groups, plan.removal_limit.over, plan.digest
        );
        return Ok(print(&args.output, json!(view::detachment::Detachment::from(plan)), &lines)?);
    };
    operator.after_commit(operator.store.detach(&scope, source, args.people, &digest).await?).await?;
    let body = json!({ "source_id": source, "mode": "off" });
    Ok(print(&args.output, body, "The source is detached and off.")?)
}

pub(crate) async fn release(of: &OfSource, output: &Json, operator: &Operator<'_>) -> Result<()> {
    let (scope, source) = (operator.scope_of(&of.tenant).await?, of.source);
    operator.after_commit(operator.store.release_source(&scope, source).await?).await?;
    let lines = "The source is released; what was held is planned again.";
    Ok(print(output, json!({ "source_id": source, "released": true }), lines)?)
}

pub(crate) async fn rewind(args: SourceRewind, operator: &Operator<'_>) -> Result<()> {
    let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
    let made = operator.store.rewind_source(&scope, source, args.since).await?;
    let run = operator.after_commit(made).await?;
    let lines = format!(
        "Run {run} is being planned: GET /api/v1/runs/{run} and …/items show what it would take back, and POST …/approve does it."
    );
    Ok(print(&args.output, json!({ "source_id": source, "run_id": run, "since": args.since }), &lines)?)
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
