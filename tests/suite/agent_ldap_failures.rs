//! Refusals and half reads of a directory: each has its exit code and says what to mend, and none removes anybody.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::agent_ldap::{Beside, private};
use crate::agent_program::Site;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::process::Process;
use crate::registry::{Case, cases};
use crate::rigs::{Kind, Rig};
use crate::verbs::eventually;

pub(crate) fn cases() -> Vec<Case> {
    let cases = cases![
        dx12_a_refusal_or_half_a_read_of_openldap_removes_nobody,
        rc22_a_server_that_speaks_no_ldap_ends_the_run_and_not_the_agent,
        dx12_active_directory_says_why_it_refuses_an_account,
    ];
    cases.into_iter().map(|case| case.only_on(Combination::Sqlite)).collect()
}

/// Changes one line of the configuration, for one command.
fn with_line(text: &str, name: &str, value: &str) -> String {
    let lines = text.lines().map(|line| {
        if line.starts_with(&format!("{name} = ")) { format!("{name} = {value}") } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A relay to a server that breaks off after so many bytes of its answers. A relay at another address has another name.
async fn relay(listen: &str, target: String, bytes: usize) -> String {
    let listener = TcpListener::bind(listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(bytes));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (target, left) = (target.clone(), left.clone());
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(&target).await else { return };
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let mut buffer = vec![0; 4_096];
                while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
                    let before =
                        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(count)));
                    if before.unwrap_or(0) < count || to_client.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                asking.abort();
            });
        }
    });
    format!("ldaps://{address}")
}

