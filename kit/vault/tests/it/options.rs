//! Settings that work, and settings that are refused.

use std::fs;
use std::process::Command;

use pando_vault::{KeyOptions, KeyText, Keyring, KeyringError, KeyringOptions};

use crate::{FIELD, PLACE, key, keyring, options};

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn a_settings_file_with_every_way_to_give_a_key_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vault.key");
    // As the README says.
    let command = format!("head -c 32 /dev/urandom | base64 > {}", file.display());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    let settings = format!(
        r#"
        current = "2026-11"
        keys = [{{ id = "2026-11", key_file = {file:?} }}, {{ id = "2025_06", key = "{HEX}" }}]
        index_keys = [{{ id = "Index.1", key = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=" }}]
        "#
    );
    let vault = Keyring::new(&toml::from_str(&settings).unwrap()).unwrap();
    let sealed = vault.seal(&PLACE, "zoe@example.org").unwrap();
    assert!(sealed.starts_with("pando-vault:1:2026-11:"));
    assert_eq!(vault.open(&PLACE, &sealed).unwrap(), "zoe@example.org");
    let old = keyring(&[key("2025_06", 0)], "2025_06");
    let sealed = old.seal(&PLACE, "zoe@example.org").unwrap();
    assert_eq!(vault.open(&PLACE, &sealed).unwrap(), "zoe@example.org");
    assert_eq!(vault.blind_index(&FIELD, "zoe"), old.blind_index(&FIELD, "zoe"));
}

#[test]
fn hex_and_base64_in_any_case_and_with_spaces_around_are_one_key() {
    let sealed = keyring(&[key("a", 0)], "a").seal(&PLACE, "zoe@example.org").unwrap();
    for text in [HEX, &HEX.to_uppercase(), BASE64, &format!(" {BASE64}\n")] {
        let same = KeyOptions { key: Some(KeyText::new(text)), ..key("a", 0) };
        assert_eq!(keyring(&[same], "a").open(&PLACE, &sealed).unwrap(), "zoe@example.org");
    }
}

#[test]
fn no_settings_are_no_keys_and_unknown_settings_are_refused() {
    assert_eq!(toml::from_str::<KeyringOptions>("").unwrap(), KeyringOptions::default());
    assert!(toml::from_str::<KeyringOptions>("curent = 'a'").is_err());
    assert!(toml::from_str::<KeyringOptions>("keys = [{ id = 'a', file = 'b' }]").is_err());
}

#[test]
fn each_mistake_is_named() {
    let a = || options(&[key("a", 0)], "a");
    let with = |text: &str| KeyOptions { key: Some(KeyText::new(text)), ..key("a", 0) };
    let (short, long) = (&HEX[2..], format!("{HEX}00"));
    let cases = [
        (options(&[with(short)], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with(&long)], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with(&HEX[1..])], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with(&BASE64[4..])], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with("")], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with("correct horse")], "a"), "the key of `keys.a` is not 32 bytes in base64 or hex"),
        (options(&[with(&HEX.replace("0a", "+a"))], "a"), "the key of `keys.a` is not 32 bytes"),
        (options(&[key("a", 0)], "b"), "`current` is \"b\", which is not the id of one of the `keys`"),
        (KeyringOptions { current: None, ..a() }, "`current` is \"\", which is not the id"),
        (
            KeyringOptions { current: Some("a".to_owned()), ..KeyringOptions::default() },
            "`current` is \"a\", which is not the id",
        ),
        (options(&[key("a", 0), key("a", 64)], "a"), "two keys are called `keys.a`"),
        (KeyringOptions { index_keys: vec![], ..a() }, "there are 0 `index_keys`"),
        (KeyringOptions { keys: vec![], current: None, ..a() }, "there are 1 `index_keys`"),
        (
            KeyringOptions { index_keys: [32, 64, 96].map(|it| key(&format!("i{it}"), it)).to_vec(), ..a() },
            "there are 3 `index_keys`",
        ),
        (
            options(&[KeyOptions { key: None, ..key("a", 0) }], "a"),
            "`keys.a` needs either `key` or `key_file`",
        ),
        (
            options(&[KeyOptions { key_file: Some("vault.key".into()), ..key("a", 0) }], "a"),
            "`keys.a` needs either `key` or `key_file`",
        ),
        (options(&[key("a", 0), key("b", 0)], "a"), "`keys.a` and `keys.b` are the same key"),
        (options(&[key("a", 32)], "a"), "`keys.a` and `index_keys.index-1` are the same key"),
    ];
    for (options, expected) in cases {
        let message = Keyring::new(&options).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message:?} instead of {expected:?}");
    }
}

#[test]
fn ids_of_other_letters_or_lengths_are_refused() {
    for id in ["", "a:b", "a b", "é", "a/b", "a\n", &"a".repeat(33)] {
        match Keyring::new(&options(&[key(id, 0)], id)) {
            Err(KeyringError::KeyId) => {}
            other => panic!("{id:?}: {other:?}"),
        }
    }
    for id in ["a", "A-z_0.9", &"a".repeat(32)] {
        Keyring::new(&options(&[key(id, 0)], id)).unwrap();
    }
}

#[test]
fn a_key_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let key_file = Some(folder.path().join(name));
        let from_file = KeyOptions { id: "a".to_owned(), key: None, key_file };
        Keyring::new(&options(&[from_file], "a"))
    };
    let message = read("missing").unwrap_err().to_string();
    assert!(message.contains("missing` of `keys.a`") || message.contains("missing of `keys.a`"), "{message}");
    fs::write(folder.path().join("long"), BASE64.repeat(1_000)).unwrap();
    assert!(matches!(read("long"), Err(KeyringError::KeyForm(name)) if name == "keys.a"));
    fs::write(folder.path().join("raw"), [0xff; 32]).unwrap();
    assert!(matches!(read("raw"), Err(KeyringError::KeyFile(name, ..)) if name == "keys.a"));
    fs::write(folder.path().join("good"), format!("{BASE64}\r\n")).unwrap();
    read("good").unwrap();
}
