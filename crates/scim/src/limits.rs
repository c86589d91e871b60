//! How much one request may carry, in one place, so that memory is bounded by configuration and never by input.
//! Fixed limits are constants; the two that operators tune are fields of [`Limits`].

/// Longest `userName`, in bytes: 64 + 1 + 255 of an email address.
pub const USER_NAME_BYTES: usize = 320;
/// Longest `displayName`, in bytes.
pub const DISPLAY_NAME_BYTES: usize = 256;
/// Longest `externalId`, in bytes.
pub const EXTERNAL_ID_BYTES: usize = 512;
/// Longest string anywhere in a body, in bytes, names of attributes included.
pub const STRING_BYTES: usize = 8192;
/// Deepest nesting of objects and arrays in a body.
pub const JSON_DEPTH: usize = 32;
/// Most elements of one list: of a multi-valued attribute, or in an attribute of an unknown extension (members have their own limit).
pub const VALUES_PER_ATTRIBUTE: usize = 500;
/// Most attributes of one extension, and most keys of one object in it.
pub const KEYS_PER_OBJECT: usize = 1_000;
/// Most extensions of one resource.
pub const EXTENSIONS: usize = 100;
/// Largest resource that is kept, in bytes of its JSON; a group's members do not count.
pub const DOCUMENT_BYTES: usize = 262_144;
/// Most bytes of values that one PATCH may compare and copy while it is applied: the largest resource thirty times over, or a
/// usual one some thousand times.
pub const PATCH_WORK_BYTES: usize = 8 * 1_048_576;
/// Most names in `attributes` or `excludedAttributes`.
pub const PROJECTED_NAMES: usize = 100;
/// Longest filter, in bytes.
pub const FILTER_BYTES: usize = 4096;
/// Deepest nesting of parentheses, brackets and `not` in a filter.
pub const FILTER_DEPTH: usize = 32;
/// Most comparisons in one filter.
pub const FILTER_TERMS: usize = 100;

/// Limits an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most operations in one PATCH.
    pub patch_operations: usize,
    /// Most group members named by one request, over all its operations.
    pub members_per_request: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { patch_operations: 1_000, members_per_request: 10_000 }
    }
}
