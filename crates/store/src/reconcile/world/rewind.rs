//! The part of a rewind in one chunk: its items, and their matches in the present roster. While the rewind is planned
//! these are items of the rewound run, the last one first; once it is approved they are its own.
//! Length: the queries of a rewind share their private row types.

use super::groups::SHARING_GROUPS_BY_NAME;
use super::people::LINKED_MEMBERS;
use super::rewind_line::{LINE, Line, Phase};
use super::rewind_since::{Net, net_effects};
use super::view::View;
use super::{Authority, Chunk, HOLDER_ROUNDS, OpenHold};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, TextRow, Type, id_rows, json_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::{MEMBER_COLUMNS, MemberRow};
use crate::log::changes::ReadChanges;
use chrono::{DateTime, Utc};
use rollcall_core::change::{GroupFacts, Impossible, Step, StepKind, Target};
use rollcall_core::email::fold;
use rollcall_core::ids::SharingGroupId;
use rollcall_core::roster::MemberStatus;
use rollcall_core::run::RunState;
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Progress of a rewind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The last item that was read.
    after: Option<Uuid>,
    /// Seats that the planned items take, less those that they free.
    pub(crate) seats: i64,
    /// Start of the planning: earlier changes are in the plan.
    pub(crate) planned_since: Option<DateTime<Utc>>,
    /// An owner approved it, so it may change privileged members.
    #[serde(default)]
    pub(crate) approved_by_owner: bool,
    /// Later runs that changed the same people and groups, with the number of items that they keep from being taken back.
    #[serde(default)]
    pub(crate) later: BTreeMap<Uuid, u64>,
}

impl Progress {
    /// Parses the progress from its run.
    pub(crate) fn read(kept: Option<&Json>) -> Self {
        kept.and_then(|json| serde_json::from_value(json.clone()).ok()).unwrap_or_default()
    }

    /// Progress of a rewind that was approved, by an owner or by an admin.
    pub(crate) fn when_approved(self, by_owner: bool) -> Self {
        Self { approved_by_owner: by_owner, ..self }
    }

    /// Progress of a fully planned rewind: its apply begins at the first item.
    pub(crate) fn when_planned(self) -> Self {
        Self { planned_since: self.planned_since, ..Self::default() }
    }
}

#[derive(Debug)]
pub(crate) struct RewindPart {
    pub(crate) run: Uuid,
    pub(crate) undoes: Uuid,
    /// The last run that it takes back, when it takes back everything that a source did since an instant.
    pub(crate) last: Option<Uuid>,
    pub(crate) phase: Phase,
    /// Start of the next part.
    pub(crate) progress: Progress,
    /// No part comes after this one.
    pub(crate) is_last: bool,
    pub(crate) counts: Map<String, Json>,
    pub(crate) digest: rollcall_core::digest::PlanDigest,
    /// The items of the rewound run, in planning.
    pub(crate) lines: HashMap<Uuid, Line>,
    /// Items without a recorded change.
    pub(crate) unknown: Vec<(Uuid, Impossible)>,
}

#[derive(FromQueryResult)]
struct RewoundGroupRow {
    id: Uuid,
    name: String,
    managed_by: Option<Uuid>,
    directory_group_id: Option<Uuid>,
    removed: bool,
}

#[derive(FromQueryResult)]
struct PairRow {
    group_id: Uuid,
    member_id: Uuid,
}

#[derive(FromQueryResult)]
struct FollowerRow {
    id: Uuid,
    record: Uuid,
}

#[derive(Serialize)]
struct Pair {
    group_id: Uuid,
    member_id: Uuid,
}

const PAIRS: Columns = &[("group_id", Type::Uuid), ("member_id", Type::Uuid)];

