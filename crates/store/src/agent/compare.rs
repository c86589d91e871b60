//! Compares a part with the records that the hub has of its buckets. Buckets with equal digests are not read at all; of the others,
//! entries with equal digests cost nothing more.

use crate::agent::state::BucketRow;
use crate::agent::work::UploadWork;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, json_rows};
use crate::engine::sql::{RowSet, Sql};
use rollcall_core::ids::SourceId;
use rollcall_snapshot::bucket::{bucket_digest, hex, is_of_users};
use rollcall_snapshot::{BucketDigest, Entry, Kind, Part};
use sea_orm::FromQueryResult;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// One thing to do with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(Entry),
    Change(Uuid, Entry),
    Remove { record: Uuid, bucket: u16, external_id: String },
}

/// The difference between a part and the hub.
#[derive(Debug, Default)]
pub struct PartDiff {
    pub(super) steps: Vec<Step>,
    /// The digests of the buckets that differ, once the steps are done.
    pub(super) buckets: Vec<(u16, BucketDigest)>,
}

/// Numbers of a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffCounts {
    pub created: [u64; 2],
    pub changed: [u64; 2],
    pub removed: [u64; 2],
    /// Active people who would be gone or inactive.
    pub leaving: u64,
}

impl DiffCounts {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: [u64; 2], two: [u64; 2]| [one[0] + two[0], one[1] + two[1]];
        Self {
            created: sum(self.created, other.created),
            changed: sum(self.changed, other.changed),
            removed: sum(self.removed, other.removed),
            leaving: self.leaving + other.leaving,
        }
    }
}

impl Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Create(entry) | Self::Change(_, entry) => entry.kind(),
            Self::Remove { bucket, .. } => kind_of(*bucket),
        }
    }

    /// The action and the external id.
    pub(super) fn told(&self) -> (&'static str, &str) {
        match (self, self.kind()) {
            (Self::Create(entry), Kind::Group) => ("create_group", entry.id()),
            (Self::Create(entry), Kind::User) => ("create_user", entry.id()),
            (Self::Change(_, entry), Kind::Group) => ("change_group", entry.id()),
            (Self::Change(_, entry), Kind::User) => ("change_user", entry.id()),
            (Self::Remove { external_id, .. }, Kind::Group) => ("remove_group", external_id),
            (Self::Remove { external_id, .. }, Kind::User) => ("remove_user", external_id),
        }
    }
}

pub(super) fn kind_of(bucket: u16) -> Kind {
    if is_of_users(bucket) { Kind::User } else { Kind::Group }
}

impl PartDiff {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.buckets.is_empty()
    }

    /// The first steps, with their external ids.
    pub fn told(&self, most: usize) -> Vec<serde_json::Value> {
        let told = self.steps.iter().take(most).map(Step::told);
        told.map(|(action, id)| serde_json::json!({ "action": action, "external_id": id })).collect()
    }

    fn counts(&self, leaving: u64) -> DiffCounts {
        let mut counts = DiffCounts { leaving, ..DiffCounts::default() };
        for step in &self.steps {
            let of_kind = usize::from(step.kind() == Kind::User);
            match step {
                Step::Create(_) => counts.created[of_kind] += 1,
                Step::Change(..) => counts.changed[of_kind] += 1,
                Step::Remove { .. } => counts.removed[of_kind] += 1,
            }
        }
        counts
    }

    /// The records of people who may lose their access by it.
    fn may_leave(&self) -> Vec<Uuid> {
        let leaves = |step: &Step| match step {
            Step::Remove { record, bucket, .. } if is_of_users(*bucket) => Some(*record),
            Step::Change(record, Entry::User(user)) if !user.active => Some(*record),
            _ => None,
        };
        self.steps.iter().filter_map(leaves).collect()
    }
}

#[derive(FromQueryResult)]
struct RecordRow {
    bucket: i64,
    external_id: String,
    digest: String,
    record_id: Uuid,
}

#[derive(Serialize)]
struct BucketParameter {
    bucket: u16,
}

#[derive(FromQueryResult)]
pub(super) struct CountRow {
    pub(super) count: i64,
}

#[derive(FromQueryResult)]
struct KeyRow {
    bucket: i64,
    external_id: String,
}

const BUCKET: Columns = &[("bucket", Type::Int)];
const IN_BUCKETS: &[RowSet] = &[("rows", 3, BUCKET)];
const OF_IDS: &[RowSet] = &[("rows", 2, ID)];

static KEPT: Sql =
    Sql::tenant(&["SELECT bucket, digest FROM agent_buckets WHERE tenant_id = {tenant} AND source_id = $2 \
     AND bucket >= $3 AND bucket <= $4"]);
static RECORDS: Sql = Sql::tenant_rows(
    IN_BUCKETS,
    &[
        "SELECT a.bucket, a.external_id, a.digest, a.record_id FROM {rows} {join} agent_records a ON a.tenant_id = {tenant} \
       AND a.source_id = $2 AND a.bucket = r.bucket",
    ],
);
static ACTIVE: Sql = Sql::tenant_rows(
    OF_IDS,
    &["SELECT count(*) AS count FROM {rows} {join} directory_users u ON u.tenant_id = {tenant} AND u.id = r.id \
       AND u.active = TRUE AND u.deleted_at IS NULL"],
);
static GROUPS: Sql = Sql::tenant(&["SELECT bucket, external_id FROM agent_records WHERE tenant_id = {tenant} \
     AND source_id = $2 AND bucket < 4096"]);

