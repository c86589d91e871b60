//! Deterministic people: the same seed gives the same names, addresses, managers and numbers.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::Value;

use crate::names::{CULTURES, Culture, DEPARTMENTS, Order, TITLES};
use crate::options::Idp;
use crate::wire::ENTERPRISE;

/// A person's attributes that an identity provider maps to SCIM (DW5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    pub user_name: String,
    pub given_name: String,
    pub family_name: String,
    pub display_name: String,
    pub email: String,
    pub title: String,
    pub department: String,
    pub employee_number: String,
    /// BCP 47.
    pub locale: String,
    /// Mobile number; most people have none at first.
    pub phone: Option<String>,
    pub active: bool,
}

impl Profile {
    /// The hub's data, from its answer; a missing attribute is an empty string.
    pub(crate) fn from_resource(resource: &Value) -> Self {
        let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let enterprise = |name: &str| {
            resource
                .get(ENTERPRISE)
                .and_then(|extension| extension.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            user_name: text("/userName"),
            given_name: text("/name/givenName"),
            family_name: text("/name/familyName"),
            display_name: text("/displayName"),
            email: work_email(resource).unwrap_or_default().to_owned(),
            title: text("/title"),
            department: enterprise("department"),
            employee_number: enterprise("employeeNumber"),
            locale: text("/locale"),
            phone: mobile(resource).map(str::to_owned),
            active: resource.get("active").and_then(Value::as_bool) == Some(true),
        }
    }
}

/// The e-mail of type work, else the primary one, else the first.
pub(crate) fn work_email(resource: &Value) -> Option<&str> {
    let emails = resource.get("emails")?.as_array()?;
    let chosen = emails
        .iter()
        .find(|email| email.get("type").and_then(Value::as_str) == Some("work"))
        .or_else(|| emails.iter().find(|email| email.get("primary") == Some(&Value::Bool(true))))
        .or_else(|| emails.first())?;
    chosen.get("value")?.as_str()
}

/// The phone number of type mobile.
pub(crate) fn mobile(resource: &Value) -> Option<&str> {
    resource
        .get("phoneNumbers")?
        .as_array()?
        .iter()
        .find(|phone| phone.get("type").and_then(Value::as_str) == Some("mobile"))?
        .get("value")?
        .as_str()
}

/// One person of the IdP's own directory.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The IdP's immutable id.
    pub(crate) anchor: String,
    /// The IdP's present profile.
    pub(crate) profile: Profile,
    /// Index of the manager.
    pub(crate) manager: Option<usize>,
    /// True if the hub accepted the manager.
    pub(crate) manager_accepted: bool,
    /// The hub's id, once known.
    pub(crate) remote: Option<String>,
    /// The last profile that the hub accepted.
    pub(crate) accepted: Option<Profile>,
    pub(crate) deleted: bool,
    /// True if they were ever sent as active.
    pub(crate) ever_active: bool,
}

impl Person {
    /// Records that the hub accepted the present profile.
    pub(crate) fn accepted_by_hub(&mut self) {
        self.accepted = Some(self.profile.clone());
        self.ever_active |= self.profile.active;
    }
}

/// Makes people one by one; names may repeat, addresses never do.
pub(crate) struct Generator {
    rng: StdRng,
    /// Apart from the people, because each IdP makes its ids in another way: the people of one seed are the same for all.
    anchors: StdRng,
    idp: Idp,
    seed: u64,
    domain: String,
    taken: HashMap<String, u32>,
}

