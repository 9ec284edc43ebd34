//! From bytes to pixels and back. Everything here computes, and takes its time: it runs where requests do not wait for it.

use std::io::Cursor;

use bytes::Bytes;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageEncoder, ImageError, ImageReader, Limits};

use super::anatomy::{self, Fault};
use super::error::Refusal;
use super::format::Format;

/// How good a JPEG is, of 100.
const JPEG_QUALITY: u8 = 88;
/// How fast a GIF finds its colours, from 1 (best) to 30.
const GIF_SPEED: i32 = 10;
/// A larger colour profile is left out.
const COLOR_PROFILE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a decoded pixel at most: four channels of sixteen bits.
const PIXEL_BYTES_MAX: u64 = 8;
/// What decoders need besides the pixels.
const WORKSPACE_BYTES: u64 = 64 * 1024 * 1024;

/// A picture without anything that was written beside it, upright.
pub(crate) struct Picture {
    pixels: DynamicImage,
    /// What its numbers mean: without it, the colours of most phones would pale.
    color_profile: Option<Vec<u8>>,
}

/// A picture as a file.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) format: Format,
    pub(crate) content: Bytes,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Reads a file that a stranger sent. Its size in pixels is known, and bearable, before any pixel is decoded.
pub(crate) fn read(content: &[u8], pixels_max: u64) -> Result<(Format, Picture), Refusal> {
    let format = Format::sniff(content).ok_or(Refusal::Unknown)?;
    anatomy::check(format, content).map_err(|fault| match fault {
        Fault::Truncated => Refusal::Damaged("the file ends before the image does".to_owned()),
        Fault::Trailing => Refusal::Trailing,
    })?;
    Ok((format, decode(format, content, pixels_max)?))
}

/// Reads one that was checked.
pub(crate) fn decode(format: Format, content: &[u8], pixels_max: u64) -> Result<Picture, Refusal> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(pixels_max.saturating_mul(PIXEL_BYTES_MAX).saturating_add(WORKSPACE_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(content), format.codec());
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > pixels_max {
        return Err(Refusal::TooManyPixels { width, height, pixels_max });
    }
    let color_profile = decoder.icc_profile().ok().flatten();
    let orientation = decoder.orientation().map_err(refusal)?;
    let mut pixels = eight_bits(DynamicImage::from_decoder(decoder).map_err(refusal)?);
    pixels.apply_orientation(orientation);
    let color_profile = color_profile.filter(|profile| describes(profile, &pixels));
    Ok(Picture { pixels, color_profile })
}

/// One of three layouts, so that every format and the resizer take it.
fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => pixels,
        other if other.color().has_alpha() => other.into_rgba8().into(),
        other if other.color().has_color() => other.into_rgb8().into(),
        other => other.into_luma8().into(),
    }
}

/// Whether a colour profile is one for such pixels: a decoder may have turned the colours of print into those of screens.
fn describes(profile: &[u8], pixels: &DynamicImage) -> bool {
    let space: &[u8] = if pixels.color().has_color() { b"RGB " } else { b"GRAY" };
    profile.len() <= COLOR_PROFILE_BYTES_MAX && profile.get(16..20) == Some(space)
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Refusal::TooLargeToDecode,
        // The cause may quote the file.
        _ => Refusal::Damaged("the image cannot be decoded".to_owned()),
    }
}

impl Picture {
    /// The same picture, no side longer than `edge`. It is never made larger.
    pub(crate) fn within(&self, edge: u32) -> Result<Self, Refusal> {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let longest = width.max(height);
        if longest <= edge {
            return Ok(Self { pixels: self.pixels.clone(), color_profile: self.color_profile.clone() });
        }
        let scaled = |side: u32| {
            let scaled = (u64::from(side) * u64::from(edge) + u64::from(longest) / 2) / u64::from(longest);
            u32::try_from(scaled).unwrap_or(edge).max(1)
        };
        let mut pixels = DynamicImage::new(scaled(width), scaled(height), self.pixels.color());
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        Resizer::new()
            .resize(&self.pixels, &mut pixels, &options)
            .map_err(|error| Refusal::Damaged(format!("the image cannot be resized: {error}")))?;
        Ok(Self { pixels, color_profile: self.color_profile.clone() })
    }

