//! Limits on the size of a picture.

use crate::Refusal;

/// Bounds that are compared with the head of a file, before any of its pixels is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLimits {
    /// Most pixels of a picture.
    pub pixels_max: u64,
    /// Longest side of a picture, in pixels.
    pub side_max: u32,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self { pixels_max: 50_000_000, side_max: 16_384 }
    }
}

impl ImageLimits {
    /// Whether a picture of this size may be decoded.
    pub(crate) fn check(self, width: u32, height: u32) -> Result<(), Refusal> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > self.pixels_max {
            return Err(Refusal::TooManyPixels { width, height, pixels_max: self.pixels_max });
        }
        if width.max(height) > self.side_max {
            return Err(Refusal::TooLong { width, height, side_max: self.side_max });
        }
        Ok(())
    }
}
