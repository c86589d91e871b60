//! `setup`: makes the key, enrols it, tests each step, and writes the configuration (DX11, DX4).

use crate::cli::Setup;
use crate::config::{Attributes, Config, Directory, Hub as HubConfig, Kind, Scope};
use crate::exit::{Exit, Failure};
use crate::hub::Hub;
use crate::identity::{self, Identity, NewIdentity};
use crate::output::progress;
use crate::place::{host_name, machine, write_private};
use crate::sync::{PROGRAM, good};
use serde_json::json;
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
    let config = config_of(&args)?;
    config.check()?;
    let hub = Hub::of(&config)?;
    let found = crate::directory::read(&config, false)?;
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

fn config_of(args: &Setup) -> Result<Config, Failure> {
    let whole = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let (kind, file) = match (&args.ldif, &args.csv) {
        (Some(file), _) => (Kind::Ldif, whole(file)),
        (None, Some(file)) => (Kind::Csv, whole(file)),
        (None, None) => return Err(Exit::Usage.because("name the directory with --ldif or --csv.")),
    };
    let mut attributes = Attributes::default();
    if let Some(email) = &args.email_attribute {
        attributes.email = vec![email.clone()];
    }
    Ok(Config {
        hub: HubConfig {
            url: args.hub.trim_end_matches('/').to_owned(),
            ca_file: args.hub_ca_file.as_ref().map(whole),
        },
        directory: Directory { kind, file, groups_file: args.csv_groups.as_ref().map(whole) },
        scope: Scope { user_groups: args.user_group.clone(), groups: args.group.clone(), users_only: args.users_only },
        attributes,
    })
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
