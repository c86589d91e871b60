//! The examples of the document: a value of each body and answer, made from its schema, so that it has every field. The values of
//! fields are told here once for each name.

use serde_json::{Map, Value as Json, json};

/// The text of a field that no line below tells. A test finds it.
pub(super) const UNTOLD: &str = "…";

const ID: &str = "01a22746-e5ac-7270-8645-0771829d21b8";
const TIME: &str = "2026-11-29T12:28:07.468329Z";
const LATER: &str = "2027-11-29T12:28:07Z";
const SEQUENCE: &str = "000000000000176301a22746e5ac727086450771829d21b8";
const CURSOR: &str = "EH5RyAAAAAAAAAAAAAAAAAAAAZoidG5axyffhkUHcYKdIbg";

/// Adds an example to every body and answer that has a schema.
pub(super) fn add(document: &mut Json) {
    let schemas = document["components"]["schemas"].take();
    let sampler = Sampler { schemas: &schemas };
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(content) = operation.pointer_mut("/requestBody/content") {
                sampler.add_to(content);
            }
            for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
                let Some(content) = answer.get_mut("content") else { continue };
                sampler.add_to(content);
                if let Some(example) = content.pointer_mut("/application~1problem+json/example") {
                    tell_failure(example, status);
                }
            }
        }
    }
    document["components"]["schemas"] = schemas;
}

/// Makes a failure one of its status.
fn tell_failure(example: &mut Json, status: &str) {
    let (title, code, detail) = match status {
        "400" => {
            ("Bad Request", "bad_request", "status: `actve` is not one of pending, invited, active, suspended, removed")
        }
        "401" => ("Unauthorized", "unauthorized", "no API key: send one as `Authorization: Bearer rck_…`, or sign in"),
        "403" => ("Forbidden", "forbidden", "this call takes the key of an owner"),
        "404" => ("Not Found", "not_found", "member not found"),
        "408" => (
            "Request Timeout",
            "slow_body",
            "the body came too slowly; send it within 60 s and at 8192 bytes a second at least",
        ),
        "409" => ("Conflict", "conflict", "the run is approved, not held"),
        "412" => ("Precondition Failed", "outdated", "it is in another version than If-Match names; read it again"),
        "413" => ("Payload Too Large", "too_large", "the body is larger than 65536 bytes"),
        "415" => ("Unsupported Media Type", "unsupported_media_type", "compress the body with gzip or not at all"),
        "422" => (
            "Unprocessable Entity",
            "key_reused",
            "this Idempotency-Key was used for another request; take a new key for each request",
        ),
        "429" => ("Too Many Requests", "rate_limited", "too many requests; try again in 1 s"),
        "502" => ("Bad Gateway", "sign_in_failed", "the identity provider does not answer"),
        "503" => ("Service Unavailable", "unavailable", "the hub is busy or its database away; try again"),
        _ => ("Internal Server Error", "internal", "an error on our side; it was logged under the request's id"),
    };
    let number: u16 = status.parse().unwrap_or(500);
    *example = json!({ "type": "about:blank", "title": title, "status": number, "code": code, "detail": detail });
}

struct Sampler<'d> {
    schemas: &'d Json,
}

