//! Published answers of the algorithms, and answers of the formats of this crate that Python computed.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use crate::{FIELD, PLACE, key, keyring};

struct Vector {
    key: &'static str,
    nonce: &'static str,
    associated: &'static str,
    plain: &'static str,
    /// The ciphertext, then the tag.
    sealed: &'static str,
}

/// From "The Galois/Counter Mode of Operation" (test cases 13, 14 and 16) and from `gcmEncryptExtIV256.rsp` of NIST's CAVP.
const VECTORS: [Vector; 5] = [
    Vector {
        key: "0000000000000000000000000000000000000000000000000000000000000000",
        nonce: "000000000000000000000000",
        associated: "",
        plain: "",
        sealed: "530f8afbc74536b9a963b4f1c4cb738b",
    },
    Vector {
        key: "0000000000000000000000000000000000000000000000000000000000000000",
        nonce: "000000000000000000000000",
        associated: "",
        plain: "00000000000000000000000000000000",
        sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    },
    Vector {
        key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
    },
    Vector {
        key: "83688deb4af8007f9b713b47cfa6c73e35ea7a3aa4ecdb414dded03bf7a0fd3a",
        nonce: "0b459724904e010a46901cf3",
        associated: "794a14ccd178c8ebfd1379dc704c5e208f9d8424",
        plain: "33d893a2114ce06fc15d55e454cf90c3",
        sealed: "cc66bee423e3fcd4c0865715e95866960fb291bd3dba94a1dfd8b286cfb97ac5",
    },
    Vector {
        key: "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
        nonce: "516c33929df5a3284ff463d7",
        associated: "",
        plain: "",
        sealed: "bdc1ac884d332457a1d2664f168c76f0",
    },
];

#[test]
fn aes_256_gcm_gives_the_published_answers() {
    for vector in &VECTORS {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes(vector.key)).unwrap());
        let nonce = || Nonce::try_assume_unique_for_key(&bytes(vector.nonce)).unwrap();
        let associated = || Aad::from(bytes(vector.associated));
        let mut sealed = bytes(vector.plain);
        cipher.seal_in_place_append_tag(nonce(), associated(), &mut sealed).unwrap();
        assert_eq!(sealed, bytes(vector.sealed), "key {}", vector.key);
        let plain = cipher.open_in_place(nonce(), associated(), &mut sealed).unwrap();
        assert_eq!(plain, bytes(vector.plain), "key {}", vector.key);
    }
}

#[test]
fn hmac_sha_256_gives_the_answer_of_rfc_4231() {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"Jefe"), b"what do ya want for nothing?");
    let expected = bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(tag.as_ref(), expected);
}

/// `AESGCM` of Python's `cryptography` sealed this with a fixed nonce: the format must stay as it is.
#[test]
fn a_value_that_python_sealed_opens() {
    let vault = keyring(&[key("2026-11", 0)], "2026-11");
    let stored = "pando-vault:1:2026-11:ZGVmZ2hpamtsbW5vEnQdzVnVLPFbIjqQuwgakSfsaXjsUlLHRTmc8q0O_UnszdgKFDY";
    assert_eq!(vault.open(&PLACE, stored).unwrap(), "Zoë <zoe@example.org>");
}

#[test]
fn an_index_is_what_python_computes() {
    let vault = keyring(&[key("2026-11", 0)], "2026-11");
    assert_eq!(vault.blind_index(&FIELD, "zoe@example.org"), "ix1:qGjdlx6HLY5dhBo3gWzspg");
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
