//! Sealing, opening, and the rotation of keys.

use std::collections::HashSet;

use pando_vault::{PLAIN_BYTES_MAX, VaultError};

use crate::{PLACE, key, keyring, without_keys};

#[test]
fn values_of_every_length_come_back() {
    let vault = keyring(&[key("a", 0)], "a");
    let lengths = (0..100).chain([1_000, 65_536, PLAIN_BYTES_MAX - 1, PLAIN_BYTES_MAX]);
    let texts = lengths.map(|length| "x".repeat(length));
    let others = ["Zoë", "名前", "\0\n", "pando-vault:", "pando-vault:1:a:AAAA"].map(str::to_owned);
    for plain in texts.chain(others) {
        let sealed = vault.seal(&PLACE, &plain).unwrap();
        assert!(sealed.is_ascii() && sealed.starts_with("pando-vault:1:a:"));
        let short_or_like_a_header = plain.len() < 4 || plain.starts_with("pando-vault:");
        assert!(short_or_like_a_header || !sealed.contains(&plain));
        assert_eq!(sealed.len(), 16 + ((plain.len() + 28) * 4).div_ceil(3));
        assert_eq!(vault.open(&PLACE, &sealed).unwrap(), plain);
    }
}

#[test]
fn a_sealed_value_can_be_sealed_again_and_opened_twice() {
    let vault = keyring(&[key("a", 0)], "a");
    let once = vault.seal(&PLACE, "zoe@example.org").unwrap();
    let twice = vault.seal(&PLACE, &once).unwrap();
    assert_eq!(vault.open(&PLACE, &twice).unwrap(), once);
    assert_eq!(vault.open(&PLACE, &once).unwrap(), "zoe@example.org");
}

#[test]
fn longer_values_are_refused_with_and_without_keys() {
    let plain = "x".repeat(PLAIN_BYTES_MAX + 1);
    for vault in [keyring(&[key("a", 0)], "a"), without_keys()] {
        assert_eq!(vault.seal(&PLACE, &plain), Err(VaultError::TooLong(PLAIN_BYTES_MAX + 1)));
    }
}

#[test]
fn no_value_is_opened_after_any_bit_was_flipped() {
    // One bit away from the id `a`.
    let vault = keyring(&[key("a", 0), key("c", 64)], "a");
    let sealed = vault.seal(&PLACE, "+41 44").unwrap();
    let prefix = "pando-vault:".len();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // What is not UTF-8 cannot come out of a text column.
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            let opened = vault.open(&PLACE, &flipped);
            if at < prefix {
                assert_eq!(opened.unwrap(), flipped, "a value that does not look sealed stays as it is");
            } else {
                let error = opened.expect_err(&flipped);
                let right = match (at, flipped.as_bytes()[at]) {
                    // The version, and the colon behind it.
                    (12 | 13, _) => error == VaultError::Unreadable,
                    (14, b'c') => error == VaultError::Damaged,
                    (14, id) if id.is_ascii_alphanumeric() => {
                        error == VaultError::UnknownKey(char::from(id).to_string())
                    }
                    _ => matches!(error, VaultError::Damaged | VaultError::Unreadable),
                };
                assert!(right, "byte {at}, bit {bit}: {error}");
            }
        }
    }
}

#[test]
fn every_bit_of_nonce_ciphertext_and_tag_is_authenticated() {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let vault = keyring(&[key("a", 0)], "a");
    let sealed = vault.seal(&PLACE, "+41 44").unwrap();
    let (header, text) = sealed.split_at("pando-vault:1:a:".len());
    let bytes = BASE64.decode(text).unwrap();
    assert_eq!(bytes.len(), 12 + 6 + 16);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let stored = format!("{header}{}", BASE64.encode(&flipped));
        assert_eq!(vault.open(&PLACE, &stored), Err(VaultError::Damaged), "bit {bit}");
    }
}

#[test]
fn a_value_that_was_cut_off_or_extended_is_refused() {
    let vault = keyring(&[key("a", 0)], "a");
    let sealed = vault.seal(&PLACE, "zoe@example.org").unwrap();
    for length in "pando-vault:".len()..sealed.len() {
        let error = vault.open(&PLACE, &sealed[..length]).unwrap_err();
        assert!(matches!(error, VaultError::Unreadable | VaultError::Damaged), "{length} bytes: {error}");
    }
    for more in ["A", "AAAA", "=", " ", "\n", ":"] {
        let error = vault.open(&PLACE, &format!("{sealed}{more}")).unwrap_err();
        assert!(matches!(error, VaultError::Unreadable | VaultError::Damaged), "{more:?}: {error}");
    }
    for stored in ["pando-vault:", "pando-vault:1:a", "pando-vault:2:a:AAAA", "pando-vault:1::AAAA"] {
        assert_eq!(vault.open(&PLACE, stored), Err(VaultError::Unreadable), "{stored}");
    }
}

