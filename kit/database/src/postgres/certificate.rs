//! Reads from a certificate by which algorithm it was signed: channel binding hashes the certificate by the same one.

use ring::digest;

/// The tags of DER.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The hash for `tls-server-end-point` (RFC 5929): the one of the signature, but SHA-256 instead of MD5 and SHA-1. `None` for
/// signatures that use no hash, or one that only their parameters name.
pub(crate) fn signature_digest(certificate: &[u8]) -> Option<&'static digest::Algorithm> {
    let (whole, _) = element(SEQUENCE, certificate)?;
    let (_, after_content) = element(SEQUENCE, whole)?;
    let (algorithm, _) = element(SEQUENCE, after_content)?;
    let (identifier, _) = element(OBJECT_IDENTIFIER, algorithm)?;
    let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    let ecdsa = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    if let Some([which]) = identifier.strip_prefix(&rsa) {
        // md5, sha1, sha256, sha384, sha512: each WithRSAEncryption.
        return match which {
            4 | 5 | 11 => Some(&digest::SHA256),
            12 => Some(&digest::SHA384),
            13 => Some(&digest::SHA512),
            _ => None,
        };
    }
    match identifier.strip_prefix(&ecdsa)? {
        // ecdsa-with-SHA1, and then ecdsa-with-SHA256 and so on.
        [1] | [3, 2] => Some(&digest::SHA256),
        [3, 3] => Some(&digest::SHA384),
        [3, 4] => Some(&digest::SHA512),
        _ => None,
    }
}

/// The content of the element with this tag at the beginning of `der`, and the bytes behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // A longer length: how many bytes tell it, and then these.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with no content but this signature algorithm.
    fn signed_by(identifier: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("it is short");
        let identifier = [&[OBJECT_IDENTIFIER, length(identifier)], identifier].concat();
        let algorithm = [&[SEQUENCE, length(&identifier)], identifier.as_slice()].concat();
        let content = [&[SEQUENCE, 0x81, 0x00], algorithm.as_slice()].concat();
        [&[SEQUENCE, 0x82, 0x00, length(&content)], content.as_slice()].concat()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (identifier, expected) in [
            ("2a864886f70d01010b", Some(&digest::SHA256)),
            ("2a864886f70d010105", Some(&digest::SHA256)),
            ("2a864886f70d01010d", Some(&digest::SHA512)),
            ("2a8648ce3d040302", Some(&digest::SHA256)),
            ("2a8648ce3d040303", Some(&digest::SHA384)),
            // RSA-PSS, and Ed25519.
            ("2a864886f70d01010a", None),
            ("2b6570", None),
        ] {
            let bytes: Vec<u8> = (0..identifier.len() / 2)
                .map(|at| u8::from_str_radix(&identifier[2 * at..2 * at + 2], 16).expect("hex"))
                .collect();
            assert!(signature_digest(&signed_by(&bytes)) == expected, "{identifier}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_have_none() {
        let good = signed_by(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
        assert!(signature_digest(&good).is_some());
        for end in 0..good.len() {
            assert!(signature_digest(&good[..end]).is_none(), "{end}");
        }
        for bytes in [&[0x30, 0x85, 0, 0, 0, 0, 0][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
            assert!(signature_digest(bytes).is_none());
        }
    }
}
