//! Findings of a run, and the identity provider's view afterwards.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::people::Profile;

/// The outcome of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the identity provider.
    pub idp: &'static str,
    pub seed: u64,
    /// HTTP exchanges, retries and duplicates included.
    pub requests: u64,
    /// By phase, in the order of the run.
    pub phases: Vec<PhaseReport>,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Median duration of one exchange, milliseconds.
    pub p50_ms: f64,
    /// 95th percentile, milliseconds.
    pub p95_ms: f64,
    pub retries: RetryCounts,
    /// Everything that would disturb this IdP, each kind once with a count and its first example.
    pub findings: Vec<Finding>,
    /// The expected state of the hub.
    pub expected: Expected,
}

impl Report {
    /// The IdP's view of the hub, for comparison with its roster.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Findings that are the hub's fault, without those that a retry healed.
    pub fn defects(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Defect)
    }

    /// The finding of this kind, if there is one.
    #[must_use]
    pub fn finding(&self, code: Code) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.code == code)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} requests, p50 {:.1} ms, p95 {:.1} ms, seed {}",
            self.idp, self.requests, self.p50_ms, self.p95_ms, self.seed
        )?;
        for phase in &self.phases {
            writeln!(
                f,
                "  {:<16} {:>6} requests in {:>7.2} s   p50 {:>7.1} ms   p95 {:>7.1} ms{}",
                phase.phase,
                phase.requests,
                phase.seconds,
                phase.p50_ms,
                phase.p95_ms,
                if phase.failed > 0 {
                    format!("   {} of {} failed", phase.failed, phase.subjects)
                } else {
                    String::new()
                }
            )?;
        }
        let active = self.expected.active_users().count();
        writeln!(
            f,
            "  believes: {} people ({} active), {} groups",
            self.expected.users.len(),
            active,
            self.expected.groups.len()
        )?;
        if self.findings.is_empty() {
            return writeln!(f, "  no findings");
        }
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        Ok(())
    }
}

/// One phase's figures.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    pub phase: &'static str,
    /// People, groups or changes of the phase.
    pub subjects: usize,
    /// Subjects that the hub did not accept.
    pub failed: usize,
    pub requests: u64,
    /// Wall time.
    pub seconds: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// Reasons for repeated requests.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RetryCounts {
    /// 429.
    pub throttled: u64,
    /// 5xx.
    pub server_errors: u64,
    /// The connection failed or timed out.
    pub transport: u64,
    /// Chaos: the answer was dropped.
    pub answers_dropped: u64,
    /// Chaos: sent twice at once.
    pub duplicates: u64,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// This IdP would fail or quarantine, or the hub lost data.
    Defect,
    /// Healed by a retry, as the IdP does it.
    Recovered,
}

impl Severity {
    /// The code in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Recovered => "recovered",
        }
    }
}

/// Codes of findings. Each has one meaning, which [`Code::meaning`] explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Unreachable,
    ServerError,
    ThrottledForEver,
    ThrottledWithoutRetryAfter,
    UnexpectedStatus,
    NotJson,
    WrongContentType,
    MissingBody,
    ErrorNotScim,
    ErrorStatusNotString,
    ErrorWithoutDetail,
    ListWithoutSchema,
    ListCountNotInteger,
    ListResourcesNotArray,
    ListPageTooLong,
    ListRepeatsResource,
    ListMissesResource,
    LookupFoundStranger,
    LookupAmbiguous,
    LookupMissedResource,
    ConflictWithoutMatch,
    MissingId,
    IdChanged,
    MissingSchema,
    MissingLocation,
    AttributeLost,
    ActiveNotBoolean,
    ActiveWrong,
    PasswordReturned,
    InactiveUserHidden,
    GroupPatchAnsweredWithBody,
    MembersReturnedThoughExcluded,
    GroupMembersDiffer,
    UnchangedWriteMovedVersion,
    DeletedStillVisible,
    ManagerLost,
}

