//! HTTP: faults as problems, requests with a key, the answers to reads and writes, and streams of events.

mod answers;
mod envelope;
mod events;
mod id;
mod keyed;
mod problems;

pub use answers::{WriteAnswer, cached, hot_read, ignored_fields, json, with_ignored, with_x_cache};
pub use envelope::error_envelope;
pub use events::{ServerEvent, event_stream};
pub use id::{At, Id, InPath};
pub(crate) use keyed::REPLAYED;
pub use keyed::{
    KeyParameter, KeyRefused, Keyed, KeyedFields, WriteBody, WriteCall, WriteDocument, WriteFields,
};
pub use problems::expected;
