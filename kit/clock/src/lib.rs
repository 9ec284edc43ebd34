#![doc = include_str!("../README.md")]

mod clock;
mod duration;
mod timestamp;

pub use clock::Clock;
pub use duration::parse_duration;
pub use timestamp::Timestamp;
