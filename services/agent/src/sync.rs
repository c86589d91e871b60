//! One run: the digests of both ends are compared, the buckets that differ are uploaded, and the outcome is awaited. A run that was
//! killed is taken up by the next one while the directory is the same.

use crate::directory::Found;
use crate::exit::{Exit, Failure};
use crate::hub::{Answer, Hub, exit_of};
use crate::identity::{Identity, random};
use crate::output::progress;
use crate::place::{beside, write_private};
use rollcall_snapshot::bucket::{ALL, BUCKETS_PER_NODE, bucket_digest, hex, ranges_of};
use rollcall_snapshot::manifest::part_digest;
use rollcall_snapshot::{BUCKETS, Entry, PartHeader, PartWriter, Ranges, Tree, manifest_digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const PROGRAM: &str = concat!("rollcall-agent ", env!("CARGO_PKG_VERSION"));
/// Entries and bytes of a part: well within the hub's limits.
const PART_ENTRIES: usize = 8_000;
const PART_BYTES: u64 = 4 << 20;
/// Longest wait in one request, in seconds.
const WAIT_SECONDS: u64 = 45;
/// From this share of differing buckets on, everything is sent: one list of ranges is shorter than many.
const MOST_BUCKETS: usize = BUCKETS as usize / 2;

/// The end of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) code: u64,
    pub(crate) message: String,
    /// The id of the upload, which audit events name as their request; null when nothing was sent.
    pub(crate) run_id: Option<Uuid>,
    pub(crate) counts: Json,
    /// Why changes wait for an admin.
    pub(crate) held_reasons: Json,
    #[serde(skip_serializing_if = "Json::is_null")]
    pub(crate) plan: Json,
}

/// The wishes of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) simulate: bool,
    pub(crate) removal_limit: Option<u32>,
    pub(crate) wait: Duration,
}

/// An upload that was begun and whose end was not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    id: Uuid,
    root: String,
    sequence: i64,
    covers: Ranges,
    simulate: bool,
    removal_limit: Option<u32>,
}

/// Uploads what differs.
pub(crate) async fn sync(
    hub: &Hub,
    identity: &Identity,
    config: &Path,
    found: &Found,
    wish: Wish,
) -> Result<Outcome, Failure> {
    let state = good(hub.get(identity, "/agent/v1/state", "").await?)?;
    if state.json["provisioning"] == false {
        return Err(Exit::ProvisioningOff.because("the source is off."));
    }
    let tree = tree_of(&found.entries);
    let root = hex(&tree.root());
    let counts = json!({ "users": found.users, "groups": found.groups });
    if state.text("root") == root && state.text("key_state") == "active" {
        let (code, message) = (200, "OK".to_owned());
        return Ok(Outcome { code, message, run_id: None, counts, held_reasons: json!([]), plan: Json::Null });
    }
    let covers = differing(hub, identity, &state, &tree).await?;
    let sequence = state.json["sequence"].as_i64().unwrap_or(0);
    let Wish { simulate, removal_limit, .. } = wish;
    let new = Begun { id: new_id()?, root, sequence, covers, simulate, removal_limit };
    let begun = resumed(config, &new).unwrap_or(new);
    let text = serde_json::to_string(&begun).map_err(|error| Exit::Internal.because(error.to_string()))?;
    write_private(&beside(config, ".upload"), &text)?;
    send(hub, identity, &begun, &found.entries).await?;
    let outcome = await_outcome(hub, identity, begun.id, wish.wait).await;
    if !matches!(&outcome, Err(failure) if failure.exit == Exit::HubUnreachable || failure.exit == Exit::Unfinished) {
        let _ = std::fs::remove_file(beside(config, ".upload"));
    }
    outcome
}

/// The upload of a run that was killed, if it was for the same.
fn resumed(config: &Path, new: &Begun) -> Option<Begun> {
    let text = std::fs::read_to_string(beside(config, ".upload")).ok()?;
    let before: Begun = serde_json::from_str(&text).ok()?;
    let same = Begun { id: before.id, ..new.clone() } == before;
    same.then_some(before)
}

pub(crate) fn tree_of(entries: &[Entry]) -> Tree {
    let mut digests: BTreeMap<u16, Vec<[u8; 16]>> = BTreeMap::new();
    for entry in entries {
        digests.entry(entry.place().bucket).or_default().push(entry.digest());
    }
    let mut tree = Tree::default();
    for (bucket, entries) in digests {
        tree.set(bucket, bucket_digest(&entries));
    }
    tree
}

