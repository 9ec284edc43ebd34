//! Whether a file is one image from its first byte to its last. What follows the end of an image could be anything: a page,
//! an archive, a program. Decoders do not look there; browsers and others may.

use super::format::Format;

/// Why a file is not one whole image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends before the image does, or is not put together as its format is.
    Truncated,
    /// Something follows the end of the image.
    Trailing,
}

/// Walks through the parts of a file to its end.
pub(crate) fn check(format: Format, content: &[u8]) -> Result<(), Fault> {
    let mut file = Reader { rest: content };
    match format {
        Format::Jpeg => loop {
            jpeg(&mut file)?;
            // Cameras put previews behind the picture: whole JPEGs, which do no harm.
            if !file.rest.starts_with(&[0xff, 0xd8, 0xff]) {
                break;
            }
        },
        Format::Png => png(&mut file)?,
        Format::WebP => webp(&mut file)?,
        Format::Gif => gif(&mut file)?,
    }
    if file.rest.is_empty() { Ok(()) } else { Err(Fault::Trailing) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self, count: usize, big_end_first: bool) -> Result<usize, Fault> {
        let bytes = self.take(count)?;
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Ok(if big_end_first { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
    }
}

/// Markers, each with a length; a scan goes on to the next marker that is no restart.
fn jpeg(file: &mut Reader<'_>) -> Result<(), Fault> {
    file.take(2)?;
    loop {
        if file.byte()? != 0xff {
            return Err(Fault::Truncated);
        }
        let mut marker = file.byte()?;
        while marker == 0xff {
            marker = file.byte()?;
        }
        match marker {
            0xd9 => return Ok(()),
            0x01 | 0xd0..=0xd7 => continue,
            0x00 | 0xd8 => return Err(Fault::Truncated),
            _ => {}
        }
        let length = file.number(2, true)?;
        file.take(length.checked_sub(2).ok_or(Fault::Truncated)?)?;
        if marker == 0xda {
            let end = file
                .rest
                .windows(2)
                .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
            file.take(end.ok_or(Fault::Truncated)?)?;
        }
    }
}

/// Chunks up to the one called IEND.
fn png(file: &mut Reader<'_>) -> Result<(), Fault> {
    file.take(8)?;
    loop {
        let length = file.number(4, true)?;
        let kind = file.take(4)?;
        file.take(length)?;
        file.take(4)?;
        if kind == b"IEND" {
            return if length == 0 { Ok(()) } else { Err(Fault::Truncated) };
        }
    }
}

/// A box that says how long it is, full of chunks that say how long they are.
fn webp(file: &mut Reader<'_>) -> Result<(), Fault> {
    file.take(4)?;
    let length = file.number(4, false)?;
    let mut inside = Reader { rest: file.take(length)? };
    inside.take(4)?;
    while !inside.rest.is_empty() {
        inside.take(4)?;
        let length = inside.number(4, false)?;
        // Odd ones are padded.
        inside.take(length.checked_add(length % 2).ok_or(Fault::Truncated)?)?;
    }
    Ok(())
}

/// A screen, then blocks up to the trailer.
fn gif(file: &mut Reader<'_>) -> Result<(), Fault> {
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
            _ => return Err(Fault::Truncated),
        }
    }
}

fn skip_colors(file: &mut Reader<'_>, flags: u8) -> Result<(), Fault> {
    let colors = if flags & 0x80 == 0 { 0 } else { 2 << (flags & 7) };
    file.take(3 * colors).map(drop)
}

fn skip_blocks(file: &mut Reader<'_>) -> Result<(), Fault> {
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
    use crate::images::pixels::tests::picture;

    const ALL: [Format; 4] = [Format::Jpeg, Format::Png, Format::WebP, Format::Gif];

    #[test]
    fn a_whole_image_is_whole() {
        for format in ALL {
            assert_eq!(check(format, &picture(format, 33, 21)), Ok(()), "{format:?}");
        }
        let one = picture(Format::Jpeg, 9, 9);
        assert_eq!(check(Format::Jpeg, &[one.clone(), one].concat()), Ok(()), "a preview behind the picture");
    }

    #[test]
    fn one_that_ends_anywhere_before_its_end_is_not() {
        for format in ALL {
            let whole = picture(format, 33, 21);
            for length in 0..whole.len() {
                assert!(check(format, &whole[..length]).is_err(), "{format:?} of {length} bytes");
            }
        }
    }

    #[test]
    fn nothing_may_follow_the_end() {
        for format in ALL {
            for tail in [&b"<script>alert(1)</script>"[..], b"PK\x03\x04", b"\0", b"\xff\xd8"] {
                let both = [&picture(format, 33, 21)[..], tail].concat();
                assert_eq!(check(format, &both), Err(Fault::Trailing), "{format:?}");
            }
        }
    }
}