/// A TLS server whose certificate, of the rig's own CA, is valid between these times.
async fn tls_server(rig: &Rig, folder: &Path, name: &str, from: &str, to: &str) -> (Process, String) {
    let tls = Path::new(&rig.text("ca_file")).parent().unwrap().to_owned();
    let at = |file: &str| tls.join(file).to_str().unwrap().to_owned();
    let made = folder.join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(&made).unwrap();
    let settings = format!(
        "[ca]\ndefault_ca=own\n[own]\ndatabase={made}/index\nnew_certs_dir={made}\nrand_serial=yes\ndefault_md=sha256\npolicy=names\n[names]\ncommonName=supplied\n"
    );
    std::fs::write(format!("{made}/index"), "").unwrap();
    std::fs::write(format!("{made}/settings"), settings).unwrap();
    let (config, certificate) = (format!("{made}/settings"), format!("{made}/server.pem"));
    let (ca, ca_key, request, extensions) = (at("ca.pem"), at("ca.key"), at("server.csr"), at("ext"));
    let arguments = ["ca", "-batch", "-notext", "-config", &config, "-cert", &ca, "-keyfile", &ca_key, "-in", &request];
    let more = ["-extfile", &extensions, "-startdate", from, "-enddate", to, "-out", &certificate];
    let output = Command::new("openssl").args(arguments).args(more).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut server = Process::bound_command(Path::new("/usr/bin/openssl"));
    server.args(["s_server", "-quiet", "-accept", &address, "-cert", &certificate, "-key", &at("server.key")]);
    let server = Process::spawn(server, &Path::new(&made).join("log")).unwrap();
    eventually("the server listens", async || {
        TcpStream::connect(&address).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    (server, format!("ldaps://{address}"))
}

async fn dx12_a_refusal_or_half_a_read_of_openldap_removes_nobody(hub: Hub) {
    let Some(rig) = Rig::start(Kind::OpenLdap, 600, &[]) else { return };
    let (people, groups) = (vec![rig.text("base_dn")], vec![rig.text("base_dn")]);
    let beside = Beside::new(&hub, rig);
    let url = beside.rig.text("url");
    let host = url.trim_start_matches("ldaps://").to_owned();
    beside.set_up(&url, &people, &groups).await;
    beside.configure(&[&url], &people, &groups, "user_filter = \"(objectClass=inetOrgPerson)\"");
    beside.eventually_as_dumped().await;
    let before = beside.site.tenant.members().await;
    let root = beside.root_at_the_hub().await;
    assert!(before.len() > 500, "{}", before.len());

    let good = std::fs::read_to_string(beside.site.config()).unwrap();
    let quoted = |text: &str| format!("{text:?}");
    let wrong = beside.site.file("wrong", "not the password\n");
    let open = beside.site.file("open", "Rollcall!Svc1\n");
    let empty = beside.site.file("empty", "\n");
    private(&wrong);
    private(&empty);
    let server_certificate = beside.rig.text("ca_file").replace("ca.pem", "server.pem");
    let cut = relay("127.0.0.1:0", host.clone(), 60_000).await;
    let other_name = relay("127.0.0.2:0", host.clone(), usize::MAX).await;
    let (_expired, expired) =
        tls_server(&beside.rig, &beside.site.folder, "expired", "20200101000000Z", "20200201000000Z").await;
    let (_early, early) =
        tls_server(&beside.rig, &beside.site.folder, "early", "20900101000000Z", "20900201000000Z").await;
    for (line, value, code, says) in [
        ("servers", list(&expired), 21, "has expired: have it renewed. The clock of this machine says"),
        ("servers", list(&early), 11, "is not valid yet. The clock of this machine says"),
        ("password_file", quoted(wrong.to_str().unwrap()), 19, "the account or its password is wrong (result 49)"),
        ("password_file", quoted(empty.to_str().unwrap()), 3, "is empty"),
        ("password_file", quoted(open.to_str().unwrap()), 4, "chmod 600"),
        ("password_file", quoted("/nowhere/password"), 4, "cannot be read"),
        ("bind_dn", quoted(&beside.rig.text("limited_bind_dn")), 22, "size limit ended the search"),
        (
            "user_bases",
            "[\"ou=Nowhere,dc=rollcall,dc=test\"]".to_owned(),
            23,
            "the base \"ou=Nowhere,dc=rollcall,dc=test\" is not there",
        ),
        ("user_bases", "[\"no name\"]".to_owned(), 23, "no distinguished name"),
        ("user_filter", quoted("(uid=nobody)"), 7, "names nobody in scope"),
        ("user_filter", quoted("(uid=u0000*)"), 14, "people would leave, and"),
        ("user_filter", quoted("(uid=u0000"), 3, "no LDAP filter"),
        ("servers", list("ldaps://127.0.0.1:9"), 18, "refused"),
        ("servers", list(&cut), 18, "broke the connection off"),
        ("servers", list(&other_name), 21, "is for another name"),
        ("ca_file", quoted(&server_certificate), 21, "is signed by none of those in"),
        ("ca_file", quoted("/nowhere/ca.pem"), 3, "ca_file /nowhere/ca.pem"),
    ] {
        beside.site.file("agent.toml", &with_line(&good, line, &value));
        let failed = beside.site.command(&["run"]).ends_with(code);
        assert!(failed.text("message").contains(says), "{line} {value}: {failed:?}");
        assert!(!failed.text("remedy").is_empty() && !format!("{failed:?}").contains("not the password"), "{failed:?}");
        assert_eq!(beside.root_at_the_hub().await, root, "{line} {value}");
    }
    // Half of the entries from the first server, all from the next: the half does not count.
    let cut = relay("127.0.0.1:0", host, 60_000).await;
    beside.site.file("agent.toml", &with_line(&good, "servers", &format!("[{cut:?}, {url:?}]")));
    let run = beside.site.command(&["run"]).ends_with(0);
    assert_eq!(run.json["run_id"], Value::Null, "nothing differs: {run:?}");
    assert!(run.stderr.contains("broke the connection off"), "{run:?}");
    assert_eq!(beside.site.tenant.members().await, before, "nothing was removed");
}

fn list(item: &str) -> String {
    format!("[{item:?}]")
}

async fn dx12_active_directory_says_why_it_refuses_an_account(hub: Hub) {
    let Some(rig) = Rig::start(Kind::ActiveDirectory, 20, &[]) else { return };
    let base = vec![format!("OU=Rollcall,{}", rig.text("base_dn"))];
    let beside = Beside::new(&hub, rig);
    let url = beside.rig.text("url");
    beside.set_up(&url, &base, &base).await;
    beside.configure(&[&url], &base, &base, "");
    beside.eventually_as_dumped().await;
    let root = beside.root_at_the_hub().await;
    let good = std::fs::read_to_string(beside.site.config()).unwrap();
    let wrong = beside.site.file("wrong", "not the password\n");
    private(&wrong);
    beside.site.file("agent.toml", &with_line(&good, "password_file", &format!("{:?}", wrong.to_str().unwrap())));
    let failed = beside.site.command(&["run"]).ends_with(19);
    assert!(
        failed.text("message").contains("the password of the account is wrong (result 49, data 52e)"),
        "{failed:?}"
    );
    beside.site.file("agent.toml", &good);
    let account = format!("CN=svc-rollcall,OU=Service,OU=Rollcall,{}", beside.rig.text("base_dn"));
    for (attribute, value, back, code, says) in [
        ("pwdLastSet", "0", "-1", 20, "must be changed before it is used"),
        ("userAccountControl", "66050", "66048", 19, "the account is disabled"),
        ("accountExpires", "132223104000000000", "0", 19, "the account has expired"),
    ] {
        // A password that never expires need not be changed either.
        let change = |attribute: &str, value: &str| {
            beside
                .rig
                .modify(&format!("dn: {account}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"));
        };
        if attribute == "pwdLastSet" {
            change("userAccountControl", "512");
        }
        change(attribute, value);
        let failed = beside.site.command(&["run"]).ends_with(code);
        assert!(failed.text("message").contains(says), "{failed:?}");
        change(attribute, back);
        if attribute == "pwdLastSet" {
            change("userAccountControl", "66048");
        }
    }
    assert_eq!(beside.root_at_the_hub().await, root, "nothing was removed");
}

/// A server that takes the sign-in and then answers with these bytes, to each connection the next ones.
async fn answers(answers: Vec<Vec<u8>>) -> String {
    const SIGNED_IN: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for answer in answers {
            let Ok((mut client, _)) = listener.accept().await else { return };
            let mut request = [0; 4_096];
            for bytes in [SIGNED_IN, &answer] {
                if client.read(&mut request).await.is_err() || client.write_all(bytes).await.is_err() {
                    break;
                }
            }
        }
    });
    format!("ldap://{address}")
}