/// The buckets that differ, by the nodes that differ.
async fn differing(hub: &Hub, identity: &Identity, state: &Answer, tree: &Tree) -> Result<Ranges, Failure> {
    let theirs = |json: &Json| -> Vec<String> { serde_json::from_value(json.clone()).unwrap_or_default() };
    let nodes = theirs(&state.json["nodes"]);
    let own = tree.nodes();
    let differ: Vec<usize> = (0..own.len()).filter(|node| nodes.get(*node) != Some(&hex(&own[*node]))).collect();
    if differ.len() > own.len() / 2 {
        return Ok(ALL.to_vec());
    }
    let asked: Vec<String> = differ.iter().map(usize::to_string).collect();
    let below = good(hub.get(identity, "/agent/v1/state/nodes", &format!("nodes={}", asked.join(","))).await?)?;
    if below.json["sequence"] != state.json["sequence"] {
        return Ok(ALL.to_vec());
    }
    let mut buckets = Vec::new();
    for node in below.json["nodes"].as_array().into_iter().flatten() {
        let number = node["node"].as_u64().and_then(|node| u16::try_from(node).ok()).unwrap_or(0);
        let first = number.saturating_mul(BUCKETS_PER_NODE);
        let pairs = (first..).zip(tree.below(number).iter().zip(theirs(&node["buckets"])));
        buckets.extend(pairs.filter(|(_, (own, theirs))| hex(*own) != *theirs).map(|(bucket, _)| bucket));
    }
    // A key that is not verified may have nothing to add; then everything is sent, so that there is something to verify.
    let all = buckets.is_empty() || buckets.len() > MOST_BUCKETS;
    Ok(if all { ALL.to_vec() } else { ranges_of(buckets) })
}

async fn send(hub: &Hub, identity: &Identity, begun: &Begun, entries: &[Entry]) -> Result<(), Failure> {
    let covered: Vec<&Entry> = entries.iter().filter(|entry| covers(&begun.covers, entry.place().bucket)).collect();
    let groups = covered.iter().filter(|entry| matches!(entry, Entry::Group(_))).count();
    let terms = json!({
        "id": begun.id, "machine": identity.machine, "kind": "snapshot", "covers": begun.covers, "sequence": begun.sequence,
        "users": covered.len() - groups, "groups": groups, "simulate": begun.simulate, "removalLimit": begun.removal_limit,
    });
    let answer = good(hub.post(identity, "/agent/v1/uploads", &terms).await?)?;
    if answer.text("state") != "open" {
        return Ok(());
    }
    let path = format!("/agent/v1/uploads/{}", begun.id);
    let there = good(hub.get(identity, &format!("{path}/parts"), "").await?)?;
    let there: Vec<u32> = serde_json::from_value(there.json["numbers"].clone()).unwrap_or_default();
    let mut digests = Vec::new();
    let cuts = cut(&begun.covers, &covered);
    for (number, (ranges, part)) in (1_u32..).zip(&cuts) {
        let bytes = part_bytes(begun.id, number, ranges, part)?;
        digests.push((part_digest(&bytes), bytes.len() as u64));
        if there.contains(&number) {
            continue;
        }
        good(hub.put(identity, &format!("{path}/parts/{number}"), bytes).await?)?;
        progress(format_args!("part {number} of {} is sent", cuts.len()));
    }
    let manifest = hex(&manifest_digest(digests.iter().map(|(digest, bytes)| (digest, *bytes))));
    let commit = json!({ "parts": digests.len(), "manifest": manifest });
    good(hub.post(identity, &format!("{path}/commit"), &commit).await?).map(drop)
}

fn covers(ranges: &Ranges, bucket: u16) -> bool {
    let after = ranges.partition_point(|[first, _]| *first <= bucket);
    after.checked_sub(1).is_some_and(|at| ranges[at][1] >= bucket)
}

