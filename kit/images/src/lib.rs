#![doc = include_str!("../README.md")]

mod anatomy;
mod decode;
mod encode;
mod format;
mod limits;
mod orientation;
mod picture;
mod refusal;
mod resize;

pub use encode::Encoded;
pub use format::Format;
pub use limits::ImageLimits;
pub use picture::Picture;
pub use refusal::Refusal;
