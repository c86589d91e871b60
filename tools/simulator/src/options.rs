//! Options of a run: identity provider, number of people, phases, faults.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;

use crate::chaos::Chaos;

/// The identity providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idp {
    /// Okta, app from its integration network: PUT for profiles, PATCH for `active` and groups.
    Okta,
    /// Okta, custom app of its wizard: everything by PUT, groups included.
    OktaCustom,
    /// Entra ID as it is by default: capitalised operations, booleans as strings, remove with a value list.
    Entra,
    /// Entra ID with `?aadOptscim062020` in the tenant URL.
    EntraFlag,
    /// OneLogin, "SCIM V2" app.
    OneLogin,
    /// JumpCloud, custom SCIM integration.
    JumpCloud,
    /// PingFederate and PingOne: no PATCH at all.
    Ping,
}

impl Idp {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Okta, Self::OktaCustom, Self::Entra, Self::EntraFlag, Self::OneLogin, Self::JumpCloud, Self::Ping];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Okta => "okta",
            Self::OktaCustom => "okta-custom",
            Self::Entra => "entra",
            Self::EntraFlag => "entra-flag",
            Self::OneLogin => "onelogin",
            Self::JumpCloud => "jumpcloud",
            Self::Ping => "ping",
        }
    }
}

impl fmt::Display for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Idp {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for idp in Self::ALL {
            if idp.name().eq_ignore_ascii_case(text) {
                return Ok(idp);
            }
        }
        let known: Vec<&str> = Self::ALL.iter().map(|idp| idp.name()).collect();
        bail!("unknown identity provider {text:?}; one of {}", known.join(", "))
    }
}

/// One part of the lifecycle. The first sync is `People`, `Groups`, `Memberships`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The conversation of the IdP's *Test connection* button (DS6).
    TestConnection,
    /// First sync of people: look up, then create; managers afterwards if the IdP does so.
    People,
    /// First sync of groups.
    Groups,
    /// First sync of memberships.
    Memberships,
    /// Some people change their name, and get a phone number.
    Rename,
    /// Some people change address and user name; their anchor stays.
    EmailChange,
    /// People join and leave groups, a group is renamed, a pilot group is created and deleted.
    GroupChanges,
    /// A few people leave: `active` false.
    Deactivate,
    /// Half of those come back.
    Reactivate,
    /// The IdP reads everything again and finds nothing to change.
    Resync,
    /// Not part of an IdP: reads everything back and compares it with the IdP's view.
    ReadBack,
    /// Deletes the leavers for good, if the IdP ever does that. Not in the default lifecycle.
    Delete,
}

impl Phase {
    /// The default phases of [`Options::new`].
    pub const LIFECYCLE: [Self; 11] = [
        Self::TestConnection,
        Self::People,
        Self::Groups,
        Self::Memberships,
        Self::Rename,
        Self::EmailChange,
        Self::GroupChanges,
        Self::Deactivate,
        Self::Reactivate,
        Self::Resync,
        Self::ReadBack,
    ];

    /// The first sync.
    pub const FIRST_SYNC: [Self; 3] = [Self::People, Self::Groups, Self::Memberships];

    /// The name on the command line and in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TestConnection => "test-connection",
            Self::People => "people",
            Self::Groups => "groups",
            Self::Memberships => "memberships",
            Self::Rename => "rename",
            Self::EmailChange => "email-change",
            Self::GroupChanges => "group-changes",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Resync => "resync",
            Self::ReadBack => "read-back",
            Self::Delete => "delete",
        }
    }

    /// Reads a comma-separated list; `first-sync` and `all` stand for several.
    ///
    /// # Errors
    /// On an unknown name; the message lists the known ones.
    pub fn parse_list(text: &str) -> anyhow::Result<Vec<Self>> {
        let mut phases = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "all" => phases.extend(Self::LIFECYCLE),
                "first-sync" => phases.extend(Self::FIRST_SYNC),
                _ => phases.push(Self::parse(name)?),
            }
        }
        Ok(phases)
    }

    fn parse(name: &str) -> anyhow::Result<Self> {
        let mut known = vec!["all", "first-sync"];
        for phase in Self::LIFECYCLE.into_iter().chain([Self::Delete]) {
            if phase.name() == name {
                return Ok(phase);
            }
            known.push(phase.name());
        }
        bail!("unknown phase {name:?}; one of {}", known.join(", "))
    }
}

/// Retries of a request.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// Attempts of one request that meets 5xx or a broken connection, at least 1.
    pub attempts: u32,
    /// Wait before the second attempt; doubled for each further one.
    pub first_wait: Duration,
    /// The longest wait, of the back-off or by `Retry-After`.
    pub longest_wait: Duration,
    /// Most 429 answers to one request before it fails.
    pub throttled: u32,
    /// One attempt's limit, connection included.
    pub timeout: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(30),
            throttled: 60,
            timeout: Duration::from_secs(30),
        }
    }
}

/// All options. Start from [`Options::new`] and set what differs.
#[derive(Clone)]
pub struct Options {
    /// The identity provider.
    pub idp: Idp,
    /// The SCIM endpoint of one source, e.g. `http://127.0.0.1:8080/scim/v2/{source_id}`; a query is cut off.
    pub base_url: String,
    /// The source's bearer token. Never printed or recorded.
    pub token: String,
    /// Number of people.
    pub users: usize,
    /// Number of groups; by default one for about twelve people, 2 to 60.
    pub groups: Option<usize>,
    /// The same seed gives the same people, changes and faults.
    pub seed: u64,
    /// Concurrent requests, at least 1.
    pub concurrency: usize,
    /// Domain of every address.
    pub domain: String,
    /// The phases, in this order.
    pub phases: Vec<Phase>,
    /// Number of leavers in [`Phase::Deactivate`]; by default 2 % and at least 2 (1 in a tiny directory), well under the removal
    /// limit.
    pub leavers: Option<usize>,
    /// Whether half of the leavers come back in [`Phase::Reactivate`].
    pub leavers_return: bool,
    /// File to which each exchange is appended as one line of JSON.
    pub record: Option<PathBuf>,
    /// Faults between the IdP and the hub.
    pub chaos: Option<Chaos>,
    /// Retries.
    pub retries: Retries,
    /// Progress is one updating line (the writer is a terminal) instead of a line per phase.
    pub live_progress: bool,
}

impl Options {
    /// 50 people, seed 1, four requests at once, the whole lifecycle.
    #[must_use]
    pub fn new(idp: Idp, base_url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            idp,
            base_url: base_url.into(),
            token: token.into(),
            users: 50,
            groups: None,
            seed: 1,
            concurrency: 4,
            domain: "example.test".to_owned(),
            phases: Phase::LIFECYCLE.to_vec(),
            leavers: None,
            leavers_return: true,
            record: None,
            chaos: None,
            retries: Retries::default(),
            live_progress: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is left out, because options end up in logs.
        f.debug_struct("Options")
            .field("idp", &self.idp)
            .field("base_url", &self.base_url)
            .field("users", &self.users)
            .field("groups", &self.groups)
            .field("seed", &self.seed)
            .field("concurrency", &self.concurrency)
            .field("phases", &self.phases)
            .field("chaos", &self.chaos)
            .finish_non_exhaustive()
    }
}
