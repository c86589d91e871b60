//! The measured servers: the hub on PostgreSQL, the embedded hub, the npm peer. Each can make tenants, and its processes are
//! known.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use serde::Deserialize;

use crate::{
    error::BenchError,
    http::{Connection, Endpoint},
    hub::Hub,
    process::Process,
    scenario::Scenario,
    tenant::{Tenant, send_json},
};

/// How a server makes tenants.
pub(crate) enum Maker {
    Hub(Hub),
    Jackson { url: String },
}

/// One server under measurement.
pub(crate) struct Contender {
    /// `postgres`, `embedded` or `jackson`: the name in tables.
    pub(crate) name: &'static str,
    pub(crate) maker: Maker,
    /// Its own process first, then the services that it uses.
    pub(crate) processes: Vec<Process>,
}

#[derive(Deserialize)]
struct Directory {
    endpoint: String,
    token: String,
}

impl Contender {
    /// `services` are (name, URL) of the server's services; those without a local process are left out.
    pub(crate) fn new(name: &'static str, maker: Maker, services: &[(&str, &str)]) -> Result<Self, BenchError> {
        let url = match &maker {
            Maker::Hub(hub) => &hub.url,
            Maker::Jackson { url } => url,
        };
        let own = Process::listening_on(name, crate::process::port_of(url)?)
            .ok_or_else(|| BenchError::setup(format!("nothing listens at {url} ({name})")))?;
        let mut processes = vec![own];
        for (service, url) in services {
            processes.extend(Process::listening_on(service, crate::process::port_of(url)?));
        }
        Ok(Self { name, maker, processes })
    }

    pub(crate) fn is_hub(&self) -> bool {
        matches!(self.maker, Maker::Hub(_))
    }

    /// An empty tenant with a name unique to this process, so that a hub may be measured twice.
    pub(crate) async fn tenant(&self, name: &str, seats: u64) -> Result<Tenant, BenchError> {
        let name = &format!("{name}-{}-{}", self.name, std::process::id());
        match &self.maker {
            Maker::Hub(hub) => hub.create_tenant(name, seats),
            Maker::Jackson { url } => {
                let mut connection = Connection::new(Endpoint::parse(url, "")?);
                let made: Directory =
                    send_json(&mut connection, "POST", "/directories", &format!(r#"{{"tenant":"{name}"}}"#)).await?;
                Ok(Tenant::new(made.endpoint, made.token, name))
            }
        }
    }
}

/// The `rollcall` that runs this tool; also the one that administers the hubs.
pub(crate) fn own_binary() -> Result<PathBuf, BenchError> {
    std::env::current_exe().map_err(BenchError::io("finding the rollcall binary"))
}

/// The scenarios that are rates, by their names in bench/README.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Filter and POST.
    S1,
    /// GET by id.
    S2,
    /// Filter by userName.
    S3,
    /// PATCH active=false.
    S4,
    /// PATCH one member of a large group.
    S5,
    /// List pages of 100.
    S6,
    /// Full sync (no rate: timed to its end).
    S7,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S1 => "s1",
            Self::S2 => "s2",
            Self::S3 => "s3",
            Self::S4 => "s4",
            Self::S5 => "s5",
            Self::S6 => "s6",
            Self::S7 => "s7",
        }
    }
}

/// A filled tenant and the state of the scenarios between cells.
pub(crate) struct Stage {
    pub(crate) tenant: Tenant,
    /// A second, growing tenant for s1, so that the first keeps its size.
    growing: Tenant,
    next_person: Arc<AtomicU64>,
    /// The group of s5 and its size.
    pub(crate) group: Option<(String, usize)>,
    /// s4: users up to here are inactive.
    deactivated: usize,
}

impl Stage {
    pub(crate) fn new(tenant: Tenant, growing: Tenant) -> Self {
        Self { tenant, growing, next_person: Arc::default(), group: None, deactivated: 0 }
    }

    /// The tenant that the scenario runs in.
    pub(crate) fn tenant_of(&self, kind: Kind) -> &Tenant {
        if kind == Kind::S1 { &self.growing } else { &self.tenant }
    }

    /// Prepares the scenario for one cell (s4 may have to reactivate users first; unmeasured).
    pub(crate) async fn scenario(&mut self, kind: Kind) -> Result<Scenario, BenchError> {
        let users = &self.tenant.users;
        Ok(match kind {
            Kind::S1 => Scenario::FilterThenCreate {
                series: self.growing.series.clone().into(),
                next: Arc::clone(&self.next_person),
            },
            Kind::S2 => Scenario::GetById { ids: users.clone().into() },
            Kind::S3 => {
                Scenario::FilterUserName { series: self.tenant.series.clone().into(), people: users.len() as u64 }
            }
            Kind::S4 => self.some_to_deactivate().await?,
            Kind::S5 => self.one_member()?,
            Kind::S6 | Kind::S7 => Scenario::ListPages {
                pages: (users.len() as u64).div_ceil(crate::scenario::PAGE),
                next: AtomicU64::new(0),
            },
        })
    }

    /// Half of the tenant, all of them active.
    async fn some_to_deactivate(&mut self) -> Result<Scenario, BenchError> {
        let share = self.tenant.users.len().div_ceil(2);
        if self.deactivated + share > self.tenant.users.len() {
            self.tenant.reactivate(&self.tenant.users[..self.deactivated]).await?;
            self.deactivated = 0;
        }
        let ids = self.tenant.users[self.deactivated..self.deactivated + share].to_vec();
        self.deactivated += share;
        Ok(Scenario::Deactivate { ids, next: AtomicU64::new(0) })
    }

    fn one_member(&self) -> Result<Scenario, BenchError> {
        let (group, size) = self.group.as_ref().ok_or_else(|| BenchError::setup("s5 without a group"))?;
        Ok(Scenario::OneMember { group: group.clone(), outsiders: self.tenant.users[*size..].to_vec() })
    }
}
