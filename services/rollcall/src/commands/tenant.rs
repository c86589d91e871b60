//! `rollcall tenant …`.

use super::operator::{print, scope_of, wake};
use crate::cli::TenantCommand;
use crate::ports::{Backend, open_store_for_command};
use crate::settings::Settings;
use anyhow::{Result, anyhow, bail};
use rollcall_core::policy::Policy;
use rollcall_store::NewTenant;
use serde_json::json;

pub(crate) async fn run(command: TenantCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let store = open_store_for_command(backend, settings).await?;
    match command {
        TenantCommand::Create(args) => {
            let policy = Policy::with_settings(args.policy.iter().map(String::as_str));
            let policy = policy.map_err(|e| anyhow!("--policy: {e}"))?;
            if let Some(owner) = &args.owner
                && !rollcall_scim::is_email(owner)
            {
                bail!("--owner is not an email address");
            }
            let new = NewTenant { name: args.name, seats: args.seats, policy, owner_email: args.owner };
            let (id, slug) = store.create_tenant(&new).await?;
            let lines = format!("Tenant {slug} ({id}) has {} seats.", args.seats);
            print(&args.output, json!({ "tenant_id": id, "slug": slug }), &lines);
        }
        TenantCommand::SetSeats(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            store.set_seats(&scope, args.seats).await?;
            wake(backend, settings, &scope).await?;
            let lines = format!("Tenant {} has {} seats.", args.tenant, args.seats);
            print(&args.output, json!({ "tenant_id": scope.tenant(), "seats": args.seats }), &lines);
        }
    }
    Ok(())
}
