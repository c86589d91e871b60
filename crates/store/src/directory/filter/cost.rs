//! The estimated cost of a list, before it runs. A list that an index serves costs what it finds. Any other reads every record of
//! the source, and costs for each of them what its terms cost by the storage of their attributes.

use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::list::Sort;
use rollcall_scim::schema::Kind;
use rollcall_scim::{AttrPath, Filter, ResourceKind};

/// A term's cost for one record. The unit is a comparison with a column: about half a microsecond.
mod units {
    pub(super) const COLUMN: u64 = 1;
    pub(super) const JSON: u64 = 2;
    pub(super) const LIST: u64 = 6;
    pub(super) const COMPUTED: u64 = 8;
    pub(super) const CUSTOM: u64 = 12;
    /// The place of a record in an order.
    pub(super) const SORTED: u64 = 2;
}

/// The most that the terms and the order of a look-up cost for a record. Records may share the value that is looked up, and each that
/// does is tested.
const LOOK_UP_MAX: u64 = 20;

/// The cost of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListCost {
    /// An index finds the records, or gives them in order.
    Indexed,
    /// An index finds records, perhaps many of them, for terms that cost more than a look-up's.
    Shared,
    /// Every record of the source is read, at this cost for each.
    PerRecord(u64),
}

impl ListCost {
    pub(crate) fn of(kind: ResourceKind, filter: Option<&Filter>, sort: Option<&Sort>) -> Self {
        if filter.is_some_and(|filter| names_one(kind, filter)) || (filter.is_none() && sort.is_none()) {
            return Self::Indexed;
        }
        let filtered = filter.map_or(0, |filter| terms(kind, filter));
        let cost = filtered + sort.map_or(0, |sort| of_path(kind, &sort.by) + units::SORTED);
        match filter.is_some_and(|filter| has_index(kind, filter)) {
            true if cost <= LOOK_UP_MAX => Self::Indexed,
            true => Self::Shared,
            false => Self::PerRecord(cost),
        }
    }
}

/// True if the filter requires the value of a unique attribute.
fn names_one(kind: ResourceKind, filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().any(|filter| names_one(kind, filter)),
        Filter::Compare { path, op: CompareOp::Eq, value: CompareValue::String(_) } => match path.core() {
            Some(("id", None)) => true,
            Some(("userName", None)) => kind == ResourceKind::User,
            _ => false,
        },
        _ => false,
    }
}

/// True if an index finds the few records that can fulfil the filter.
fn has_index(kind: ResourceKind, filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().any(|filter| has_index(kind, filter)),
        Filter::Or(filters) => filters.iter().all(|filter| has_index(kind, filter)),
        Filter::Compare { path, op: CompareOp::Eq, value: CompareValue::String(_) } => is_look_up(kind, path),
        Filter::ValuePath { filter, .. } => names_value(kind, filter),
        Filter::Compare { .. } | Filter::Present(_) | Filter::Not(_) => false,
    }
}

/// True if the inside of a value path requires a value that an index finds.
fn names_value(kind: ResourceKind, filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().any(|filter| names_value(kind, filter)),
        Filter::Compare { path, op: CompareOp::Eq, value: CompareValue::String(_) } => {
            path.sub.as_deref() == Some("value") && is_look_up(kind, path)
        }
        _ => false,
    }
}

/// The attributes that identity providers look resources up by; each has an index.
fn is_look_up(kind: ResourceKind, path: &AttrPath) -> bool {
    match path.core() {
        Some(("id" | "externalId", None)) => true,
        Some(("userName", None)) => kind == ResourceKind::User,
        Some(("displayName", None)) => kind == ResourceKind::Group,
        Some(("emails" | "groups", Some("value"))) => kind == ResourceKind::User,
        Some(("members", Some("value"))) => kind == ResourceKind::Group,
        _ => false,
    }
}

fn terms(kind: ResourceKind, filter: &Filter) -> u64 {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => filters.iter().map(|filter| terms(kind, filter)).sum(),
        Filter::Not(filter) => terms(kind, filter),
        Filter::Compare { path, .. } | Filter::Present(path) => of_path(kind, path),
        Filter::ValuePath { path, filter } => of_path(kind, path) + terms(kind, filter),
    }
}

fn of_path(kind: ResourceKind, path: &AttrPath) -> u64 {
    if path.kind == Kind::Any {
        return units::CUSTOM;
    }
    match path.core() {
        Some(("id" | "externalId" | "userName" | "displayName" | "active", None)) => units::COLUMN,
        Some(("name", Some("givenName" | "familyName"))) if kind == ResourceKind::User => units::COLUMN,
        Some(("meta", Some("created" | "lastModified"))) => units::COLUMN,
        Some(("meta", _)) => units::JSON,
        Some(("schemas" | "members" | "groups", _)) => units::COMPUTED,
        _ if path.multi => units::LIST,
        _ => units::JSON,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_scim::Quirks;

    fn cost(kind: ResourceKind, text: &str) -> ListCost {
        let filter = Filter::parse(kind, text, &mut Quirks::new()).expect(text);
        ListCost::of(kind, Some(&filter), None)
    }

    #[test]
    fn rc22_s1_look_ups_have_an_index_and_everything_else_a_cost() {
        let (user, group) = (ResourceKind::User, ResourceKind::Group);
        let computed = vec![r#"schemas co "z""#; 90].join(" or ");
        let one = format!(r#"userName eq "a" and ({computed})"#);
        for (kind, text) in [
            (user, r#"userName eq "a""#),
            (user, &one),
            (user, r#"externalId eq "a" and active eq true"#),
            (user, r#"emails eq "a""#),
            (user, r#"emails[type eq "work" and value eq "a"]"#),
            (user, r#"emails[type eq "work"].value eq "a""#),
            (user, r#"userName eq "a" or emails eq "b""#),
            (user, r#"schemas co "z" and id eq "a""#),
            (user, r#"groups eq "a""#),
            (group, r#"displayName eq "a""#),
            (group, r#"members eq "a""#),
        ] {
            assert_eq!(cost(kind, text), ListCost::Indexed, "{text}");
        }
        // Everybody may have one external id, or be in one group.
        for shared in ["externalId", "emails", "groups"] {
            assert_eq!(cost(user, &format!(r#"{shared} eq "a" and ({computed})"#)), ListCost::Shared, "{shared}");
        }
        for (kind, text, units) in [
            (user, r#"userName co "a""#, 1),
            (user, r#"not (userName eq "a")"#, 1),
            (user, r#"userName ne "a""#, 1),
            (user, r#"userName eq "a" or title eq "b""#, 3),
            (user, r#"displayName eq "a""#, 1),
            (user, r#"emails.type eq "work""#, 6),
            (user, r#"schemas co "z0" or schemas co "z1""#, 16),
            (user, r#"not (not (urn:x:y:z eq "a"))"#, 12),
            (group, r#"members.display eq "a""#, 8),
        ] {
            assert_eq!(cost(kind, text), ListCost::PerRecord(units), "{text}");
        }
        assert_eq!(ListCost::of(user, None, None), ListCost::Indexed, "a page in the order of ids");
    }
}
