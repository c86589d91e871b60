//! Reads the input of a plan: the touched subjects, their possible matches in the roster, and the counts. The number of
//! queries is fixed; their cost follows the number of changes, not the tenant.

mod dry_run;
mod group_losses;
mod groups;
pub(crate) mod limit_windows;
mod people;
pub(crate) mod profiles;
mod rewind;
pub(crate) mod rewind_line;
pub(crate) mod rewind_since;
mod view;
mod waiting;

pub(crate) use rewind::{Progress, RewindPart};
pub(crate) use rewind_line::{Line, Phase};
pub(crate) use waiting::WAITS_BY_HAND;

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::log::changes::{ChangeRow, Lane, ReadChanges, Touched};
use crate::reconcile::authority::AuthorityRow;
use crate::reconcile::lease::Lease;
use chrono::{DateTime, Utc};
use rollcall_core::action::Plan;
use rollcall_core::digest::PlanDigest;
use rollcall_core::directory::{Origin, SourceMode};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryUserId, MemberId, RequestId, SourceId};
use rollcall_core::policy::Policy;
use rollcall_core::run::ItemDecision;
use rollcall_core::world::{Standing, World};
use sea_orm::FromQueryResult;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;
use view::View;

/// Chunks of at least this many changes run with fresh plans instead of prepared ones.
pub(crate) const MANY_CHANGES: usize = 100;
/// Rounds of following an address to its holder and the holder's record: enough for long cycles of swaps.
const HOLDER_ROUNDS: usize = 8;

/// A world, and the changes it was read from.
#[derive(Debug)]
pub struct Chunk {
    pub world: World,
    /// Number of its changes.
    pub changes: usize,
    pub(crate) read: ReadChanges,
    /// Subjects of the changes.
    pub(crate) touched: Vec<Touched>,
    /// People of the changes; the world also holds others whom they displace or match.
    pub(crate) touched_users: HashSet<DirectoryUserId>,
    /// Groups changed by a source with a user scope, with the request: their people may be in scope now, or no longer.
    pub(crate) changed_groups: Vec<(Uuid, Option<Uuid>)>,
    /// More people wait for a seat than were read.
    pub(crate) more_wait: bool,
    pub(crate) open_holds: Vec<OpenHold>,
    /// The part of a rewind in this chunk; it consumes no changes.
    pub(crate) rewind: Option<RewindPart>,
    /// A rewind waits for its turn.
    pub(crate) rewind_waits: bool,
    /// Simulated sources whose records are among the changes.
    pub candidates: Vec<Candidate>,
    /// Some source is not live: if it is simulated, changes here may alter the effect of its promotion.
    pub(crate) beside: bool,
}

/// Records of a simulated source, in the world in which it would be the authority, and their plan.
#[derive(Debug)]
pub struct Candidate {
    pub(crate) source: SourceId,
    pub world: World,
    /// Filled in by the caller.
    pub plan: Plan,
}

/// An open run: a held one that may grow, an approved one, or a rewind.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct OpenHold {
    pub(crate) id: Uuid,
    pub(crate) source_id: Option<Uuid>,
    /// `held`, or `approved` and not applied yet; for a rewind also `planning`.
    pub(crate) state: String,
    digest: String,
    /// The run that it rewinds.
    pub(crate) rewinds: Option<Uuid>,
    /// It rewinds everything that its source did since then; `rewinds` is the first of those runs.
    pub(crate) rewinds_since: Option<DateTime<Utc>>,
    pub(crate) rewinds_last: Option<Uuid>,
    pub(crate) progress: Option<Json>,
    pub(crate) counts: Json,
    held_reasons: Json,
}

impl OpenHold {
    /// True for a run that only an owner may decide about.
    pub(crate) fn is_for_owner(&self) -> bool {
        is_for_owner(&self.held_reasons)
    }

    pub(crate) fn plan_digest(&self) -> PlanDigest {
        PlanDigest::from_hex(&self.digest).unwrap_or_default()
    }
}

/// True for the reasons of a run whose items only an owner may decide about.
pub(crate) fn is_for_owner(held_reasons: &Json) -> bool {
    let reasons = held_reasons.as_array().into_iter().flatten().filter_map(Json::as_str);
    reasons.filter_map(|reason| reason.parse::<HoldReason>().ok()).any(HoldReason::is_for_owner)
}

#[derive(FromQueryResult)]
struct StandingRow {
    seats: i64,
    policy: Json,
    seats_used: i64,
    managed_members: i64,
    authority: Option<Uuid>,
    quarantined: bool,
    beside: bool,
}

/// The authority of a tenant.
pub(crate) struct Authority {
    pub(crate) source: Option<SourceId>,
    quarantined: bool,
    /// Some source is not live.
    beside: bool,
}

