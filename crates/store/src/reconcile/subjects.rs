//! The subject of an item as the database keeps it: a kind and an id.

use rollcall_core::change::Subject;
use uuid::Uuid;

/// The kind and the id of a subject, as stored; read back by [`subject_of`].
pub(crate) fn ids_of(subject: Subject) -> (&'static str, Uuid) {
    match subject {
        Subject::DirectoryUser(id) => ("directory_user", id.0),
        Subject::DirectoryGroup(id) => ("directory_group", id.0),
        Subject::Member(id) => ("member", id.0),
        Subject::SharingGroup(id) => ("sharing_group", id.0),
    }
}

pub(crate) fn subject_of(kind: &str, id: Uuid) -> Option<Subject> {
    Some(match kind {
        "directory_user" => Subject::DirectoryUser(id.into()),
        "directory_group" => Subject::DirectoryGroup(id.into()),
        "member" => Subject::Member(id.into()),
        "sharing_group" => Subject::SharingGroup(id.into()),
        _ => return None,
    })
}
