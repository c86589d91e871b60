//! The commands, from their arguments to their exit codes.

use crate::cli::{Cli, Command, Common, JsonFlag, Run};
use crate::config::Config;
use crate::directory;
use crate::exit::{Exit, Failure};
use crate::hub::Hub;
use crate::identity::Identity;
use crate::one_at_a_time;
use crate::output::{line, progress};
use crate::setup::{self, Done};
use crate::sync::{self, Outcome, Wish, good};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Setup(args) => {
            let json = args.common.output.json;
            Ok(set_up(&setup::run(*args).await?, json))
        }
        Command::Check(common) => check(&common).await,
        Command::Run(run) => sync(&run, false).await,
        Command::Preview(run) => sync(&run, true).await,
        Command::Status(common) => status(&common).await,
        Command::RotateKey(common) => Ok(set_up(&setup::rotate(&common.config).await?, common.output.json)),
        Command::ExitCodes(output) => Ok(exit_codes(&output)),
    }
}

fn set_up(done: &Done, json: bool) -> ExitCode {
    let Done { config, key_id, fingerprint } = done;
    if json {
        line(json!({ "config": config, "key_id": key_id, "fingerprint": fingerprint }));
    } else {
        line(format_args!(
            "The key is enrolled. Its fingerprint, for an admin to compare at the hub:\n  {fingerprint}\nNext: rollcall-agent run --config {}",
            config.display()
        ));
    }
    ExitCode::SUCCESS
}

async fn check(common: &Common) -> Result<ExitCode, Failure> {
    let config = Config::load(&common.config)?;
    progress("the configuration is read");
    let identity = Identity::load(&common.config)?;
    progress("the key is this machine's and this account's");
    let hub = Hub::of(&config)?;
    let state = good(hub.get(&identity, "/agent/v1/state", "").await?)?;
    progress(format_args!("the hub knows the key; it is {}", state.text("key_state")));
    let found = directory::read(&config, state.json["users_only"] == true)?;
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
    Ok(ExitCode::SUCCESS)
}

async fn sync(run: &Run, simulate: bool) -> Result<ExitCode, Failure> {
    let path = &run.common.config;
    let config = Config::load(path)?;
    let _running = one_at_a_time::begin(path)?;
    let identity = Identity::load(path)?;
    let hub = Hub::of(&config)?;
    let state = good(hub.get(&identity, "/agent/v1/state", "").await?)?;
    let found = directory::read(&config, state.json["users_only"] == true)?;
    found.remarks.iter().for_each(|remark| progress(format_args!("note: {remark}")));
    let wish = Wish { simulate, removal_limit: run.removal_limit, wait: Duration::from_secs(run.wait) };
    let outcome = sync::sync(&hub, &identity, path, &found, wish).await?;
    tell(&outcome, run.common.output.json);
    Ok(match outcome.code {
        200 => ExitCode::SUCCESS,
        _ => {
            progress(format_args!("The fingerprint of this key: {}", identity.key.public().fingerprint()));
            ExitCode::from(Exit::Unverified.code())
        }
    })
}

fn tell(outcome: &Outcome, json: bool) {
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

async fn status(common: &Common) -> Result<ExitCode, Failure> {
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
    Ok(ExitCode::SUCCESS)
}

fn exit_codes(output: &JsonFlag) -> ExitCode {
    if output.json {
        let codes: Vec<serde_json::Value> = Exit::ALL
            .iter()
            .map(|exit| json!({ "code": exit.code(), "meaning": exit.meaning(), "remedy": exit.remedy() }))
            .collect();
        line(json!(codes));
        return ExitCode::SUCCESS;
    }
    line("  0  done");
    for exit in Exit::ALL {
        line(format_args!("{:>3}  {}\n     {}", exit.code(), exit.meaning(), exit.remedy()));
    }
    ExitCode::SUCCESS
}
