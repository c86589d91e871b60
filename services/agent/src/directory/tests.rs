use super::*;
use crate::config::{Attributes, Scope};
use proptest::prelude::*;

const LDIF: &str = "version: 1
# An export.
dn: CN=Ann Lee,OU=People,DC=acme,DC=test
objectClass: top
objectClass: person
objectClass: user
objectGUID:: AAECAwQFBgcICQoLDA0ODw==
sAMAccountName: ann
mail: ann@acme.test
mail;lang-de: anna@acme.test
givenName: Ann
sn: Lee
displayName:: w4RubiBMZWU=
userAccountControl: 512
primaryGroupID: 1105
description: a long line that
  goes on

dn:: Q049TGlcLCBNZWksT1U9UGVvcGxlLERDPWFjbWUsREM9dGVzdA==
objectClass: user
objectGUID:: EAECAwQFBgcICQoLDA0ODw==
sAMAccountName: mei
mail: mei@acme.test
userAccountControl: 66050

dn: CN=PC1,DC=acme,DC=test
objectClass: user
objectClass: computer

dn: CN=Crew,OU=Groups,DC=acme,DC=test
objectClass: group
cn: Crew
objectGUID:: IAECAwQFBgcICQoLDA0ODw==
member: cn=li\\2C mei,ou=people,dc=acme,dc=test
member: CN=Pilots,OU=Groups,DC=acme,DC=test
member: CN=Gone,DC=acme,DC=test

dn: CN=Pilots,OU=Groups,DC=acme,DC=test
objectClass: group
cn: Pilots
objectGUID:: MAECAwQFBgcICQoLDA0ODw==
objectSid: S-1-5-21-1-2-3-1105
member: CN=Crew,OU=Groups,DC=acme,DC=test
";

fn names(found: &Found, name: &str) -> Vec<String> {
    let groups: BTreeMap<&str, &str> = found
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Group(group) => Some((group.id.as_str(), group.name.as_str())),
            _ => None,
        })
        .collect();
    let user = found.entries.iter().find_map(|entry| match entry {
        Entry::User(user) if user.user_name.as_deref() == Some(name) => Some(user),
        _ => None,
    });
    let mut names: Vec<String> =
        user.expect("a person").groups.iter().map(|id| groups[id.as_str()].to_owned()).collect();
    names.sort();
    names
}

fn of_ldif(text: &str, scope: &Scope) -> Result<Found, String> {
    let directory = ldif::read(text, &Attributes::default()).map_err(|error| error.to_string())?;
    Ok(entries(scope::cut(directory, scope)?, scope.users_only))
}

#[test]
fn dx7_da2_an_ldif_export_is_read_with_circles_primary_groups_and_states() {
    let found = of_ldif(LDIF, &Scope::default()).expect("a directory");
    assert_eq!((found.users, found.groups), (2, 2), "{found:?}");
    assert!(found.entries.is_sorted_by_key(Entry::place));
    // Ann is in Pilots by her primary group alone, and so in Crew, which holds Pilots, which holds Crew.
    assert_eq!(names(&found, "ann"), ["Crew", "Pilots"]);
    assert_eq!(names(&found, "mei"), ["Crew", "Pilots"]);
    let users: Vec<&User> = found
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::User(user) => Some(user),
            _ => None,
        })
        .collect();
    let of = |name: &str| users.iter().find(|user| user.user_name.as_deref() == Some(name)).expect("a person");
    assert_eq!(of("ann").id, "03020100-0504-0706-0809-0a0b0c0d0e0f");
    assert_eq!(
        (of("ann").email.as_deref(), of("ann").display_name.as_deref()),
        (Some("ann@acme.test"), Some("Änn Lee"))
    );
    assert!(of("ann").active && !of("mei").active, "66050 is disabled");
    assert_eq!(found.remarks, ["1 members of the group \"Crew\" are not among what was read"]);
}

