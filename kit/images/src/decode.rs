//! Decodes a file into pixels. For each format, the size is read and checked first.

use std::io::Cursor;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

use crate::orientation::Orientation;
use crate::picture::{Layout, Picture};
use crate::{Format, ImageLimits, Refusal};

/// A larger colour profile is left out.
const COLOR_PROFILE_BYTES_MAX: usize = 32 * 1024;
/// The chunks that a WebP may hold beside its pixels.
const METADATA_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The content of a decoded file.
struct Decoded {
    size: (u32, u32),
    layout: Layout,
    bytes: Vec<u8>,
    color_profile: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

/// Reads a file of this format.
pub(crate) fn decode(format: Format, content: &[u8], limits: ImageLimits) -> Result<Picture, Refusal> {
    let Decoded { size, layout, bytes, color_profile, exif } = match format {
        Format::Jpeg => jpeg(content, limits),
        Format::Png => png(content, limits),
        Format::WebP => webp(content, limits),
        Format::Gif => gif(content, limits),
    }?;
    let expected = u64::from(size.0) * u64::from(size.1) * layout.channels() as u64;
    if expected != bytes.len() as u64 {
        return Err(Refusal::undecodable());
    }
    let orientation = exif.as_deref().map(Orientation::of_exif).unwrap_or_default();
    let (bytes, (width, height)) = orientation.upright(bytes, size);
    let color_profile = color_profile.filter(|profile| describes(profile, layout));
    Ok(Picture { width, height, layout, bytes, color_profile })
}

/// Whether a colour profile is one for such pixels: a decoder may have turned the colours of print into those of screens.
pub(crate) fn describes(profile: &[u8], layout: Layout) -> bool {
    let space: &[u8] = if layout == Layout::Grey { b"GRAY" } else { b"RGB " };
    profile.len() <= COLOR_PROFILE_BYTES_MAX && profile.get(16..20) == Some(space)
}

fn damaged<E>(_its_words_may_quote_the_file: E) -> Refusal {
    Refusal::undecodable()
}

fn jpeg(content: &[u8], limits: ImageLimits) -> Result<Decoded, Refusal> {
    // The format allows 65,535; the limits of this crate are checked below.
    let options = DecoderOptions::default().set_strict_mode(false);
    let options = options.set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(content), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().ok_or_else(Refusal::undecodable)?;
    let size = (u32::from(info.width), u32::from(info.height));
    limits.check(size.0, size.1)?;
    let (layout, space) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (Layout::Grey, ColorSpace::Luma),
        _ => (Layout::Rgb, ColorSpace::RGB),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let bytes = decoder.decode().map_err(damaged)?;
    let exif = decoder.exif().cloned();
    Ok(Decoded { size, layout, bytes, color_profile: decoder.icc_profile(), exif })
}

fn png(content: &[u8], limits: ImageLimits) -> Result<Decoded, Refusal> {
    let mut decoder = png::Decoder::new(Cursor::new(content));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let size = decoder.read_header_info().map_err(damaged)?.size();
    limits.check(size.0, size.1)?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let bytes = reader.output_buffer_size().ok_or_else(Refusal::undecodable)?;
    let mut bytes = vec![0; bytes];
    let frame = reader.next_frame(&mut bytes).map_err(damaged)?;
    bytes.truncate(frame.buffer_size());
    let (layout, bytes) = match frame.color_type {
        png::ColorType::Grayscale => (Layout::Grey, bytes),
        png::ColorType::GrayscaleAlpha => {
            let rgba = bytes.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]);
            (Layout::Rgba, rgba.collect())
        }
        png::ColorType::Rgb => (Layout::Rgb, bytes),
        png::ColorType::Rgba => (Layout::Rgba, bytes),
        png::ColorType::Indexed => return Err(Refusal::undecodable()),
    };
    let owned = |data: &Option<std::borrow::Cow<'_, [u8]>>| data.as_ref().map(|data| data.to_vec());
    let info = reader.info();
    let (color_profile, exif) = (owned(&info.icc_profile), owned(&info.exif_metadata));
    Ok(Decoded { size: (frame.width, frame.height), layout, bytes, color_profile, exif })
}

