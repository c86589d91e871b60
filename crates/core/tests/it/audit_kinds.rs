//! The table of audit kinds in `docs/api.md` names every kind, and no other.

use rollcall_core::event::AuditKind;
use std::collections::BTreeSet;

#[test]
fn the_page_names_every_audit_kind_and_no_other() {
    let page = include_str!("../../../../docs/api.md");
    let (_, section) = page.split_once("## Audit kinds").expect("the section of audit kinds");
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut named = BTreeSet::new();
    for line in table {
        let mut noun = "";
        for name in line.split('`').skip(1).step_by(2) {
            // `.updated` after `directory_user.created` is `directory_user.updated`; `users_only` is no kind.
            match name.split_once('.') {
                Some(("", verb)) => named.insert(format!("{noun}.{verb}")),
                Some((other, _)) => {
                    noun = other;
                    named.insert(name.to_owned())
                }
                None => continue,
            };
        }
    }
    let known: BTreeSet<String> = AuditKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(named, known);
}
