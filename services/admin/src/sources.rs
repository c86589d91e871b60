//! `/api/v1/sources`: the sources of the tenant.

use crate::answer::{Answer, list, one};
use crate::auth::ApiAuth;
use crate::body::{body, no_body};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::page_of;
use crate::view::sources as view;
use actix_web::HttpRequest;
use rollcall_core::directory::SourceMode;
use rollcall_core::ids::SourceId;
use rollcall_store::SourceChange;
use rollcall_web::Body;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    mode: Option<SourceMode>,
    /// Groups are neither shown nor accepted (DS3).
    users_only: Option<bool>,
    /// Discovery shows nothing beyond RFC 7643.
    plain_discovery: Option<bool>,
}

pub(crate) async fn sources(request: HttpRequest, auth: ApiAuth) -> Answer {
    list::<view::Source>(auth.admin.hub.store.page_of_sources(&auth.scope, &page_of(&request)?).await?)
}

pub(crate) async fn source(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = auth.admin.hub.store.source(&auth.scope, id_in_path(&request, "source")?).await?;
    one::<view::Source>(source)
}

/// Changes the mode of a source, and its switches. At most one source of a tenant is live (DS2).
pub(crate) async fn change_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    // Another tenant's source is not found, whatever the body holds.
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let Change { mode, users_only, plain_discovery } = body(payload).await?;
    let change = SourceChange { mode, users_only, plain_discovery };
    if change.is_empty() {
        return Err(AdminError::BadRequest(
            "the body has mode, users_only or plain_discovery, or several of them".into(),
        ));
    }
    let changed = auth.admin.hub.store.change_source(&auth.scope, id, change).await?;
    auth.admin.hub.after_commit(changed).await;
    one::<view::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}

/// Ends a quarantine (PE9).
pub(crate) async fn release_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    no_body(payload).await?;
    let released = auth.admin.hub.store.release_source(&auth.scope, id).await?;
    auth.admin.hub.after_commit(released).await;
    one::<view::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}
