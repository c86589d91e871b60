//! The steps at each identity provider, in short, for the page of a set-up link; `docs/idp` has them in full. `{address}` and `{token}` stand
//! for the source's values, `{flagged}` for the address as Entra wants it, and words between stars are names that the provider's pages show.

use html_escape::encode_safe;
use std::fmt::Write;

/// One provider.
pub(crate) struct Guide {
    /// Names it in the page's address.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    steps: &'static [&'static str],
}

pub(crate) const GUIDES: &[Guide] = &[
    Guide {
        key: "okta",
        name: "Okta",
        steps: &[
            "*Applications*, *Browse App Catalog*: the app \"SCIM 2.0 Test App (OAuth Bearer Token)\", or your own app with *SCIM provisioning*.",
            "*Provisioning*, *Integration*, *Configure API Integration*. *SCIM connector base URL*: {address}",
            "*Unique identifier field for users*: userName. *Authentication mode*: HTTP Header; *Authorization*: {token}, without the word Bearer.",
            "*Test API Credentials* reads one answer and provisions nobody.",
            "*Provisioning*, *To App*: enable Create Users, Update User Attributes, Deactivate Users.",
            "*Assignments*: assign people or groups. *Push Groups*: choose the groups that become sharing groups.",
        ],
    },
    Guide {
        key: "entra",
        name: "Microsoft Entra ID",
        steps: &[
            "*Enterprise applications*, *New application*, *Create your own application*: one that is not in the gallery.",
            "*Provisioning*, *Get started*. *Provisioning mode*: Automatic.",
            "*Tenant URL*: {flagged}. *Secret token*: {token}. *Test connection*.",
            "*Mappings*: keep the defaults, and check that objectId maps to externalId.",
            "*Users and groups*: assign. Set *Provisioning status* to On. A cycle runs about every 40 minutes.",
        ],
    },
    Guide {
        key: "onelogin",
        name: "OneLogin",
        steps: &[
            "*Applications*, *Add App*: \"SCIM Provisioner with SAML (SCIM v2 Enterprise)\", or another one whose name says SCIM V2.",
            "*Configuration*. *SCIM Base URL*: {address}. *SCIM Bearer Token*: {token}. *API status*: Enable.",
            "*Provisioning*: *Enable provisioning*, and choose Suspend for users who are deleted or suspended.",
            "*Parameters*: scimusername to the email, externalId to the OneLogin ID; *Groups* with *Include in User Provisioning*.",
        ],
    },
    Guide {
        key: "jumpcloud",
        name: "JumpCloud",
        steps: &[
            "*SSO Applications*, *Add New Application*, *Custom Application*, with *Export users to this app (Identity management)*.",
            "*Identity Management*: *API Type*: SCIM API, *SCIM Version*: 2.0. *Base URL*: {address}. *Token Key*: {token}.",
            "*Test Connection* makes and deletes a test user with the address in *Test User Email*: ask first whether that may be.",
            "*Group Management* on for sharing groups, then *Activate*.",
            "*User Groups*: choose which groups may use the application.",
        ],
    },
    Guide {
        key: "ping",
        name: "PingFederate, PingOne",
        steps: &[
            "PingFederate: *Applications*, *SP Connections*, *Create Connection*, *Outbound Provisioning*, *SCIM Connector*. *SCIM URL*: {address}",
            "*SCIM Version*: 2.0. *Authentication*: OAuth 2 Bearer Token, {token}. *Unique user identifier*: userName.",
            "PingOne: *Integrations*, *Provisioning*, *New Connection*, *Identity store*, *SCIM outbound*. *SCIM Base URL*: {address}. \
             *Authentication method*: OAuth 2 Bearer Token, {token}.",
            "*Test Connection*, then a *Rule* that selects the people.",
        ],
    },
    Guide {
        key: "generic",
        name: "Another one",
        steps: &[
            "Base URL, tenant URL or endpoint: {address}, without a slash at its end.",
            "Authentication: OAuth bearer token, {token}, in the header Authorization.",
            "Unique identifier: userName. SCIM version: 2.0.",
            "Send an id that never changes as externalId, so that a renamed person stays the same person.",
        ],
    },
];

/// The provider with this key.
pub(crate) fn guide(key: &str) -> Option<&'static Guide> {
    GUIDES.iter().find(|guide| guide.key == key)
}

impl Guide {
    /// The steps as a list, with the values of a source. Without a token its place names it.
    pub(crate) fn written(&self, address: &str, token: Option<&str>) -> String {
        let code = |text: &str| format!("<code>{}</code>", encode_safe(text));
        let token = token.map_or_else(|| "the token".to_owned(), code);
        let values = [
            ("{address}", code(address)),
            ("{flagged}", code(&format!("{address}?aadOptscim062020"))),
            ("{token}", token),
        ];
        let filled = |step: &str| values.iter().fold(marked(step), |text, (place, value)| text.replace(place, value));
        let mut list = String::from("<ol>");
        for step in self.steps {
            let _ = write!(list, "<li>{}</li>", filled(step));
        }
        list.push_str("</ol>");
        list
    }
}

/// Escaped text whose words between stars are strong.
fn marked(step: &str) -> String {
    let part = |(number, part)| match number % 2 {
        0 => encode_safe(part).into_owned(),
        _ => format!("<strong>{}</strong>", encode_safe(part)),
    };
    step.split('*').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the steps use are those of the pages in `docs/idp`, and every provider has both values.
    #[test]
    fn pe12_the_steps_name_what_the_guides_of_the_providers_name() {
        let pages = [
            ("okta", include_str!("../../../docs/idp/okta.md")),
            ("entra", include_str!("../../../docs/idp/entra.md")),
            ("onelogin", include_str!("../../../docs/idp/onelogin.md")),
            ("jumpcloud", include_str!("../../../docs/idp/jumpcloud.md")),
            ("ping", include_str!("../../../docs/idp/ping.md")),
            ("generic", include_str!("../../../docs/idp/generic.md")),
        ];
        assert_eq!(pages.map(|(key, _)| key).as_slice(), GUIDES.iter().map(|guide| guide.key).collect::<Vec<_>>());
        for (key, page) in pages {
            let plain = |text: &str| text.replace('*', "").split_whitespace().collect::<Vec<_>>().join(" ");
            let page = plain(page);
            let steps = guide(key).expect("a guide").steps.join(" ");
            for name in steps.split('*').skip(1).step_by(2) {
                assert!(page.contains(&plain(name)), "{key}: {name}");
            }
            let has_address = steps.contains("{address}") || steps.contains("{flagged}");
            assert!(has_address && steps.contains("{token}"), "{key}");
        }
    }

    #[test]
    fn ds4_the_console_has_the_same_steps() {
        let theirs: serde_json::Value =
            serde_json::from_str(include_str!("../../../console/src/guides/guides.json")).expect("a JSON file");
        let ours: Vec<_> = GUIDES
            .iter()
            .map(|guide| serde_json::json!({"key": guide.key, "name": guide.name, "steps": guide.steps}))
            .collect();
        assert_eq!(theirs, serde_json::Value::Array(ours), "change console/src/guides/guides.json too");
    }

    #[test]
    fn values_are_filled_in_and_escaped() {
        let text = guide("entra").expect("a guide").written("https://a.example/<x>", Some("rcs_1"));
        assert!(text.contains("<code>https:&#x2F;&#x2F;a.example&#x2F;&lt;x&gt;?aadOptscim062020</code>"), "{text}");
        assert!(text.contains("<strong>Secret token</strong>: <code>rcs_1</code>"), "{text}");
        assert!(!text.contains('{') && !text.contains('*'), "{text}");
    }
}
