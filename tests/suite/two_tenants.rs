//! Two organisations with the same people, groups, and ids of their providers: no list, search, export or page of one shows a row of
//! the other; on Postgres not even where the statements forget the tenant, for row-level security separates them.

mod forgetful_server;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::receiver::Receiver;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::routes::table;
use crate::verbs::{ScimSource, USER, email, eventually};
use crate::webhooks::{Endpoint, local};
use forgetful_server::ForgetfulServer;

pub(crate) fn cases() -> Vec<Case> {
    let forgetful = cases![rc22_statements_that_forget_the_tenant_show_nothing_of_another];
    cases![rc22_two_tenants_with_the_same_people_see_only_their_own]
        .into_iter()
        .chain(forgetful.into_iter().map(|case| case.only_on(Combination::Full)))
        .collect()
}

/// Lists and pages that are asked for with a filter too.
const SEARCHES: [&str; 14] = [
    "/api/v1/members?q=ann",
    "/api/v1/members?contains=cme",
    "/api/v1/members?email=ann@acme.example",
    "/api/v1/members?status=invited&order=desc",
    "/api/v1/members?role=owner",
    "/api/v1/groups?order=desc",
    "/api/v1/explain?email=ann@acme.example",
    "/api/v1/explain?external_id=ext-ann",
    "/api/v1/audit-events?kind=member.invited",
    "/api/v1/exports/members?format=csv",
    "/scim/v2/{source_id}/Users?filter=userName%20eq%20%22ann@acme.example%22",
    "/scim/v2/{source_id}/Users?filter=externalId%20eq%20%22ext-ann%22",
    "/scim/v2/{source_id}/Users?filter=emails.value%20co%20%22acme%22&sortBy=userName",
    "/scim/v2/{source_id}/Groups?filter=displayName%20eq%20%22Pilots%22",
];

/// Routes below a list that is empty here, or that never ends.
const NOT_WALKED: [&str; 6] = [
    "/api/v1/changes",
    // It is asked for by an address and by an id below.
    "/api/v1/explain",
    "/api/v1/sign-in-connections/{id}",
    "/api/v1/sources/{id}/detachment",
    "/api/v1/sources/{id}/detachment/items",
    "/api/v1/sources/{id}/promotion/items",
];

/// A tenant that has something in every list.
struct Furnished {
    tenant: Tenant,
    source: ScimSource,
    user: String,
}

async fn furnish(hub: &Hub, receiver: &Receiver) -> Furnished {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let users = source.users(&["ann", "bea", "cem"]).await;
    source.group("Pilots", &[&users[0], &users[1]]).await;
    source.post("/Users", &json!({ "schemas": [USER], "userName": "no address" })).await;
    source.post("/Users", &json!({ "userName": 7 })).await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    Endpoint::to(&tenant, receiver).await;
    tenant.post("/api/v1/domains", &json!({ "domain": "acme.example" })).await.expect(201);
    for (list, body) in [("oauth-clients", json!({ "name": "Entra" })), ("setup-links", json!({ "name": "Bea" }))] {
        tenant.post(&format!("/api/v1/sources/{}/{list}", source.id), &body).await.expect(201);
    }
    Furnished { tenant, source, user: users[0].clone() }
}

impl Furnished {
    async fn get(&self, path: &str) -> Answer {
        let hub = &self.tenant.hub;
        let path = path.replace("{source_id}", &self.source.id);
        let (base, token) = if path.starts_with("/scim/") {
            (hub.machines_url(), &self.source.token)
        } else {
            (hub.people_url(), &self.tenant.key)
        };
        Answer::of(hub.http().get(format!("{base}{path}")).bearer_auth(token)).await
    }