impl Code {
    /// The consequence for the IdP.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unreachable => "no answer within all attempts",
            Self::ServerError => "the hub answered 5xx",
            Self::ThrottledForEver => "429 on every attempt",
            Self::ThrottledWithoutRetryAfter => "429 without Retry-After",
            Self::UnexpectedStatus => "a status this IdP does not expect here",
            Self::NotJson => "the body is not JSON",
            Self::WrongContentType => "Content-Type is not application/scim+json",
            Self::MissingBody => "no body where the IdP needs one",
            Self::ErrorNotScim => "an error without the SCIM error schema",
            Self::ErrorStatusNotString => "status in a SCIM error is not the code as a string",
            Self::ErrorWithoutDetail => "a SCIM error without detail",
            Self::ListWithoutSchema => "a list without the ListResponse schema",
            Self::ListCountNotInteger => "totalResults, startIndex or itemsPerPage is not an integer",
            Self::ListResourcesNotArray => "Resources is not an array",
            Self::ListPageTooLong => "a page with more entries than asked for",
            Self::ListRepeatsResource => "one resource on two pages",
            Self::ListMissesResource => "paging through the list misses a resource",
            Self::LookupFoundStranger => "a filter found something that does not match it",
            Self::LookupAmbiguous => "a unique value found several resources",
            Self::LookupMissedResource => "a filter did not find what is there",
            Self::ConflictWithoutMatch => "409 on create, but no lookup finds the other one",
            Self::MissingId => "a resource without id",
            Self::IdChanged => "the id of a resource changed",
            Self::MissingSchema => "a resource without its schema",
            Self::MissingLocation => "201 without Location or meta.location",
            Self::AttributeLost => "an attribute came back different from what was sent",
            Self::ActiveNotBoolean => "active is not a JSON boolean",
            Self::ActiveWrong => "active is not what was set",
            Self::PasswordReturned => "the password was returned",
            Self::InactiveUserHidden => "an inactive user can no longer be read",
            Self::GroupPatchAnsweredWithBody => "PATCH of a group answered with the members; Entra wants 204",
            Self::MembersReturnedThoughExcluded => "members returned in spite of excludedAttributes",
            Self::GroupMembersDiffer => "the members of a group are not those the IdP set",
            Self::UnchangedWriteMovedVersion => "a write that changes nothing moved lastModified or the version",
            Self::DeletedStillVisible => "a deleted resource can still be read",
            Self::ManagerLost => "the manager came back different from what was set",
        }
    }
}

/// One kind of finding in one step.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub phase: &'static str,
    /// The step of the conversation, e.g. `create user`.
    pub step: &'static str,
    /// Number of occurrences.
    pub count: u64,
    /// Method and path of the first one.
    pub request: String,
    /// Status of the first answer, 0 without one.
    pub status: u16,
    /// The problem of the first one.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Defect => "DEFECT   ",
            Severity::Recovered => "recovered",
        };
        write!(
            f,
            "{mark} {:?} x{} in {} / {}: {}; first: {} -> {}: {}",
            self.code,
            self.count,
            self.phase,
            self.step,
            self.code.meaning(),
            self.request,
            self.status,
            self.detail
        )
    }
}

/// The expected state of the hub, in the IdP's view.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Expected {
    pub users: Vec<ExpectedUser>,
    /// Existing groups.
    pub groups: Vec<ExpectedGroup>,
    /// Names of groups that were created and deleted again.
    pub deleted_groups: Vec<String>,
    /// Addresses that a connection test created and deleted again; whether a member remains depends on the policy.
    pub deleted_test_users: Vec<String>,
}

impl Expected {
    /// People who must have access: not deleted and active.
    pub fn active_users(&self) -> impl Iterator<Item = &ExpectedUser> {
        self.users.iter().filter(|user| user.is_active())
    }

    /// People who are known to the hub but must not have access.
    pub fn inactive_users(&self) -> impl Iterator<Item = &ExpectedUser> {
        self.users.iter().filter(|user| !user.deleted && user.id.is_some() && !user.profile.active)
    }
}

