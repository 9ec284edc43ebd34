//! The orientation of a picture. Cameras write the pixels as the sensor lies, and record separately how the camera was
//! held (EXIF).

/// How the pixels of a file have to be moved so that the picture is upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Rows and columns change places, first of all.
    transposed: bool,
    mirrored: bool,
    upside_down: bool,
}

impl Orientation {
    /// Reads it from the EXIF data of a file. Data that cannot be read says nothing.
    pub(crate) fn of_exif(exif: &[u8]) -> Self {
        let number = orientation_tag(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)).unwrap_or(1);
        let (transposed, mirrored, upside_down) = match number {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transposed, mirrored, upside_down }
    }

    /// Moves the pixels of a picture: its bytes, and its width and height after that.
    pub(crate) fn upright(self, bytes: Vec<u8>, (width, height): (u32, u32)) -> (Vec<u8>, (u32, u32)) {
        if self == Self::default() {
            return (bytes, (width, height));
        }
        let (columns, rows) = if self.transposed { (height, width) } else { (width, height) };
        let (wide, columns, rows) = (width as usize, columns as usize, rows as usize);
        let pixel = bytes.len() / (columns * rows);
        let mut turned = Vec::with_capacity(bytes.len());
        for y in 0..rows {
            let y = if self.upside_down { rows - 1 - y } else { y };
            for x in 0..columns {
                let x = if self.mirrored { columns - 1 - x } else { x };
                let at = if self.transposed { x * wide + y } else { y * wide + x } * pixel;
                turned.extend_from_slice(&bytes[at..at + pixel]);
            }
        }
        (turned, if self.transposed { (height, width) } else { (width, height) })
    }
}

/// The value of the tag `Orientation` in the first directory of a TIFF file, which is what EXIF data is.
fn orientation_tag(tiff: &[u8]) -> Option<u16> {
    let big_end_first = match tiff.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big_end_first { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let (first, second) = (u32::from(short(at)?), u32::from(short(at + 2)?));
        Some(if big_end_first { first << 16 | second } else { second << 16 | first })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    // An entry is its tag, its type (3 is a short number), how many values it has, and the value.
    let mut starts = (0..entries).map(|entry| directory + 2 + entry * 12);
    let start = starts.find(|start| short(*start) == Some(0x112))?;
    (short(start + 2) == Some(3)).then(|| short(start + 8)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(number: u16, big_end_first: bool) -> Vec<u8> {
        let short = |value: u16| if big_end_first { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if big_end_first { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = if big_end_first { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        bytes.extend(long(8));
        bytes.extend(short(2));
        for (tag, value) in [(0x0100_u16, 7), (0x0112, number)] {
            bytes.extend(short(tag));
            bytes.extend(short(3));
            bytes.extend(long(1));
            bytes.extend(short(value));
            bytes.extend(short(0));
        }
        bytes
    }

    #[test]
    fn every_way_a_camera_can_be_held_ends_upright() {
        // The upright picture, two wide and three high.
        let upright = (vec![1, 2, 3, 4, 5, 6], (2, 3));
        for (number, bytes, size) in [
            (1, [1, 2, 3, 4, 5, 6], (2, 3)),
            (2, [2, 1, 4, 3, 6, 5], (2, 3)),
            (3, [6, 5, 4, 3, 2, 1], (2, 3)),
            (4, [5, 6, 3, 4, 1, 2], (2, 3)),
            (5, [1, 3, 5, 2, 4, 6], (3, 2)),
            (6, [2, 4, 6, 1, 3, 5], (3, 2)),
            (7, [6, 4, 2, 5, 3, 1], (3, 2)),
            (8, [5, 3, 1, 6, 4, 2], (3, 2)),
        ] {
            for big_end_first in [true, false] {
                let orientation = Orientation::of_exif(&exif(number, big_end_first));
                assert_eq!(orientation.upright(bytes.to_vec(), size), upright, "{number}");
            }
        }
    }

    #[test]
    fn data_that_cannot_be_read_says_nothing() {
        let whole = exif(6, true);
        for length in 0..whole.len() - 4 {
            let told = Orientation::of_exif(&whole[..length]);
            assert_eq!(told, Orientation::default(), "{length} bytes");
        }
        assert_eq!(Orientation::of_exif(&[b"MM\0*", &[0xff; 60][..]].concat()), Orientation::default());
        assert_ne!(Orientation::of_exif(&[b"Exif\0\0", &whole[..]].concat()), Orientation::default());
    }
}
