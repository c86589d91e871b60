//! `rollcall-agent` on real directories: after each run the tenant's directory is what the rig's own dump says.

use std::time::{Duration, Instant};

use rollcall_snapshot::Entry;
use rollcall_snapshot::bucket::hex;
use serde_json::{Value, json};

use crate::agent_client::Agent;
use crate::agent_program::{Done, Site, agent_binary};
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::process::Process;
use crate::registry::{Case, cases};
use crate::rigs::{Kind, Rig, tree_of};
use crate::verbs::{eventually, within};

/// Most time from a change of the directory to the roster, on a debug build with other tests running.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn cases() -> Vec<Case> {
    let cases = cases![
        da2_lp14_dx7_openldap_is_read_as_its_own_dump_says,
        da2_lp14_dx7_active_directory_is_read_as_its_own_dump_says,
        lp14_two_domains_are_one_directory,
        lp1_lp3_the_service_follows_openldap,
        lp1_lp3_the_service_follows_active_directory,
    ];
    // The reading is the same whatever the hub stores its rows in.
    cases.into_iter().map(|case| case.only_on(Combination::Sqlite)).collect()
}

/// An agent beside a rig, set up and verified.
pub(crate) struct Beside {
    pub(crate) site: Site,
    pub(crate) rig: Rig,
    pub(crate) password_file: String,
}

impl Beside {
    pub(crate) fn new(hub: &Hub, rig: Rig) -> Self {
        let site = Site::of(hub, hub.tenant().seats(5_000).policy("onboarding", "federated").create());
        let password = site.file("password", &format!("{}\n", rig.text("bind_password")));
        private(&password);
        Self { site, rig, password_file: password.to_str().unwrap().to_owned() }
    }

    /// Sets the agent up by flags, as an admin does without a terminal.
    pub(crate) async fn set_up(&self, url: &str, bases: &[String], group_bases: &[String]) -> Done {
        let (bind_dn, ca_file) = (self.rig.text("bind_dn"), self.rig.text("ca_file"));
        let mut arguments = vec!["--ldap", url, "--bind-dn", &bind_dn, "--password-file", &self.password_file];
        arguments.extend(["--ca-file", &ca_file, "--user-base"]);
        arguments.extend(bases.iter().map(String::as_str));
        arguments.push("--group-base");
        arguments.extend(group_bases.iter().map(String::as_str));
        let set_up = self.site.set_up(&arguments).ends_with(0);
        self.site.verify(&set_up).await;
        set_up
    }

    /// Writes the configuration of one domain; what the dump does not know is not uploaded.
    pub(crate) fn configure(&self, servers: &[&str], bases: &[String], group_bases: &[String], more: &str) {
        let text = format!(
            "[hub]\nurl = {}\n[directory]\nkind = \"ldap\"\n[[directory.domain]]\nservers = {}\nca_file = {}\nbind_dn = {}\npassword_file = {}\nuser_bases = {}\ngroup_bases = {}\n{more}\n[attributes]\ngiven_name = []\nfamily_name = []\ndisplay_name = [\"displayName\"]\n",
            json!(self.site.tenant.hub.machines_url()),
            json!(servers),
            json!(self.rig.text("ca_file")),
            json!(self.rig.text("bind_dn")),
            json!(self.password_file),
            json!(bases),
            json!(group_bases),
        );
        self.site.file("agent.toml", &text);
    }

    /// The root of the digests at the hub, asked for with the agent's own key.
    pub(crate) async fn root_at_the_hub(&self) -> String {
        let agent = Agent::of_file(&self.site.tenant, &self.site.source, &self.site.folder.join("agent.toml.key"));
        agent.state().await.text_at("/root")
    }

    /// Runs until the hub has what the dump says; OpenLDAP mends members a moment after its changes.
    pub(crate) async fn eventually_as_dumped(&self) -> Vec<Entry> {
        eventually("the hub has what the directory holds", async || {
            let run = self.site.command(&["run", "--removal-limit", "1000"]).ends_with(0);
            let expected = self.rig.expected();
            let (root, at_the_hub) = (hex(&tree_of(&expected).root()), self.root_at_the_hub().await);
            if root == at_the_hub { Ok(expected) } else { Err(format!("{root} is not {at_the_hub}: {run:?}")) }
        })
        .await
    }

