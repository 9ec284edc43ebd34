//! A batch in a container that says how to read it.

use std::io::{self, Read, Write};

use bytes::{Buf, BufMut, Bytes};
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

/// No protobuf message begins with the byte f7, because its last three bits are a wire type that does not exist. No
/// text in UTF-8 contains it.
const MAGIC: [u8; 4] = [0xf7, b'P', b'W', b'B'];
const VERSION: u8 = 1;
/// The magic, the version, the codec, the length of the batch and the length of the payload.
const HEADER_BYTES: usize = 4 + 1 + 1 + 4 + 4;
const CHECKSUM_BYTES: usize = 4;

/// The usual level of gzip.
const GZIP_LEVEL: u32 = 6;
/// Small batches are compressed harder by zstd: there it costs microseconds, and one percent of the size is worth it.
const ZSTD_SMALL_BYTES_MAX: usize = 16 * 1024;
const ZSTD_SMALL_LEVEL: i32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// With gzip, which every platform can read.
    Gzip,
    /// With zstd, which is several times faster than gzip for large batches.
    Zstd,
}

impl Codec {
    fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Zstd => 2,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Zstd].into_iter().find(|codec| codec.number() == number)
    }
}

/// How batches are packed.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// The codec of batches that are worth compressing. The default is zstd.
    pub codec: Codec,
    /// Batches below this size are not compressed. The default is 1024.
    pub compressed_bytes_min: usize,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self { codec: Codec::Zstd, compressed_bytes_min: 1024 }
    }
}

/// Why a batch was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The lengths in the header have 32 bits. Protobuf itself allows messages of 2 GiB at most.
    #[error("a batch of {bytes} bytes is too large: at most 4 GiB can be packed")]
    TooLarge {
        /// The length of the batch.
        bytes: usize,
    },
    /// The compressor failed, for example because it got no memory.
    #[error("the batch cannot be compressed")]
    Compress(#[source] io::Error),
}

/// Why a batch was not unpacked. Trying again with the same bytes does not help.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The beginning of a packed batch, or nothing at all.
    #[error("the packed batch is cut off: {found} of at least {needed} bytes are there")]
    Truncated {
        /// How many bytes the header asks for, as far as the header is there.
        needed: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// The bytes are a protobuf message that begins with a message as its field 1.
    #[error("this is a plain protobuf batch, not a packed one: decode it without unpacking")]
    PlainBatch,
    /// The bytes begin with something else than a packed batch does.
    #[error("this is not a packed batch")]
    Foreign,
    /// A newer writer made it.
    #[error("version {0} of packed batches is not known here")]
    Version(u8),
    /// The version is known, but has no such codec.
    #[error("codec {0} of packed batches is not known here")]
    Codec(u8),
    /// Further bytes follow the packed batch.
    #[error("{0} bytes follow the packed batch")]
    TrailingBytes(usize),
    /// The checksum does not match the bytes.
    #[error("the packed batch is damaged: its checksum does not match")]
    Damaged,
    /// The batch would be larger than the caller allows.
    #[error("the batch has {bytes} bytes, and at most {bytes_max} are allowed")]
    TooLarge {
        /// The length that the header declares.
        bytes: usize,
        /// The length that the caller allows.
        bytes_max: usize,
    },
    /// The payload is malformed, or inflates to fewer or more bytes than the header declares.
    #[error("the payload does not inflate to the {bytes} bytes that the header declares")]
    Inflate {
        /// The length that the header declares.
        bytes: usize,
        /// The error of the decoder.
        source: io::Error,
    },
}

/// Packs an encoded batch.
///
/// The batch is compressed unless it is small or compressing it does not make it shorter.
pub fn pack(batch: &[u8], options: &PackOptions) -> Result<Bytes, PackError> {
    let length = length_field(batch.len())?;
    let compressed = match options.codec {
        Codec::None => None,
        _ if batch.len() < options.compressed_bytes_min => None,
        Codec::Gzip => Some(gzip(batch).map_err(PackError::Compress)?),
        Codec::Zstd => Some(zstd(batch).map_err(PackError::Compress)?),
    };
    let (codec, payload) = match &compressed {
        Some(compressed) if compressed.len() < batch.len() => (options.codec, compressed.as_slice()),
        _ => (Codec::None, batch),
    };
    let mut packed = Vec::with_capacity(HEADER_BYTES + payload.len() + CHECKSUM_BYTES);
    packed.put_slice(&MAGIC);
    packed.put_u8(VERSION);
    packed.put_u8(codec.number());
    packed.put_u32_le(length);
    packed.put_u32_le(length_field(payload.len())?);
    packed.put_slice(payload);
    packed.put_u32_le(checksum(&packed));
    Ok(packed.into())
}