/// One person.
#[derive(Clone, Debug, Serialize)]
pub struct ExpectedUser {
    /// The hub's SCIM id; none when it never accepted the person.
    pub id: Option<String>,
    /// The `externalId` of the IdP, if it sends any.
    pub external_id: Option<String>,
    /// The last profile the hub accepted.
    #[serde(flatten)]
    pub profile: Profile,
    /// False when the hub refused the IdP's last change of this person.
    pub accepted: bool,
    pub deleted: bool,
    /// False for a person who was disabled from the start, for whom no member is made.
    pub ever_active: bool,
}

impl ExpectedUser {
    /// Known to the hub, not deleted, active.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.id.is_some() && !self.deleted && self.profile.active
    }
}

/// One group.
#[derive(Clone, Debug, Serialize)]
pub struct ExpectedGroup {
    /// The hub's SCIM id.
    pub id: Option<String>,
    /// The `externalId` of the IdP, if it sends any.
    pub external_id: Option<String>,
    /// The last name the hub accepted.
    pub display_name: String,
    /// The hub's SCIM ids of the members, inactive ones included.
    pub member_ids: Vec<String>,
    /// Their user names, in the same order.
    pub member_user_names: Vec<String>,
    /// False when the hub refused the IdP's last change of this group.
    pub accepted: bool,
}

/// Collects the report during the run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    findings: BTreeMap<(Code, Severity, &'static str, &'static str), Finding>,
    durations: Vec<(&'static str, Vec<u32>)>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) retries: RetryCounts,
    closed: Vec<PhaseReport>,
}

impl Ledger {
    pub(crate) fn open(&mut self, phase: &'static str) {
        self.durations.push((phase, Vec::new()));
    }

    pub(crate) fn phase(&self) -> &'static str {
        self.durations.last().map_or("-", |(phase, _)| phase)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.durations.iter().map(|(_, d)| d.len() as u64).sum()
    }

    /// One exchange, in microseconds.
    pub(crate) fn exchange(&mut self, micros: u32, status: u16) {
        if let Some((_, durations)) = self.durations.last_mut() {
            durations.push(micros);
        }
        if status > 0 {
            *self.statuses.entry(status).or_default() += 1;
        }
    }

    pub(crate) fn found(&mut self, finding: Finding) {
        let key = (finding.code, finding.severity, finding.phase, finding.step);
        self.findings.entry(key).and_modify(|known| known.count += 1).or_insert(finding);
    }

    pub(crate) fn close(&mut self, subjects: usize, failed: usize, seconds: f64) {
        if let Some((phase, durations)) = self.durations.last() {
            let mut sorted = durations.clone();
            sorted.sort_unstable();
            self.closed.push(PhaseReport {
                phase,
                subjects,
                failed,
                requests: sorted.len() as u64,
                seconds,
                p50_ms: percentile(&sorted, 0.50),
                p95_ms: percentile(&sorted, 0.95),
            });
        }
    }

    pub(crate) fn report(&self, idp: &'static str, seed: u64, expected: Expected) -> Report {
        let mut all: Vec<u32> = self.durations.iter().flat_map(|(_, durations)| durations.iter().copied()).collect();
        all.sort_unstable();
        Report {
            idp,
            seed,
            requests: all.len() as u64,
            phases: self.closed.clone(),
            statuses: self.statuses.clone(),
            p50_ms: percentile(&all, 0.50),
            p95_ms: percentile(&all, 0.95),
            retries: self.retries,
            findings: self.findings.values().cloned().collect(),
            expected,
        }
    }
}

/// Nearest rank of sorted microseconds, in milliseconds; 0 for none.
fn percentile(sorted: &[u32], share: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len());
    f64::from(sorted[rank - 1]) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let micros: Vec<u32> = (1..=100).map(|n| n * 1000).collect();
        assert!((percentile(&micros, 0.50) - 50.0).abs() < f64::EPSILON);
        assert!((percentile(&micros, 0.95) - 95.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 0.5).abs() < f64::EPSILON);
    }
}