    /// The roster has the active people of these entries who have an address of their own, and their groups.
    async fn is_in_the_roster(&self, entries: &[Entry]) {
        let users = entries.iter().filter_map(|entry| match entry {
            Entry::User(user) => Some(user),
            _ => None,
        });
        let address = |email: &Option<String>| email.as_deref().map(str::to_lowercase);
        let count = |email: &str| users.clone().filter(|user| address(&user.email).as_deref() == Some(email)).count();
        let mut expected: Vec<String> = users
            .clone()
            .filter(|user| user.active && address(&user.email).is_some_and(|email| count(&email) == 1))
            .map(|user| user.id.clone())
            .collect();
        expected.sort();
        let what = "everybody active with an address of their own is a member";
        self.site
            .tenant
            .eventually(what, |members| {
                let active = members.iter().filter(|member| member.status == "active");
                let ids: std::collections::BTreeSet<_> =
                    active.filter_map(|member| member.external_id.clone()).collect();
                expected.iter().all(|id| ids.contains(id))
            })
            .await;
    }
}

pub(crate) fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Rounds of changes; `ROLLCALL_RIG_ROUNDS` asks for more.
fn rounds(usual: u64) -> u64 {
    std::env::var("ROLLCALL_RIG_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

fn below(rig: &Rig, organisational_units: &[&str]) -> Vec<String> {
    let base = rig.text("base_dn");
    let top = if rig.info["kind"] == "samba-ad" { format!("OU=Rollcall,{base}") } else { base };
    organisational_units.iter().map(|unit| format!("ou={unit},{top}")).collect()
}

async fn da2_lp14_dx7_openldap_is_read_as_its_own_dump_says(hub: Hub) {
    let Some(rig) = Rig::start(Kind::OpenLdap, 1_000, &[]) else { return };
    let (people, groups) = (below(&rig, &["People", "Leavers"]), below(&rig, &["Groups"]));
    let beside = Beside::new(&hub, rig);
    let (url, starttls) = (beside.rig.text("url"), beside.rig.text("starttls_url"));
    let set_up = beside.set_up(&url, &people, &groups).await;
    assert!(set_up.stderr.contains("1000 people and 52 groups"), "{set_up:?}");
    // The first server does not answer; the second one is asked.
    beside.configure(&["ldaps://127.0.0.1:9", &url], &people, &groups, "page_size = 137");
    let entries = beside.eventually_as_dumped().await;
    assert_eq!(entries.len(), 1_052);
    beside.is_in_the_roster(&entries).await;
    let again = beside.site.command(&["run"]).ends_with(0);
    assert_eq!(again.json["run_id"], Value::Null, "nothing differs: {again:?}");
    beside.configure(&[&starttls], &people, &groups, "");
    for round in 1..=rounds(5) {
        beside.rig.verb(&["churn", "--ops", "60", "--seed", &round.to_string()]);
        beside.eventually_as_dumped().await;
    }
    // People whom a filter calls disabled are.
    beside.configure(&[&url], &people, &groups, "disabled_filter = \"(uid=u000001*)\"");
    beside.site.command(&["run"]).ends_with(0);
    let agent = beside.site.command(&["check"]).ends_with(0);
    assert_eq!(agent.json["key_state"], "active", "{agent:?}");
    let first = beside.site.tenant.eventually_status("u000001@rollcall.test", "suspended").await;
    assert!(first.external_id.is_some());
}

async fn da2_lp14_dx7_active_directory_is_read_as_its_own_dump_says(hub: Hub) {
    // Groups of 2,000 are more than Windows gives at a time, and a page of 1,000 is all it gives.
    let port = free_pair().to_string();
    let Some(rig) = Rig::start(Kind::ActiveDirectory, 2_000, &["--port", &port, "--ad-limits"]) else { return };
    let (people, groups) = (below(&rig, &["People", "Leavers", "Service"]), below(&rig, &["Groups", "Service"]));
    let beside = Beside::new(&hub, rig);
    let (limited, starttls) = (beside.rig.text("url"), beside.rig.text("starttls_url"));
    let set_up = beside.set_up(&limited, &people, &groups).await;
    assert!(set_up.stderr.contains("2002 people and 52 groups"), "{set_up:?}");
    beside.configure(&[&limited], &people, &groups, "page_size = 1000");
    let entries = beside.eventually_as_dumped().await;
    beside.is_in_the_roster(&entries).await;
    for round in 1..=rounds(2) {
        let url = if round % 2 == 0 { &starttls } else { &limited };
        beside.rig.verb(&["churn", "--ops", "40", "--seed", &round.to_string()]);
        beside.configure(&[url], &people, &groups, "");
        beside.eventually_as_dumped().await;
    }
    // The root of the domain refers to partitions that hold no people; computers, contacts and the rest are left out.
    let whole = vec![beside.rig.text("base_dn")];
    beside.configure(&[&limited], &whole, &groups, "");
    let check = beside.site.command(&["check"]).ends_with(0);
    assert!(check.json["users"].as_u64() > Some(2_002), "the built-in accounts too: {check:?}");
}

async fn lp14_two_domains_are_one_directory(hub: Hub) {
    let Some(rig) = Rig::start(Kind::OpenLdap, 60, &[]) else { return };
    let Some(other) = Rig::start(Kind::OpenLdap, 40, &["--seed", "2"]) else { return };
    let (people, groups) = (below(&rig, &["People"]), below(&rig, &["Groups"]));
    let beside = Beside::new(&hub, rig);
    let url = beside.rig.text("url");
    beside.set_up(&url, &people, &groups).await;
    // Overlapping bases name an entry once. `memberUid` means the people of its own domain, and both have a u000001.
    let second = format!(
        "[[directory.domain]]\nservers = {}\nca_file = {}\nbind_dn = {}\npassword_file = {}\nuser_bases = {}\ngroup_bases = {}",
        json!([other.text("url")]),
        json!(other.text("ca_file")),
        json!(other.text("bind_dn")),
        json!(beside.password_file),
        json!([other.text("user_base"), other.text("base_dn")]),
        json!([other.text("base_dn"), other.text("group_base")]),
    );
    beside.configure(&[&url], &people, &groups, &second);
    let run = beside.site.command(&["run"]).ends_with(0);
    let mut expected = [beside.rig.expected(), other.expected()].concat();
    expected.sort_by_cached_key(Entry::place);
    assert_eq!(expected.len(), 60 + 40 + 2 * 52);
    assert_eq!(beside.root_at_the_hub().await, hex(&tree_of(&expected).root()), "{run:?}");
}

/// A free port whose successor is free too.
fn free_pair() -> u16 {
    loop {
        let one = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        if port < u16::MAX && std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A service of the agent that ends with it.
fn serve(beside: &Beside) -> Process {
    let mut command = Process::bound_command(agent_binary());
    command.args(["service", "--config", beside.site.config().to_str().unwrap()]);
    Process::spawn(command, &beside.site.folder.join("service.log")).unwrap()
}

/// Waits until the roster has followed a change; returns how long it took.
async fn follows(beside: &Beside, email: &str, status: &str) -> Duration {
    let begun = Instant::now();
    within(CHANGE_LIMIT, &format!("{email} is {status}"), async || match beside.site.tenant.member(email).await {
        Some(member) if member.status == status => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .await;
    begun.elapsed()
}

async fn lp1_lp3_the_service_follows_openldap(hub: Hub) {
    let Some(rig) = Rig::start(Kind::OpenLdap, 200, &[]) else { return };
    let (people, groups) = (below(&rig, &["People", "Leavers"]), below(&rig, &["Groups"]));
    let beside = Beside::new(&hub, rig);
    let url = beside.rig.text("url");
    beside.set_up(&url, &people, &groups).await;
    beside.configure(&[&url], &people, &groups, "");
    let log = beside.site.folder.join("log/agent.log");
    let config = std::fs::read_to_string(beside.site.config()).unwrap();
    beside.site.file("agent.toml", &format!("{config}[log]\nfile = {}\n", json!(log)));
    let mut service = serve(&beside);
    follows(&beside, "u000001@rollcall.test", "active").await;
    let second = beside.site.command_text(&["service"]);
    assert!(second.contains("exit code 5"), "one service at a time: {second}");
    let berlin = "ou=Berlin,ou=People,dc=rollcall,dc=test";
    let mut took = Vec::new();
    for number in 0..5 {
        let email = format!("new{number}@rollcall.test");
        beside.rig.modify(&format!(
            "dn: uid=new{number},{berlin}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new{number}\ncn: New {number}\nsn: New\nmail: {email}\n"
        ));
        took.push(follows(&beside, &email, "active").await);
        beside.rig.modify(&format!(
            "dn: uid=new{number},{berlin}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
        ));
        took.push(follows(&beside, &email, "suspended").await);
    }
    took.sort();
    eprintln!("a change of OpenLDAP is in the roster after {:?} (median of {})", took[took.len() / 2], took.len());
    // A server that goes and comes back is listened to again.
    beside.rig.verb(&["down"]);
    beside.rig.verb(&["up", "--users", "200", "--groups", "50"]);
    beside.rig.modify(&format!("dn: uid=new0,{berlin}\nchangetype: modify\ndelete: pwdAccountLockedTime\n"));
    follows(&beside, "new0@rollcall.test", "active").await;
    service.ask_to_stop();
    let asked = Instant::now();
    let status = service.stopped();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", service.last_lines());
    assert!(asked.elapsed() < Duration::from_secs(10), "SIGTERM ends it soon");
    lp7_dx9_a_ticket_gets_the_log(&beside, &log);
}

/// The log ends with the exit code, and the bundle has neither the password nor an address.
fn lp7_dx9_a_ticket_gets_the_log(beside: &Beside, log: &std::path::Path) {
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.ends_with("exit code 0\n") && log.contains("a change is announced"), "{log}");
    let bundle = beside.site.command(&["support-bundle"]).ends_with(0);
    let bundle = std::fs::read_to_string(bundle.text("file")).unwrap();
    assert!(bundle.contains("servers = ") && bundle.contains("people and 52 groups are read"), "{bundle}");
    assert!(!bundle.contains(&beside.rig.text("bind_password")) && !bundle.contains('@'), "{bundle}");
    let seed = std::fs::read_to_string(beside.site.folder.join("agent.toml.key")).unwrap();
    let seed = seed.lines().find_map(|line| line.strip_prefix("seed = ")).unwrap().trim_matches('"').to_owned();
    assert!(!bundle.contains(&seed));
}

async fn lp1_lp3_the_service_follows_active_directory(hub: Hub) {
    let Some(rig) = Rig::start(Kind::ActiveDirectory, 200, &[]) else { return };
    let (people, groups) = (below(&rig, &["People", "Leavers"]), below(&rig, &["Groups"]));
    let beside = Beside::new(&hub, rig);
    let url = beside.rig.text("url");
    beside.set_up(&url, &people, &groups).await;
    beside.configure(&[&url], &people, &groups, "");
    let plain = std::fs::read_to_string(beside.site.config()).unwrap();
    let mut service = serve(&beside);
    follows(&beside, "u000001@corp.rollcall.test", "active").await;
    let berlin = format!("OU=Berlin,OU=People,OU=Rollcall,{}", beside.rig.text("base_dn"));
    let mut took = Vec::new();
    for number in 0..3 {
        let email = format!("new{number}@corp.rollcall.test");
        beside.rig.modify(&format!(
            "dn: CN=New {number},{berlin}\nchangetype: add\nobjectClass: user\nsAMAccountName: new{number}\nmail: {email}\nuserAccountControl: 544\n"
        ));
        took.push(follows(&beside, &email, "active").await);
        beside.rig.modify(&format!(
            "dn: CN=New {number},{berlin}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n"
        ));
        took.push(follows(&beside, &email, "suspended").await);
    }
    took.sort();
    eprintln!(
        "a change of Active Directory is in the roster after {:?} (median of {})",
        took[took.len() / 2],
        took.len()
    );
    service.ask_to_stop();
    let status = service.stopped();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", service.last_lines());
    let log = std::fs::read_to_string(beside.site.folder.join("service.log")).unwrap();
    assert!(log.contains("may not list CN=Deleted Objects"), "{log}");

    // An account that may list what is deleted is told at once.
    let told = plain.replace(&beside.rig.text("bind_dn"), &beside.rig.text("dirsync_bind_dn"));
    beside.site.file("agent.toml", &told);
    let mut service = serve(&beside);
    beside.rig.modify(&format!(
        "dn: CN=New 0,{berlin}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 544\n"
    ));
    follows(&beside, "new0@corp.rollcall.test", "active").await;
    beside.rig.modify(&format!("dn: CN=New 0,{berlin}\nchangetype: delete\n"));
    follows(&beside, "new0@corp.rollcall.test", "suspended").await;
    service.ask_to_stop();
    service.stopped();
}
