//! `rollcall tenant …`.

use super::operator::{Operator, print};
use crate::cli::{Json, TenantCommand, TenantCreate, TenantSetQuota, TenantSetSeats};
use crate::ports::{Backend, open_or_make};
use crate::settings::Settings;
use anyhow::{Result, anyhow, bail};
use rollcall_core::policy::Policy;
use rollcall_core::quota::{Quota, QuotaOverrides};
use rollcall_store::{CountedUsage, NewTenant, SeatsSet, Source, TenantSummary};
use serde_json::{Value, json};

pub(crate) async fn run(command: TenantCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    match command {
        TenantCommand::Create(args) => create(args, backend, settings).await,
        TenantCommand::List(output) => list(&output, &Operator::open(backend, settings).await?).await,
        TenantCommand::Show(args) => {
            let operator = Operator::open(backend, settings).await?;
            show(&args.of.tenant, &args.output, &operator).await
        }
        TenantCommand::Rename(args) => {
            let operator = Operator::open(backend, settings).await?;
            let scope = operator.scope(&args.of).await?;
            let slug = operator.store.rename_tenant(&scope, &args.name, args.slug.as_deref()).await?;
            let lines = format!("Tenant {slug} is called {:?}.", args.name);
            let body = json!({ "tenant_id": scope.tenant(), "slug": slug, "name": args.name });
            Ok(print(&args.output, body, &lines)?)
        }
        TenantCommand::SetSeats(args) => set_seats(args, &Operator::open(backend, settings).await?).await,
        TenantCommand::SetQuota(args) => set_quota(args, &Operator::open(backend, settings).await?).await,
    }
}

async fn create(args: TenantCreate, backend: &Backend, settings: &Settings) -> Result<()> {
    let policy = Policy::with_settings(args.policy.iter().map(String::as_str));
    let policy = policy.map_err(|e| anyhow!("--policy: {e}"))?;
    if let Some(owner) = &args.owner
        && !rollcall_scim::is_email(owner)
    {
        bail!("--owner {owner:?} is not an email address");
    }
    let (store, made) = open_or_make(backend, settings).await?;
    let new = NewTenant { name: args.name, seats: args.seats, policy, owner_email: args.owner };
    let (id, slug) = match args.slug {
        Some(slug) => (store.create_tenant_with_slug(&new, &slug).await?, slug),
        None => store.create_tenant(&new).await?,
    };
    let database = backend.database(settings);
    let made = if made { ", which was made just now" } else { "" };
    let lines = format!("Tenant {slug} ({id}) has {} seats, in {database}{made}.", args.seats);
    Ok(print(&args.output, json!({ "tenant_id": id, "slug": slug }), &lines)?)
}

async fn list(output: &Json, operator: &Operator<'_>) -> Result<()> {
    let tenants = operator.store.tenants().await?;
    let lines: Vec<String> = tenants.iter().map(told).collect();
    let lines = if lines.is_empty() { format!("{} has no tenant.", operator.database()) } else { lines.join("\n") };
    let items: Vec<Value> = tenants.iter().map(shown).collect();
    Ok(print(output, json!({ "items": items }), &lines)?)
}

async fn show(slug: &str, output: &Json, operator: &Operator<'_>) -> Result<()> {
    let scope = operator.scope_of(slug).await?;
    let tenants = operator.store.tenants().await?;
    let Some(tenant) = tenants.iter().find(|tenant| tenant.slug == slug) else {
        bail!("tenant {slug:?} was renamed just now; `rollcall tenant list` shows its slug");
    };
    let sources = operator.store.sources(&scope).await?;
    let usage = operator.store.usage(&scope).await?;
    let mut body = shown(tenant);
    body["quotas"] = shown_quotas(&usage);
    body["sources"] = sources.iter().map(shown_source).collect();
    let mut lines = vec![told(tenant), format!("id {}, made {}", tenant.id, tenant.created_at), told_quotas(&usage)];
    lines.extend(sources.iter().map(told_source));
    if sources.is_empty() {
        lines.push("No source feeds it; `rollcall source create` makes one.".to_owned());
    }
    Ok(print(output, body, &lines.join("\n"))?)
}