/// Unpacks a batch of at most so many bytes, which can then be decoded.
///
/// The memory for the batch is allocated once, with the length that the header declares. A batch that is not
/// compressed shares the memory of `packed`.
pub fn unpack(packed: &Bytes, bytes_max: usize) -> Result<Bytes, UnpackError> {
    if !packed.starts_with(&MAGIC) {
        return Err(without_magic(packed));
    }
    let needs = |needed: usize| match packed.len() {
        found if found < needed => Err(UnpackError::Truncated { needed, found }),
        _ => Ok(()),
    };
    let mut header = &packed[MAGIC.len()..];
    // The layout behind the version may be another one in another version.
    needs(MAGIC.len() + 1)?;
    match header.get_u8() {
        VERSION => {}
        version => return Err(UnpackError::Version(version)),
    }
    needs(HEADER_BYTES + CHECKSUM_BYTES)?;
    let codec = header.get_u8();
    let (bytes, payload_bytes) = (length_of_field(header.get_u32_le()), length_of_field(header.get_u32_le()));
    let checked_bytes = HEADER_BYTES.saturating_add(payload_bytes);
    needs(checked_bytes.saturating_add(CHECKSUM_BYTES))?;
    let (checked, mut behind) = packed.split_at(checked_bytes);
    if behind.get_u32_le() != checksum(checked) {
        return Err(UnpackError::Damaged);
    }
    if behind.has_remaining() {
        return Err(UnpackError::TrailingBytes(behind.len()));
    }
    let codec = Codec::of_number(codec).ok_or(UnpackError::Codec(codec))?;
    if bytes > bytes_max {
        return Err(UnpackError::TooLarge { bytes, bytes_max });
    }
    let payload = packed.slice(HEADER_BYTES..checked_bytes);
    inflate(codec, payload, bytes).map_err(|source| UnpackError::Inflate { bytes, source })
}

/// Inflates into memory of exactly the declared length, so that nothing can inflate further.
fn inflate(codec: Codec, payload: Bytes, bytes: usize) -> io::Result<Bytes> {
    let other_length = || Err(io::Error::new(io::ErrorKind::InvalidData, "the payload has another length"));
    match codec {
        Codec::None if payload.len() == bytes => Ok(payload),
        Codec::None => other_length(),
        Codec::Gzip => {
            let mut batch = vec![0; bytes];
            let mut decoder = GzDecoder::new(&payload[..]);
            decoder.read_exact(&mut batch)?;
            // The checksum of gzip is read with the end of its content.
            if decoder.read(&mut [0])? > 0 || !decoder.into_inner().is_empty() {
                return other_length();
            }
            Ok(batch.into())
        }
        Codec::Zstd => {
            let mut batch = vec![0; bytes];
            // A streaming decoder would also allocate the window, which the payload chooses.
            match zstd::bulk::decompress_to_buffer(&payload, &mut batch)? {
                inflated if inflated == bytes => Ok(batch.into()),
                _ => other_length(),
            }
        }
    }
}

fn gzip(batch: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(batch)?;
    encoder.finish()
}

fn zstd(batch: &[u8]) -> io::Result<Vec<u8>> {
    let level = if batch.len() <= ZSTD_SMALL_BYTES_MAX { ZSTD_SMALL_LEVEL } else { ZSTD_LEVEL };
    zstd::bulk::compress(batch, level)
}

/// Says what bytes without the magic are.
fn without_magic(packed: &[u8]) -> UnpackError {
    if MAGIC.starts_with(packed) {
        return UnpackError::Truncated { needed: HEADER_BYTES + CHECKSUM_BYTES, found: packed.len() };
    }
    if is_plain_batch(packed) { UnpackError::PlainBatch } else { UnpackError::Foreign }
}

/// Whether the bytes are fields one after the other, the first of which is a message with the number 1.
fn is_plain_batch(mut bytes: &[u8]) -> bool {
    let first = decode_key(&mut &*bytes);
    while bytes.has_remaining() {
        let Ok((number, wire_type)) = decode_key(&mut bytes) else { return false };
        if skip_field(wire_type, number, &mut bytes, DecodeContext::default()).is_err() {
            return false;
        }
    }
    matches!(first, Ok((1, WireType::LengthDelimited)))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn length_field(bytes: usize) -> Result<u32, PackError> {
    u32::try_from(bytes).map_err(|_| PackError::TooLarge { bytes })
}

fn length_of_field(field: u32) -> usize {
    usize::try_from(field).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_length_of_more_than_32_bits_is_refused() {
        assert_eq!(length_field(0xffff_ffff).unwrap(), u32::MAX);
        let refused = length_field(0x1_0000_0000).unwrap_err();
        assert!(matches!(refused, PackError::TooLarge { bytes: 0x1_0000_0000 }), "{refused}");
    }
}
