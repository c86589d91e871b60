//! Parts and uploads by property: what is written is read, whatever bytes come are refused or read within the limits, and the check of
//! an upload finds every part that is missing, doubled or out of place.

use proptest::prelude::*;
use rollcall_snapshot::bucket::{ALL, are_ranges, bucket_digest, joined, ranges_of, unhex};
use rollcall_snapshot::{
    BUCKETS, Begun, Entry, FORMAT, Flaw, Group, Part, PartHeader, PartLimits, PartWriter, Ranges, Refused, Tree,
    UploadCheck, User, read_part,
};
use std::collections::{BTreeSet, HashSet};

const LIMITS: PartLimits = PartLimits { bytes_max: 1 << 20, line_bytes_max: 4_096, entries_max: 1_000 };

fn header(number: u32, covers: Ranges) -> PartHeader {
    PartHeader { format: FORMAT, upload: "u".into(), number, covers }
}

fn written(header: PartHeader, entries: &[Entry]) -> Vec<u8> {
    let mut writer = PartWriter::new(header).expect("a part");
    entries.iter().for_each(|entry| writer.add(entry).expect("a line"));
    writer.finish().expect("an end")
}

fn compressed(text: &str) -> Vec<u8> {
    zstd::stream::encode_all(text.as_bytes(), 3).expect("compressed")
}

prop_compose! {
    fn user()(
        id in "[a-z0-9-]{1,20}", user_name in proptest::option::of("[a-zé ]{0,9}[a-z]"), email in proptest::option::of("[a-z]{1,9}@x\\.test"),
        active in any::<bool>(), groups in proptest::collection::btree_set("[a-c]", 0..3),
    ) -> Entry {
        let groups = groups.into_iter().collect();
        Entry::User(User { id, user_name, email, given_name: None, family_name: None, display_name: None, active, groups })
    }
}

fn group() -> impl Strategy<Value = Entry> {
    ("[a-c]", "[A-Za-z ]{0,9}[a-z]").prop_map(|(id, name)| Entry::Group(Group { id, name }))
}

/// Entries of an upload: sorted, each place once.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec(prop_oneof![9 => user(), 1 => group()], 0..80).prop_map(|mut entries| {
        entries.extend(["a", "b", "c"].map(|id| Entry::Group(Group { id: id.into(), name: id.into() })));
        entries.sort_by_key(Entry::place);
        entries.dedup_by_key(|entry| entry.place());
        entries
    })
}

fn cut_at(entries: &[Entry], cuts: &[u16]) -> Vec<Part> {
    let ends: Vec<u16> = cuts.iter().copied().chain([BUCKETS]).collect();
    let mut first = 0;
    let mut parts = Vec::new();
    for end in ends {
        let own = entries.iter().filter(|entry| (first..end).contains(&entry.place().bucket)).cloned().collect();
        let number = u32::try_from(parts.len()).expect("few parts") + 1;
        parts.push(Part { header: header(number, vec![[first, end - 1]]), entries: own });
        first = end;
    }
    parts
}

fn begun(entries: &[Entry]) -> Begun {
    let groups = entries.iter().filter(|entry| matches!(entry, Entry::Group(_))).count() as u64;
    Begun { upload: "u".into(), is_delta: false, covers: ALL.to_vec(), users: entries.len() as u64 - groups, groups }
}

fn checked(begun: Begun, parts: &[Part]) -> Result<(), Refused> {
    let mut check = UploadCheck::new(begun, HashSet::new());
    parts.iter().try_for_each(|part| check.add(part))?;
    check.finish().map(drop)
}

