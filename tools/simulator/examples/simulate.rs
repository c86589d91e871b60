//! Plays one conversation against any SCIM endpoint: `simulate IDP BASE_URL TOKEN [users=N] [seed=S] [chaos=…] [phases=…] [record=FILE] [report=FILE] [leavers=N]`.
//!
//! For trials of the simulator on other servers; the product's command is `rollcall simulate-idp`.

use std::io::IsTerminal;

use anyhow::{Context, bail};
use rollcall_simulator::{Options, Phase};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [idp, url, token, rest @ ..] = words.as_slice() else {
        bail!(
            "usage: simulate IDP BASE_URL TOKEN [users=N] [seed=S] [concurrency=N] [chaos=all] [phases=all] [record=FILE] [report=FILE]"
        );
    };
    let mut options = Options::new(idp.parse()?, url, token);
    let mut report_to = None;
    options.live_progress = std::io::stderr().is_terminal();
    for word in rest {
        let (name, value) = word.split_once('=').context("choices look like users=20")?;
        match name {
            "users" => options.users = value.parse()?,
            "groups" => options.groups = Some(value.parse()?),
            "seed" => options.seed = value.parse()?,
            "concurrency" => options.concurrency = value.parse()?,
            "leavers" => options.leavers = Some(value.parse()?),
            "chaos" => options.chaos = Some(value.parse()?),
            "phases" => options.phases = Phase::parse_list(value)?,
            "report" => report_to = Some(value),
            "record" => options.record = Some(value.into()),
            _ => bail!("unknown choice {name}"),
        }
    }
    let report = rollcall_simulator::run(options, &mut std::io::stderr()).await?;
    if let Some(path) = report_to {
        std::fs::write(path, serde_json::to_vec(&report)?)?;
    }
    print!("{report}");
    Ok(())
}
