#![doc = include_str!("../README.md")]

mod destination;
mod email;
mod event_type;
mod expected;
mod fault;
mod fields;
pub mod grpc;
pub mod history;
pub mod http;
mod id_form;
mod kept;
mod lists;
mod memory;
mod names;
mod options;
pub mod prelude;
mod service;
mod shares;
mod signatures;
#[cfg(feature = "testing")]
pub mod testing;
mod write;
mod writes;

pub use destination::destination;
pub use email::{EMAIL_CHARS_MAX, Email, folded};
pub use event_type::EventType;
pub use expected::Expected;
pub use fault::{Class, Fault, FieldError};
pub use fields::{BadText, FieldReader, Violations};
pub use id_form::IdForm;
pub use kept::Kept;
pub use lists::{KeyKind, List, Listed, Order, Page, PageEnd, Place, SortKey};
pub use memory::{CacheWrites, Memory, MemoryPlan};
pub use names::{name_in, value_in};
pub use options::BadSetting;
pub use service::{Base, BasePlan, Blueprint, OwnQueue, Parts, Service};
pub use shares::{Share, Shares, share_of};
pub use signatures::{check_signature, sign_message};
pub use write::{Change, Done, Write};
pub use writes::{Rule, Turn, Writes, WritesParts, Written, patiently};
