//! Request bodies: people and groups as Okta's OIN application sends them (crates/scim/fixtures/okta: POST with
//! `groups:[]`, `password`, `locale`, a `00u…` external id; group PATCH by op list).

use std::fmt::Write as _;

const GIVEN: [&str; 16] = [
    "Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia", "Niklaus", "Karen", "Tony", "Jean",
    "Leslie", "Shafi", "Robin", "Hedy",
];
const FAMILY: [&str; 16] = [
    "Byron",
    "Hopper",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Turing",
    "Perlman",
    "Wirth",
    "Jones",
    "Hoare",
    "Bartik",
    "Lamport",
    "Goldwasser",
    "Milner",
    "Lamarr",
];

/// The userName of person `number` of the series `series`; also the email, as with Okta.
pub(crate) fn user_name(series: &str, number: u64) -> String {
    format!("{series}.{number:07}@bench.example")
}

/// Rebuilds `into` as the POST /Users body of that person.
pub(crate) fn create_user(series: &str, number: u64, into: &mut String) {
    into.clear();
    let pick = |names: &[&'static str; 16], divisor: u64| names[usize::try_from(number / divisor % 16).unwrap_or(0)];
    let (given, family) = (pick(&GIVEN, 1), pick(&FAMILY, 16));
    let name = user_name(series, number);
    let _ = write!(
        into,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{name}","name":{{"givenName":"{given}","familyName":"{family}"}},"emails":[{{"primary":true,"value":"{name}","type":"work"}}],"displayName":"{given} {family}","locale":"en-US","externalId":"00u{series}{number:07}","groups":[],"password":"kQ7wZr2c","active":true}}"#
    );
}

/// Okta's (de)activation: a path-less replace.
pub(crate) fn set_active(active: bool, into: &mut String) {
    into.clear();
    let _ = write!(
        into,
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"replace","value":{{"active":{active}}}}}]}}"#
    );
}

/// POST /Groups without members.
pub(crate) fn create_group(name: &str, into: &mut String) {
    into.clear();
    let _ = write!(
        into,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"{name}","members":[]}}"#
    );
}

/// PATCH adding these users to a group.
pub(crate) fn add_members(users: &[String], into: &mut String) {
    into.clear();
    into.push_str(r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":["#);
    for (index, user) in users.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(into, r#"{comma}{{"value":"{user}"}}"#);
    }
    into.push_str("]}]}");
}

/// PATCH removing one user from a group, by filter as Okta does.
pub(crate) fn remove_member(user: &str, into: &mut String) {
    into.clear();
    let _ = write!(
        into,
        r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{{"op":"remove","path":"members[value eq \"{user}\"]"}}]}}"#
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_json() {
        let mut body = String::new();
        let check = |body: &str| serde_json::from_str::<serde_json::Value>(body).map(drop).unwrap();
        create_user("s", 123_456, &mut body);
        check(&body);
        set_active(false, &mut body);
        check(&body);
        create_group("g", &mut body);
        check(&body);
        add_members(&["a".into(), "b".into()], &mut body);
        check(&body);
        remove_member("a", &mut body);
        check(&body);
    }
}