impl Store {
    /// Compares a part of an upload with what the hub has.
    #[tracing::instrument(name = "store.agent.compare_part", skip_all)]
    pub async fn compare_part(&self, work: &UploadWork, part: Part) -> Result<(PartDiff, DiffCounts), StoreError> {
        let tx = self.read(&work.scope).await?;
        let source = work.source();
        let (first, last) = ends(&part);
        let kept: Vec<BucketRow> =
            tx.all(&KEPT, [source.0.into(), i64::from(first).into(), i64::from(last).into()]).await?;
        let kept = kept.into_iter().filter_map(|row| Some((u16::try_from(row.bucket).ok()?, row.digest))).collect();
        let differing = differing(&part, work.upload.is_delta(), &kept);
        if differing.is_empty() {
            return Ok((PartDiff::default(), DiffCounts::default()));
        }
        let wanted: Vec<BucketParameter> = differing.iter().map(|bucket| BucketParameter { bucket: *bucket }).collect();
        let records: Vec<RecordRow> = tx.all(&RECORDS, [source.0.into(), json_rows(&wanted)?]).await?;
        let diff = diff_of(part, work.upload.is_delta(), &differing, records);
        let may_leave = diff.may_leave();
        let mut leaving = 0;
        if !may_leave.is_empty() {
            let active: Option<CountRow> = tx.one(&ACTIVE, [id_rows(may_leave)?]).await?;
            leaving = active.and_then(|row| u64::try_from(row.count).ok()).unwrap_or(0);
        }
        let counts = diff.counts(leaving);
        Ok((diff, counts))
    }

    /// The external ids of the groups that the hub has and that an upload need not name.
    #[tracing::instrument(name = "store.agent.known_groups", skip_all)]
    pub async fn known_groups(&self, work: &UploadWork) -> Result<HashSet<String>, StoreError> {
        let tx = self.read(&work.scope).await?;
        let (source, covers): (SourceId, _) = (work.source(), work.upload.ranges()?);
        let is_covered =
            |bucket: i64| covers.iter().any(|[first, last]| (i64::from(*first)..=i64::from(*last)).contains(&bucket));
        let rows: Vec<KeyRow> = tx.all(&GROUPS, [source.0.into()]).await?;
        let kept = rows.into_iter().filter(|row| work.upload.is_delta() || !is_covered(row.bucket));
        Ok(kept.map(|row| row.external_id).collect())
    }
}

/// The first and the last bucket of a part.
fn ends(part: &Part) -> (u16, u16) {
    let covers = &part.header.covers;
    (covers.first().map_or(0, |[first, _]| *first), covers.last().map_or(0, |[_, last]| *last))
}

/// The buckets of a part that are not as the hub has them: of a snapshot by their digests, of a delta those with entries.
fn differing(part: &Part, is_delta: bool, kept: &BTreeMap<u16, String>) -> BTreeSet<u16> {
    let mut digests: BTreeMap<u16, Vec<_>> = BTreeMap::new();
    for entry in &part.entries {
        digests.entry(entry.place().bucket).or_default().push(entry.digest());
    }
    if is_delta {
        return digests.into_keys().collect();
    }
    let covered = part.header.covers.iter().flat_map(|[first, last]| *first..=*last);
    let is_kept = |bucket: &u16| {
        let own = digests.get(bucket).map(|entries| hex(&bucket_digest(entries)));
        own.as_ref() == kept.get(bucket)
    };
    covered.filter(|bucket| !is_kept(bucket)).collect()
}

fn diff_of(part: Part, is_delta: bool, differing: &BTreeSet<u16>, records: Vec<RecordRow>) -> PartDiff {
    // By bucket and id: the digest and the record; those that stay are taken out below.
    let mut kept: BTreeMap<(u16, String), (String, Uuid)> = records
        .into_iter()
        .filter_map(|row| Some(((u16::try_from(row.bucket).ok()?, row.external_id), (row.digest, row.record_id))))
        .collect();
    let mut after: BTreeMap<(u16, String), String> = match is_delta {
        true => kept.iter().map(|(place, (digest, _))| (place.clone(), digest.clone())).collect(),
        false => BTreeMap::new(),
    };
    let mut steps = Vec::new();
    for entry in part.entries {
        let place = entry.place();
        if !differing.contains(&place.bucket) {
            continue;
        }
        let place = (place.bucket, place.id);
        let known = kept.remove(&place);
        if entry.is_gone() {
            after.remove(&place);
            if let Some((_, record)) = known {
                steps.push(Step::Remove { record, bucket: place.0, external_id: place.1 });
            }
            continue;
        }
        let digest = hex(&entry.digest());
        after.insert(place, digest.clone());
        match known {
            None => steps.push(Step::Create(entry)),
            Some((other, record)) if other != digest => steps.push(Step::Change(record, entry)),
            Some(_) => {}
        }
    }
    if !is_delta {
        let gone = kept.into_iter();
        steps.extend(gone.map(|((bucket, external_id), (_, record))| Step::Remove { record, bucket, external_id }));
    }
    PartDiff { steps, buckets: digests_after(differing, &after) }
}

fn digests_after(differing: &BTreeSet<u16>, after: &BTreeMap<(u16, String), String>) -> Vec<(u16, BucketDigest)> {
    let mut by_bucket: BTreeMap<u16, Vec<[u8; 16]>> = differing.iter().map(|bucket| (*bucket, Vec::new())).collect();
    for ((bucket, _), digest) in after {
        if let (Some(entries), Some(digest)) = (by_bucket.get_mut(bucket), rollcall_snapshot::bucket::unhex(digest)) {
            entries.push(digest);
        }
    }
    by_bucket.into_iter().map(|(bucket, entries)| (bucket, bucket_digest(&entries))).collect()
}