    /// The picture as a file. WebP is written without loss: only a library of C writes the other kind.
    pub(crate) fn encode(&self, format: Format) -> Result<Encoded, Refusal> {
        let mut content = Vec::new();
        let flat;
        let pixels = match format {
            // A JPEG has no transparency; nothing with any was one.
            Format::Jpeg if self.pixels.color().has_alpha() => {
                flat = DynamicImage::from(self.pixels.to_rgb8());
                &flat
            }
            // A WebP has no grey.
            Format::WebP if !self.pixels.color().has_color() => {
                flat = DynamicImage::from(self.pixels.to_rgb8());
                &flat
            }
            _ => &self.pixels,
        };
        let same_channels = pixels.color().has_color() == self.pixels.color().has_color();
        let profile = self.color_profile.clone().filter(|_| same_channels);
        let written = match format {
            Format::Jpeg => write(JpegEncoder::new_with_quality(&mut content, JPEG_QUALITY), pixels, profile),
            Format::Png => write(PngEncoder::new(&mut content), pixels, profile),
            Format::WebP => write(WebPEncoder::new_lossless(&mut content), pixels, profile),
            Format::Gif => {
                let frame = image::Frame::new(pixels.to_rgba8());
                GifEncoder::new_with_speed(&mut content, GIF_SPEED).encode_frame(frame)
            }
        };
        written.map_err(|error| Refusal::Damaged(format!("the image cannot be written: {error}")))?;
        Ok(Encoded { format, content: content.into(), width: pixels.width(), height: pixels.height() })
    }
}

fn write(
    mut encoder: impl ImageEncoder,
    pixels: &DynamicImage,
    profile: Option<Vec<u8>>,
) -> Result<(), ImageError> {
    if let Some(profile) = profile
        && encoder.set_icc_profile(profile).is_err()
    {
        tracing::debug!("a colour profile is left out");
    }
    encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), pixels.color().into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small picture as a file.
    pub(crate) fn picture(format: Format, width: u32, height: u32) -> Vec<u8> {
        let pixels = image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x * 7, y * 11, (x + y) * 3].map(|shade| shade.to_le_bytes()[0]))
        });
        let picture = Picture { pixels: pixels.into(), color_profile: None };
        picture.encode(format).unwrap().content.to_vec()
    }

    #[test]
    fn every_format_is_read_and_written() {
        for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Gif] {
            let content = picture(format, 40, 30);
            let (told, read) = read(&content, 1_200).unwrap();
            assert_eq!((told, read.pixels.width(), read.pixels.height()), (format, 40, 30));
            assert!(matches!(super::read(&content, 1_199), Err(Refusal::TooManyPixels { .. })));
            for target in [Format::Jpeg, Format::Png, Format::WebP, Format::Gif] {
                let written = read.encode(target).unwrap();
                assert_eq!(Format::sniff(&written.content), Some(target));
            }
        }
    }

    #[test]
    fn grey_and_transparent_pictures_are_written_as_everything() {
        let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(9, 5, image::Luma([77])));
        let deep = eight_bits(DynamicImage::ImageRgba16(image::ImageBuffer::new(9, 5)));
        for pixels in [grey, deep] {
            let picture = Picture { pixels, color_profile: None };
            for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Gif] {
                let written = picture.encode(format).unwrap();
                assert!(read(&written.content, 45).is_ok(), "{format:?}");
                assert!(picture.within(3).unwrap().encode(format).is_ok(), "{format:?}");
            }
        }
    }

    #[test]
    fn variants_fit_and_are_never_larger() {
        let wide = Picture { pixels: DynamicImage::new_rgb8(300, 2), color_profile: None };
        for (edge, size) in [(64, (64, 1)), (256, (256, 2)), (1024, (300, 2))] {
            let made = wide.within(edge).unwrap();
            assert_eq!((made.pixels.width(), made.pixels.height()), size);
        }
    }

    #[test]
    fn a_color_profile_stays_where_it_fits() {
        let mut profile = vec![0; 128];
        profile[16..20].copy_from_slice(b"RGB ");
        let pixels = DynamicImage::new_rgb8(4, 4);
        assert!(describes(&profile, &pixels) && !describes(&profile, &DynamicImage::new_luma8(4, 4)));
        profile[16..20].copy_from_slice(b"CMYK");
        assert!(!describes(&profile, &pixels));
    }
}