impl Generator {
    pub(crate) fn new(idp: Idp, seed: u64, domain: &str) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            anchors: StdRng::seed_from_u64(seed ^ 0x000a_7c40),
            idp,
            seed,
            domain: domain.to_owned(),
            taken: HashMap::new(),
        }
    }

    pub(crate) fn person(&mut self, number: usize) -> Person {
        let culture = self.culture();
        let given = pick(&mut self.rng, culture.given);
        let family = pick(&mut self.rng, culture.family);
        let local = self.local_part(&format!("{}.{}", given.1, family.1));
        let email = self.address(&local);
        let profile = Profile {
            user_name: self.user_name(number, &email),
            given_name: given.0.to_owned(),
            family_name: family.0.to_owned(),
            display_name: display_name(culture.order, given.0, family.0),
            email,
            title: pick(&mut self.rng, TITLES).to_owned(),
            department: pick(&mut self.rng, DEPARTMENTS).to_owned(),
            employee_number: format!("E{:03}{:06}", self.seed % 1000, number + 1),
            locale: culture.locale.to_owned(),
            phone: None,
            active: true,
        };
        Person {
            anchor: self.anchor(),
            profile,
            manager: None,
            manager_accepted: false,
            remote: None,
            accepted: None,
            deleted: false,
            ever_active: false,
        }
    }

    /// A marriage, a correction: another family name of the same culture.
    pub(crate) fn renamed(&mut self, before: &Profile) -> Profile {
        let culture = CULTURES.iter().find(|culture| culture.locale == before.locale).unwrap_or(&CULTURES[0]);
        let mut family = before.family_name.clone();
        while family == before.family_name {
            family = pick(&mut self.rng, culture.family).0.to_owned();
        }
        let phone = format!("+1555{:07}", self.rng.random_range(0..10_000_000));
        Profile {
            display_name: display_name(culture.order, &before.given_name, &family),
            family_name: family,
            phone: Some(phone),
            ..before.clone()
        }
    }

    /// A new address; the user name follows it unless the user name never was the address.
    pub(crate) fn readdressed(&mut self, before: &Profile) -> Profile {
        let old_local = before.email.split('@').next().unwrap_or("someone");
        let local = self.local_part(&format!("{}.neu", old_local.to_lowercase()));
        let email = self.address(&local);
        let user_name =
            if before.user_name.eq_ignore_ascii_case(&before.email) { email.clone() } else { before.user_name.clone() };
        Profile { user_name, email, ..before.clone() }
    }

    /// The immutable id in this IdP's form.
    pub(crate) fn anchor(&mut self) -> String {
        const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        match self.idp {
            Idp::Okta | Idp::OktaCustom => {
                let tail: String =
                    (0..17).map(|_| char::from(BASE62[self.anchors.random_range(0..BASE62.len())])).collect();
                format!("00u{tail}")
            }
            Idp::Entra | Idp::EntraFlag => guid(&mut self.anchors),
            Idp::JumpCloud => format!("{:024x}", self.anchors.random::<u128>() >> 32),
            Idp::OneLogin | Idp::Ping => {
                format!("{}", self.anchors.random_range(10_000_000_u64..1_000_000_000))
            }
        }
    }

    fn culture(&mut self) -> &'static Culture {
        // Half of the people have the names of the first culture, as in most tenants.
        if self.rng.random_bool(0.5) { &CULTURES[0] } else { CULTURES.choose(&mut self.rng).unwrap_or(&CULTURES[0]) }
    }

    fn local_part(&mut self, wish: &str) -> String {
        let times = self.taken.entry(wish.to_owned()).or_insert(0);
        *times += 1;
        if *times == 1 { wish.to_owned() } else { format!("{wish}{times}") }
    }

    fn address(&mut self, local: &str) -> String {
        // Some directories keep capitals in addresses; the hub must fold them for comparison and store them unchanged.
        let local = if self.rng.random_bool(0.05) { capitalised(local) } else { local.to_owned() };
        format!("{local}@{}", self.domain)
    }

    /// Entra's user principal name is sometimes not the mail address.
    fn user_name(&self, number: usize, email: &str) -> String {
        let entra = matches!(self.idp, Idp::Entra | Idp::EntraFlag);
        if entra && number % 10 == 9 { format!("u{:06}@{}", 1000 + number, self.domain) } else { email.to_owned() }
    }
}

fn display_name(order: Order, given: &str, family: &str) -> String {
    match order {
        Order::GivenFirst => format!("{given} {family}"),
        Order::FamilyFirstTight => format!("{family}{given}"),
        Order::FamilyFirstSpaced => format!("{family} {given}"),
    }
}

fn capitalised(local: &str) -> String {
    local
        .split('.')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect::<Vec<_>>()
        .join(".")
}

/// A random GUID in lower case, from the seed.
pub(crate) fn guid(rng: &mut StdRng) -> String {
    let hex = format!("{:032x}", rng.random::<u128>());
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn same_seed_same_people_and_no_address_twice() {
        let mut one = Generator::new(Idp::Entra, 3, "example.test");
        let mut two = Generator::new(Idp::Entra, 3, "example.test");
        let mut seen = HashSet::new();
        let mut scripts = HashSet::new();
        for number in 0..3000 {
            let person = one.person(number);
            assert_eq!(person.profile, two.person(number).profile);
            assert!(seen.insert(person.profile.email.to_lowercase()), "{} twice", person.profile.email);
            scripts.insert(person.profile.locale);
        }
        assert_eq!(scripts.len(), CULTURES.len());
    }

    #[test]
    fn f12_every_provider_has_the_same_people() {
        let people = |idp| {
            let mut generator = Generator::new(idp, 7, "example.test");
            let profiles = (0..200).map(|number| generator.person(number).profile);
            // Entra alone has user names that are no addresses.
            profiles.map(|profile| Profile { user_name: String::new(), ..profile }).collect::<Vec<_>>()
        };
        for idp in Idp::ALL {
            assert_eq!(people(idp), people(Idp::Okta), "{idp}");
        }
    }

    #[test]
    fn dw8_an_address_change_keeps_the_person_and_finds_a_free_address() {
        let mut generator = Generator::new(Idp::Okta, 4, "example.test");
        let person = generator.person(0);
        let moved = generator.readdressed(&person.profile);
        assert_ne!(moved.email.to_lowercase(), person.profile.email.to_lowercase());
        assert_eq!(moved.user_name, moved.email);
        assert_eq!(moved.employee_number, person.profile.employee_number);
    }
}