impl Sampler<'_> {
    fn add_to(&self, content: &mut Json) {
        for (kind, content) in content.as_object_mut().into_iter().flatten() {
            let example = match kind.as_str() {
                "text/csv" => {
                    json!("id,email,status\r\n01a22746-e5ac-7270-8645-0771829d21b8,ann.lee@acme.example,active\r\n")
                }
                "application/x-ndjson" => {
                    json!("{\"id\":\"01a22746-e5ac-7270-8645-0771829d21b8\",\"email\":\"ann.lee@acme.example\"}\n")
                }
                "text/event-stream" => {
                    json!("event: changed\nid: EH5RyAAAAAAA\ndata: {\"lists\":[\"members\",\"runs\"]}\n\n")
                }
                _ => self.sample(&content["schema"], "", ""),
            };
            content["example"] = example;
        }
    }

    /// A value of this schema, in the field `name` of `owner`.
    fn sample(&self, schema: &Json, owner: &str, name: &str) -> Json {
        if let Some(told) = told(owner, name) {
            return told;
        }
        if let Some(named) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.sample(&self.schemas[named], named, "");
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        for several in ["oneOf", "anyOf"] {
            let one = schema[several].as_array().into_iter().flatten().find(|one| one["type"] != "null");
            if let Some(one) = one {
                return self.sample(one, owner, name);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                if let Json::Object(fields) = self.sample(part, owner, "") {
                    whole.extend(fields);
                }
            }
            return whole.into();
        }
        match kind_of(schema) {
            "object" => self.object(schema, owner),
            "array" => self.list(&schema["items"], owner, name),
            "string" => text_of(schema["format"].as_str()),
            "integer" => json!(1),
            "number" => json!(1.0),
            "boolean" => json!(false),
            _ => json!({}),
        }
    }

    fn object(&self, schema: &Json, owner: &str) -> Json {
        let fields = schema["properties"].as_object().into_iter().flatten();
        let sampled = fields.map(|(name, field)| (name.clone(), self.sample(field, owner, name)));
        sampled.collect::<Map<_, _>>().into()
    }

    /// One element, or one of each kind where there are several.
    fn list(&self, items: &Json, owner: &str, name: &str) -> Json {
        let named = items["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let (items, owner) = named.map_or((items, owner), |named| (&self.schemas[named], named));
        match items["oneOf"].as_array() {
            Some(kinds) => kinds.iter().map(|kind| self.sample(kind, owner, "")).collect(),
            None => vec![self.sample(items, owner, if named.is_some() { "" } else { name })].into(),
        }
    }
}

fn kind_of(schema: &Json) -> &str {
    match &schema["type"] {
        Json::String(kind) => kind,
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        _ => "",
    }
}

fn text_of(format: Option<&str>) -> Json {
    match format {
        Some("uuid") => json!(ID),
        Some("date-time") => json!(TIME),
        Some("date") => json!("2026-11-29"),
        _ => json!(UNTOLD),
    }
}