impl Store {
    /// The next changes of the tenant, at most `limit`, pushed ones first; `None` when there are none.
    #[tracing::instrument(name = "store.world.next_chunk", skip_all)]
    pub async fn next_chunk(&self, lease: &Lease, limit: usize) -> Result<Option<Chunk>, StoreError> {
        let mut tx = self.read(&lease.scope).await?;
        let changes = tx.next_changes(limit).await?;
        if changes.is_empty() {
            return Ok(None);
        }
        if changes.len() >= MANY_CHANGES {
            tx = tx.with_fresh_plans();
        }
        let open = tx.open_runs().await?;
        let (rewinds, open_holds): (Vec<_>, Vec<_>) = open.into_iter().partition(|run| run.rewinds.is_some());
        let pushed = changes.first().is_some_and(|change| change.lane == Lane::Push as i64);
        if let (Some(run), false) = (rewinds.first(), pushed) {
            return tx.with_fresh_plans().rewind_chunk(run, limit).await.map(Some);
        }
        let touched = TouchedSubjects::sort(&changes);
        let WorldRead { world, touched_users, changed_groups, more_wait, candidates, beside } =
            tx.read_world(touched, &open_holds).await?;
        let named = changes.iter().map(ChangeRow::touched).collect();
        let read = ReadChanges::of(&changes);
        let (changes, rewind_waits) = (changes.len(), !rewinds.is_empty());
        let rewind = None;
        Ok(Some(Chunk {
            world,
            changes,
            read,
            touched: named,
            touched_users,
            changed_groups,
            more_wait,
            open_holds,
            rewind,
            rewind_waits,
            candidates,
            beside,
        }))
    }
}

/// A world, with further facts about the tenant.
struct WorldRead {
    world: World,
    touched_users: HashSet<DirectoryUserId>,
    changed_groups: Vec<(Uuid, Option<Uuid>)>,
    more_wait: bool,
    candidates: Vec<Candidate>,
    beside: bool,
}

/// Each touched subject once, with the last request that touched it.
#[derive(Default)]
struct TouchedSubjects {
    users: BTreeMap<Uuid, Option<Uuid>>,
    groups: BTreeMap<Uuid, Option<Uuid>>,
    memberships: BTreeMap<(Uuid, Uuid), Option<Uuid>>,
    /// Changed groups and memberships, each with its source.
    said: Vec<(SourceId, Touched)>,
}

impl TouchedSubjects {
    fn sort(changes: &[ChangeRow]) -> Self {
        let mut sorted = Self::default();
        for change in changes {
            let request = change.request_id;
            let touched = change.touched();
            if let (Some(source), Touched::Group(_) | Touched::Membership(..)) = (change.source_id, touched) {
                sorted.said.push((source.into(), touched));
            }
            match touched {
                Touched::User(user) => sorted.users.insert(user.0, request),
                Touched::Group(group) => sorted.groups.insert(group.0, request),
                Touched::Membership(group, user) => sorted.memberships.insert((group.0, user.0), request),
                Touched::Tenant => None,
            };
        }
        sorted
    }

