//! A picture in memory: upright pixels, and no other data from its file.

use crate::decode::decode;
use crate::limits::ImageLimits;
use crate::resize::resize;
use crate::{Format, Refusal, anatomy};

/// The channels of one pixel, with eight bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Grey,
    Rgb,
    Rgba,
}

/// A picture without anything that was written beside it, upright.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    pub(crate) bytes: Vec<u8>,
    /// The colour profile: without it, the pictures of most phones would look pale.
    pub(crate) color_profile: Option<Vec<u8>>,
}

impl Picture {
    /// Reads a file that a stranger sent.
    pub fn read(content: &[u8], limits: ImageLimits) -> Result<(Format, Self), Refusal> {
        let format = Format::sniff(content).ok_or(Refusal::Unknown)?;
        anatomy::check(format, content)?;
        Ok((format, Self::decode(format, content, limits)?))
    }

    /// Reads a file that this crate wrote.
    pub fn decode(format: Format, content: &[u8], limits: ImageLimits) -> Result<Self, Refusal> {
        decode(format, content, limits)
    }

    /// A picture that a program paints: the red, green and blue of the pixel in each column and row.
    pub fn paint(width: u32, height: u32, mut color: impl FnMut(u32, u32) -> [u8; 3]) -> Self {
        let mut bytes = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for x in 0..width {
                bytes.extend(color(x, y));
            }
        }
        Self { width, height, layout: Layout::Rgb, bytes, color_profile: None }
    }

    /// How wide it is, in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// How high it is, in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The colour of one pixel: red, green, blue and how opaque it is. None outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        let at = (y as usize * self.width as usize + x as usize) * self.layout.channels();
        let bytes = self.bytes.get(at..at + self.layout.channels()).filter(|_| x < self.width)?;
        Some(match self.layout {
            Layout::Grey => [bytes[0], bytes[0], bytes[0], 255],
            Layout::Rgb => [bytes[0], bytes[1], bytes[2], 255],
            Layout::Rgba => [bytes[0], bytes[1], bytes[2], bytes[3]],
        })
    }

    /// The same picture, no side longer than `edge`. It is never made larger.
    #[must_use]
    pub fn within(&self, edge: u32) -> Self {
        let longest = self.width.max(self.height);
        if longest <= edge {
            return self.clone();
        }
        let scaled = |side: u32| {
            let scaled = (u64::from(side) * u64::from(edge) + u64::from(longest) / 2) / u64::from(longest);
            u32::try_from(scaled).unwrap_or(edge).max(1)
        };
        let (width, height) = (scaled(self.width), scaled(self.height));
        let bytes = resize(&self.bytes, self.layout, (self.width, self.height), (width, height));
        Self { width, height, layout: self.layout, bytes, color_profile: self.color_profile.clone() }
    }
}

impl Layout {
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} × {}, {:?})", self.width, self.height, self.layout)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small picture as a file.
    pub(crate) fn file(format: Format, width: u32, height: u32) -> Vec<u8> {
        colourful(width, height).encode(format).unwrap().content.to_vec()
    }

    fn colourful(width: u32, height: u32) -> Picture {
        Picture::paint(width, height, |x, y| [x * 7, y * 11, (x + y) * 3].map(|shade| shade.to_le_bytes()[0]))
    }

    fn limits(pixels_max: u64) -> ImageLimits {
        ImageLimits { pixels_max, ..ImageLimits::default() }
    }

    #[test]
    fn every_format_is_read_and_written() {
        for format in Format::ALL {
            let content = file(format, 40, 30);
            let (told, read) = Picture::read(&content, limits(1_200)).unwrap();
            assert_eq!((told, read.width, read.height), (format, 40, 30));
            assert!(matches!(Picture::read(&content, limits(1_199)), Err(Refusal::TooManyPixels { .. })));
            let short = ImageLimits { side_max: 39, ..ImageLimits::default() };
            assert!(matches!(Picture::read(&content, short), Err(Refusal::TooLong { .. })));
            for target in Format::ALL {
                let written = read.encode(target).unwrap();
                assert_eq!(Format::sniff(&written.content), Some(target));
                assert!(Picture::read(&written.content, limits(1_200)).is_ok(), "{format:?} as {target:?}");
            }
        }
    }

    #[test]
    fn formats_without_loss_keep_every_pixel() {
        for format in [Format::Png, Format::WebP] {
            let picture = colourful(40, 30);
            let written = picture.encode(format).unwrap();
            assert_eq!(
                Picture::decode(format, &written.content, limits(1_200)).unwrap(),
                picture,
                "{format:?}"
            );
        }
    }

    #[test]
    fn colours_stay_what_they_are_in_every_format() {
        for size in [(80, 60), (17, 9)] {
            let picture =
                Picture::paint(
                    size.0,
                    size.1,
                    |x, _| if x < size.0 / 2 { [200, 10, 10] } else { [10, 10, 200] },
                );
            for format in Format::ALL {
                let written = picture.encode(format).unwrap();
                let read = Picture::decode(format, &written.content, ImageLimits::default()).unwrap();
                for (x, expected) in [(0, [200, 10, 10]), (size.0 - 1, [10, 10, 200])] {
                    let pixel = read.pixel(x, 0).unwrap();
                    let near = pixel.iter().zip(expected).all(|(one, other)| one.abs_diff(other) < 8);
                    assert!(near && pixel[3] == 255, "{format:?}: {pixel:?}");
                }
            }
        }
    }

    #[test]
    fn grey_and_transparent_pictures_are_written_as_everything() {
        let grey =
            Picture { width: 9, height: 5, layout: Layout::Grey, bytes: vec![77; 45], color_profile: None };
        let clear = Picture { layout: Layout::Rgba, bytes: vec![0; 180], ..grey.clone() };
        for picture in [grey, clear] {
            for format in Format::ALL {
                let written = picture.encode(format).unwrap();
                assert!(Picture::read(&written.content, limits(45)).is_ok(), "{format:?}");
                assert!(picture.within(3).encode(format).is_ok(), "{format:?}");
            }
        }
    }

    #[test]
    fn smaller_pictures_fit_and_are_never_larger() {
        let wide = Picture::paint(300, 2, |_, _| [9; 3]);
        for (edge, size) in [(64, (64, 1)), (256, (256, 2)), (1024, (300, 2))] {
            let made = wide.within(edge);
            assert_eq!((made.width, made.height), size);
        }
    }

    #[test]
    fn a_side_of_fifty_million_pixels_is_refused_from_the_head_alone() {
        // The head of a grey PNG, 50,000,000 wide and one high: as many pixels as may be.
        let mut content = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        content.extend(50_000_000_u32.to_be_bytes());
        content.extend(1_u32.to_be_bytes());
        content.extend([8, 0, 0, 0, 0]);
        let check = crc32(&content[12..]);
        content.extend(check.to_be_bytes());
        let refused = Picture::decode(Format::Png, &content, ImageLimits::default());
        assert!(matches!(refused, Err(Refusal::TooLong { width: 50_000_000, .. })), "{refused:?}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |sum: u32, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
        !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
    }
}
