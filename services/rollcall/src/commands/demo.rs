//! `rollcall demo` (`make run`): a hub with two organisations, fed by Okta and Entra, and a readable summary of the
//! result. It stays up for exploration.

use super::{serve, simulate};
use crate::data_folder::DataFolder;
use crate::http::Services;
use crate::output::line;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::policy::Policy;
use rollcall_core::roster::{MemberStatus, Role};
use rollcall_core::run::RunState;
use rollcall_runtime::shutdown;
use rollcall_simulator::{Idp, Options, Phase, Session};
use rollcall_store::{
    AdminScope, AuditFilter, MAX_LIMIT, MemberFilter, NewApiKey, NewSource, NewTenant, PageRequest, Store,
};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// People of each demo organisation.
const PEOPLE: usize = 40;
/// Fewer seats than people, so that the waitlist shows.
const SEATS: u32 = 36;
/// So many that more than ten of them, which is the removal limit, have a seat: a run is held.
const LEAVERS: usize = 20;
/// Longest wait for the worker to consume all changes.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn run(data: Option<&Path>, mut settings: Settings) -> Result<()> {
    let telemetry = serve::start_telemetry("rollcall", &settings)?;
    let stop = shutdown::on_signal()?;
    // The demo is the only client, so its conversation runs without a rate limit.
    settings.ingest.rate_per_second = 10_000.0;
    let folder = DataFolder::given_or_default(data);
    serve::warn_of_ignored_database(&folder, &settings);
    let backend = Backend::Embedded(folder);
    let running = serve::start(backend, Services { ingest: true, admin: true }, true, &settings).await?;
    let url = running.url.clone();
    let store = running.process.hub.store.clone();
    line(format_args!("Rollcall is up at {url}.\n"))?;
    // Acme's leavers stay away, so that its run stays held.
    let (invited, acme) = play(&store, &url, Idp::Okta, "Acme (Okta)", "onboarding=invite", false).await?;
    let _federated = play(&store, &url, Idp::Entra, "Globex (Entra ID)", "onboarding=federated", true).await?;
    let owner = owner_of(Idp::Okta);
    let scope = store.operator_scope(&acme).await?;
    let member = store.member_by_email(&scope, &owner).await?;
    let made = store.create_sign_in_link(&scope, member, serve::FIRST_LINK).await?;
    let made = running.process.hub.after_commit(made).await;
    let link = rollcall_admin::view::sign_in_links::url(&url, &made.secret);
    line(format_args!("The console of Acme; {owner} signs in here once, within an hour:\n  {link}\n"))?;
    line(format_args!("Rollcall stays up at {url} until you press Ctrl-C. Try the REST API of Acme:\n"))?;
    for path in ["members?limit=3", "runs?state=held", "audit-events?limit=5"] {
        line(format_args!("  curl -s -H 'Authorization: Bearer {invited}' '{url}/api/v1/{path}'"))?;
    }
    line("")?;
    stop.cancelled().await;
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

fn owner_of(idp: Idp) -> String {
    format!("owner@{}.example.test", idp.name())
}

/// Makes an organisation, plays its identity provider and prints the result; returns an API key, and the organisation's slug.
async fn play(
    store: &Store,
    url: &str,
    idp: Idp,
    name: &str,
    policy: &str,
    leavers_return: bool,
) -> Result<(String, String)> {
    let policy = Policy::with_settings([policy]).map_err(anyhow::Error::msg)?;
    let new = NewTenant { name: name.to_owned(), seats: SEATS, policy, owner_email: Some(owner_of(idp)) };
    let (_, slug) = store.create_tenant(&new).await?;
    let scope = store.operator_scope(&slug).await?;
    let (kind, mode) = (SourceKind::Scim, SourceMode::Live);
    let new = NewSource { kind, mode, name: idp.name(), settings: SourceSettings::default(), token_expires_at: None };
    let (source, token) = store.create_source(&scope, &new).await?;
    let key = store.create_api_key(&scope, &NewApiKey::of(Role::Owner, "demo")).await?.secret;

    line(format_args!("== {name}: {PEOPLE} people, {SEATS} seats; {LEAVERS} leave at once =="))?;
    let mut options = Options::new(idp, format!("{url}/scim/v2/{source}"), token.secret);
    options.users = PEOPLE;
    options.leavers = Some(LEAVERS);
    options.leavers_return = leavers_return;
    options.live_progress = std::io::stderr().is_terminal();
    let mut session = Session::new(options)?;
    for phase in Phase::LIFECYCLE {
        // A person who comes and goes before a worker looks never was a member.
        if matches!(phase, Phase::Deactivate | Phase::Reactivate) {
            settle(store).await?;
        }
        session.play(phase, &mut std::io::stderr()).await?;
    }
    let report = session.finish()?;
    settle(store).await?;
    simulate::tell(&report)?;
    let credential = store.credential(&rollcall_store::digest(&key)).await?.context("the key was just made")?;
    let scope = AdminScope::of_key(&credential).context("the key is an API key")?;
    account(store, &scope).await?;
    line("")?;
    Ok((key, slug))
}

/// Waits until the worker has consumed every change.
async fn settle(store: &Store) -> Result<()> {
    let started = Instant::now();
    while store.backlog().await?.lag_seconds > 0.0 {
        ensure!(started.elapsed() < SETTLED_WITHIN, "the worker did not catch up within {SETTLED_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Members by status, groups, held runs with their reasons, and the last lines of the audit log.
async fn account(store: &Store, scope: &AdminScope) -> Result<()> {
    let all = PageRequest::first(MAX_LIMIT);
    for status in MemberStatus::ALL {
        let filter = MemberFilter { status: Some(*status), ..MemberFilter::default() };
        let members = store.members(scope, &filter, &all).await?.items;
        if members.is_empty() {
            continue;
        }
        let waiting = members.iter().filter(|member| member.waiting_for.as_deref() == Some("seat")).count();
        let names: Vec<&str> = members.iter().take(3).map(|member| member.email.as_str()).collect();
        let waiting = if waiting > 0 { format!(" ({waiting} wait for a seat)") } else { String::new() };
        line(format_args!("  {:<9} {:>3}{waiting}  e.g. {}", status.as_str(), members.len(), names.join(", ")))?;
    }
    for group in store.groups(scope, &all).await?.items {
        line(format_args!("  group     {:>3} members  {}", group.members_count, group.name))?;
    }
    for run in store.runs(scope, Some(RunState::Held), &all).await?.items {
        line(format_args!("  held run  {} because of {}: {}", run.id, run.held_reasons, run.counts))?;
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut page = all;
    loop {
        let events = store.audit_events(scope, &AuditFilter::default(), &page).await?;
        for event in events.items {
            *kinds.entry(event.kind).or_default() += 1;
        }
        match events.next {
            Some(next) => page.cursor = Some(next),
            None => break,
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    line(format_args!("  audit     {}", kinds.join(", ")))?;
    Ok(())
}
