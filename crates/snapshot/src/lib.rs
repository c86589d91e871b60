//! The upload of an on-prem agent, as both ends read it: entries of people and groups, parts, the manifest, the digest tree, and the
//! signature of requests. Pure: no I/O, no clock, no randomness; the caller reads, sends and stores.
//!
//! * An [`Entry`] is one person or group of a directory, or the word that one is gone ([`entry`]).
//! * Entries are sorted by [`Place`], that is by bucket and then by id. A bucket is a share of all ids, by a digest of the id
//!   ([`bucket`]); groups have the first half of the buckets, so they come before the people who are in them.
//! * A part covers a range of whole buckets ([`part`]), so that the hub compares and applies one part at a time, in bounded memory,
//!   whatever the size of the directory.
//! * The digest of the manifest names all parts of an upload ([`manifest`]).
//! * The digest tree tells which buckets differ, so that only those travel ([`bucket::Tree`]).
//! * Requests are signed with Ed25519 as HTTP Message Signatures, RFC 9421 ([`signature`]).

pub mod bucket;
pub mod check;
pub mod entry;
pub mod key;
pub mod manifest;
pub mod part;
pub mod signature;

pub use bucket::{BUCKETS, BucketDigest, NODES, Ranges, Tree};
pub use check::{Begun, Refused, Totals, UploadCheck};
pub use entry::{Entry, EntryDigest, Group, Kind, Place, User, Wrong};
pub use key::{Fingerprint, PublicKey, SigningKey};
pub use manifest::{ManifestDigest, PartDigest, manifest_digest};
pub use part::{Flaw, Part, PartHeader, PartLimits, PartWriter, read_part};
pub use signature::{Claims, SignatureHeaders, SignedRequest, Signer, Unsigned, content_digest, verify};

/// The version of the format that this crate writes and reads.
pub const FORMAT: u32 = 1;
