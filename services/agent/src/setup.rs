//! `setup`: makes the key, enrols it, tests each step, and writes the configuration (DX11, DX4).

use crate::cli::Setup;
use crate::config::{
    Attributes, Config, Directory, Domain, Hub as HubConfig, Kind, Scope, Service, page_size, timeout_seconds,
};
use crate::exit::{Exit, Failure};
use crate::hub::Hub;
use crate::identity::{self, Identity, NewIdentity};
use crate::output::progress;
use crate::place::{host_name, machine, write_private};
use crate::secret;
use crate::sync::{PROGRAM, good};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// A set-up agent.
pub(crate) struct Done {
    pub(crate) config: PathBuf,
    pub(crate) key_id: String,
    pub(crate) fingerprint: String,
}

pub(crate) async fn run(args: Setup) -> Result<Done, Failure> {
    let path = args.common.config.clone();
    if path.exists() && !args.yes {
        return Err(Exit::Config.because(format!("{} is there; --yes overwrites it.", path.display())));
    }
    let config = config_of(&args).await?;
    config.check()?;
    let hub = Hub::of(&config)?;
    let found = crate::directory::read(&config, &path, false).await?;
    progress(format_args!("the directory has {} people and {} groups in scope", found.users, found.groups));
    found.remarks.iter().for_each(|remark| progress(format_args!("note: {remark}")));
    let token = token_of(&args)?;
    let identity = match token {
        Some(token) => enrol(&hub, &path, token.trim(), args.name.as_deref()).await?,
        None => Identity::load(&path)?,
    };
    write_private(&path, &config.to_text()?)?;
    let state = good(hub.get(&identity, "/agent/v1/state", "").await?)?;
    progress(format_args!("the hub knows the key; it is {}", state.text("key_state")));
    let fingerprint = identity.key.public().fingerprint();
    Ok(Done { config: path, key_id: identity.key_id, fingerprint })
}

async fn config_of(args: &Setup) -> Result<Config, Failure> {
    let hub = given_or_asked(args.hub.clone(), "The address of the hub", "--hub")?;
    let mut attributes = Attributes::default();
    if let Some(email) = &args.email_attribute {
        attributes.email = vec![email.clone()];
    }
    Ok(Config {
        hub: HubConfig { url: hub.trim_end_matches('/').to_owned(), ca_file: args.hub_ca_file.as_deref().map(whole) },
        directory: directory_of(args).await?,
        scope: Scope { user_groups: args.user_group.clone(), groups: args.group.clone(), users_only: args.users_only },
        attributes,
        service: Service::default(),
        log: None,
    })
}

fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

async fn directory_of(args: &Setup) -> Result<Directory, Failure> {
    let groups_file = args.csv_groups.as_deref().map(whole);
    match (&args.ldif, &args.csv) {
        (Some(file), _) => Ok(Directory::of_files(Kind::Ldif, whole(file), None)),
        (None, Some(file)) => Ok(Directory::of_files(Kind::Csv, whole(file), groups_file)),
        (None, None) => {
            let domain = domain_of(args).await?;
            Ok(Directory { kind: Kind::Ldap, file: None, groups_file: None, domains: vec![domain] })
        }
    }
}