    /// With a scope of users, touches the people of changed memberships; returns the groups that the source changed as a
    /// whole.
    fn look_at_people(&mut self, world: &World) -> Vec<(Uuid, Option<Uuid>)> {
        let mut changed = Vec::new();
        for (source, touched) in std::mem::take(&mut self.said) {
            if world.policy_of(source).user_scope.is_none() {
                continue;
            }
            match touched {
                Touched::Membership(group, user) => {
                    let request = self.memberships.get(&(group.0, user.0)).copied().flatten();
                    self.users.entry(user.0).or_insert(request);
                }
                Touched::Group(group) => changed.push((group.0, self.groups.get(&group.0).copied().flatten())),
                Touched::User(_) | Touched::Tenant => {}
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

pub(crate) fn origin(source: Uuid, mode: &str, request: Option<Uuid>) -> Origin {
    // A mode that this program does not know must have no effect.
    let quarantined = mode == "quarantined";
    let mode = if quarantined { SourceMode::Live } else { mode.parse().unwrap_or(SourceMode::Off) };
    Origin { source: source.into(), mode, quarantined, request: request.map(RequestId) }
}

pub(crate) fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

impl TenantTx {
    /// Held runs, approved ones that are not applied yet, and unfinished rewinds.
    async fn open_runs(&self) -> Result<Vec<OpenHold>, StoreError> {
        let sql = "SELECT id, source_id, state, digest, rewinds, rewinds_since, rewinds_last, progress, counts, held_reasons FROM runs \
                   WHERE tenant_id = $1 AND state IN ('held', 'approved', 'planning') ORDER BY id";
        self.tx.all(sql, [self.tenant.0.into()]).await
    }

    /// The input of a plan for these subjects; those of simulated sources in worlds of their own.
    async fn read_world(&self, mut touched: TouchedSubjects, open_holds: &[OpenHold]) -> Result<WorldRead, StoreError> {
        let mut world = World::default();
        let Authority { source: authority, quarantined, beside } = self.read_standing(&mut world).await?;
        let changed_groups = touched.look_at_people(&world);
        let aside = if beside { self.set_candidates_aside(&mut touched).await? } else { BTreeMap::new() };
        let candidates = self.read_candidates(&world, aside).await?;
        let touched_users = touched.users.keys().map(|id| DirectoryUserId(*id)).collect();
        let view = View::Actual { authority, quarantined };
        self.read_users(&mut world, touched.users, view).await?;
        self.read_groups(&mut world, touched.groups, view).await?;
        self.read_memberships(&mut world, touched.memberships).await?;
        self.read_group_standing(&mut world).await?;
        let more_wait = self.read_waiting(&mut world).await?;
        if !open_holds.is_empty() {
            self.read_decisions(&mut world).await?;
        }
        Ok(WorldRead { world, touched_users, changed_groups, more_wait, candidates, beside })
    }

    async fn read_candidates(
        &self,
        actual: &World,
        aside: BTreeMap<SourceId, TouchedSubjects>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut candidates = Vec::new();
        for (source, touched) in aside {
            let (policy, source_policies) = (actual.policy.clone(), actual.source_policies.clone());
            let standing = actual.standing.clone();
            let mut world = World { policy, source_policies, standing, takes_over: true, ..World::default() };
            let view = View::Candidate(source);
            self.read_users(&mut world, touched.users, view).await?;
            self.read_groups(&mut world, touched.groups, view).await?;
            candidates.push(Candidate { source, world, plan: Plan::default() });
        }
        Ok(candidates)
    }

    /// Reads policy and counts; returns the authority.
    pub(crate) async fn read_standing(&self, world: &mut World) -> Result<Authority, StoreError> {
        let sql = "SELECT t.seats, t.policy, l.seats_used, l.managed_members, \
                   (SELECT s.id FROM sources s WHERE s.tenant_id = t.id AND s.mode = 'live') AS authority, \
                   EXISTS (SELECT 1 FROM sources s WHERE s.tenant_id = t.id AND s.mode = 'live' \
                   AND s.quarantined_at IS NOT NULL) AS quarantined, \
                   EXISTS (SELECT 1 FROM sources s WHERE s.tenant_id = t.id AND s.mode <> 'live') AS beside \
                   FROM tenants t JOIN tenant_leases l ON l.tenant_id = t.id WHERE t.id = $1";
        let row: Option<StandingRow> = self.tx.one(sql, [self.tenant.0.into()]).await?;
        let row = row.ok_or(StoreError::NotFound("tenant"))?;
        world.policy = serde_json::from_value::<Policy>(row.policy)
            .map_err(|e| StoreError::database(format!("the stored policy: {e}")))?;
        world.source_policies =
            world.policy.by_source().map_err(|e| StoreError::database(format!("the stored policy: {e}")))?;
        let [removals, creations, modifications, allowed] = self.counts_in_windows(&world.policy).await?;
        let authorities = self.active_with_authority().await?;
        let ids = |wanted: fn(&AuthorityRow) -> bool| -> HashSet<MemberId> {
            authorities.iter().filter(|row| wanted(row)).map(|row| row.id.into()).collect()
        };
        world.standing = Standing {
            seats_bought: count(row.seats),
            seats_used: count(row.seats_used),
            managed: count(row.managed_members),
            removals_in_window: removals,
            removals_allowed: allowed,
            creations_in_window: creations,
            modifications_in_window: modifications,
            active_admins: ids(AuthorityRow::is_admin),
            active_billing_contacts: ids(|row| row.billing_contact),
        };
        Ok(Authority { source: row.authority.map(Into::into), quarantined: row.quarantined, beside: row.beside })
    }

    /// Decisions of admins and held items about the touched subjects.
    async fn read_decisions(&self, world: &mut World) -> Result<(), StoreError> {
        for item in self.open_items(world).await? {
            match (item.key(), item.held_for()) {
                (Some(key), Some(reason)) => {
                    world.held.insert(key, reason);
                }
                (Some(key), None) if item.decision() == Some(ItemDecision::Approved) => {
                    world.approved.insert(key);
                    world.approved_by_owner.extend(item.approved_by_owner().map(|digest| (key, digest)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
