//! Operations on a group's members, as row operations. The two traps that have emptied real groups are decided here:
//! a remove with a value list removes only those, and only an explicit request empties a group (docs/scim.md#traps, 1
//! and 2).

use serde_json::Value;

use super::parse::{Op, Reader};
use super::{GroupChange, PatchStep};
use crate::dialect::Quirk;
use crate::error::ScimError;
use crate::filter::{CompareOp, CompareValue, Filter};
use crate::path::Resolved;
use crate::resource::{MemberRef, keep_each_once, read_members, too_many_members};

/// Reads one operation whose path is `members`, `members.value`, `members[…]` or `members[…].value`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    op: Op,
    resolved: &Resolved,
    filter: Option<Filter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if resolved.path.sub.as_deref().is_some_and(|sub| sub != "value") {
        // Name and type of a member follow from the member itself.
        reader.quirks.note(Quirk::ReadOnlyIgnored);
        return Ok(());
    }
    let named = match value {
        None => None,
        Some(Value::Null) => {
            reader.quirks.note(Quirk::NullValue);
            // Null is not a list: it neither adds, nor replaces, nor empties a group.
            if filter.is_none() {
                return Ok(());
            }
            None
        }
        Some(value) => Some(named_members(reader, value)?),
    };
    let changes = match filter {
        None => whole_list(reader, op, named),
        Some(filter) => selected(op, filter, resolved.path.sub.is_some(), named)?,
    };
    reader.changes.extend(changes.into_iter().filter(says_something).map(PatchStep::Members));
    Ok(())
}

fn named_members(reader: &mut Reader<'_>, value: Value) -> Result<Vec<MemberRef>, ScimError> {
    let limit = reader.limits.members_per_request;
    let members = read_members(value, limit, reader.quirks)?;
    reader.members_left = reader.members_left.checked_sub(members.len()).ok_or_else(|| too_many_members(limit))?;
    Ok(members)
}

/// Without a filter. `None` is a remove without a value, which means all in the RFC; every other case has a list.
fn whole_list(reader: &mut Reader<'_>, op: Op, named: Option<Vec<MemberRef>>) -> Vec<GroupChange> {
    let change = match (op, named) {
        (Op::Add, Some(members)) => GroupChange::AddMembers(members),
        (Op::Replace, Some(members)) if members.is_empty() => GroupChange::ClearMembers,
        (Op::Replace, Some(members)) => GroupChange::ReplaceMembers(members),
        (Op::Add | Op::Replace, None) => return Vec::new(),
        (Op::Remove, Some(members)) => {
            reader.quirks.note(Quirk::RemoveValueList);
            GroupChange::RemoveMembers(ids_of(members))
        }
        (Op::Remove, None) => GroupChange::ClearMembers,
    };
    vec![change]
}

/// With a filter. `replace members[value eq "a"].value` with `b` replaces a by b.
fn selected(
    op: Op,
    filter: Filter,
    by_value: bool,
    named: Option<Vec<MemberRef>>,
) -> Result<Vec<GroupChange>, ScimError> {
    let ids = ids_named_by(&filter);
    let leave = |filter| ids.clone().map_or(GroupChange::RemoveMembersWhere(filter), GroupChange::RemoveMembers);
    Ok(match (op, named) {
        (Op::Remove, _) => vec![leave(filter)],
        (Op::Replace, Some(members)) if by_value => vec![leave(filter), GroupChange::AddMembers(members)],
        (_, Some(members)) => vec![GroupChange::AddMembers(members)],
        (_, None) => match ids {
            Some(ids) => vec![GroupChange::AddMembers(ids.into_iter().map(MemberRef::of_id).collect())],
            None => return Err(ScimError::no_target("members: the filter does not name the members to add")),
        },
    })
}

/// The ids of a filter that only names ids: `value eq "a"`, or several joined by `or`.
fn ids_named_by(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Compare { path, op: CompareOp::Eq, value: CompareValue::String(id) } => {
            (path.sub.as_deref() == Some("value")).then(|| vec![id.clone()])
        }
        Filter::Or(filters) => Some(filters.iter().map(ids_named_by).collect::<Option<Vec<_>>>()?.concat()),
        _ => None,
    }
}

/// Merges neighbours of one kind, because Okta and JumpCloud send one operation for each member.
pub(super) fn merged<'a>(changes: impl Iterator<Item = &'a GroupChange>) -> Vec<GroupChange> {
    let mut merged: Vec<GroupChange> = Vec::new();
    for change in changes {
        match (merged.last_mut(), change) {
            (Some(GroupChange::AddMembers(before)), GroupChange::AddMembers(more)) => before.extend_from_slice(more),
            (Some(GroupChange::RemoveMembers(before)), GroupChange::RemoveMembers(more)) => {
                before.extend_from_slice(more)
            }
            _ => merged.push(change.clone()),
        }
    }
    for change in &mut merged {
        match change {
            GroupChange::AddMembers(members) | GroupChange::ReplaceMembers(members) => keep_each_once(members),
            GroupChange::RemoveMembers(ids) => {
                let mut seen = std::collections::HashSet::new();
                ids.retain(|id| seen.insert(id.clone()));
            }
            GroupChange::RemoveMembersWhere(_) | GroupChange::ClearMembers => {}
        }
    }
    merged
}

fn says_something(change: &GroupChange) -> bool {
    match change {
        GroupChange::AddMembers(members) | GroupChange::ReplaceMembers(members) => !members.is_empty(),
        GroupChange::RemoveMembers(ids) => !ids.is_empty(),
        GroupChange::RemoveMembersWhere(_) | GroupChange::ClearMembers => true,
    }
}

fn ids_of(members: Vec<MemberRef>) -> Vec<String> {
    members.into_iter().map(|member| member.value).collect()
}
