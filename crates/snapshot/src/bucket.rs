//! Buckets and the digest tree (RC6). An id belongs to one of 8,192 buckets by its digest, 4,096 for groups and 4,096 for people. The
//! digest of a bucket covers its entries, that of a node 64 buckets, and the root 128 nodes. Two ends that compare roots, then nodes,
//! then buckets find what differs in three short answers.

use crate::entry::{EntryDigest, Kind, half};
use sha2::{Digest, Sha256};

/// Buckets of each kind.
const OF_KIND: u16 = 4_096;
/// All buckets; those of groups come first.
pub const BUCKETS: u16 = 2 * OF_KIND;
/// Buckets below one node.
pub const BUCKETS_PER_NODE: u16 = 64;
pub const NODES: u16 = BUCKETS / BUCKETS_PER_NODE;

/// The digest of a bucket, of a node or of the root; zeros for an empty one.
pub type BucketDigest = [u8; 16];

/// The bucket of an id.
pub fn bucket_of(kind: Kind, id: &str) -> u16 {
    let (label, first) = match kind {
        Kind::Group => ("group:", 0),
        Kind::User => ("user:", OF_KIND),
    };
    let digest = Sha256::new().chain_update(label).chain_update(id).finalize();
    first + (u16::from_be_bytes([digest[0], digest[1]]) >> 4)
}

/// True if the bucket holds people.
pub fn is_of_users(bucket: u16) -> bool {
    bucket >= OF_KIND
}

/// The digest of a bucket with these entries, which are sorted by id.
pub fn bucket_digest<'e>(entries: impl IntoIterator<Item = &'e EntryDigest>) -> BucketDigest {
    let mut sum = Sha256::new();
    let mut is_empty = true;
    for entry in entries {
        sum.update(entry);
        is_empty = false;
    }
    if is_empty { [0; 16] } else { half(sum.finalize().into()) }
}

/// Ranges of buckets, first and last of each, in order and apart from each other.
pub type Ranges = Vec<[u16; 2]>;

/// The one range of all buckets.
pub const ALL: [[u16; 2]; 1] = [[0, BUCKETS - 1]];

/// True for ranges that are in order, apart from each other, and within the buckets.
pub fn are_ranges(ranges: &[[u16; 2]]) -> bool {
    let each = ranges.iter().all(|[first, last]| first <= last && *last < BUCKETS);
    each && !ranges.is_empty() && ranges.windows(2).all(|pair| pair[0][1] < pair[1][0])
}

/// The ranges of these buckets, which are in order.
pub fn ranges_of(buckets: impl IntoIterator<Item = u16>) -> Ranges {
    let mut ranges: Ranges = Vec::new();
    for bucket in buckets {
        match ranges.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(bucket) => *last = bucket,
            _ => ranges.push([bucket, bucket]),
        }
    }
    ranges
}

/// The same buckets in as few ranges as there can be.
pub fn joined(ranges: &[[u16; 2]]) -> Ranges {
    ranges_of(ranges.iter().flat_map(|[first, last]| *first..=*last))
}

fn above(children: &[BucketDigest]) -> BucketDigest {
    if children.iter().all(|child| *child == [0; 16]) {
        return [0; 16];
    }
    bucket_digest(children)
}

/// The digests of all buckets of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    buckets: Vec<BucketDigest>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { buckets: vec![[0; 16]; usize::from(BUCKETS)] }
    }
}

impl Tree {
    /// Sets the digest of a bucket; one beyond the last is left out.
    pub fn set(&mut self, bucket: u16, digest: BucketDigest) {
        if let Some(place) = self.buckets.get_mut(usize::from(bucket)) {
            *place = digest;
        }
    }

    pub fn bucket(&self, bucket: u16) -> BucketDigest {
        self.buckets.get(usize::from(bucket)).copied().unwrap_or_default()
    }

    /// The digests of the buckets below a node; none for a node beyond the last.
    pub fn below(&self, node: u16) -> &[BucketDigest] {
        let per_node = usize::from(BUCKETS_PER_NODE);
        self.buckets.chunks(per_node).nth(usize::from(node)).unwrap_or_default()
    }

    pub fn nodes(&self) -> Vec<BucketDigest> {
        self.buckets.chunks(usize::from(BUCKETS_PER_NODE)).map(above).collect()
    }

    pub fn root(&self) -> BucketDigest {
        above(&self.nodes())
    }
}

/// A digest as 32 hexadecimal digits.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads lower or upper case hexadecimal digits of exactly this many bytes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    // from_str_radix takes a sign.
    text.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(bytes)
}