proptest! {
    #[test]
    fn rc6_what_is_written_is_read(entries in entries()) {
        let header = header(1, ALL.to_vec());
        let part = read_part(&written(header.clone(), &entries), &LIMITS).expect("a part");
        prop_assert_eq!(part, Part { header, entries });
    }

    #[test]
    fn rc22_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,300}") {
        let _ = read_part(&bytes, &LIMITS);
        let _ = read_part(&compressed(&text), &LIMITS);
        let first = "{\"part\":{\"format\":1,\"upload\":\"u\",\"number\":1,\"covers\":[[0,8191]]}}\n";
        if let Ok(part) = read_part(&compressed(&format!("{first}{text}")), &LIMITS) {
            prop_assert!(part.entries.iter().all(|entry| entry.check().is_ok()));
        }
    }

    #[test]
    fn rc22_a_changed_part_is_never_read_as_another(entries in entries(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let good = written(header(1, ALL.to_vec()), &entries);
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // Its digest differs, which the manifest and the signature cover; reading it ends within the limits in any case.
        prop_assert_ne!(rollcall_snapshot::manifest::part_digest(&bytes), rollcall_snapshot::manifest::part_digest(&good));
        let _ = read_part(&bytes, &LIMITS);
    }

    #[test]
    fn rc5_parts_may_be_cut_anywhere_and_the_check_misses_nothing(
        entries in entries(), mut cuts in proptest::collection::btree_set(1..BUCKETS, 0..6), lost in any::<prop::sample::Index>(),
    ) {
        cuts.insert(4_096);
        let parts = cut_at(&entries, &cuts.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(checked(begun(&entries), &parts), Ok(()));
        let at = lost.index(parts.len());
        let mut without = parts.clone();
        without.remove(at);
        prop_assert!(checked(begun(&entries), &without).is_err(), "a part is missing");
        let mut doubled = parts.clone();
        doubled.insert(at, parts[at].clone());
        prop_assert!(checked(begun(&entries), &doubled).is_err(), "a part is there twice");
        let mut swapped = parts.clone();
        swapped.swap(at, (at + 1) % parts.len());
        prop_assert!(checked(begun(&entries), &swapped).is_err(), "parts are in another order");
        let more = Begun { users: begun(&entries).users + 1, ..begun(&entries) };
        prop_assert!(checked(more, &parts).is_err(), "the numbers differ");
    }

    #[test]
    fn rc6_equal_directories_have_equal_roots_and_others_have_not(one in entries(), two in entries()) {
        let tree = |entries: &[Entry]| {
            let mut tree = Tree::default();
            let used: BTreeSet<u16> = entries.iter().map(|entry| entry.place().bucket).collect();
            for bucket in used {
                let own: Vec<_> = entries.iter().filter(|entry| entry.place().bucket == bucket).map(Entry::digest).collect();
                tree.set(bucket, bucket_digest(&own));
            }
            tree
        };
        prop_assert_eq!(tree(&one).root() == tree(&two).root(), one == two);
    }

    #[test]
    fn ranges_hold_what_they_are_made_of(buckets in proptest::collection::btree_set(0..BUCKETS, 1..60)) {
        let ranges = ranges_of(buckets.iter().copied());
        prop_assert!(are_ranges(&ranges));
        prop_assert_eq!(joined(&ranges), ranges.clone());
        let held: Vec<u16> = ranges.iter().flat_map(|[first, last]| *first..=*last).collect();
        prop_assert_eq!(held, buckets.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn rc22_a_bomb_ends_at_the_limit() {
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 19).expect("an encoder");
    let first = "{\"part\":{\"format\":1,\"upload\":\"u\",\"number\":1,\"covers\":[[0,8191]]}}\n";
    std::io::Write::write_all(&mut bomb, first.as_bytes()).expect("written");
    for _ in 0..1_024 {
        std::io::Write::write_all(&mut bomb, &vec![b'\n'; 1 << 20]).expect("written");
    }
    let bomb = bomb.finish().expect("a gigabyte in a few kilobytes");
    assert!(bomb.len() < 256 << 10, "{} bytes", bomb.len());
    assert!(read_part(&bomb, &LIMITS).is_err());
    let lines = format!("{first}{}", "{\"group\":{\"id\":\"a\",\"name\":\"n\"}}\n".repeat(2_000));
    assert!(matches!(read_part(&compressed(&lines), &LIMITS), Err(Flaw::Order { line: 3 })));
    let long = format!("{first}{{\"group\":{{\"id\":\"a\",\"name\":\"{}\"}}}}\n", "n".repeat(5_000));
    assert!(matches!(read_part(&compressed(&long), &LIMITS), Err(Flaw::LineTooLong { line: 2, .. })));
}

#[test]
fn deltas_alone_say_that_somebody_is_gone() {
    let gone = Part { header: header(1, ALL.to_vec()), entries: vec![Entry::GoneUser("x".into())] };
    let terms = Begun { users: 0, groups: 0, ..begun(&[]) };
    assert_eq!(checked(terms.clone(), std::slice::from_ref(&gone)), Err(Refused::GoneInSnapshot));
    assert_eq!(checked(Begun { is_delta: true, ..terms }, &[gone]), Ok(()));
    assert_eq!(unhex::<2>("0aFf"), Some([10, 255]));
    assert_eq!((unhex::<2>("0aF"), unhex::<2>("+1+1"), unhex::<2>("0aFé")), (None, None, None));
}
