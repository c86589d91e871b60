//! Whole conversations of real identity providers, sent by the simulator: its own view equals the hub's data.

use std::collections::BTreeMap;

use rollcall_simulator::{Chaos, Expected, Idp, Options};

use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::registry::Case;
use crate::rest::Tenant;
use crate::verbs::eventually;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for idp in Idp::ALL {
        let name = idp.name().replace('-', "_");
        cases.push(Case::new(module_path!(), &format!("dw4_dw5_{name}_lifecycle"), move |hub| {
            Box::pin(lifecycle(hub, idp, None))
        }));
        cases.push(Case::new(
            module_path!(),
            &format!("{name}_lifecycle_with_lost_and_doubled_requests"),
            move |hub| Box::pin(lifecycle(hub, idp, Some(Chaos::default()))),
        ));
    }
    cases
}

async fn lifecycle(hub: Hub, idp: Idp, chaos: Option<Chaos>) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let mut options = Options::new(idp, &source.base, &source.token);
    options.users = 40;
    options.chaos = chaos;
    let report = rollcall_simulator::run(options, &mut std::io::sink()).await.unwrap();
    let defects: Vec<String> = report.defects().map(ToString::to_string).collect();
    assert!(defects.is_empty(), "{} defects:\n- {}", defects.len(), defects.join("\n- "));
    expect_roster(&tenant, idp, report.expected()).await;
    expect_explained(&tenant).await;
}

/// People who are active have access, people who left are suspended, and sharing groups are the IdP's groups.
async fn expect_roster(tenant: &Tenant, idp: Idp, expected: &Expected) {
    let mut accounts = BTreeMap::new();
    let status = |active| if active { "active" } else { "suspended" };
    for user in expected.users.iter().filter(|user| user.id.is_some() && !user.deleted) {
        accounts.insert(user.profile.email.to_lowercase(), status(user.profile.active).to_owned());
    }
    let emails: BTreeMap<&str, String> = expected
        .users
        .iter()
        .map(|user| (user.profile.user_name.as_str(), user.profile.email.to_lowercase()))
        .collect();
    eventually("the roster is what the identity provider believes", async || {
        let mut seen: BTreeMap<String, String> =
            tenant.members().await.into_iter().map(|member| (member.email.to_lowercase(), member.status)).collect();
        // JumpCloud's connection test creates and deletes a person, who is a removed member if a worker saw them.
        seen.retain(|email, status| !(email.starts_with("jumpcloud.test.") && status == "suspended"));
        // Only Ping creates people who are disabled from the start, and those never were members.
        let is_disabled = |email: &str| accounts.get(email).is_some_and(|status| status == "suspended");
        let is_stranger = |email: &str| idp == Idp::Ping && !seen.contains_key(email) && is_disabled(email);
        let mut people = accounts.clone();
        people.retain(|email, _| !is_stranger(email));
        let odd: Vec<_> = seen.iter().filter(|(email, status)| people.get(*email) != Some(status)).collect();
        let missing: Vec<_> = people.keys().filter(|email| !seen.contains_key(*email)).collect();
        if !odd.is_empty() || !missing.is_empty() {
            return Err(format!("odd: {odd:?}, missing: {missing:?}"));
        }
        let mut groups = BTreeMap::new();
        for group in &expected.groups {
            let members = group.member_user_names.iter().map(|name| emails[name.as_str()].clone());
            let mut members: Vec<String> = members.filter(|email| !is_stranger(email)).collect();
            members.sort();
            groups.insert(group.display_name.clone(), members);
        }
        let mut held = BTreeMap::new();
        for group in tenant.groups().await {
            let mut members = tenant.group_members(&group.id).await;
            members.iter_mut().for_each(|email| *email = email.to_lowercase());
            members.sort();
            held.insert(group.name, members);
        }
        if held == groups { Ok(()) } else { Err(format!("groups: {held:#?}\nexpected: {groups:#?}")) }
    })
    .await;
}
