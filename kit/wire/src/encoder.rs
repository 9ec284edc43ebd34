//! One encoder for many messages.

use std::fmt;

use bytes::{Bytes, BytesMut};
use prost::Message;

/// How many bytes of outputs share one allocation.
const CHUNK_BYTES: usize = 16 * 1024;
/// A longer output gets an allocation of its own, so that at most a quarter of a chunk stays empty.
const SHARED_BYTES_MAX: usize = CHUNK_BYTES / 4;
/// A larger scratch buffer becomes the output, so that a huge batch does not occupy memory for ever. It is the largest
/// message that gRPC accepts by default.
const SCRATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The number of the repeated field in a batch.
const BATCH_FIELD: u32 = 1;

/// Encodes many messages with few allocations.
///
/// A message is encoded into a scratch buffer, which no output shares. Outputs of up to 4 KiB are then placed one after
/// the other in chunks of 16 KiB, and each owns its place. The encoder uses a chunk again only after all outputs in it
/// have been dropped. A longer output has its own allocation of exactly its size.
pub struct Encoder {
    scratch: Vec<u8>,
    chunk: BytesMut,
}

impl Encoder {
    /// An encoder with its first chunk.
    pub fn new() -> Self {
        Self { scratch: Vec::with_capacity(SHARED_BYTES_MAX), chunk: BytesMut::with_capacity(CHUNK_BYTES) }
    }

    /// Encodes a message into the same bytes as `encode_to_vec` does.
    ///
    /// A short output keeps its whole chunk in memory. Use `encode_to_vec` for an output that lives long, such as one
    /// in a cache.
    pub fn encode(&mut self, message: &impl Message) -> Bytes {
        self.scratch.clear();
        // Vectors grow while they are written to, so the length does not have to be counted first.
        message.encode_raw(&mut self.scratch);
        self.output()
    }

    /// Encodes the message that repeats these messages as its field 1, such as
    /// `message CustomerBatch { repeated Customer customers = 1; }`.
    ///
    /// The batch message itself is never built, and each message is measured and encoded once.
    pub fn encode_batch<'a, M: Message + 'a>(&mut self, messages: impl IntoIterator<Item = &'a M>) -> Bytes {
        self.scratch.clear();
        for message in messages {
            prost::encoding::message::encode(BATCH_FIELD, message, &mut self.scratch);
        }
        self.output()
    }

    /// The content of the scratch buffer, in memory that the encoder does not write to while the output exists.
    fn output(&mut self) -> Bytes {
        let length = self.scratch.len();
        if length <= SHARED_BYTES_MAX {
            if self.chunk.capacity() < length {
                // Takes the same chunk again if all outputs in it have been dropped.
                self.chunk.reserve(CHUNK_BYTES);
            }
            self.chunk.extend_from_slice(&self.scratch);
            return self.chunk.split().freeze();
        }
        if self.scratch.capacity() <= SCRATCH_BYTES_MAX {
            return Bytes::copy_from_slice(&self.scratch);
        }
        let mut output = std::mem::take(&mut self.scratch);
        output.shrink_to_fit();
        output.into()
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no content, because it may be personal data.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}