fn webp(content: &[u8], limits: ImageLimits) -> Result<Decoded, Refusal> {
    let mut decoder = image_webp::WebPDecoder::new(Cursor::new(content)).map_err(damaged)?;
    decoder.set_memory_limit(METADATA_BYTES_MAX);
    let size = decoder.dimensions();
    limits.check(size.0, size.1)?;
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let mut bytes = vec![0; decoder.output_buffer_size().ok_or_else(Refusal::undecodable)?];
    decoder.read_image(&mut bytes).map_err(damaged)?;
    let color_profile = decoder.icc_profile().map_err(damaged)?;
    let exif = decoder.exif_metadata().map_err(damaged)?;
    Ok(Decoded { size, layout, bytes, color_profile, exif })
}

/// The first frame, on a canvas that nothing is painted on.
fn gif(content: &[u8], limits: ImageLimits) -> Result<Decoded, Refusal> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(Cursor::new(content)).map_err(damaged)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let size = (u32::from(decoder.width()), u32::from(decoder.height()));
    limits.check(size.0, size.1)?;
    let head = decoder.next_frame_info().map_err(damaged)?.ok_or_else(Refusal::undecodable)?;
    let [left, top, wide, high] = [head.left, head.top, head.width, head.height].map(usize::from);
    limits.check(u32::from(head.width), u32::from(head.height))?;
    let mut frame = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut frame).map_err(damaged)?;
    let mut bytes = vec![0; width * height * 4];
    // Pixels outside the canvas are not visible.
    let seen = wide.min(width.saturating_sub(left)) * 4;
    for y in 0..high.min(height.saturating_sub(top)) {
        let at = ((top + y) * width + left) * 4;
        let from = y * wide * 4;
        if seen > 0 {
            bytes[at..at + seen].copy_from_slice(&frame[from..from + seen]);
        }
    }
    Ok(Decoded { size, layout: Layout::Rgba, bytes, color_profile: None, exif: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_color_profile_stays_where_it_fits() {
        let mut profile = vec![0; 128];
        profile[16..20].copy_from_slice(b"RGB ");
        assert!(describes(&profile, Layout::Rgb) && !describes(&profile, Layout::Grey));
        profile[16..20].copy_from_slice(b"CMYK");
        assert!(!describes(&profile, Layout::Rgb));
    }

    #[test]
    fn a_color_profile_goes_from_file_to_file_where_the_format_has_one() {
        let mut profile = vec![7; 128];
        profile[16..20].copy_from_slice(b"RGB ");
        let plain = Picture::paint(8, 8, |_, _| [100; 3]);
        let picture = Picture { color_profile: Some(profile.clone()), ..plain };
        for (format, kept) in
            [(Format::Jpeg, true), (Format::Png, true), (Format::WebP, true), (Format::Gif, false)]
        {
            let content = picture.encode(format).unwrap().content;
            let read = decode(format, &content, ImageLimits::default()).unwrap();
            assert_eq!(read.color_profile, kept.then(|| profile.clone()), "{format:?}");
        }
    }

    #[test]
    fn a_frame_that_hangs_over_its_canvas_is_cut() {
        let mut content = Vec::new();
        let mut encoder = gif::Encoder::new(&mut content, 4, 4, &[]).unwrap();
        let mut frame = gif::Frame::from_rgb(3, 3, &[9; 27]);
        (frame.left, frame.top) = (2, 3);
        encoder.write_frame(&frame).unwrap();
        drop(encoder);
        let picture = decode(Format::Gif, &content, ImageLimits::default()).unwrap();
        let seen = |x, y| picture.pixel(x, y).unwrap()[3] == 255;
        assert!(seen(2, 3) && seen(3, 3) && !seen(1, 3) && !seen(2, 2));
    }
}
