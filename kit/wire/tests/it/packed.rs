//! Batches in a container that says how to read it.

use std::io::Write;

use bytes::{BufMut, Bytes};
use fastrand::Rng;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use pando_wire::{Codec, Encoder, PackOptions, UnpackError, pack, unpack};
use prost::Message;

use crate::customers::{Customer, CustomerBatch, customers};

const CODECS: [Codec; 3] = [Codec::None, Codec::Gzip, Codec::Zstd];
const MIB: usize = 1024 * 1024;
const BOMB_BYTES: usize = 4 * MIB;

#[test]
fn batches_come_back_with_every_codec() {
    for codec in CODECS {
        for (count, compressed_bytes_min) in
            [(0, 0), (1, 0), (1, 1024), (10, 0), (10, usize::MAX), (10_000, 0)]
        {
            let messages = customers(count, 21);
            let batch = Encoder::new().encode_batch(&messages);
            let packed = pack(&batch, &PackOptions { codec, compressed_bytes_min }).unwrap();
            let unpacked = unpack(&packed, batch.len()).unwrap();
            assert_eq!(unpacked, batch, "{codec:?}, {count} customers");
            assert_eq!(CustomerBatch::decode(unpacked).unwrap().customers, messages);
        }
    }
}

#[test]
fn any_bytes_come_back_with_every_codec() {
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let letters = random.u8(1..=255);
        let batch: Vec<u8> = (0..random.usize(0..5_000)).map(|_| random.u8(..letters)).collect();
        for codec in CODECS {
            let packed = pack(&batch, &PackOptions { codec, compressed_bytes_min: 0 }).unwrap();
            assert_eq!(unpack(&packed, 5_000).unwrap(), batch, "{codec:?}, seed {seed}");
        }
    }
}

#[test]
fn from_ten_customers_on_a_compressed_batch_has_at_most_half_of_the_bytes() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let options = PackOptions { codec, ..PackOptions::default() };
        let bytes = |count: usize, seed: u64| {
            let messages = customers(count, seed);
            let individual: usize = messages.iter().map(Message::encoded_len).sum();
            (pack(&Encoder::new().encode_batch(&messages), &options).unwrap().len(), individual)
        };
        // Ten customers can happen to have little in common, so a hundred batches of ten are taken together.
        let tens: Vec<(usize, usize)> = (0..100).map(|seed| bytes(10, seed)).collect();
        let packed: usize = tens.iter().map(|(packed, _)| packed).sum();
        let individual: usize = tens.iter().map(|(_, individual)| individual).sum();
        assert!(packed * 2 <= individual, "{codec:?}, batches of ten: {packed} of {individual} bytes");
        for (count, seeds) in [(20, 0..50), (100, 0..10), (1_000, 0..1)] {
            for seed in seeds {
                let (packed, individual) = bytes(count, seed);
                assert!(
                    packed * 2 <= individual,
                    "{codec:?}, {count}, seed {seed}: {packed} of {individual} bytes"
                );
            }
        }
    }
}

#[test]
fn the_writer_compresses_only_what_becomes_shorter() {
    let options = PackOptions::default();
    let small = Encoder::new().encode_batch(&customers(2, 1));
    assert_eq!(codec_of(&pack(&small, &options).unwrap()), 0);
    let large = Encoder::new().encode_batch(&customers(100, 1));
    assert_eq!(codec_of(&pack(&large, &options).unwrap()), 2);
    let gzip = PackOptions { codec: Codec::Gzip, ..options };
    assert_eq!(codec_of(&pack(&large, &gzip).unwrap()), 1);
    let mut random = Rng::with_seed(3);
    let noise: Vec<u8> = (0..5_000).map(|_| random.u8(..)).collect();
    let packed = pack(&noise, &gzip).unwrap();
    assert_eq!((codec_of(&packed), packed.len()), (0, noise.len() + 18));
}

#[test]
fn the_format_stays_as_it_is() {
    let packed = pack(b"\x0a\x01x", &PackOptions::default()).unwrap();
    let expected = [0xf7, b'P', b'W', b'B', 1, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0x0a, 1, b'x'];
    assert_eq!(packed[..17], expected);
    assert_eq!(packed[17..], crc(&expected).to_le_bytes());
}

#[test]
fn an_uncompressed_batch_is_not_copied() {
    let packed = pack(&Encoder::new().encode_batch(&customers(2, 1)), &PackOptions::default()).unwrap();
    let unpacked = unpack(&packed, MIB).unwrap();
    assert!(packed.as_ptr_range().contains(&unpacked.as_ptr()));
}

#[test]
fn a_batch_that_is_cut_off_is_called_truncated() {
    for packed in packed_with_every_codec() {
        for length in 0..packed.len() {
            let refused = unpack(&packed.slice(..length), MIB).unwrap_err();
            let UnpackError::Truncated { needed, found } = refused else {
                panic!("{length} bytes: {refused}")
            };
            assert!(found == length && needed > found && needed <= packed.len(), "{needed} and {found}");
        }
    }
}

#[test]
fn a_plain_batch_is_called_plain() {
    for count in [1, 10] {
        let plain = Encoder::new().encode_batch(&customers(count, 1));
        assert!(matches!(unpack(&plain, MIB), Err(UnpackError::PlainBatch)));
        let mut with_more = plain.to_vec();
        with_more.extend([0x12, 4, b'n', b'e', b'x', b't', 0x18, 7]);
        assert!(matches!(unpack(&with_more.into(), MIB), Err(UnpackError::PlainBatch)));
    }
}