#[test]
fn a_value_opens_in_its_own_place_only() {
    let vault = keyring(&[key("a", 0)], "a");
    let sealed = vault.seal(&PLACE, "zoe@example.org").unwrap();
    let elsewhere: [&[&str]; 9] = [
        &["globex", "customers", "email", "42"],
        &["acme", "suppliers", "email", "42"],
        &["acme", "customers", "phone", "42"],
        &["acme", "customers", "email", "43"],
        &["acme", "customers", "email"],
        &["acme", "customers", "email", "42", ""],
        &["acmecustomers", "", "email", "42"],
        &["acme", "customers", "email4", "2"],
        &[],
    ];
    for place in elsewhere {
        assert_eq!(vault.open(place, &sealed), Err(VaultError::Damaged), "{place:?}");
    }
}

#[test]
fn keys_rotate_while_old_values_still_open() {
    let before = keyring(&[key("a", 0)], "a");
    let old = before.seal(&PLACE, "zoe@example.org").unwrap();
    assert!(!before.needs_reseal(&old) && before.needs_reseal("zoe@example.org"));

    let during = keyring(&[key("a", 0), key("b", 64)], "b");
    let new = during.seal(&PLACE, "zoe@example.org").unwrap();
    assert!(new.starts_with("pando-vault:1:b:"));
    for stored in [&old, &new] {
        assert_eq!(during.open(&PLACE, stored).unwrap(), "zoe@example.org");
    }
    assert!(during.needs_reseal(&old) && !during.needs_reseal(&new));

    let after = keyring(&[key("b", 64)], "b");
    assert_eq!(after.open(&PLACE, &new).unwrap(), "zoe@example.org");
    assert_eq!(after.open(&PLACE, &old), Err(VaultError::UnknownKey("a".to_owned())));
    assert!(after.open(&PLACE, &old).unwrap_err().to_string().contains("`a`"));
    assert!(after.needs_reseal(&old));
}

#[test]
fn an_id_that_begins_like_another_is_another() {
    let vault = keyring(&[key("a", 0), key("a.2", 64)], "a.2");
    let sealed = vault.seal(&PLACE, "zoe@example.org").unwrap();
    assert_eq!(vault.open(&PLACE, &sealed).unwrap(), "zoe@example.org");
    assert!(keyring(&[key("a", 0)], "a").needs_reseal(&sealed));
}

#[test]
fn another_key_of_the_same_id_does_not_open() {
    let sealed = keyring(&[key("a", 0)], "a").seal(&PLACE, "zoe@example.org").unwrap();
    assert_eq!(keyring(&[key("a", 64)], "a").open(&PLACE, &sealed), Err(VaultError::Damaged));
}

#[test]
fn plain_values_from_before_encryption_are_returned() {
    let vault = keyring(&[key("a", 0)], "a");
    for plain in ["", "zoe@example.org", "+41 44 668 18 00", "pando-vaults:1", "Pando-vault:1:a:"] {
        assert_eq!(vault.open(&PLACE, plain).unwrap(), plain);
        assert!(vault.needs_reseal(plain));
    }
}

#[test]
fn without_keys_values_stay_as_they_are() {
    let off = without_keys();
    for plain in ["", "zoe@example.org", "pando-vaults"] {
        assert_eq!(off.seal(&PLACE, plain).unwrap(), plain);
        assert_eq!(off.open(&PLACE, plain).unwrap(), plain);
        assert!(!off.needs_reseal(plain));
    }
    assert_eq!(off.seal(&PLACE, "pando-vault:hello"), Err(VaultError::LooksSealed));
    let sealed = keyring(&[key("a", 0)], "a").seal(&PLACE, "zoe@example.org").unwrap();
    assert_eq!(off.open(&PLACE, &sealed), Err(VaultError::UnknownKey("a".to_owned())));
}

#[test]
fn no_two_of_ten_thousand_seals_share_a_nonce() {
    let vault = keyring(&[key("a", 0)], "a");
    // 12 bytes are 16 letters of base64.
    let nonce = |sealed: String| sealed["pando-vault:1:a:".len()..][..16].to_owned();
    let nonces: HashSet<String> = (0..10_000).map(|_| nonce(vault.seal(&PLACE, "same").unwrap())).collect();
    assert_eq!(nonces.len(), 10_000);
}
