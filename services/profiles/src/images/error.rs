//! The errors of operations on images.

use pando_database::DatabaseError;
use pando_http::{Code, Problem};
use pando_images::Refusal;
use pando_objects::ObjectsError;
use pando_queue::QueueError;

use crate::{ProfileError, Violations};

/// Why an operation on images was not done.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The profile does not have an image of this number.
    #[error("there is no such image")]
    NotFound,
    /// The upload cannot be taken.
    #[error("{0}")]
    Refused(Problem),
    /// As many uploads as may be are under way, or the same content is being deleted at this moment.
    #[error("{0}")]
    Busy(&'static str),
    /// Errors that every operation on profiles can have.
    #[error(transparent)]
    Profile(ProfileError),
    /// The object store did not do it.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The queue did not take the job.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl From<ProfileError> for ImageError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Busy(why) => Self::Busy(why),
            ProfileError::Objects(error) => Self::Objects(error),
            error => Self::Profile(error),
        }
    }
}

impl From<DatabaseError> for ImageError {
    fn from(error: DatabaseError) -> Self {
        Self::Profile(error.into())
    }
}

impl From<Refusal> for ImageError {
    fn from(refusal: Refusal) -> Self {
        let told = refusal.to_string();
        Self::Refused(match refusal {
            Refusal::Unknown | Refusal::Trailing => Problem::new(Code::UnsupportedMedia, told),
            Refusal::Damaged(_) => Violations::one("image", "damaged", told).into_problem(),
            Refusal::TooManyPixels { .. } | Refusal::TooLong { .. } => {
                Violations::one("image", "too_many_pixels", told).into_problem()
            }
        })
    }
}

impl From<ImageError> for Problem {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NotFound => Self::not_found("image"),
            ImageError::Refused(problem) => problem,
            ImageError::Busy(why) => ProfileError::Busy(why).into(),
            ImageError::Profile(error) => error.into(),
            ImageError::Objects(error) => ProfileError::Objects(error).into(),
            ImageError::Queue(error) if error.is_transient() => Self::unavailable(error),
            ImageError::Queue(error) => Self::internal(error),
        }
    }
}

impl ImageError {
    /// The word for it in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::NotFound | Self::Profile(ProfileError::NotFound) => "not_found",
            Self::Refused(problem) => problem.code().name(),
            Self::Busy(_) => "busy",
            Self::Profile(_) | Self::Objects(_) | Self::Queue(_) => "failed",
        }
    }
}
