//! `rollcall routes`: the router's own tables, for people and for the test that walks them.

use crate::cli::Json;
use crate::health;
use crate::output::line;
use anyhow::Result;
use rollcall_web::Endpoint;
use serde_json::json;

pub(crate) fn run(output: &Json) -> Result<()> {
    let scim = rollcall_ingest::routes::endpoints().into_iter().map(|endpoint| (endpoint, "scim"));
    let api = rollcall_admin::routes::endpoints().into_iter().map(|endpoint| (endpoint, "api"));
    let open = health::endpoints().into_iter().map(|endpoint| (endpoint, "none"));
    let routes: Vec<(Endpoint, &str)> = scim.chain(api).chain(open).collect();
    if output.json {
        let row = |(route, auth): &(Endpoint, &str)| {
            let method = route.method.as_str();
            json!({ "method": method, "path": route.path, "auth": auth, "least_role": route.least_role })
        };
        line(json!(routes.iter().map(row).collect::<Vec<_>>()))?;
    } else {
        for (route, auth) in routes {
            let (method, role) = (route.method.as_str(), route.least_role.map_or("", |role| role.as_str()));
            line(format_args!("{method:<7} {:<62} {auth:<5} {role}", route.path))?;
        }
    }
    Ok(())
}
