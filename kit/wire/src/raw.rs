//! A message as its encoding.

use std::fmt;
use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost::{DecodeError, Message};

/// How many groups may be around a field. Prost allows as many messages.
const DEPTH_MAX: usize = 100;

/// A message of type `M` as its encoding: unknown fields survive, and an encoding that a cache holds is sent as it is.
///
/// It stands in the place of `M` in generated code: `extern_path(".trees.v1.Tree", "::pando_wire::Raw<crate::Tree>")`.
pub struct Raw<M> {
    bytes: Bytes,
    message: PhantomData<fn() -> M>,
}

impl<M: Message + Default> Raw<M> {
    /// A message that is encoded already.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { bytes, message: PhantomData }
    }

    /// Encodes a message.
    pub fn of(message: &M) -> Self {
        Self::from_bytes(message.encode_to_vec().into())
    }

    /// Encodes a message, and puts encoded fields behind it.
    pub fn with_fields(message: &M, fields: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(message.encoded_len() + fields.len());
        message.encode_raw(&mut bytes);
        bytes.extend_from_slice(fields);
        Self::from_bytes(bytes.freeze())
    }

    /// The message without its unknown fields.
    pub fn message(&self) -> Result<M, DecodeError> {
        M::decode(self.bytes.clone())
    }

    /// The encoding.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The fields that have none of these numbers, encoded.
    pub fn fields_beside(&self, known: &[u32]) -> Result<Bytes, DecodeError> {
        let (mut rest, mut beside) = (self.bytes.clone(), BytesMut::new());
        while rest.has_remaining() {
            let (tag, wire_type) = decode_key(&mut rest)?;
            let length = beside.len();
            copy_field(tag, wire_type, &mut rest, &mut beside, 0)?;
            if known.contains(&tag) {
                beside.truncate(length);
            }
        }
        Ok(beside.freeze())
    }
}

/// Appends a field that is inside `depth` groups.
fn copy_field(
    tag: u32,
    wire_type: WireType,
    from: &mut impl Buf,
    to: &mut BytesMut,
    depth: usize,
) -> Result<(), DecodeError> {
    if depth > DEPTH_MAX {
        return Err(broken("groups are nested too deeply"));
    }
    encode_key(tag, wire_type, to);
    let length = match wire_type {
        WireType::Varint => {
            encode_varint(decode_varint(from)?, to);
            return Ok(());
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => {
            let length = decode_varint(from)?;
            encode_varint(length, to);
            usize::try_from(length).unwrap_or(usize::MAX)
        }
        WireType::StartGroup => loop {
            let (inner, wire_type) = decode_key(from)?;
            if wire_type == WireType::EndGroup && inner == tag {
                encode_key(tag, WireType::EndGroup, to);
                return Ok(());
            }
            copy_field(inner, wire_type, from, to, depth + 1)?;
        },
        WireType::EndGroup => return Err(broken("a group ends that has not begun")),
    };
    if from.remaining() < length {
        return Err(broken("the message ends within a field"));
    }
    to.put(from.take(length));
    Ok(())
}

#[expect(deprecated, reason = "prost offers no other way to say that a message is broken")]
fn broken(reason: &'static str) -> DecodeError {
    DecodeError::new(reason)
}

impl<M: Message + Default> Message for Raw<M> {
    fn encode_raw(&self, to: &mut impl BufMut) {
        to.put_slice(&self.bytes);
    }

    /// Appends the field, because a message followed by further fields is the encoding of both merged.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        from: &mut impl Buf,
        _: DecodeContext,
    ) -> Result<(), DecodeError> {
        let bytes = std::mem::take(&mut self.bytes);
        // While a message is decoded, nobody else holds its bytes, so they are not copied for each field.
        let mut bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let length = bytes.len();
        let merged = copy_field(tag, wire_type, from, &mut bytes, 0);
        if merged.is_err() {
            // Half a field would make everything that is encoded after it unreadable.
            bytes.truncate(length);
        }
        self.bytes = bytes.freeze();
        merged
    }

    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes = Bytes::new();
    }
}

impl<M> Default for Raw<M> {
    fn default() -> Self {
        Self { bytes: Bytes::new(), message: PhantomData }
    }
}

impl<M> Clone for Raw<M> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), message: PhantomData }
    }
}

/// Compares encodings. A message can have several, so two equal messages can be unequal here.
impl<M> PartialEq for Raw<M> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

/// Shows the length only, because the content may be personal data.
impl<M> fmt::Debug for Raw<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").field("bytes", &self.bytes.len()).finish()
    }
}