/// The value of a field: as its owner has it, or as all have it.
fn told(owner: &str, name: &str) -> Option<Json> {
    // The rows of a list are written out in it.
    let owner = owner.strip_prefix("List_").unwrap_or(owner);
    of_owner(owner, name).or_else(|| secret(name)).or_else(|| of_all(name))
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
fn of_owner(owner: &str, name: &str) -> Option<Json> {
    Some(match (owner, name) {
        ("AgentKey", "name") => json!("dc1"),
        ("AgentUpload", "counts") => json!({ "users": 60, "users_created": 2 }),
        ("SharingGroup" | "GroupPath", "name") => json!("Design"),
        ("Source" | "NewSource" | "CreateSourceRequest", "name") => json!("Okta"),
        ("ApiKey" | "NewApiKey" | "CreateApiKeyRequest", "name") => json!("nightly report"),
        ("ApiKey", "prefix") => json!("rck_9fQ2"),
        ("SourceToken" | "NewToken" | "CreateTokenRequest", "name") => json!("first"),
        ("OauthClient" | "NewOauthClient" | "CreateOauthClientRequest", "name") => json!("Entra"),
        ("OauthClient" | "SourceToken", "prefix") => json!("rcs_9fQ2"),
        ("SetupLink" | "NewSetupLink" | "CreateSetupLinkRequest", "name") => json!("for Bea of IT"),
        ("SkippedRecord", "name") => json!("ann.lee@acme.example"),
        ("DnsRecord", "name") => json!("_rollcall.acme.example"),
        ("DnsRecord", "type") => json!("TXT"),
        ("DnsRecord", "value") => json!("rollcall-verification=mJ0Yw3"),
        ("RoleRule", "value") => json!("hub-admins"),
        ("SignInConnection" | "CreateSignInConnectionRequest", "client_id") => json!("0oa4xq"),
        ("NewSignInLink", "url") => json!("https://rollcall.example/sign-in?link=rcl_9fQ2…"),
        ("NewSetupLink", "url") => json!("https://rollcall.example/set-up?link=rcu_9fQ2…"),
        ("BegunTest", "url") => json!("https://acme.okta.example/oauth2/v1/authorize?client_id=0oa4xq"),
        ("Identity", "subject") => json!("00u1x9"),
        ("DialectDay", "counts") => json!({ "string_boolean": 3 }),
        ("Retried", "status") => json!("the record is planned again"),
        ("RejectedAnswer", "status") => json!(400),
        ("LoggedAnswer" | "Replay", "status") => json!(201),
        ("RejectedAnswer" | "Replay", "detail") => json!("emails: a list of objects is expected"),
        ("LoggedAnswer" | "Replay", "scim_type") => json!(null),
        ("RejectedRequest", "body") => json!({ "userName": "‹20 characters›", "active": "maybe" }),
        ("AuditEvent", "detail") => json!({ "from": "invited", "seat_released": true, "why": "disabled_at_source" }),
        ("AuditEvent", "kind") => json!("member.suspended"),
        ("RunItem", "detail") => json!({ "action": "suspend", "member": ID }),
        ("RunItem" | "ComparedItem", "action") => json!("suspend"),
        ("RunItem" | "ComparedItem", "subject_kind") => json!("directory_user"),
        ("RunItem", "why") => json!("disabled_at_source"),
        ("RunItem" | "ComparedItem", "before" | "this_before" | "other_before") => json!({ "status": "active" }),
        ("RunItem" | "ComparedItem", "after" | "this_after" | "other_after") => json!({ "status": "suspended" }),
        ("RunItem" | "ComparedItem", "who") => json!({ "email": "ann.lee@acme.example", "display_name": "Ann Lee" }),
        ("Respelled", "before") => json!("design"),
        ("Respelled", "after") => json!("Design"),
        ("BlockDecided", "detail" | "reason") => json!(null),
        ("BlockDecided", "result") => json!("done"),
        ("Subject", "kind") => json!("member"),
        ("Session" | "CurrentSession" | "Member" | "MemberWithHistory", "role") => json!("admin"),
        ("CreateApiKeyRequest" | "NewApiKey" | "ApiKey" | "InviteMemberRequest", "role") => json!("member"),
        (_, "message") => json!("Welcome to the wiki, Ann!"),
        ("InvitationDecided", "detail" | "reason") => json!(null),
        ("GroupsFromSignIn", "fill") => json!("own_groups"),
        ("Operator", "subject") => json!("00u1x9"),
        ("ConnectionTest", "report") => {
            json!({ "outcome": "recognised", "member_id": ID, "role": "owner", "claims": { "sub": "00u1" } })
        }
        ("ConnectionTest", "accepted") => json!(true),
        ("OutgoingEvent" | "WebhookDelivery", "type") => json!("member.suspended"),
        ("EventData", "detail") => json!({ "from": "active", "why": "disabled_at_source" }),
        ("EventData", "group" | "is_in_group") => json!(null),
        ("WebhookDelivery" | "TestedWebhook", "answer_status") => json!(204),
        ("WebhookDelivery" | "TestedWebhook", "outcome") => json!("delivered"),
        ("WebhookDelivery" | "TestedWebhook", "answer") => json!("thanks"),
        ("ReplayWebhookRequest", "after" | "until") => json!(null),
        ("Webhook", "kinds" | "last_status") => json!(null),
        ("CreateTenantRequest" | "ChangePolicyRequest", "policy") => {
            json!({ "approval": true, "removal_limit": { "count": 20 } })
        }
        ("CreateTenantRequest" | "ChangeTenantRequest" | "OperatedTenant", "seats") => json!(60),
        ("ChangePolicyRequest", "version") => json!(1),
        ("Requested", "dry_run") => json!(false),
        ("DryRun" | "ReconcileRequest", "dry_run") => json!(true),
        ("PreviewMappingRequest", "email_attribute") => json!(null),
        ("Limit", "count") => json!(10),
        ("Limit", "percent") => json!(5),
        ("Limit", "window_hours") => json!(24),
        ("Policy", "approval") => json!(false),
        ("Policy", "sources") => json!({}),
        ("Policy", "group_scope") => json!({ "names": ["All staff"], "prefixes": ["App-"], "external_ids": [] }),
        (
            "Policy",
            "user_scope" | "creation_limit" | "modification_limit" | "email_attribute" | "quarantine_after"
            | "seat_cap",
        ) => json!(null),
        ("Policy", "protected_members" | "local_attributes") => json!([]),
        ("Policy", "auto_provision" | "auto_deprovision" | "adopt_existing" | "group_sync") => json!(true),
        ("Mapping", "email") => json!("user.userName"),
        ("Mapping", "display_name" | "given_name" | "family_name") => json!(null),
        ("Explanation", "access") => json!(false),
        ("Explanation", "status") => json!("suspended"),
        ("Explanation", "decided_by") => json!("source_record"),
        ("Explanation" | "Gate" | "GroupPath", "sentence") => json!("The source has disabled the person."),
        ("Gate", "state") => json!("blocked"),
        ("Gate", "evidence") => json!({ "since": TIME, "actor": "source:01a22746-cb40-7d10-9f0e-3d1c2f4b5a60" }),
        ("GroupPath", "decided_by") => json!(null),
        _ => return None,
    })
}

/// Secrets, which no scanner may take for real ones.
fn secret(name: &str) -> Option<Json> {
    Some(match name {
        "key" => json!("rck_9fQ2…"),
        "token" => json!("rcs_9fQ2…"),
        "client_secret" => json!("rcc_9fQ2…"),
        "secret" => json!("whsec_9fQ2…"),
        "link" => json!("rcl_9fQ2…"),
        "codes" => json!(["rcr_9fQ2…"]),
        _ => return None,
    })
}

fn of_all(name: &str) -> Option<Json> {
    Some(match name {
        "email" | "owner_email" | "user_name" => json!("ann.lee@acme.example"),
        "display_name" => json!("Ann Lee"),
        "given_name" => json!("Ann"),
        "family_name" => json!("Lee"),
        "external_id" => json!("00ueCkV6PMvprhXXIKTL"),
        "name" => json!("Acme"),
        "slug" => json!("acme"),
        "fingerprint" => json!("SHA256:x8DBv5Rr0UBsnHqpxTPUHjFZVdB0WNpmOVVtGSdVu5o"),
        "program" => json!("rollcall-agent 0.1.0"),
        "outcome" => json!("OK"),
        "agent_url" => json!("https://rollcall.example/agent/v1"),
        "digest" => json!("ce7c37fa37506dba4b0e2b1b0c9e1d55"),
        "counts" => json!({ "suspend": 5 }),
        "held_reasons" => json!(["member_removal_over_limit"]),
        "held_reason" => json!("member_removal_over_limit"),
        "warnings" | "later_runs" => json!([]),
        "advice" => json!(["The provider never reads discovery."]),
        "read_as" => json!("a boolean"),
        "domain" => json!("acme.example"),
        "issuer" => json!("https://acme.okta.example"),
        "claim" => json!("groups"),
        "created_by" | "actor" => json!("member:01a22746-e593-7a51-8f0c-0d7f3f1f2a10"),
        "actor_name" => json!("Bea Ruiz"),
        "found_instead" => json!(["v=spf1 -all"]),
        "next" => Json::Null,
        "about" => json!("ann.lee@acme.example"),
        "remedy" => json!("Ask the source's admin to enable the person."),
        "note" => json!("a test account"),
        "method" => json!("POST"),
        "path" => json!("/Users"),
        "agent" => json!("Mozilla/5.0 (X11; Linux x86_64)"),
        "address" => json!("192.0.2.7"),
        "scim_url" => json!("https://rollcall.example/scim/v2/01a22746-cb40-7d10-9f0e-3d1c2f4b5a60"),
        "token_url" => json!("https://rollcall.example/oauth/token"),
        "redirect_uri" => json!("https://rollcall.example/sign-in/callback/01a22746-b101-7c33-8c5e-5d0c3b2a1f00"),
        "post_logout_redirect_uri" => json!("https://rollcall.example/sign-in"),
        "backchannel_logout_uri" => {
            json!("https://rollcall.example/sign-in/logout/01a22746-b101-7c33-8c5e-5d0c3b2a1f00")
        }
        "next_cursor" | "resume_cursor" => json!(CURSOR),
        "after" | "next_after" | "sequence" => json!(SEQUENCE),
        "endpoint" => json!("https://wiki.example.com/hooks/rollcall"),
        "description" => json!("the wiki"),
        "status" => json!("active"),
        "expires_at" | "token_expires_at" => json!(LATER),
        "expires_in_seconds" => json!(900),
        "overlap_seconds" => json!(86_400),
        "quarantine_reason"
        | "quarantined_at"
        | "revoked_at"
        | "missing_since"
        | "retry_at"
        | "last_error"
        | "ignored_at"
        | "error"
        | "suspended_from"
        | "waiting_for"
        | "approval"
        | "rewinds"
        | "rewinds_since"
        | "replayed_at"
        | "disabled_reason"
        | "failing_since"
        | "failure"
        | "former_secret_until" => json!(null),
        _ => return None,
    })
}
