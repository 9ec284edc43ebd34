//! Messages that are their own encoding.

use bytes::{BufMut, Bytes};
use fastrand::Rng;
use pando_wire::Raw;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// The fields of a tree that this program knows. The messages of these tests have further fields.
#[derive(Clone, PartialEq, Message)]
struct Tree {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, repeated, packed = "false", tag = "2")]
    rings: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Forest {
    #[prost(message, repeated, tag = "1")]
    trees: Vec<Raw<Tree>>,
    #[prost(message, optional, tag = "2")]
    oldest: Option<Raw<Tree>>,
}

#[test]
fn unknown_fields_of_every_wire_type_survive() {
    let mut encoded = Tree { name: "oak".into(), rings: vec![3] }.encode_to_vec();
    for wire_type in WIRE_TYPES {
        put_field(&mut encoded, 900, wire_type, &mut Rng::with_seed(1), 0);
    }
    let raw = Raw::<Tree>::decode(&encoded[..]).unwrap();
    assert_eq!(raw.encode_to_vec(), encoded);
    assert_eq!(raw.encoded_len(), encoded.len());
    assert_eq!(raw.message().unwrap(), Tree { name: "oak".into(), rings: vec![3] });
}

#[test]
fn any_message_is_encoded_as_it_was_decoded() {
    for seed in 0..500 {
        let mut random = Rng::with_seed(seed);
        let trees: Vec<Vec<u8>> = (0..random.usize(0..4)).map(|_| any_message(&mut random)).collect();
        let mut encoded = Vec::new();
        for tree in &trees {
            put_message(&mut encoded, 1, tree);
        }
        let forest = Forest::decode(&encoded[..]).unwrap();
        assert_eq!(forest.encode_to_vec(), encoded, "seed {seed}");
        let bytes: Vec<&[u8]> = forest.trees.iter().map(|tree| &tree.bytes()[..]).collect();
        assert_eq!(bytes, trees, "seed {seed}");
    }
}

#[test]
fn later_fields_win_and_repeated_ones_are_added() {
    let mut encoded = Vec::new();
    put_message(&mut encoded, 2, &Tree { name: "elm".into(), rings: vec![1] }.encode_to_vec());
    put_message(&mut encoded, 2, &Tree { name: "fir".into(), rings: vec![2] }.encode_to_vec());
    let oldest = Forest::decode(&encoded[..]).unwrap().oldest.unwrap();
    assert_eq!(oldest.message().unwrap(), Tree { name: "fir".into(), rings: vec![1, 2] });
}

#[test]
fn merging_leaves_a_shared_encoding_as_it_is() {
    let elm = Raw::of(&Tree { name: "elm".into(), rings: vec![] });
    let mut both = elm.clone();
    both.merge(&Tree { name: "fir".into(), rings: vec![] }.encode_to_vec()[..]).unwrap();
    assert_eq!(both.message().unwrap().name, "fir");
    assert_eq!(elm.message().unwrap().name, "elm");
}

#[test]
fn fields_can_be_put_behind_a_message_and_taken_from_it() {
    let known = Tree { name: "oak".into(), rings: vec![7, 8] };
    let mut unknown = Vec::new();
    for (number, wire_type) in (3..).zip(WIRE_TYPES) {
        put_field(&mut unknown, number, wire_type, &mut Rng::with_seed(2), 0);
    }
    let raw = Raw::with_fields(&known, &unknown);
    assert_eq!(raw.message().unwrap(), known);
    assert_eq!(raw.fields_beside(&[1, 2]).unwrap(), unknown);
    assert_eq!(raw.fields_beside(&[]).unwrap(), raw.bytes());
    let ours = raw.fields_beside(&[3, 4, 5, 6, 7]).unwrap();
    assert_eq!(ours, known.encode_to_vec());
}

#[test]
fn a_message_that_ends_too_early_is_an_error() {
    for seed in 0..50 {
        let mut random = Rng::with_seed(seed);
        for wire_type in WIRE_TYPES {
            let mut encoded = Vec::new();
            put_field(&mut encoded, 5, wire_type, &mut random, 0);
            for length in 1..encoded.len() {
                let cut = &encoded[..length];
                assert!(Raw::<Tree>::decode(cut).is_err(), "{wire_type:?}, seed {seed}, {length} bytes");
                let raw = Raw::<Tree>::from_bytes(Bytes::copy_from_slice(cut));
                assert!(raw.fields_beside(&[]).is_err(), "{wire_type:?}, seed {seed}, {length} bytes");
            }
        }
    }
}

#[test]
fn a_broken_field_leaves_the_fields_before_it_intact() {
    let oak = Tree { name: "oak".into(), rings: vec![1] };
    let mut raw = Raw::of(&oak);
    let broken = [0x0a, 100, b'x'];
    assert!(raw.merge(&broken[..]).is_err());
    assert_eq!(raw.bytes(), &oak.encode_to_vec());
}

