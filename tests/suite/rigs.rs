//! Real directories for the agent: the rigs beside the checkout start an OpenLDAP or a Samba domain controller on loopback, change it by a
//! seed, and dump what it holds around the agent's own code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use rollcall_snapshot::{Entry, Group, Tree, User};
use serde_json::Value;

/// The rigs that run, so that an interrupted suite stops them.
static RUNNING: Mutex<Vec<(PathBuf, PathBuf)>> = Mutex::new(Vec::new());

/// Held while a rig starts.
static STARTING: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OpenLdap,
    ActiveDirectory,
}

/// A directory that ends with it.
pub(crate) struct Rig {
    script: PathBuf,
    folder: PathBuf,
    kind: Kind,
    pub(crate) info: Value,
}

/// Stops what an interrupted suite leaves.
pub(crate) fn stop_all() {
    for (script, folder) in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = Command::new(script).args(["down", "--wipe", "--dir"]).arg(folder).output();
    }
}

/// The folder of the rigs, or None with a loud word. A machine that names the folder must have what is in it.
fn rigs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ROLLCALL_RIGS") {
        return Some(PathBuf::from(named));
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/rigs");
    if beside.is_dir() {
        return Some(beside);
    }
    eprintln!("\n!! NOT TESTED: there are no directory rigs at {}; LDAP goes untested here.\n", beside.display());
    None
}

impl Rig {
    /// Starts a directory of so many people and 50 groups; None, loudly, where there are no rigs or only root may start it.
    pub(crate) fn start(kind: Kind, users: usize, more: &[&str]) -> Option<Self> {
        let script = rigs()?.join(match kind {
            Kind::OpenLdap => "openldap",
            Kind::ActiveDirectory => "samba-ad",
        });
        if !nix::unistd::geteuid().is_root()
            && (kind == Kind::ActiveDirectory || !Path::new("/usr/sbin/slapd").exists())
        {
            eprintln!("\n!! NOT TESTED: {} needs root here; {kind:?} goes untested.\n", script.display());
            return None;
        }
        // The path of a socket has 108 bytes at most, and slapd breaks on a longer one.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rollcall-rig-{}-{number}", std::process::id()));
        let mut rig = Self { script, folder, kind, info: Value::Null };
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push((rig.script.clone(), rig.folder.clone()));
        let users = users.to_string();
        // The first start installs packages, and two installations at once end with the second one's failure.
        let turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let output = rig.output(&[&["up", "--users", &users, "--groups", "50"], more].concat());
        drop(turn);
        let told = String::from_utf8_lossy(&output.stderr);
        let may_be_away = ["CI", "ROLLCALL_RIGS"].iter().all(|name| std::env::var_os(name).is_none());
        if !output.status.success() && may_be_away && told.contains("apt-get failed") {
            eprintln!("\n!! NOT TESTED: the packages of {kind:?} cannot be installed here; it goes untested.\n{told}");
            return None;
        }
        assert!(output.status.success(), "{kind:?} does not start: {told}");
        rig.info = serde_json::from_slice(&output.stdout).unwrap();
        Some(rig)
    }

    fn output(&self, arguments: &[&str]) -> Output {
        Command::new(&self.script).args(arguments).arg("--dir").arg(&self.folder).output().unwrap()
    }

    pub(crate) fn verb(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?} of {}: {output:?}", self.script.display());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.info[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.info)).to_owned()
    }

    /// Applies changes in LDIF as the directory's admin.
    pub(crate) fn modify(&self, ldif: &str) {
        let file = self.folder.join("change.ldif");
        std::fs::write(&file, ldif).unwrap();
        let output = Command::new("ldapmodify")
            .args([
                "-x",
                "-H",
                &self.text("url"),
                "-D",
                &self.text("admin_bind_dn"),
                "-w",
                &self.text("admin_password"),
                "-f",
            ])
            .arg(file)
            .env("LDAPTLS_CACERT", self.text("ca_file"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{ldif}: {output:?}");
    }

    /// The entries that the agent should upload, without given and family names, which the dump does not have.
    pub(crate) fn expected(&self) -> Vec<Entry> {
        let dump = self.verb(&["dump"]);
        let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut entries = Vec::new();
        for group in dump["groups"].as_array().unwrap() {
            let id = text(&group["id"]).unwrap();
            for user in group["effective_users"].as_array().unwrap() {
                groups.entry(text(user).unwrap()).or_default().push(id.clone());
            }
            entries.push(Entry::Group(Group { id, name: text(&group["name"]).unwrap() }));
        }
        for user in dump["users"].as_array().unwrap() {
            let id = text(&user["id"]).unwrap();
            let mut own = groups.remove(&id).unwrap_or_default();
            own.sort();
            let ended = self.kind == Kind::ActiveDirectory && user["expired"] == true;
            entries.push(Entry::User(User {
                id,
                user_name: text(&user["sam"]),
                email: text(&user["mail"]),
                given_name: None,
                family_name: None,
                display_name: text(&user["name"]),
                active: user["enabled"] == true && !ended,
                groups: own,
            }));
        }
        entries.sort_by_cached_key(Entry::place);
        entries
    }
}

/// The digests of entries, as the hub works them out.
pub(crate) fn tree_of(entries: &[Entry]) -> Tree {
    let mut tree = Tree::default();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let bucket = first.place().bucket;
        let (own, after) = rest.split_at(rest.partition_point(|entry| entry.place().bucket <= bucket));
        let digests: Vec<_> = own.iter().map(Entry::digest).collect();
        tree.set(bucket, rollcall_snapshot::bucket::bucket_digest(&digests));
        rest = after;
    }
    tree
}

impl Drop for Rig {
    fn drop(&mut self) {
        let down = Command::new(&self.script).args(["down", "--wipe", "--dir"]).arg(&self.folder).output();
        if !down.is_ok_and(|down| down.status.success()) {
            eprintln!("warning: the rig in {} was not stopped", self.folder.display());
        }
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, folder)| *folder != self.folder);
    }
}