    /// The path with the id of the first row of each list that is named before a placeholder.
    async fn filled(&self, path: &str) -> String {
        let mut filled = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            filled += before;
            filled += &match name {
                "source_id" => self.source.id.clone(),
                "user_id" => self.user.clone(),
                _ => self.first_id(filled.trim_end_matches('/')).await,
            };
            rest = after;
        }
        filled + rest
    }

    /// On Postgres a list that is read from the oldest on shows a row once no earlier transaction is open.
    async fn first_id(&self, list: &str) -> String {
        eventually("a list with a row", async || {
            let page = self.get(list).await;
            let id = ["/items/0/id", "/Resources/0/id"].into_iter().find_map(|path| page.json.pointer(path));
            id.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| page.describe())
        })
        .await
    }

    /// Everything that may be read, by the pattern of its route.
    async fn walk(&self) -> BTreeMap<String, Answer> {
        let mut pages = BTreeMap::new();
        for route in table(&self.tenant.hub) {
            let of_tenant = matches!(route.auth.as_str(), "api" | "scim");
            if !of_tenant || route.method() != Method::GET || NOT_WALKED.contains(&route.path.as_str()) {
                continue;
            }
            let mut path = self.filled(&route.path).await;
            if path.ends_with("/compare") {
                path = format!("{path}?with={}", path.rsplit('/').nth(1).unwrap());
            }
            pages.insert(route.path, self.get(&path).await);
        }
        for search in SEARCHES {
            pages.insert(search.to_owned(), self.get(search).await);
        }
        for (list, found) in [("Users", "/Users/.search"), ("Groups", "/Groups/.search"), ("both", "/.search")] {
            let asked = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 100 });
            pages.insert(format!("a search of {list}"), self.source.post(found, &asked).await);
        }
        pages
    }
}

/// Every id in a text.
fn ids(text: &str) -> BTreeSet<Uuid> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .filter(|word| word.len() == 36)
        .filter_map(|word| Uuid::parse_str(word).ok())
        .collect()
}

/// The pages of the first that show an id of the second.
fn shown(own: &BTreeMap<String, Answer>, other: &BTreeMap<String, Answer>) -> Vec<String> {
    let theirs: BTreeSet<Uuid> = other.values().flat_map(|page| ids(&page.text)).collect();
    let shows = |page: &Answer| ids(&page.text).intersection(&theirs).count() > 0;
    own.iter().filter(|(_, page)| shows(page)).map(|(path, page)| format!("{path}: {}", page.describe())).collect()
}

async fn are_apart(one: &Furnished, other: &Furnished) {
    let (own, theirs) = (one.walk().await, other.walk().await);
    for (path, page) in &own {
        // 409: the source decides already; 501: a token has no person behind it.
        assert!(matches!(page.status, 200 | 409 | 501), "{path}: {}", page.describe());
        assert_eq!(page.status, theirs[path].status, "{path}: {}", theirs[path].describe());
    }
    let with_ids = own.values().filter(|page| !ids(&page.text).is_empty()).count();
    assert!(own.len() > 60 && with_ids > 45, "{} pages, {with_ids} with ids", own.len());
    let seen = [shown(&own, &theirs), shown(&theirs, &own)].concat();
    assert!(seen.is_empty(), "{} pages show another tenant's rows:\n- {}", seen.len(), seen.join("\n- "));
}

async fn rc22_two_tenants_with_the_same_people_see_only_their_own(hub: Hub) {
    let hub = local(&hub).start().await;
    let receiver = Receiver::start().await;
    let (one, other) = (furnish(&hub, &receiver).await, furnish(&hub, &receiver).await);
    are_apart(&one, &other).await;
}

/// People come in, and everything is read, through a server that takes the tenant's condition out of the statements.
async fn rc22_statements_that_forget_the_tenant_show_nothing_of_another(hub: Hub) {
    let server = ForgetfulServer::before(hub.deployment().setting("DATABASE_URL").unwrap()).await;
    let hub = local(&hub).database_port(server.port).start().await;
    let receiver = Receiver::start().await;
    let (one, other) = (furnish(&hub, &receiver).await, furnish(&hub, &receiver).await);
    are_apart(&one, &other).await;
    assert!(server.forgotten() > 200, "{} conditions were taken out", server.forgotten());
    // The walk sees it where nothing separates them.
    hub.deployment().change("ALTER TABLE members DISABLE ROW LEVEL SECURITY").await;
    let (own, theirs) = (one.get("/api/v1/members").await, other.get("/api/v1/members").await);
    assert!(ids(&own.text).intersection(&ids(&theirs.text)).count() > 0, "{}", own.describe());
}