/// The items of the run that a rewind takes back, the last one first.
static LINES_TO_PLAN: Sql = Sql::tenant(&[
    "SELECT ",
    LINE,
    " FROM run_items i WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'applied' AND i.id < $3 \
     ORDER BY i.id DESC LIMIT $4",
]);
/// The items of the rewind itself.
static LINES_TO_APPLY: Sql = Sql::tenant(&[
    "SELECT ",
    LINE,
    " FROM run_items i WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'planned' AND i.id > $3 \
     ORDER BY i.id ASC LIMIT $4",
]);
static APPLIED_LINES_ABOUT: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT ",
        LINE,
        " FROM run_items i WHERE i.tenant_id = {tenant} AND i.run_id = $3 AND i.decision = 'applied' \
       AND i.subject_id IN (SELECT r.id FROM {rows})",
    ],
);
static PLANNED_LINES_ABOUT: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &[
        "SELECT ",
        LINE,
        " FROM run_items i WHERE i.tenant_id = {tenant} AND i.run_id = $3 AND i.decision = 'planned' \
       AND i.subject_id IN (SELECT r.id FROM {rows})",
    ],
);
static MEMBERS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT ", MEMBER_COLUMNS, " FROM {rows} {join} members m ON m.tenant_id = {tenant} AND m.id = r.id"],
);
static GROUPS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT g.id, g.name, g.managed_by, g.directory_group_id, g.removed_at IS NOT NULL AS removed FROM {rows} \
       {join} sharing_groups g ON g.tenant_id = {tenant} AND g.id = r.id"],
);
static MEMBERSHIPS: Sql = Sql::tenant_rows(
    &[("rows", 2, PAIRS)],
    &["SELECT gm.group_id, gm.member_id FROM {rows} {join} sharing_group_members gm \
       ON gm.tenant_id = {tenant} AND gm.group_id = r.group_id AND gm.member_id = r.member_id"],
);
static FOLLOWING_GROUPS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT g.id, g.directory_group_id AS record FROM {rows} {join} sharing_groups g \
       ON g.tenant_id = {tenant} AND g.directory_group_id = r.id"],
);

impl TenantTx {
    pub(super) async fn rewind_chunk(&self, run: &OpenHold, limit: usize) -> Result<Chunk, StoreError> {
        let mut world = World::default();
        let Authority { beside, .. } = self.read_standing(&mut world).await?;
        let phase = if run.state == RunState::Planning.as_str() { Phase::Planning } else { Phase::Applying };
        let mut progress = Progress::read(run.progress.as_ref());
        progress.planned_since.get_or_insert(self.clock.now());
        world.rewind.reaches_privileged = phase == Phase::Planning || progress.approved_by_owner;
        let undoes = run.rewinds.unwrap_or_default();
        let since = run.rewinds_since.filter(|_| phase == Phase::Planning);
        let mut last = run.rewinds_last;
        let (mut lines, mut unknown) = (Vec::new(), Vec::new());
        if since.is_some() {
            let all = self.lines_since(run).await?;
            last = all.first().map(|line| line.run_id);
            for Net { line, step } in net_effects(all) {
                match step {
                    Ok(step) => world.rewind.steps.push(step),
                    Err(reason) => unknown.push((line.id, reason)),
                }
                lines.push(line);
            }
        } else {
            lines = self.rewind_lines(run.id, undoes, phase, progress.after, limit).await?;
            for line in &lines {
                match line.step(phase) {
                    Some(step) => world.rewind.steps.push(step),
                    None => unknown.push((line.id, Impossible::NotReversible)),
                }
            }
        }
        progress.after = lines.last().map(|line| line.id).or(progress.after);
        if phase == Phase::Planning {
            let left = i64::from(world.standing.seats_bought) - progress.seats;
            world.standing.seats_bought = u32::try_from(left.max(0)).unwrap_or(u32::MAX);
        }
        // All items of a rewind since an instant are in this part.
        let others = since.is_none();
        self.read_rewound(&mut world, (run.id, undoes), phase, others).await?;
        let part = RewindPart {
            run: run.id,
            undoes,
            last,
            phase,
            progress,
            is_last: since.is_some() || lines.len() < limit,
            counts: run.counts.as_object().cloned().unwrap_or_default(),
            digest: run.plan_digest(),
            lines: lines.iter().map(|line| (line.id, line.clone())).collect(),
            unknown,
        };
        Ok(Chunk {
            world,
            changes: lines.len(),
            read: ReadChanges::default(),
            touched: Vec::new(),
            touched_users: HashSet::new(),
            changed_groups: Vec::new(),
            more_wait: false,
            open_holds: Vec::new(),
            rewind: Some(part),
            rewind_waits: false,
            candidates: Vec::new(),
            beside,
        })
    }

