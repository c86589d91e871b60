//! The commands, from their arguments to their exit codes.

use crate::cli::{Cli, Command, Common, JsonFlag, Run};
use crate::config::Config;
use crate::directory::{self, Found};
use crate::exit::{Exit, Failure};
use crate::hub::Hub;
use crate::identity::Identity;
use crate::log_file::LogFile;
use crate::one_at_a_time;
use crate::output::{ended, keep_in, line, progress};
use crate::service;
use crate::setup::{self, Done};
use crate::support_bundle;
use crate::sync::{self, Outcome, Wish, good};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let code = match cli.command {
        Command::Setup(args) => {
            let json = args.common.output.json;
            set_up(&setup::run(*args).await?, json);
            0
        }
        Command::Check(common) => check(&common).await?,
        Command::Run(run) => sync(&run, false).await?,
        Command::Preview(run) => sync(&run, true).await?,
        Command::Service(common) => {
            service::run(&common.config).await?;
            0
        }
        Command::Status(common) => status(&common).await?,
        Command::RotateKey(common) => {
            set_up(&setup::rotate(&common.config).await?, common.output.json);
            0
        }
        Command::SupportBundle(bundle) => {
            let file = support_bundle::write(&bundle.common.config, bundle.out.as_deref())?;
            if bundle.common.output.json {
                line(json!({ "file": file }));
            } else {
                line(format_args!("Written to {}; look through it before you send it.", file.display()));
            }
            0
        }
        Command::ExitCodes(output) => exit_codes(&output),
    };
    Ok(ended(code))
}

/// The configuration; from here on its log file is written.
pub(crate) fn configured(path: &Path) -> Result<Config, Failure> {
    let config = Config::load(path)?;
    if let Some(log) = &config.log {
        keep_in(LogFile::open(log)?);
    }
    Ok(config)
}

fn set_up(done: &Done, json: bool) {
    let Done { config, key_id, fingerprint } = done;
    if json {
        line(json!({ "config": config, "key_id": key_id, "fingerprint": fingerprint }));
    } else {
        line(format_args!(
            "The key is enrolled. Its fingerprint, for an admin to compare at the hub:\n  {fingerprint}\nNext: rollcall-agent run --config {}",
            config.display()
        ));
    }
}

async fn check(common: &Common) -> Result<u8, Failure> {
    let config = configured(&common.config)?;
    progress("the configuration is read");
    let identity = Identity::load(&common.config)?;
    progress("the key is this machine's and this account's");
    let hub = Hub::of(&config)?;
    let state = good(hub.get(&identity, "/agent/v1/state", "").await?)?;
    progress(format_args!("the hub knows the key; it is {}", state.text("key_state")));
    let found = directory::read(&config, &common.config, state.json["users_only"] == true).await?;
    found.remarks.iter().for_each(|remark| progress(format_args!("note: {remark}")));
    let (key_state, provisioning) = (state.text("key_state"), state.json["provisioning"] == true);
    if !provisioning {
        return Err(Exit::ProvisioningOff.because("the source is off."));
    }
    if common.output.json {
        line(json!({
            "users": found.users, "groups": found.groups, "remarks": found.remarks, "key_state": key_state,
            "provisioning": provisioning,
        }));
    } else {
        line(format_args!("The directory has {} people and {} groups in scope.", found.users, found.groups));
    }
    Ok(0)
}

async fn sync(run: &Run, simulate: bool) -> Result<u8, Failure> {
    let path = &run.common.config;
    let config = configured(path)?;
    let wish = Wish { simulate, removal_limit: run.removal_limit, wait: Duration::from_secs(run.wait) };
    let (outcome, _) = turn(path, &config, wish).await?;
    tell(&outcome, run.common.output.json);
    Ok(if outcome.code == 200 { 0 } else { Exit::Unverified.code() })
}

/// One read and upload, while no other goes on.
pub(crate) async fn turn(path: &Path, config: &Config, wish: Wish) -> Result<(Outcome, Found), Failure> {
    let _running = one_at_a_time::begin(path)?;
    let identity = Identity::load(path)?;
    let hub = Hub::of(config)?;
    let state = good(hub.get(&identity, "/agent/v1/state", "").await?)?;
    let mut found = directory::read(config, path, state.json["users_only"] == true).await?;
    found.remarks.iter().for_each(|remark| progress(format_args!("note: {remark}")));
    let outcome = sync::sync(&hub, &identity, path, &found, wish).await?;
    if outcome.code != 200 {
        progress(format_args!("The fingerprint of this key: {}", identity.key.public().fingerprint()));
    }
    found.entries = Vec::new();
    Ok((outcome, found))
}

pub(crate) fn tell(outcome: &Outcome, json: bool) {
    if json {
        line(json!(outcome));
        return;
    }
    line(format_args!("{} {}", outcome.code, outcome.message));
    for step in outcome.plan.as_array().into_iter().flatten() {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        line(format_args!("  {:<13} {}", text("action"), text("external_id")));
    }
    if let Some(counts) = outcome.counts.as_object() {
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        line(format_args!("  {}", counts.join(", ")));
    }
    if let Some(reasons) = outcome.held_reasons.as_array().filter(|reasons| !reasons.is_empty()) {
        let reasons: Vec<&str> = reasons.iter().filter_map(|reason| reason.as_str()).collect();
        line(format_args!("  changes wait for an admin: {}", reasons.join(", ")));
    }
}

async fn status(common: &Common) -> Result<u8, Failure> {
    let config = Config::load(&common.config)?;
    let identity = Identity::load(&common.config)?;
    let state = good(Hub::of(&config)?.get(&identity, "/agent/v1/state", "").await?)?;
    let fingerprint = identity.key.public().fingerprint();
    let (key_state, sequence, applied) = (state.text("key_state"), &state.json["sequence"], &state.json["applied_at"]);
    if common.output.json {
        line(json!({
            "hub": config.hub.url, "source_id": state.json["source_id"], "key_id": identity.key_id, "fingerprint": fingerprint,
            "key_state": key_state, "provisioning": state.json["provisioning"], "sequence": sequence, "applied_at": applied,
        }));
    } else {
        line(format_args!("hub          {}", config.hub.url));
        line(format_args!("fingerprint  {fingerprint}"));
        line(format_args!("key          {key_state}"));
        line(format_args!("uploads      {sequence}, the last one {}", applied.as_str().unwrap_or("never")));
    }
    Ok(0)
}

fn exit_codes(output: &JsonFlag) -> u8 {
    if output.json {
        let codes: Vec<serde_json::Value> = Exit::ALL
            .iter()
            .map(|exit| json!({ "code": exit.code(), "meaning": exit.meaning(), "remedy": exit.remedy() }))
            .collect();
        line(json!(codes));
        return 0;
    }
    line("  0  done");
    for exit in Exit::ALL {
        line(format_args!("{:>3}  {}\n     {}", exit.code(), exit.meaning(), exit.remedy()));
    }
    0
}
