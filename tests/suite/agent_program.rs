//! `rollcall-agent`, as an admin runs it beside a directory that is exported to files.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};

use crate::agents::new_tenant;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually};
use crate::workbench::build_agent;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dx11_da4_the_agent_sets_itself_up_and_keeps_the_roster_in_line_with_an_export,
        dx12_each_failure_has_its_exit_code_and_changes_nothing,
        da9_dx6_a_csv_export_is_cut_to_its_scope,
    ]
}

pub(crate) fn agent_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build_agent().unwrap())
}

/// An agent's machine: its files, and the source that it feeds.
pub(crate) struct Site {
    pub(crate) tenant: Tenant,
    pub(crate) source: String,
    token: String,
    pub(crate) folder: PathBuf,
}

/// The end of a command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }
}

impl Site {
    fn new(hub: &Hub) -> Self {
        Self::of(hub, new_tenant(hub))
    }

    /// A source of a tenant, and a folder for its agent.
    pub(crate) fn of(hub: &Hub, tenant: Tenant) -> Self {
        let made = hub.json_command(&["source", "create", "--tenant", &tenant.slug, "--kind", "agent"]);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        assert!(text("endpoint").ends_with("/agent/v1"));
        let folder = hub.deployment().folder.join(format!("agent-{}", tenant.slug));
        std::fs::create_dir_all(&folder).unwrap();
        Self { source: text("source_id"), token: text("install_token"), tenant, folder }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Done {
        let config = self.config();
        let output = Command::new(agent_binary())
            .args(arguments)
            .args(["--config", config.to_str().unwrap(), "--json"])
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        Done {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no single JSON value: {output:?}")),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The output of a command without `--json`, for one that goes on and for what people read.
    pub(crate) fn command_text(&self, arguments: &[&str]) -> String {
        let config = self.config();
        let output = Command::new(agent_binary()).args(arguments).args(["--config", config.to_str().unwrap()]).output();
        let output = output.unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    pub(crate) fn set_up(&self, arguments: &[&str]) -> Done {
        let hub = self.tenant.hub.machines_url();
        let common = ["setup", "--hub", &hub, "--install-token", &self.token, "--name", "dc1", "--yes"];
        self.command(&[&common[..], arguments].concat())
    }

    pub(crate) async fn verify(&self, set_up: &Done) {
        let path = format!("/api/v1/sources/{}/agent-keys/{}/verify", self.source, set_up.text("key_id"));
        self.tenant.post(&path, &json!({ "fingerprint": set_up.text("fingerprint") })).await.expect(200);
    }
}

/// An export of these people, all of them in the group Crew, and one computer.
fn ldif(names: &[&str]) -> String {
    let mut text = "version: 1\n\ndn: cn=pc1,dc=acme\nobjectClass: user\nobjectClass: computer\n\n".to_owned();
    for name in names {
        text += &format!(
            "dn: cn={name},ou=people,dc=acme\nobjectClass: inetOrgPerson\nentryUUID: uuid-{name}\nuid: {name}\ncn: {name}\nsn: Lee\n\
             mail: {}\n\n",
            email(name)
        );
    }
    text += "dn: cn=Crew,ou=groups,dc=acme\nobjectClass: groupOfNames\nentryUUID: uuid-crew\ncn: Crew\n";
    for name in names {
        text += &format!("member: CN={name}, OU=People,dc=acme\n");
    }
    text
}

async fn dx11_da4_the_agent_sets_itself_up_and_keeps_the_roster_in_line_with_an_export(hub: Hub) {
    let site = Site::new(&hub);
    let export = site.file("export.ldif", &ldif(&["ann", "bob"]));
    let set_up = site.set_up(&["--ldif", export.to_str().unwrap()]).ends_with(0);
    assert!(set_up.stderr.contains("2 people and 1 groups"), "{set_up:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&site.config()), mode(&site.folder.join("agent.toml.key"))), (0o600, 0o600));
    // The token served once.
    site.set_up(&["--ldif", export.to_str().unwrap()]).ends_with(9);

    // Kept until an admin compared, then applied.
    let kept = site.command(&["run"]).ends_with(12);
    assert_eq!(kept.json["code"], 202, "{kept:?}");
    assert!(site.tenant.member(&email("ann")).await.is_none());
    site.verify(&set_up).await;
    site.tenant.eventually_status(&email("ann"), "active").await;
    site.tenant.eventually_group("Crew", &[&email("ann"), &email("bob")]).await;
    let status = eventually("the key is active and the upload applied", async || {
        let status = site.command(&["status"]).ends_with(0);
        if status.json["sequence"] == 1 { Ok(status) } else { Err(format!("{status:?}")) }
    })
    .await;
    assert_eq!(
        (status.text("key_state"), status.text("fingerprint")),
        ("active".to_owned(), set_up.text("fingerprint"))
    );
    let same = site.command(&["run"]).ends_with(0);
    assert_eq!(
        (&same.json["code"], &same.json["message"], &same.json["run_id"]),
        (&json!(200), &json!("OK"), &Value::Null)
    );

    site.file("export.ldif", &ldif(&["ann", "cid"]));
    let preview = site.command(&["preview"]).ends_with(0);
    let plan = preview.json["plan"].as_array().unwrap();
    assert!(plan.contains(&json!({ "action": "remove_user", "external_id": "uuid-bob" })), "{preview:?}");
    assert!(site.tenant.member(&email("cid")).await.is_none());
    let run = site.command(&["run"]).ends_with(0);
    assert_eq!((&run.json["code"], &run.json["counts"]["users_created"]), (&json!(200), &json!(1)), "{run:?}");
    assert!(run.json["run_id"].is_string());
    site.tenant.eventually_status(&email("bob"), "suspended").await;
    site.tenant.eventually_group("Crew", &[&email("ann"), &email("bob"), &email("cid")]).await;
    let check = site.command(&["check"]).ends_with(0);
    assert_eq!((&check.json["users"], &check.json["provisioning"]), (&json!(2), &json!(true)));

    // Another key waits for the admin again.
    let rotated = site.command(&["rotate-key"]).ends_with(0);
    site.file("export.ldif", &ldif(&["ann", "cid", "dan"]));
    site.command(&["run"]).ends_with(12);
    site.verify(&rotated).await;
    site.tenant.eventually_status(&email("dan"), "active").await;
}

async fn dx12_each_failure_has_its_exit_code_and_changes_nothing(hub: Hub) {
    let site = Site::new(&hub);
    let names: Vec<String> = (0..30).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let export = site.file("export.ldif", &ldif(&names));
    let nowhere =
        ["setup", "--hub", "http://127.0.0.1:9", "--install-token", &site.token, "--ldif", export.to_str().unwrap()];
    site.command(&nowhere).ends_with(8);
    let plain =
        ["setup", "--hub", "http://hub.example", "--install-token", &site.token, "--ldif", export.to_str().unwrap()];
    site.command(&plain).ends_with(3);
    site.command(&["run"]).ends_with(3);
    let set_up = site.set_up(&["--ldif", export.to_str().unwrap()]).ends_with(0);
    site.verify(&set_up).await;
    site.command(&["run"]).ends_with(0);
    site.tenant.eventually("all are members", |members| members.len() == 30).await;

    // The directory is empty, broken, or half of itself.
    for (text, code) in [("version: 1\n", 7), ("dn: cn=a\nnonsense\n", 6), (&ldif(&names[..15]), 14)] {
        site.file("export.ldif", text);
        let failed = site.command(&["run"]).ends_with(code);
        assert!(failed.text("remedy").ends_with('.') && failed.json["exit_code"] == code, "{failed:?}");
    }
    let failed = site.command(&["run"]).ends_with(14);
    assert_eq!((&failed.json["code"], failed.text("reason").as_str()), (&json!(400), "member_removal_over_limit"));
    std::fs::remove_file(&export).unwrap();
    site.command(&["run"]).ends_with(6);
    site.file("export.ldif", &ldif(&names));

    // One run at a time; the key is this machine's and nobody else's to read.
    let lock = File::create(site.folder.join("agent.toml.lock")).unwrap();
    lock.lock().unwrap();
    site.command(&["run"]).ends_with(5);
    lock.unlock().unwrap();
    let key = site.folder.join("agent.toml.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    site.command(&["run"]).ends_with(4);
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let kept = std::fs::read_to_string(&key).unwrap();
    let machine = kept.lines().find(|line| line.starts_with("machine")).unwrap();
    std::fs::write(&key, kept.replace(machine, "machine = \"another\"")).unwrap();
    site.command(&["run"]).ends_with(10);
    std::fs::write(&key, &kept).unwrap();

    let source = format!("/api/v1/sources/{}", site.source);
    site.tenant.send(Method::PATCH, &source, Some(&json!({ "mode": "off" }))).await.expect(200);
    site.command(&["run"]).ends_with(13);
    site.command(&["check"]).ends_with(13);
    site.tenant.send(Method::PATCH, &source, Some(&json!({ "mode": "live" }))).await.expect(200);
    site.command(&["run"]).ends_with(0);
    site.file("export.ldif", &ldif(&names[..15]));
    site.command(&["run", "--removal-limit", "15"]).ends_with(0);
    site.tenant
        .eventually("half of them left", |members| members.iter().filter(|m| m.status == "active").count() == 15)
        .await;
    let revoke = format!("{source}/agent-keys/{}", set_up.text("key_id"));
    site.tenant.send(Method::DELETE, &revoke, None).await.expect(204);
    site.command(&["run"]).ends_with(9);
}

async fn da9_dx6_a_csv_export_is_cut_to_its_scope(hub: Hub) {
    let site = Site::new(&hub);
    let people = site.file(
        "people.csv",
        &format!(
            "\u{feff}id,user_name,email,given_name,family_name,active,groups\n1,ann,{},Ann,Lee,true,staff;pilots\n2,bob,{},Bob,\"Lee, jr.\",yes,staff\n\
             3,cid,{},Cid,Lee,true,pilots\n4,dan,,Dan,Lee,true,staff\n5,eve,{},Eve,Lee,no,staff\n",
            email("ann"),
            email("bob"),
            email("cid"),
            email("eve")
        ),
    );
    let arguments = ["--csv", people.to_str().unwrap(), "--user-group", "staff", "--group", "pilots"];
    let set_up = site.set_up(&arguments).ends_with(0);
    assert!(
        set_up.stderr.contains("4 people and 1 groups") && set_up.stderr.contains("no email address"),
        "{set_up:?}"
    );
    site.verify(&set_up).await;
    let run = site.command(&["run"]).ends_with(0);
    assert_eq!(run.json["counts"]["users"], 4, "{run:?}");
    let bob = site.tenant.eventually_status(&email("bob"), "active").await;
    assert_eq!(bob.external_id.as_deref(), Some("2"));
    site.tenant.eventually_group("pilots", &[&email("ann")]).await;
    for outside in ["cid", "eve"] {
        let member = site.tenant.member(&email(outside)).await;
        assert!(member.is_none_or(|member| member.status != "active"), "{outside}");
    }
    // A group that the configuration names was renamed: nothing is sent.
    let text = std::fs::read_to_string(&people).unwrap().replace("staff", "everybody");
    std::fs::write(&people, text).unwrap();
    let failed = site.command(&["run"]).ends_with(6);
    assert!(failed.text("message").contains("no group \"staff\""), "{failed:?}");
}
