//! The manifest: the list of an upload's parts, known by its digest. Both ends work it out, so nothing but 32 bytes travels.

use crate::bucket::hex;
use sha2::{Digest, Sha256};

/// SHA-256 of a part as it travels, compressed.
pub type PartDigest = [u8; 32];
/// SHA-256 of the manifest.
pub type ManifestDigest = [u8; 32];

pub fn part_digest(bytes: &[u8]) -> PartDigest {
    Sha256::digest(bytes).into()
}

/// The digest of the manifest of these parts, in the order of their numbers: the text `rollcall-manifest-1`, and for each part its
/// number (from 1), its digest in hexadecimal digits and its length in bytes, each on a line of its own.
pub fn manifest_digest<'p>(parts: impl IntoIterator<Item = (&'p PartDigest, u64)>) -> ManifestDigest {
    let mut sum = Sha256::new().chain_update("rollcall-manifest-1\n");
    for (number, (digest, bytes)) in (1_u32..).zip(parts) {
        sum.update(format!("{number} {} {bytes}\n", hex(digest)));
    }
    sum.finalize().into()
}