#[test]
fn a_field_that_is_longer_than_its_message_is_an_error() {
    // The tree has two bytes, its name claims four, and the bytes behind the tree would be enough.
    let encoded = [0x0a, 2, 0x0a, 4, 0x0a, 0, 0x0a, 0];
    assert!(Forest::decode(&encoded[..]).is_err());
}

#[test]
fn a_field_may_be_inside_a_hundred_groups() {
    let nested = |groups: usize| {
        let mut encoded = Vec::new();
        (0..groups).for_each(|_| encode_key(9, WireType::StartGroup, &mut encoded));
        put_field(&mut encoded, 10, WireType::Varint, &mut Rng::with_seed(3), 0);
        (0..groups).for_each(|_| encode_key(9, WireType::EndGroup, &mut encoded));
        encoded
    };
    let fine = nested(100);
    assert_eq!(Raw::<Tree>::decode(&fine[..]).unwrap().bytes(), &fine);
    for groups in [101, 1_000_000] {
        let refused = Raw::<Tree>::decode(&nested(groups)[..]).unwrap_err();
        assert!(refused.to_string().contains("nested too deeply"), "{refused}");
    }
}

#[test]
fn groups_must_end_as_they_began() {
    let (start, end, other_end) = (0x4b, 0x4c, 0x54);
    for broken in [&[end][..], &[start, other_end], &[start, end, end], &[start]] {
        assert!(Raw::<Tree>::decode(broken).is_err(), "{broken:?}");
    }
    assert!(Raw::<Tree>::decode(&[start, end][..]).is_ok());
}

#[test]
fn any_bytes_are_decoded_or_refused() {
    let (mut decoded, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let mut random = Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..random.usize(1..12)).map(|_| random.u8(..)).collect();
        match Raw::<Tree>::decode(&bytes[..]) {
            // Numbers may be written with more bytes than they need, so the encoding can be shorter.
            Ok(raw) => {
                decoded += 1;
                assert_eq!(Raw::decode(raw.bytes().clone()).unwrap(), raw, "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(decoded > 100 && refused > 100, "{decoded} decoded, {refused} refused");
}

#[test]
fn decoding_does_not_copy_what_it_has_decoded() {
    let allocated_bytes = |fields: usize| {
        let mut tree = Vec::new();
        (0..fields).for_each(|number| put_message(&mut tree, 3, format!("field {number:06}").as_bytes()));
        let mut encoded = Vec::new();
        put_message(&mut encoded, 1, &tree);
        let measured = allocation_counter::measure(|| {
            assert_eq!(Forest::decode(&encoded[..]).unwrap().trees[0].bytes(), &tree);
        });
        measured.bytes_total
    };
    let (some, many) = (allocated_bytes(1_000), allocated_bytes(10_000));
    // With a copy for each field, ten times the fields would need a hundred times the memory.
    assert!(many < 20 * some, "{some} and {many} bytes");
}

#[test]
fn the_content_is_not_in_the_debug_output() {
    let raw = Raw::of(&Tree { name: "secret".into(), rings: vec![] });
    assert_eq!(format!("{raw:?}"), "Raw { bytes: 8 }");
}

const WIRE_TYPES: [WireType; 5] = [
    WireType::Varint,
    WireType::SixtyFourBit,
    WireType::LengthDelimited,
    WireType::StartGroup,
    WireType::ThirtyTwoBit,
];

/// Up to eight fields, which a tree does not have.
fn any_message(random: &mut Rng) -> Vec<u8> {
    let mut encoded = Vec::new();
    for _ in 0..random.usize(0..8) {
        let wire_type = WIRE_TYPES[random.usize(..WIRE_TYPES.len())];
        put_field(&mut encoded, random.u32(3..1 << 29), wire_type, random, 0);
    }
    encoded
}

fn put_field(to: &mut Vec<u8>, number: u32, wire_type: WireType, random: &mut Rng, depth: usize) {
    encode_key(number, wire_type, to);
    match wire_type {
        WireType::Varint => encode_varint(random.u64(..) >> random.u32(..64), to),
        WireType::SixtyFourBit => to.put_u64_le(random.u64(..)),
        WireType::ThirtyTwoBit => to.put_u32_le(random.u32(..)),
        WireType::LengthDelimited => {
            let length = random.usize(0..300);
            encode_varint(length as u64, to);
            to.extend((0..length).map(|_| random.u8(..)));
        }
        WireType::StartGroup => {
            for inner in WIRE_TYPES.into_iter().filter(|inner| *inner != WireType::StartGroup || depth < 3) {
                put_field(to, random.u32(1..1 << 29), inner, random, depth + 1);
            }
            encode_key(number, WireType::EndGroup, to);
        }
        WireType::EndGroup => unreachable!("a group ends where it began"),
    }
}

fn put_message(to: &mut Vec<u8>, number: u32, message: &[u8]) {
    encode_key(number, WireType::LengthDelimited, to);
    encode_varint(message.len() as u64, to);
    to.extend_from_slice(message);
}
