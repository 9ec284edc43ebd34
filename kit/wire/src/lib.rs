#![doc = include_str!("../README.md")]

mod raw;

pub use raw::Raw;
