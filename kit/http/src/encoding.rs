//! The encodings in which answers are kept compressed, and which of them a client accepts.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;

/// A longer answer is compressed by its handler's way: here its connection would wait.
const PACKED_HERE_MAX: usize = 64 * 1024;

/// An answer is packed once and sent many times: better than the fastest level, and still quick.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 18;

/// How an answer is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
}

impl Encoding {
    /// The text packed in this encoding; none when it stays as it is, or is too long to be packed while its caller waits.
    pub fn pack(self, text: &[u8]) -> Option<Bytes> {
        if text.len() > PACKED_HERE_MAX {
            return None;
        }
        match self {
            Self::Identity => None,
            Self::Gzip => {
                let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 2), Compression::new(6));
                packed.write_all(text).ok()?;
                packed.finish().ok().map(Bytes::from)
            }
            Self::Brotli => {
                let mut packed = Vec::with_capacity(text.len() / 2);
                let mut writer =
                    brotli::CompressorWriter::new(&mut packed, 4 * 1024, BROTLI_QUALITY, BROTLI_WINDOW);
                writer.write_all(text).ok()?;
                drop(writer);
                Some(packed.into())
            }
        }
    }

    /// Its place among the forms that are kept beside an answer.
    pub fn slot(self) -> usize {
        match self {
            Self::Identity | Self::Gzip => 0,
            Self::Brotli => 1,
        }
    }

    /// Its name, where an answer has to say it.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    pub(crate) fn header(self) -> Option<HeaderValue> {
        self.name().map(HeaderValue::from_static)
    }

    /// The one of these encodings that the caller likes best, by its `Accept-Encoding`.
    pub(crate) fn accepted(value: &[u8]) -> Self {
        let (mut best, mut liked_most) = (Self::Identity, 0);
        for offer in value.split(|byte| *byte == b',') {
            let mut parts = offer.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let encoding = match parts.next() {
                Some(name) if name.eq_ignore_ascii_case(b"br") => Self::Brotli,
                Some(name) if name.eq_ignore_ascii_case(b"gzip") => Self::Gzip,
                _ => continue,
            };
            let liked = parts.find_map(|part| part.strip_prefix(b"q=")).map_or(1_000, quality);
            // Equal ones: what is smaller.
            if liked > liked_most || (liked == liked_most && liked > 0 && encoding == Self::Brotli) {
                (best, liked_most) = (encoding, liked);
            }
        }
        best
    }
}

/// A weight between 0 and 1 in thousandths; an unreadable one is 0.
fn quality(text: &[u8]) -> u32 {
    let weight = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f32>().ok());
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (weight * 1_000.0) as u32;
    thousandths
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_caller_gets_the_encoding_it_likes_best() {
        for (value, expected) in [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("GZIP, deflate, br, zstd", Encoding::Brotli),
            ("br, gzip", Encoding::Brotli),
            ("br;q=0.5, gzip", Encoding::Gzip),
            ("br;q=0, gzip;q=0.001", Encoding::Gzip),
            ("gzip; q=0", Encoding::Identity),
            ("gzip;q=nonsense", Encoding::Identity),
            ("zstd, xgzip, *", Encoding::Identity),
        ] {
            assert_eq!(Encoding::accepted(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let text = "a text that repeats itself, ".repeat(100);
        let (gzip, brotli) = (Encoding::Gzip.pack(text.as_bytes()), Encoding::Brotli.pack(text.as_bytes()));
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&gzip.unwrap()[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        unpacked.clear();
        brotli::Decompressor::new(&brotli.unwrap()[..], 4_096).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_eq!(Encoding::Gzip.pack(&vec![0; PACKED_HERE_MAX + 1]), None);
    }
}
