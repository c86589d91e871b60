//! `/api/v1/sources/{id}/users/{user_id}/reconcile`: dry run or reconcile of one person, with a trace of each step
//! (PE14).

use crate::answer::Answer;
use crate::auth::AdminAuth;
use crate::body::body;
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::action::Item;
use rollcall_core::dry_run::{DryRun, dry_run};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::world::World;
use rollcall_web::{Body, request_id};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only report the effect.
    dry_run: bool,
}

pub(crate) async fn reconcile(request: HttpRequest, auth: AdminAuth, payload: Body) -> Answer {
    let AdminAuth(auth) = auth;
    let source: SourceId = id_in_path(&request, "source")?;
    let user: DirectoryUserId = second_id(&request, "user_id", "user")?;
    let world = auth.admin.hub.store.world_of_person(&auth.scope, source, user).await?;
    let asked: Asked = body(payload).await?;
    if !asked.dry_run {
        let touched = auth.admin.hub.store.touch_person(&auth.scope, source, user).await?;
        auth.admin.hub.after_commit(touched).await;
        let id = request_id(&request);
        return Ok(HttpResponse::Accepted().json(json!({ "dry_run": false, "request_id": id })));
    }
    let told = dry_run(&world, user).ok_or_else(|| AdminError::NotFound("user of this source not found".into()))?;
    Ok(HttpResponse::Ok().json(json!({ "dry_run": true, "steps": steps(&world, user, &told) })))
}

fn steps(world: &World, user: DirectoryUserId, told: &DryRun) -> Value {
    let disputed = |one: &rollcall_core::action::Disputed| json!({ "dispute": one.dispute, "about": one.about, "remedy": one.dispute.remedy().sentence });
    let withheld = |(item, reason): &(Item, HoldReason)| json!({ "item": item, "held_reason": reason, "remedy": reason.remedy().sentence });
    json!([
        said(world, user),
        { "step": "match", "matched": told.matched },
        {
            "step": "plan",
            "items": told.planned,
            "disputed": told.disputed.iter().map(disputed).collect::<Vec<_>>(),
            "items_about_others": told.others,
        },
        { "step": "review", "withheld": told.withheld.iter().map(withheld).collect::<Vec<_>>() },
        { "step": "apply", "items": told.applied },
    ])
}

/// The part of the record that the planner reads.
fn said(world: &World, user: DirectoryUserId) -> Value {
    let subject = world.users.iter().find(|subject| subject.id == user);
    let record = subject.and_then(|subject| subject.record.as_ref()).map(|record| {
        json!({
            "email": record.email,
            "external_id": record.external_id,
            "display_name": record.display_name,
            "given_name": record.given_name,
            "family_name": record.family_name,
            "active": record.active,
            "was_active": record.was_active,
        })
    });
    let origin = subject.map(|subject| subject.origin);
    json!({
        "step": "source",
        "source_id": origin.map(|origin| origin.source),
        "mode": origin.map(|origin| origin.mode),
        "record": record,
        "in_scope": subject.map(|subject| subject.in_scope),
    })
}