/// The domain of the arguments. The terminal is asked for what is missing.
async fn domain_of(args: &Setup) -> Result<Domain, Failure> {
    let mut servers = args.ldap.clone();
    if servers.is_empty() {
        servers.push(given_or_asked(
            None,
            "The address of the directory, such as ldaps://dc1.example.com",
            "--ldap, --ldif or --csv",
        )?);
    }
    let bind_dn = given_or_asked(args.bind_dn.clone(), "The account that reads (a DN, or user@domain)", "--bind-dn")?;
    let mut domain = Domain {
        servers,
        ca_file: args.ca_file.as_deref().map(whole),
        bind_dn,
        password_file: args.password_file.as_deref().map(whole),
        user_bases: args.user_base.clone(),
        group_bases: args.group_base.clone(),
        user_filter: args.user_filter.clone(),
        group_filter: args.group_filter.clone(),
        disabled_filter: None,
        page_size: page_size(),
        timeout_seconds: timeout_seconds(),
        ignore_referrals: false,
        plain: args.plain,
    };
    let config = whole(&args.common.config);
    if domain.password_file.is_none() && std::io::stdin().is_terminal() {
        let file = secret::own_file(&config);
        write_private(&file, secret::asked(&domain.bind_dn)?.text())?;
        domain.password_file = Some(file);
    }
    if domain.user_bases.is_empty() {
        let password = secret::password_of(&domain, 0, &config)?;
        let proposed = crate::directory::ldap::proposed_base(&domain, &password).await;
        domain.user_bases.push(asked("The base of the people", "--user-base", proposed.as_deref())?);
    }
    if domain.group_bases.is_empty() && !args.users_only {
        domain.group_bases = domain.user_bases.clone();
    }
    Ok(domain)
}

fn given_or_asked(given: Option<String>, question: &str, flag: &str) -> Result<String, Failure> {
    given.map_or_else(|| asked(question, flag, None), Ok)
}

/// Asks on the terminal; an empty line takes what is proposed.
fn asked(question: &str, flag: &str, proposed: Option<&str>) -> Result<String, Failure> {
    let missing = || Exit::Usage.because(format!("give {flag}; there is no terminal to ask."));
    if !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    let hint = proposed.map_or_else(String::new, |proposed| format!(" [{proposed}]"));
    progress(format_args!("{question}{hint}:"));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).map_err(|error| Exit::Usage.because(format!("{error}.")))?;
    let answer = line.trim();
    match (answer.is_empty(), proposed) {
        (false, _) => Ok(answer.to_owned()),
        (true, Some(proposed)) => Ok(proposed.to_owned()),
        (true, None) if read == 0 => Err(missing()),
        (true, None) => Err(Exit::Usage.because(format!("nothing was answered; {flag} is needed."))),
    }
}

fn token_of(args: &Setup) -> Result<Option<String>, Failure> {
    let Some(file) = &args.install_token_file else { return Ok(args.install_token.clone()) };
    let failed =
        |error: std::io::Error| Exit::Privileges.because(format!("{} cannot be read: {error}.", file.display()));
    std::fs::read_to_string(file).map(Some).map_err(failed)
}

/// Makes a key here and enrols it. A key that was here before is replaced: the hub asks for the fingerprint again (DA4).
async fn enrol(hub: &Hub, config: &Path, token: &str, name: Option<&str>) -> Result<Identity, Failure> {
    let new = NewIdentity::make()?;
    let own_name = host_name();
    let body = json!({
        "public_key": new.key.public().to_text(), "proof": new.key.proof(token), "name": name.unwrap_or(&own_name),
        "machine": machine(), "program": PROGRAM,
    });
    let enrolled = good(hub.enrol(token, &body).await?)?;
    new.keep(config, enrolled.text("key_id"))
}

/// Makes the next key, signed with the one that is in force.
pub(crate) async fn rotate(config: &Path) -> Result<Done, Failure> {
    let settings = Config::load(config)?;
    let hub = Hub::of(&settings)?;
    let identity = Identity::load(config)?;
    let new = NewIdentity::make()?;
    let body = json!({
        "public_key": new.key.public().to_text(), "proof": new.key.proof(&identity.key_id), "name": host_name(),
        "machine": machine(), "program": PROGRAM,
    });
    let added = good(hub.post(&identity, "/agent/v1/keys", &body).await?)?;
    let identity = new.keep(config, added.text("key_id"))?;
    let fingerprint = identity.key.public().fingerprint();
    Ok(Done { config: identity::path(config), key_id: identity.key_id, fingerprint })
}