async fn rc22_a_server_that_speaks_no_ldap_ends_the_run_and_not_the_agent(hub: Hub) {
    let site = Site::of(&hub, crate::agents::new_tenant(&hub));
    let ann = crate::verbs::email("ann");
    let export = site.file(
        "export.ldif",
        &format!("dn: cn=ann,dc=acme\nobjectClass: person\nentryUUID: uuid-ann\nuid: ann\nsn: Lee\nmail: {ann}\n"),
    );
    let set_up = site.set_up(&["--ldif", export.to_str().unwrap()]).ends_with(0);
    site.verify(&set_up).await;
    site.command(&["run"]).ends_with(0);
    site.tenant.eventually_status(&ann, "active").await;
    let password = site.file("password", "secret");
    private(&password);
    // An entry without parts, a message without an operation, a result without a code, a name that is no text, a length that lies.
    let mut bad: Vec<Vec<u8>> = vec![
        vec![0x30, 5, 2, 1, 2, 0x64, 0],
        vec![0x30, 3, 2, 1, 2],
        vec![0x30, 5, 2, 1, 2, 0x65, 0],
        vec![0x30, 11, 2, 1, 2, 0x64, 6, 4, 2, 0xff, 0xfe, 0x30, 0],
        vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 2],
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ];
    let mut random = hub.randomness("no ldap");
    for _ in 0..24 {
        let mut answer = vec![0x30, 0x14, 2, 1, 2, 0x64];
        answer.extend((0..16).map(|_| rand::Rng::random::<u8>(&mut random)));
        bad.push(answer);
    }
    let tries = bad.len();
    let server = answers(bad).await;
    let text = format!(
        "[hub]\nurl = {:?}\n[directory]\nkind = \"ldap\"\n[[directory.domain]]\nservers = [{server:?}]\nplain = true\nbind_dn = \"cn=agent\"\npassword_file = {:?}\nuser_bases = [\"dc=acme\"]\ntimeout_seconds = 2\n",
        site.tenant.hub.machines_url(),
        password.to_str().unwrap(),
    );
    site.file("agent.toml", &text);
    for _ in 0..tries {
        let failed = site.command(&["run"]);
        assert!(matches!(failed.code, 6 | 18), "{failed:?}");
    }
    assert_eq!(site.tenant.member(&ann).await.unwrap().status, "active", "nothing was removed");
}
