#![doc = include_str!("../README.md")]

mod encoder;
mod packed;
mod raw;

pub use encoder::Encoder;
pub use packed::{Codec, PackError, PackOptions, UnpackError, pack, unpack};
pub use raw::Raw;
