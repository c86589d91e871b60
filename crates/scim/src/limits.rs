//! Limits of one request, in one place, so that memory is bounded by configuration and never by input. Fixed limits are
//! constants; the two that operators tune are fields of [`Limits`].

/// Longest `userName`, in characters: 64 + 1 + 255 of an email address.
pub const USER_NAME_CHARACTERS: usize = 320;
/// Longest `displayName`, in characters.
pub const DISPLAY_NAME_CHARACTERS: usize = 256;
/// Longest `externalId`, in characters.
pub const EXTERNAL_ID_CHARACTERS: usize = 512;
/// Longest part of a `name` and longest text of one of `emails`, in characters: the roster reads them. Other texts are bounded
/// by [`DOCUMENT_BYTES`] alone, for a photo may come as a data URI.
pub const TEXT_CHARACTERS: usize = 8192;
/// Longest name of an attribute and longest path, in bytes.
pub const NAME_BYTES: usize = 8192;
/// Deepest nesting of objects and arrays in a body.
pub const JSON_DEPTH: usize = 32;
/// Most elements of one list: of a multi-valued attribute, or in an attribute of an unknown extension (members have their own limit).
pub const VALUES_PER_ATTRIBUTE: usize = 500;
/// Most attributes of one extension, and most keys of one object in it.
pub const KEYS_PER_OBJECT: usize = 1_000;
/// Most extensions of one resource.
pub const EXTENSIONS: usize = 100;
/// Largest stored resource, in bytes of its JSON; a group's members do not count.
pub const DOCUMENT_BYTES: usize = 262_144;
/// A member of a group, or a group of a user, as `GET` shows it, without the address: two ids, four names, and indentation.
const MEMBER_BYTES: usize = 300;
/// Longest address that counts for a body's size; without a configured one, the client names it.
const BASE_BYTES: usize = 1_024;
/// Most bytes of values that one PATCH may compare and copy while it is applied: the largest resource thirty times over, or a
/// usual one some thousand times.
pub const PATCH_WORK_BYTES: usize = 8 * 1_048_576;
/// Most comparisons of a group's members with the filters of a PATCH, in all operations of one request.
pub const MEMBER_COMPARISONS: u64 = 300_000;
/// Most names in `attributes` or `excludedAttributes`.
pub const PROJECTED_NAMES: usize = 100;
/// Longest filter, in bytes.
pub const FILTER_BYTES: usize = 4096;
/// Deepest nesting of parentheses, brackets and `not` in a filter.
pub const FILTER_DEPTH: usize = 32;
/// Most comparisons in one filter.
pub const FILTER_TERMS: usize = 100;

/// Limits that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most operations in one PATCH.
    pub patch_operations: usize,
    /// Most group members named by one request, over all its operations.
    pub members_per_request: usize,
}

impl Limits {
    /// Largest body of a write: as many members as one request may name, or as many groups of a user, each as `GET` shows it, and
    /// room for the spaces and line ends that clients write. `base` is the address in front of `/Users`.
    #[must_use]
    pub fn resource_bytes(&self, base: &str) -> usize {
        let member_bytes = MEMBER_BYTES + base.len().min(BASE_BYTES);
        DOCUMENT_BYTES + self.members_per_request.saturating_mul(member_bytes)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { patch_operations: 1_000, members_per_request: 10_000 }
    }
}
