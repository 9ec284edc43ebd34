//! The reasons for refusing a file.

/// Why a file is not taken as a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The content is of no format that is taken.
    #[error("the content is not a JPEG, PNG, WebP or GIF image, whatever its name or type says")]
    Unknown,
    /// A file of another kind follows the end of the image.
    #[error("there is data behind the end of the image: send only the image")]
    Trailing,
    /// It ends too early, or is not put together as its format is.
    #[error("the image is damaged: {0}")]
    Damaged(String),
    /// It has more pixels than are decoded, or none.
    #[error("the image has {width} × {height} pixels; it must have at least one and at most {pixels_max}")]
    TooManyPixels {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The limit.
        pixels_max: u64,
    },
    /// One of its sides is longer than may be.
    #[error("the image has {width} × {height} pixels; a side may have at most {side_max}")]
    TooLong {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The limit.
        side_max: u32,
    },
}

impl Refusal {
    /// The one reason for whatever a decoder says: its words may quote the file.
    pub(crate) fn undecodable() -> Self {
        Self::Damaged("the image cannot be decoded".to_owned())
    }
}
