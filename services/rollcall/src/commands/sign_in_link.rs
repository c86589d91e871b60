//! `rollcall sign-in-link`: a link with which a member signs in once.

use super::operator::{Operator, print};
use super::source::served_at;
use crate::cli::SignInLinkArgs;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::{Context, Result};
use rollcall_admin::view::sign_in_links::url;
use rollcall_store::NewSignInLink;
use serde_json::json;

pub(crate) async fn run(args: SignInLinkArgs, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let scope = operator.scope(&args.of).await?;
    let member = operator.store.member_by_email(&scope, &args.email).await;
    let member = member.with_context(|| format!("{} in {}", args.email, args.of.tenant))?;
    let made = operator.store.create_sign_in_link(&scope, member, args.expires_in).await?;
    let NewSignInLink { secret, member, expires_at } = operator.after_commit(made).await?;
    let url = url(&served_at(&operator), &secret);
    let lines = format!("Open it before {expires_at}; it signs {} in once (shown once):\n  {url}", args.email);
    let body = json!({ "url": url, "member_id": member, "expires_at": expires_at });
    Ok(print(&args.output, body, &lines)?)
}
