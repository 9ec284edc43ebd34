//! The types of profiles: they parse, compare and render. They reach for no database and for no request.

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
