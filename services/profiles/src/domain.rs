//! What profiles are: types that parse, compare and render. They know neither the database nor HTTP.

pub(crate) mod attributes;
pub(crate) mod csv;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod item;
pub(crate) mod parts;
pub(crate) mod person;
pub(crate) mod profile;
pub(crate) mod records;
pub(crate) mod search_text;