    async fn rewind_lines(
        &self,
        run: Uuid,
        undoes: Uuid,
        phase: Phase,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Line>, StoreError> {
        let (sql, run, start) = match phase {
            Phase::Planning => (&LINES_TO_PLAN, undoes, Uuid::max()),
            Phase::Applying => (&LINES_TO_APPLY, run, Uuid::nil()),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.unwrap_or(start);
        self.all(sql, [run.into(), after.into(), limit.into()]).await
    }

    /// Reads the matches of the steps. The holder of a wanted address or name may give it up in another part of the
    /// same rewind: when applying, that part is applied now as well, so that a swap is reversed whole.
    async fn read_rewound(
        &self,
        world: &mut World,
        (run, undoes): (Uuid, Uuid),
        phase: Phase,
        others: bool,
    ) -> Result<(), StoreError> {
        let mut begin = 0;
        for _ in 0..HOLDER_ROUNDS {
            if begin == world.rewind.steps.len() {
                break;
            }
            self.read_targets(world, begin).await?;
            let occupants = self.read_occupants(world, begin).await?;
            begin = world.rewind.steps.len();
            if !others {
                break;
            }
            let lines = match phase {
                Phase::Planning => self.lines_about(&APPLIED_LINES_ABOUT, undoes, occupants).await?,
                Phase::Applying => self.lines_about(&PLANNED_LINES_ABOUT, run, occupants).await?,
            };
            let known: HashSet<Uuid> = world.rewind.steps.iter().map(|step| step.id).collect();
            let steps = lines.iter().filter_map(|line| line.step(phase)).filter(|step| !known.contains(&step.id));
            match phase {
                Phase::Planning => note_leaving(world, steps),
                Phase::Applying => world.rewind.steps.extend(steps),
            }
        }
        if phase == Phase::Applying {
            world.rewind.steps.sort_by_key(|step| step.id);
        }
        Ok(())
    }

    /// The items of a run about these records.
    async fn lines_about(&self, sql: &Sql, run: Uuid, records: HashSet<Uuid>) -> Result<Vec<Line>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.all(sql, [id_rows(records)?, run.into()]).await
    }

    /// The members, groups and memberships of the steps from `begin` on.
    async fn read_targets(&self, world: &mut World, begin: usize) -> Result<(), StoreError> {
        let targets: Vec<Target> = world.rewind.steps[begin..].iter().map(|step| step.target).collect();
        let members =
            targets.iter().filter_map(|target| if let Target::Member(id) = target { Some(id.0) } else { None });
        let groups = targets.iter().filter_map(|target| match target {
            Target::Group(id) | Target::Membership(id, _) => Some(id.0),
            Target::Member(_) => None,
        });
        let pairs = targets.iter().filter_map(|target| match target {
            Target::Membership(group, member) => Some(Pair { group_id: group.0, member_id: member.0 }),
            _ => None,
        });
        let (members, groups): (HashSet<Uuid>, HashSet<Uuid>) = (members.collect(), groups.collect());
        let pairs: Vec<Pair> = pairs.collect();
        if !members.is_empty() {
            for row in self.all::<MemberRow>(&MEMBERS, [id_rows(members)?]).await? {
                let member = row.into_state()?;
                world.rewind.members.insert(member.id, member);
            }
        }
        if !groups.is_empty() {
            for row in self.all::<RewoundGroupRow>(&GROUPS, [id_rows(groups)?]).await? {
                let facts = GroupFacts {
                    name: row.name,
                    managed_by: row.managed_by.map(Into::into),
                    directory_group: row.directory_group_id.map(Into::into),
                    removed: row.removed,
                };
                world.rewind.groups.insert(row.id.into(), facts);
            }
        }
        if !pairs.is_empty() {
            let found: Vec<PairRow> = self.all(&MEMBERSHIPS, [json_rows(&pairs)?]).await?;
            let found = found.into_iter().map(|row| (row.group_id.into(), row.member_id.into()));
            world.rewind.memberships.extend(found);
        }
        Ok(())
    }

    /// The holders of the addresses, names and records that the steps from `begin` on want; returns the records that
    /// the holders of an address or name follow.
    async fn read_occupants(&self, world: &mut World, begin: usize) -> Result<HashSet<Uuid>, StoreError> {
        let steps = &world.rewind.steps[begin..];
        let removed = world.rewind.members.values().filter(|member| member.status == MemberStatus::Removed);
        let emails = steps.iter().filter_map(Step::address).chain(removed.map(|member| member.profile.email.clone()));
        let emails: HashSet<String> = emails.map(|email| fold(&email)).collect();
        let removed = world.rewind.groups.values().filter(|group| group.removed).map(|group| group.name.clone());
        let names: HashSet<String> =
            steps.iter().filter_map(Step::name).chain(removed).map(|name| fold(&name)).collect();
        let users: HashSet<Uuid> = steps.iter().filter_map(Step::directory_user).map(|id| id.0).collect();
        let groups: HashSet<Uuid> = steps.iter().filter_map(Step::directory_group).map(|id| id.0).collect();
        let view = View::Actual { authority: None, quarantined: false };
        let holders = self.read_holders(&emails.into_iter().collect::<Vec<_>>(), view).await?;
        let mut occupants: HashSet<Uuid> =
            holders.iter().filter_map(|member| member.directory_user).map(|record| record.0).collect();
        world.holders.extend(holders.into_iter().map(|member| (fold(&member.profile.email), member)));
        if !names.is_empty() {
            let rows: Vec<TextRow<'_>> = names.iter().map(|text| TextRow { text }).collect();
            let found = self.read_sharing_groups(&SHARING_GROUPS_BY_NAME, json_rows(&rows)?).await?;
            occupants.extend(found.iter().filter_map(|(_, record)| *record));
            world.group_names.extend(found.into_iter().map(|(group, _)| (fold(&group.name), group)));
        }
        if !users.is_empty() {
            self.read_followers(world, users).await?;
        }
        if !groups.is_empty() {
            let linked: Vec<FollowerRow> = self.all(&FOLLOWING_GROUPS, [id_rows(groups)?]).await?;
            let linked = linked.into_iter().map(|row| (row.record.into(), SharingGroupId(row.id)));
            world.rewind.linked_groups.extend(linked);
        }
        Ok(occupants)
    }

    /// The members that follow these records, or followed them before another one took over.
    async fn read_followers(&self, world: &mut World, records: HashSet<Uuid>) -> Result<(), StoreError> {
        for row in self.all::<MemberRow>(&LINKED_MEMBERS, [id_rows(records.iter().copied())?]).await? {
            let member = row.into_state()?;
            if let Some(record) = member.directory_user.filter(|record| records.contains(&record.0)) {
                world.rewind.linked_users.insert(record, member.id);
            }
            if member.former_record.is_some_and(|record| records.contains(&record.0)) {
                world.rewind.former_members.push(member);
            }
        }
        Ok(())
    }
}

/// Records the holders who give up an address or a name by these steps.
fn note_leaving(world: &mut World, steps: impl Iterator<Item = Step>) {
    for step in steps {
        let removed = step.status().is_some_and(|(_, after)| after == MemberStatus::Removed);
        match step.target {
            Target::Member(id) if removed || step.address().is_some() => {
                world.rewind.leaving_members.insert(id);
            }
            Target::Group(id) if step.kind() == StepKind::RemoveGroup || step.name().is_some() => {
                world.rewind.leaving_groups.insert(id);
            }
            _ => {}
        }
    }
}