#[test]
fn other_bytes_are_called_foreign() {
    let plain = Encoder::new().encode_batch(&customers(10, 1));
    let cut_plain = plain.slice(..plain.len() - 1);
    let message = Bytes::from(Customer { version: 1, ..Customer::default() }.encode_to_vec());
    let text = Bytes::from_static(b"\n{\"customers\": []}");
    for foreign in [cut_plain, message, text, gzip(&plain).into(), Bytes::from_static(b"\xf7PWC and so on")] {
        assert!(matches!(unpack(&foreign, MIB), Err(UnpackError::Foreign)), "{foreign:?}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for packed in packed_with_every_codec() {
        for bit in 0..packed.len() * 8 {
            let mut flipped = packed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let refused = unpack(&flipped.into(), MIB).unwrap_err();
            let right = match bit / 8 {
                0..4 => matches!(refused, UnpackError::Foreign),
                4 => matches!(refused, UnpackError::Version(_)),
                // A wrong length of the payload moves the place of the checksum.
                10..14 => matches!(refused, UnpackError::Truncated { .. } | UnpackError::Damaged),
                _ => matches!(refused, UnpackError::Damaged),
            };
            assert!(right, "bit {bit}: {refused:?}");
        }
    }
}

#[test]
fn bytes_behind_the_batch_are_noticed() {
    for packed in packed_with_every_codec() {
        let twice = [&packed[..], &packed[..]].concat();
        let refused = unpack(&twice.into(), MIB).unwrap_err();
        assert!(matches!(refused, UnpackError::TrailingBytes(more) if more == packed.len()), "{refused:?}");
    }
}

#[test]
fn unknown_versions_and_codecs_are_named() {
    let mut newer = container(0, 1, b"x");
    newer[4] = 2;
    assert!(matches!(unpack(&newer.into(), MIB), Err(UnpackError::Version(2))));
    assert!(matches!(unpack(&container(3, 1, b"x").into(), MIB), Err(UnpackError::Codec(3))));
}

#[test]
fn a_batch_above_the_limit_is_refused_before_it_is_inflated() {
    let batch = vec![0; BOMB_BYTES];
    for codec in CODECS {
        let packed = pack(&batch, &PackOptions { codec, ..PackOptions::default() }).unwrap();
        let mut refused = None;
        let measured = allocation_counter::measure(|| refused = Some(unpack(&packed, batch.len() - 1)));
        let refused = refused.unwrap().unwrap_err();
        let UnpackError::TooLarge { bytes, bytes_max } = refused else { panic!("{refused:?}") };
        assert_eq!((bytes, bytes_max), (BOMB_BYTES, BOMB_BYTES - 1));
        assert_eq!(measured.count_total, 0);
        assert_eq!(unpack(&packed, batch.len()).unwrap(), batch);
    }
}

#[test]
fn a_payload_that_inflates_further_than_it_says_is_stopped() {
    let zeros = vec![0; BOMB_BYTES];
    // A stream without the size of its content, so that zstd itself does not know it either.
    let zstd_stream = zstd::stream::encode_all(&zeros[..], 3).unwrap();
    let zstd_block = zstd::bulk::compress(&zeros, 3).unwrap();
    for (codec, bomb) in [(1, gzip(&zeros)), (2, zstd_stream), (2, zstd_block)] {
        for declared in [0, 1, 1_000, 100_000] {
            let packed = Bytes::from(container(codec, declared, &bomb));
            let mut refused = None;
            let measured = allocation_counter::measure(|| refused = Some(unpack(&packed, 100_000)));
            let refused = refused.unwrap().unwrap_err();
            assert!(matches!(refused, UnpackError::Inflate { .. }), "{codec}: {refused:?}");
            // The batch, and the working memory of gzip.
            assert!(measured.bytes_max < 200_000 + 100_000, "{codec}, {declared}: {measured:?}");
        }
    }
}

#[test]
fn a_payload_that_inflates_to_less_or_is_malformed_is_refused() {
    let batch = Encoder::new().encode_batch(&customers(10, 1));
    let declared = u32::try_from(batch.len()).unwrap();
    let zstd = zstd::bulk::compress(&batch, 3).unwrap();
    let twice = [gzip(&batch), gzip(&batch)].concat();
    let mut wrong_sum = gzip(&batch);
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    for (codec, declared, payload) in [
        (0, declared + 1, batch.to_vec()),
        (0, declared - 1, batch.to_vec()),
        (1, declared + 1, gzip(&batch)),
        (2, declared + 1, zstd.clone()),
        (1, declared, twice),
        (1, declared, wrong_sum),
        (1, declared, zstd),
        (2, declared, gzip(&batch)),
        (1, declared, Vec::new()),
        (2, declared, Vec::new()),
    ] {
        let refused = unpack(&container(codec, declared, &payload).into(), MIB).unwrap_err();
        assert!(
            matches!(refused, UnpackError::Inflate { bytes, .. } if bytes == declared as usize),
            "{refused:?}"
        );
    }
}

fn packed_with_every_codec() -> [Bytes; 3] {
    let batch = Encoder::new().encode_batch(&customers(3, 8));
    CODECS.map(|codec| {
        let packed = pack(&batch, &PackOptions { codec, compressed_bytes_min: 0 }).unwrap();
        assert_eq!(CODECS[usize::from(codec_of(&packed))], codec);
        packed
    })
}

fn codec_of(packed: &[u8]) -> u8 {
    packed[5]
}

/// A container that claims what it is told to, with a correct checksum.
fn container(codec: u8, declared: u32, payload: &[u8]) -> Vec<u8> {
    let mut container = vec![0xf7, b'P', b'W', b'B', 1, codec];
    container.put_u32_le(declared);
    container.put_u32_le(u32::try_from(payload.len()).unwrap());
    container.extend_from_slice(payload);
    container.put_u32_le(crc(&container));
    container
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