#[test]
fn dx6_the_scope_chooses_people_and_groups() {
    let scope = |users: &[&str], groups: &[&str], users_only| Scope {
        user_groups: users.iter().map(|name| (*name).to_owned()).collect(),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        users_only,
    };
    let csv =
        "id,user_name,email,groups\n1,ann,ann@x.test,staff;pilots\n2,bob,bob@x.test,staff\n3,cid,cid@x.test,pilots\n";
    let cut = |scope: &Scope| {
        let directory = csv_files::read(csv, None, &Attributes::default()).expect("a directory");
        scope::cut(directory, scope).map(|directory| entries(directory, scope.users_only))
    };
    let counts = |scope: &Scope| cut(scope).map(|found| (found.users, found.groups));
    assert_eq!(counts(&scope(&[], &[], false)), Ok((3, 2)));
    assert_eq!(counts(&scope(&[], &[], true)), Ok((3, 0)), "DA9: people alone");
    // Different groups: people of the one, groups of the other; who is in pilots alone is left out.
    let found = cut(&scope(&["staff"], &["pilots"], false)).expect("a scope");
    assert_eq!((found.users, found.groups), (2, 1));
    assert_eq!((names(&found, "ann"), names(&found, "bob")), (vec!["pilots".to_owned()], vec![]));
    // The same groups: one with somebody outside is not synced, and told.
    assert_eq!(counts(&scope(&["staff", "pilots"], &["staff", "pilots"], false)), Ok((3, 2)));
    let wrong = cut(&scope(&["staf"], &[], false)).expect_err("no such group");
    assert!(wrong.contains("no group \"staf\""), "{wrong}");
}

#[test]
fn what_is_no_directory_is_refused() {
    for (text, about) in [
        ("objectClass: person\n", "an entry begins with dn"),
        ("dn: cn=a\nchangetype: delete\n", "holds changes"),
        ("dn: cn=a\nmember;range=0-1499: cn=b\n", "part of the values"),
        ("dn: cn=a\nphoto:< file:///etc/passwd\n", "line 2"),
        ("dn: cn=a\nmail:: !!!\n", "line 2"),
        ("dn: cn=a\ndn: cn=b\n", "blank line"),
        ("dn: cn=a\nnonsense\n", "line 2"),
        ("dn: cn=a\nobjectClass: person\n", "no immutable id"),
        ("dn: cn=a\nobjectClass: person\nentryUUID: 1\n\ndn: cn=b\nobjectClass: person\nentryUUID: 1\n", "the id 1"),
        ("dn: cn=a\nobjectClass: person\nentryUUID: 1\n\ndn: CN=A\nobjectClass: person\nentryUUID: 2\n", "twice"),
    ] {
        let refused = of_ldif(text, &Scope::default()).expect_err(text);
        assert!(refused.contains(about), "{about}: {refused}");
    }
    let csv = |people: &str, groups: Option<&str>| {
        csv_files::read(people, groups, &Attributes::default()).map_err(|error| error.to_string())
    };
    for (people, groups, about) in [
        ("id,email\n1,a@x.test,more\n", None, "columns"),
        ("mail\na@x.test\n", None, "no id"),
        ("id,active\n1,perhaps\n", None, "true or false"),
        ("id\n1\n1\n", None, "twice"),
        ("id,groups\n1,x\n", Some("id,name\n2,y\n"), "not in the file of groups"),
        ("id\n1\n", Some("id,name\n2,y\n2,z\n"), "twice"),
    ] {
        let refused = csv(people, groups).expect_err(people);
        assert!(refused.contains(about), "{about}: {refused}");
    }
    let read = csv("ID,Email,Groups,Active\n1,a@x.test, Y ,no\n", Some("id,name\n2,y\n")).expect("a directory");
    assert_eq!(read.groups["2"].people, BTreeSet::from(["1".to_owned()]));
    assert!(!read.people["1"].active);
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics(text in ".{0,400}", lines in proptest::collection::vec("(dn|member|objectClass|entryUUID|mail):{1,2} ?[a-zA-Z0-9=,+\\\\ ]{0,20}", 0..30)) {
        let _ = of_ldif(&text, &Scope::default());
        let _ = of_ldif(&lines.join("\n"), &Scope::default());
        let _ = csv_files::read(&text, Some(&text), &Attributes::default());
        let _ = distinguished_name::folded(&text);
    }

    #[test]
    fn every_entry_that_is_made_is_one_that_the_hub_takes(
        people in proptest::collection::btree_map(".{0,300}", ".{0,300}", 0..20),
        groups in proptest::collection::btree_map(".{0,300}", (".{0,300}", proptest::collection::vec(0..20_usize, 0..20)), 0..8),
    ) {
        let ids: Vec<String> = people.keys().cloned().collect();
        let person = |name: &String| Person { user_name: Some(name.clone()), email: Some(name.clone()), active: true, ..Person::default() };
        let group = |(name, members): &(String, Vec<usize>)| ReadGroup {
            name: name.clone(),
            people: members.iter().filter_map(|at| ids.get(*at).cloned()).collect(),
            ..ReadGroup::default()
        };
        let directory = Directory {
            people: people.iter().map(|(id, name)| (id.clone(), person(name))).collect(),
            groups: groups.iter().map(|(id, read)| (id.clone(), group(read))).collect(),
            ..Directory::default()
        };
        for entry in entries(directory, false).entries {
            prop_assert_eq!(entry.check(), Ok(()), "{:?}", entry);
        }
    }
}
