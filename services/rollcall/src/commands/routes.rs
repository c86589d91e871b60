//! `rollcall routes`: the router's own tables, for people and for the test that walks them.

use crate::cli::Json;
use crate::health;
use crate::output::line;
use anyhow::Result;
use rollcall_web::{Demand, Endpoint};
use serde_json::json;

pub(crate) fn run(output: &Json) -> Result<()> {
    let scim = rollcall_ingest::routes::endpoints().into_iter().map(|endpoint| (endpoint, "scim"));
    let admin = rollcall_admin::routes::endpoints().into_iter();
    // Signing in is what a caller without a credential does.
    let api = admin.map(|endpoint| match endpoint.demand {
        Some(_) => (endpoint, "api"),
        None if endpoint.by_operator => (endpoint, "operator"),
        None => (endpoint, "none"),
    });
    let oauth = rollcall_ingest::routes::oauth_endpoints().into_iter().map(|endpoint| (endpoint, "none"));
    let agents = rollcall_ingest::routes::agent_endpoints().into_iter().map(|endpoint| (endpoint, "agent"));
    let open = health::endpoints().into_iter().map(|endpoint| (endpoint, "none"));
    let routes: Vec<(Endpoint, &str)> = scim.chain(oauth).chain(agents).chain(api).chain(open).collect();
    if output.json {
        let row = |(route, auth): &(Endpoint, &str)| {
            let method = route.method.as_str();
            let (role, permission) = (route.demand.map(|d| d.least_role), route.demand.map(|d| d.permission));
            let fresh = route.demand.is_some_and(|demand| demand.fresh);
            json!({
                "method": method, "path": route.path, "auth": auth, "least_role": role, "permission": permission, "fresh": fresh,
            })
        };
        line(json!(routes.iter().map(row).collect::<Vec<_>>()))?;
    } else {
        for (route, auth) in routes {
            let method = route.method.as_str();
            let demand = route.demand.map_or(String::new(), |Demand { least_role, permission, fresh, previews: _ }| {
                format!("{least_role:<6} {permission}{}", if fresh { ", fresh" } else { "" })
            });
            line(format_args!("{method:<7} {:<62} {auth:<8} {demand}", route.path))?;
        }
    }
    Ok(())
}
