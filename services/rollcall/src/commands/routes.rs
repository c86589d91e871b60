//! `rollcall routes`: the router's own tables, for people and for the test that walks them.

use crate::cli::Json;
use crate::health;
use crate::output::line;
use anyhow::Result;
use serde_json::json;

pub(crate) fn run(output: &Json) -> Result<()> {
    let scim = rollcall_ingest::routes::endpoints().into_iter().map(|e| (e.method.to_string(), e.path, "scim"));
    let api = rollcall_admin::routes::endpoints().into_iter().map(|e| (e.method.to_string(), e.path, "api"));
    let open = health::endpoints().into_iter().map(|e| (e.method.to_string(), e.path, "none"));
    let routes: Vec<(String, &str, &str)> = scim.chain(api).chain(open).collect();
    if output.json {
        let rows = routes.iter().map(|(method, path, auth)| json!({ "method": method, "path": path, "auth": auth }));
        line(json!(rows.collect::<Vec<_>>()))?;
    } else {
        for (method, path, auth) in routes {
            line(format_args!("{method:<7} {path:<45} {auth}"))?;
        }
    }
    Ok(())
}
