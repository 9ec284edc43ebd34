//! Encodes pixels into a file.

use std::borrow::Cow;

use bytes::Bytes;

use crate::picture::{Layout, Picture};
use crate::{Format, Refusal};

/// How good a JPEG is, of 100.
const JPEG_QUALITY: u8 = 88;
/// How fast a GIF finds its colours, from 1 (best) to 30.
const GIF_SPEED: i32 = 10;

/// A picture as a file.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The format of the file.
    pub format: Format,
    /// Its bytes.
    pub content: Bytes,
    /// How wide the picture is, in pixels.
    pub width: u32,
    /// How high the picture is, in pixels.
    pub height: u32,
}

impl Picture {
    /// The picture as a file.
    pub fn encode(&self, format: Format) -> Result<Encoded, Refusal> {
        let content = match format {
            Format::Jpeg => self.jpeg(),
            Format::Png => self.png(),
            Format::WebP => self.webp(),
            Format::Gif => self.gif(),
        }?;
        Ok(Encoded { format, content: content.into(), width: self.width, height: self.height })
    }

    /// A JPEG has no transparency, so transparent pixels become visible.
    fn jpeg(&self) -> Result<Vec<u8>, Refusal> {
        let mut content = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut content, JPEG_QUALITY);
        if let Some(profile) = &self.color_profile {
            encoder.add_icc_profile(profile).map_err(unwritten)?;
        }
        let layout = match self.layout {
            Layout::Grey => jpeg_encoder::ColorType::Luma,
            Layout::Rgb => jpeg_encoder::ColorType::Rgb,
            Layout::Rgba => jpeg_encoder::ColorType::Rgba,
        };
        let (width, height) = self.short_sides()?;
        encoder.encode(&self.bytes, width, height, layout).map_err(unwritten)?;
        Ok(content)
    }

    fn png(&self) -> Result<Vec<u8>, Refusal> {
        let mut content = Vec::new();
        let mut info = png::Info::with_size(self.width, self.height);
        info.color_type = match self.layout {
            Layout::Grey => png::ColorType::Grayscale,
            Layout::Rgb => png::ColorType::Rgb,
            Layout::Rgba => png::ColorType::Rgba,
        };
        info.bit_depth = png::BitDepth::Eight;
        info.icc_profile = self.color_profile.as_deref().map(Cow::Borrowed);
        let encoder = png::Encoder::with_info(&mut content, info).map_err(unwritten)?;
        let mut writer = encoder.write_header().map_err(unwritten)?;
        writer.write_image_data(&self.bytes).map_err(unwritten)?;
        writer.finish().map_err(unwritten)?;
        Ok(content)
    }

    /// Without loss.
    fn webp(&self) -> Result<Vec<u8>, Refusal> {
        let mut content = Vec::new();
        let mut encoder = image_webp::WebPEncoder::new(&mut content);
        if let Some(profile) = &self.color_profile {
            encoder.set_icc_profile(profile.clone());
        }
        let layout = match self.layout {
            Layout::Grey => image_webp::ColorType::L8,
            Layout::Rgb => image_webp::ColorType::Rgb8,
            Layout::Rgba => image_webp::ColorType::Rgba8,
        };
        encoder.encode(&self.bytes, self.width, self.height, layout).map_err(unwritten)?;
        Ok(content)
    }

    fn gif(&self) -> Result<Vec<u8>, Refusal> {
        let (width, height) = self.short_sides()?;
        let mut pixels: Vec<u8> = match self.layout {
            Layout::Grey => self.bytes.iter().flat_map(|grey| [*grey, *grey, *grey, 255]).collect(),
            Layout::Rgb => self.bytes.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], 255]).collect(),
            Layout::Rgba => self.bytes.clone(),
        };
        let frame = gif::Frame::from_rgba_speed(width, height, &mut pixels, GIF_SPEED);
        let mut content = Vec::new();
        let mut encoder = gif::Encoder::new(&mut content, width, height, &[]).map_err(unwritten)?;
        encoder.write_frame(&frame).map_err(unwritten)?;
        drop(encoder);
        Ok(content)
    }

    /// The sides as JPEG and GIF write them.
    fn short_sides(&self) -> Result<(u16, u16), Refusal> {
        let short = |side: u32| u16::try_from(side).map_err(unwritten);
        Ok((short(self.width)?, short(self.height)?))
    }
}

fn unwritten(error: impl std::fmt::Display) -> Refusal {
    Refusal::Damaged(format!("the image cannot be written: {error}"))
}