fn told(tenant: &TenantSummary) -> String {
    let TenantSummary { slug, name, seats, seats_used, .. } = tenant;
    format!("{slug}  {name:?}, {seats_used} of {seats} seats in use")
}

fn shown(tenant: &TenantSummary) -> Value {
    let TenantSummary { id, slug, name, seats, seats_used, created_at } = tenant;
    json!({
        "tenant_id": id, "slug": slug, "name": name, "seats": seats, "seats_used": seats_used, "created_at": created_at,
    })
}

pub(super) fn told_source(source: &Source) -> String {
    let Source { id, kind, mode, name, .. } = source;
    let used = source.last_used_at.map_or("never used".to_owned(), |at| format!("last used {at}"));
    let quarantined = if source.quarantined_at.is_some() { ", in quarantine" } else { "" };
    let users_only = if source.users_only { ", users only" } else { "" };
    let plain = if source.plain_discovery { ", plain discovery" } else { "" };
    format!("source {id}  {kind}, {mode}{quarantined}{users_only}{plain}, {name:?}, {used}")
}

pub(super) fn shown_source(source: &Source) -> Value {
    json!({
        "source_id": source.id, "kind": source.kind, "mode": source.mode, "name": source.name,
        "users_only": source.users_only, "plain_discovery": source.plain_discovery, "quarantined_at": source.quarantined_at, "created_at": source.created_at,
        "last_used_at": source.last_used_at,
    })
}

async fn set_seats(args: TenantSetSeats, operator: &Operator<'_>) -> Result<()> {
    let scope = operator.scope(&args.of).await?;
    let (slug, seats) = (&args.of.tenant, args.seats);
    let used = match operator.after_commit(operator.store.set_seats(&scope, seats, args.force).await?).await? {
        SeatsSet::Set { used } => used,
        SeatsSet::Refused { used } => bail!(
            "tenant {slug} has {used} seats in use: with {seats} nobody would be removed, and nobody new would come in. \
             To do it all the same, add --force"
        ),
    };
    let below = if used > i64::from(seats) { "; nobody is removed, and nobody new comes in" } else { "" };
    let lines = format!("Tenant {slug} has {seats} seats; {used} are in use{below}.");
    let body = json!({ "tenant_id": scope.tenant(), "seats": seats, "seats_used": used });
    Ok(print(&args.output, body, &lines)?)
}

async fn set_quota(args: TenantSetQuota, operator: &Operator<'_>) -> Result<()> {
    let scope = operator.scope(&args.of).await?;
    let TenantSetQuota { records, bytes, sources, keys, webhooks, changes, reset, .. } = args;
    let given = QuotaOverrides { records, bytes, sources, keys, webhooks, changes };
    if given == QuotaOverrides::default() && !reset {
        bail!("name at least one quota, such as --records 100000, or --reset");
    }
    let counted = operator.store.set_quotas(&scope, &given, reset).await?;
    let lines = format!(
        "Tenant {}: {}. Running hubs notice within ten minutes; one that refuses looks again within five seconds.",
        args.of.tenant,
        told_quotas(&counted)
    );
    let body = json!({ "tenant_id": scope.tenant(), "quotas": shown_quotas(&counted) });
    Ok(print(&args.output, body, &lines)?)
}

fn told_quotas(counted: &CountedUsage) -> String {
    let told = |quota: &Quota| format!("{} of {} {quota}", counted.usage.of(*quota), counted.limits.of(*quota));
    Quota::ALL.iter().map(told).collect::<Vec<_>>().join(", ")
}

fn shown_quotas(counted: &CountedUsage) -> Value {
    let shown = |quota: &Quota| {
        let numbers = json!({ "used": counted.usage.of(*quota), "limit": counted.limits.of(*quota) });
        (quota.as_str().to_owned(), numbers)
    };
    Quota::ALL.iter().map(shown).collect::<serde_json::Map<_, _>>().into()
}
