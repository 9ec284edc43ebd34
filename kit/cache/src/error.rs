//! The errors of this crate.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A cache could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A setting cannot work.
    #[error("the cache setting {setting} cannot work: {reason}")]
    BadSetting {
        /// Its name.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// Two caches of one platform have the same name: they would read each other's entries.
    #[error("there is a cache named {0} already")]
    NameTaken(&'static str),
    /// A name that would not fit into a key or a metric.
    #[error("{0:?} cannot be the name of a cache: use letters, digits, hyphens and underscores")]
    BadName(&'static str),
}

/// A value could not be had, and no stale one could stand in.
#[derive(Debug)]
pub enum LoadError<E> {
    /// The load failed; everyone who waited for it gets the same error.
    Load(Arc<E>),
    /// The caller's deadline passed.
    DeadlineExceeded,
    /// The load took longer than its hard timeout, and was dropped.
    LoadTimeout,
    /// The load of another took longer than this caller waits.
    WaitTimeout,
    /// The load panicked.
    Panicked,
    /// Redis is down, and enough loads run already (`when_l2_down = "protect"`).
    Protected,
    /// Redis is down, and this cache does not go on without it (`when_l2_down = "fail"`).
    L2Down,
}

// By hand: deriving would ask `E: Clone`, and the error is shared.
impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Load(error) => Self::Load(Arc::clone(error)),
            Self::DeadlineExceeded => Self::DeadlineExceeded,
            Self::LoadTimeout => Self::LoadTimeout,
            Self::WaitTimeout => Self::WaitTimeout,
            Self::Panicked => Self::Panicked,
            Self::Protected => Self::Protected,
            Self::L2Down => Self::L2Down,
        }
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => write!(f, "the load failed: {error}"),
            Self::DeadlineExceeded => f.write_str("the deadline passed"),
            Self::LoadTimeout => f.write_str("the load took too long"),
            Self::WaitTimeout => f.write_str("the load of another caller took too long"),
            Self::Panicked => f.write_str("the load panicked"),
            Self::Protected => f.write_str("redis is down, and as many loads as allowed are running"),
            Self::L2Down => f.write_str("redis is down"),
        }
    }
}

impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Load(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}
