//! Checks whether a file is one image from its first byte to its last. The data behind an image could be anything, such
//! as a page, an archive or a program. Decoders ignore it, but browsers and other programs may not.

use crate::{Format, Refusal};

/// The first bytes of other kinds of files: pages, archives, documents, programs and scripts.
const OTHER_KINDS: [&[u8]; 8] =
    [b"<", b"PK\x03\x04", b"%PDF", b"MZ", b"\x7fELF", b"#!", b"Rar!", b"7z\xbc\xaf"];
/// How the directory at the end of an archive begins, and how far from the end of the file it may be.
const ARCHIVE_DIRECTORY: (&[u8], usize) = (b"PK\x05\x06", 22 + 65_535);

/// The file ends before the image does, or is not put together as its format is.
#[derive(Debug)]
struct Truncated;

/// Walks through the parts of a file to its end.
pub(crate) fn check(format: Format, content: &[u8]) -> Result<(), Refusal> {
    let mut file = Reader { rest: content };
    let walked = match format {
        Format::Jpeg => jpeg(&mut file),
        Format::Png => png(&mut file),
        Format::WebP => webp(&mut file),
        Format::Gif => gif(&mut file),
    };
    walked.map_err(|Truncated| Refusal::Damaged("the file ends before the image does".to_owned()))?;
    let harmless = file.rest.is_empty() || format == Format::Jpeg && !is_of_another_kind(file.rest);
    if harmless { Ok(()) } else { Err(Refusal::Trailing) }
}

/// Whether what follows a JPEG makes the file something else, too. Cameras write previews, films, sounds and their own
/// data there: that goes when the image is written anew.
fn is_of_another_kind(rest: &[u8]) -> bool {
    let (directory, distance) = ARCHIVE_DIRECTORY;
    let end = &rest[rest.len().saturating_sub(distance)..];
    let text = rest.trim_ascii_start();
    OTHER_KINDS.iter().any(|start| text.starts_with(start))
        || end.windows(directory.len()).any(|window| window == directory)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Truncated> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self, count: usize, big_end_first: bool) -> Result<usize, Truncated> {
        let bytes = self.take(count)?;
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Ok(if big_end_first { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

/// Markers, each with a length; a scan goes on to the next marker that is no restart.
fn jpeg(file: &mut Reader<'_>) -> Result<(), Truncated> {
    file.take(2)?;
    loop {
        if file.byte()? != 0xff {
            return Err(Truncated);
        }
        let mut marker = file.byte()?;
        while marker == 0xff {
            marker = file.byte()?;
        }
        match marker {
            0xd9 => return Ok(()),
            0x01 | 0xd0..=0xd7 => continue,
            0x00 | 0xd8 => return Err(Truncated),
            _ => {}
        }
        let length = file.number(2, true)?;
        file.take(length.checked_sub(2).ok_or(Truncated)?)?;
        if marker == 0xda {
            let end = file
                .rest
                .windows(2)
                .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
            file.take(end.ok_or(Truncated)?)?;
        }
    }
}

/// Chunks up to the one called IEND.
fn png(file: &mut Reader<'_>) -> Result<(), Truncated> {
    file.take(8)?;
    loop {
        let length = file.number(4, true)?;
        let kind = file.take(4)?;
        file.take(length)?;
        file.take(4)?;
        if kind == b"IEND" {
            return if length == 0 { Ok(()) } else { Err(Truncated) };
        }
    }
}

/// A box that says how long it is, full of chunks that say how long they are.
fn webp(file: &mut Reader<'_>) -> Result<(), Truncated> {
    file.take(4)?;
    let length = file.number(4, false)?;
    let mut inside = Reader { rest: file.take(length)? };
    inside.take(4)?;
    while !inside.rest.is_empty() {
        inside.take(4)?;
        let length = inside.number(4, false)?;
        // Odd ones are padded.
        inside.take(length.checked_add(length % 2).ok_or(Truncated)?)?;
    }
    Ok(())
}

/// A screen, then blocks up to the trailer.
fn gif(file: &mut Reader<'_>) -> Result<(), Truncated> {
    let head = file.take(13)?;
    skip_colors(file, head[10])?;
    loop {
        match file.byte()? {
            0x3b => return Ok(()),
            0x21 => {
                file.byte()?;
                skip_blocks(file)?;
            }
            0x2c => {
                let descriptor = file.take(9)?;
                skip_colors(file, descriptor[8])?;
                file.byte()?;
                skip_blocks(file)?;
            }
            _ => return Err(Truncated),
        }
    }
}

fn skip_colors(file: &mut Reader<'_>, flags: u8) -> Result<(), Truncated> {
    let colors = if flags & 0x80 == 0 { 0 } else { 2 << (flags & 7) };
    file.take(3 * colors).map(drop)
}

fn skip_blocks(file: &mut Reader<'_>) -> Result<(), Truncated> {
    loop {
        match file.byte()? {
            0 => return Ok(()),
            length => file.take(usize::from(length))?,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::file as picture;

    #[test]
    fn a_whole_image_is_whole() {
        for format in Format::ALL {
            assert_eq!(check(format, &picture(format, 33, 21)), Ok(()), "{format:?}");
        }
    }

    #[test]
    fn one_that_ends_anywhere_before_its_end_is_not() {
        for format in Format::ALL {
            let whole = picture(format, 33, 21);
            for length in 0..whole.len() {
                let told = check(format, &whole[..length]);
                assert!(matches!(told, Err(Refusal::Damaged(_))), "{format:?} of {length} bytes");
            }
        }
    }

    #[test]
    fn no_file_of_another_kind_may_follow_the_end() {
        for format in Format::ALL {
            for tail in [
                &b"<script>alert(1)</script>"[..],
                b"\r\n <svg/>",
                b"PK\x03\x04",
                b"#!/bin/sh",
                b"whatever PK\x05\x06\0\0\0\0\x01\0",
            ] {
                let both = [&picture(format, 33, 21)[..], tail].concat();
                assert_eq!(check(format, &both), Err(Refusal::Trailing), "{format:?}");
            }
        }
    }

    #[test]
    fn what_cameras_write_behind_a_jpeg_is_no_fault_and_goes() {
        let preview = picture(Format::Jpeg, 9, 9);
        for tail in [
            &preview[..],
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08mdat",
            b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data\0\0\0\x18ftypmp42SEFH\x6b\0\0\0SEFT",
            b"\0\0\0\0",
        ] {
            let both = [&picture(Format::Jpeg, 33, 21)[..], tail].concat();
            assert_eq!(check(Format::Jpeg, &both), Ok(()));
            for format in [Format::Png, Format::WebP, Format::Gif] {
                let both = [&picture(format, 33, 21)[..], tail].concat();
                assert_eq!(check(format, &both), Err(Refusal::Trailing), "{format:?}");
            }
        }
    }
}