/// The parts of an upload: whole buckets each, within the limits, together all that is covered.
fn cut<'e>(covers: &Ranges, entries: &[&'e Entry]) -> Vec<(Ranges, Vec<&'e Entry>)> {
    let mut parts: Vec<(Vec<u16>, Vec<&'e Entry>)> = vec![(Vec::new(), Vec::new())];
    let (mut bytes, mut rest) = (0_u64, entries);
    for bucket in covers.iter().flat_map(|[first, last]| *first..=*last) {
        let (own, after) = rest.split_at(rest.partition_point(|entry| entry.place().bucket <= bucket));
        rest = after;
        let more: u64 = own.iter().map(|entry| entry.line().len() as u64 + 1).sum();
        if let Some((buckets, part)) = parts.last()
            && !buckets.is_empty()
            && (part.len() + own.len() > PART_ENTRIES || bytes + more > PART_BYTES)
        {
            parts.push((Vec::new(), Vec::new()));
            bytes = 0;
        }
        if let Some((buckets, part)) = parts.last_mut() {
            buckets.push(bucket);
            part.extend(own);
        }
        bytes += more;
    }
    parts.into_iter().map(|(buckets, part)| (ranges_of(buckets), part)).collect()
}

fn part_bytes(upload: Uuid, number: u32, covers: &Ranges, entries: &[&Entry]) -> Result<Vec<u8>, Failure> {
    let header =
        PartHeader { format: rollcall_snapshot::FORMAT, upload: upload.to_string(), number, covers: covers.clone() };
    let written = PartWriter::new(header).and_then(|mut writer| {
        entries.iter().try_for_each(|entry| writer.add(entry))?;
        writer.finish()
    });
    written.map_err(|error| Exit::Internal.because(format!("a part cannot be made: {error}.")))
}

async fn await_outcome(hub: &Hub, identity: &Identity, id: Uuid, patience: Duration) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    loop {
        let left = patience.saturating_sub(begun.elapsed()).as_secs();
        let query = format!("wait={}", left.min(WAIT_SECONDS));
        let answer = good(hub.get(identity, &format!("/agent/v1/uploads/{id}"), &query).await?)?;
        let code = answer.json["code"].as_u64().unwrap_or(500);
        let json = &answer.json;
        let outcome = || Outcome {
            code,
            message: answer.text("message").to_owned(),
            run_id: Some(id),
            counts: json["counts"].clone(),
            held_reasons: json["held_reasons"].clone(),
            plan: json["plan"].clone(),
        };
        match (code, answer.text("state"), json["settled"] == true) {
            (200, _, true) => return Ok(outcome()),
            (_, "unverified", _) => return Ok(outcome()),
            (200 | 202, _, _) if left > 0 => {}
            (200, ..) => return Ok(outcome()),
            _ => return Err(refusal(&answer, code)),
        }
    }
}

fn refusal(answer: &Answer, code: u64) -> Failure {
    let code = u16::try_from(code).unwrap_or(500);
    let reason = answer.text("reason").to_owned();
    let message = format!("{}.", answer.text("message").trim_end_matches('.'));
    Failure { exit: exit_of(code, &reason), message, told: Some((code, reason)) }
}

/// The answer, or the failure that it tells.
pub(crate) fn good(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(answer.failure()) }
}

fn new_id() -> Result<Uuid, Failure> {
    Ok(uuid::Builder::from_random_bytes(random()?).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_snapshot::{Begun as Terms, PartLimits, UploadCheck, User, read_part};
    use std::collections::HashSet;

    fn people(count: usize) -> Vec<Entry> {
        let user = |number: usize| {
            Entry::User(User {
                id: format!("id {number}"),
                user_name: None,
                email: Some(format!("p{number}@x.test")),
                given_name: None,
                family_name: None,
                display_name: None,
                active: true,
                groups: Vec::new(),
            })
        };
        let mut entries: Vec<Entry> = (0..count).map(user).collect();
        entries.sort_by_cached_key(Entry::place);
        entries
    }

    #[test]
    fn dx19_parts_are_within_the_limits_and_pass_the_hubs_check() {
        let entries = people(20_000);
        for covers in [ALL.to_vec(), vec![[4_100, 4_200], [4_300, 4_300], [8_000, 8_191]]] {
            let covered: Vec<&Entry> =
                entries.iter().filter(|entry| super::covers(&covers, entry.place().bucket)).collect();
            let parts = cut(&covers, &covered);
            assert_eq!(parts.iter().map(|(_, part)| part.len()).sum::<usize>(), covered.len());
            let id = Uuid::nil();
            let (users, groups, is_delta) = (covered.len() as u64, 0, false);
            let begun = Terms { upload: id.to_string(), is_delta, covers: covers.clone(), users, groups };
            let mut check = UploadCheck::new(begun, HashSet::new());
            let limits = PartLimits { bytes_max: 8 << 20, line_bytes_max: 512 << 10, entries_max: PART_ENTRIES };
            for (number, (ranges, part)) in (1..).zip(&parts) {
                let bytes = part_bytes(id, number, ranges, part).expect("a part");
                assert_eq!(bytes, part_bytes(id, number, ranges, part).expect("the same"), "so that a run resumes");
                check.add(&read_part(&bytes, &limits).expect("a good part")).expect("the next part");
            }
            assert_eq!(check.finish().expect("a whole upload").users, users);
        }
    }
}
