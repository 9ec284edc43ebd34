//! No key and no value is in anything that is printed.

use std::error::Error;

use pando_vault::{KeyOptions, KeyText, Keyring, KeyringOptions};

use crate::{PLACE, key, keyring, options, without_keys};

/// `many-armies-of-ants-march-at-daw` in hex.
const KEY: &str = "6d616e792d61726d6965732d6f662d616e74732d6d617263682d61742d646177";
const PLAIN: &str = "zoe@example.org";

/// Whether a text holds the beginning of the key: as text, in hex, in base64, or as a list of bytes.
fn shows_key(printed: &str) -> bool {
    let printed = printed.to_lowercase();
    ["6d616e79", "many", "bwfues", "109, 97, 110", "6d, 61, 6e"].iter().any(|part| printed.contains(part))
}

#[test]
fn neither_options_nor_keyrings_print_keys() {
    let secret = KeyOptions { key: Some(KeyText::new(KEY)), ..key("a", 0) };
    let options = options(&[secret], "a");
    let keyring = Keyring::new(&options).unwrap();
    let printed = [
        format!("{options:?} {options:#?}"),
        serde_json::to_string(&options).unwrap(),
        toml::to_string(&options).unwrap(),
        format!("{keyring:?} {keyring:#?}"),
    ];
    for text in &printed {
        assert!(!shows_key(text), "{text}");
    }
    assert!(printed[..3].iter().all(|text| text.contains("***")));
    assert!(shows_key(KEY), "the test would see the key");
}

#[test]
fn settings_read_from_a_file_and_printed_hide_their_keys() {
    let text = format!("keys = [{{ id = 'a', key = '{KEY}' }}]");
    let options: KeyringOptions = toml::from_str(&text).unwrap();
    assert!(shows_key(&text) && !shows_key(&format!("{options:?}")));
}

#[test]
fn errors_about_settings_do_not_print_keys() {
    let with = |text: &str| KeyOptions { key: Some(KeyText::new(text)), ..key("a", 0) };
    let same = || with(KEY);
    for keys in [
        vec![with(&format!("{KEY}!"))],
        vec![with(&KEY[..20])],
        vec![same(), KeyOptions { id: "b".to_owned(), ..same() }],
        vec![KeyOptions { key_file: Some("vault.key".into()), ..same() }],
    ] {
        let error = Keyring::new(&options(&keys, "a")).unwrap_err();
        assert!(!shows_key(&format!("{error} {error:?} {:?}", error.source())), "{error:?}");
    }
}

#[test]
fn errors_about_values_do_not_print_them() {
    let vault = keyring(&[key("a", 0)], "a");
    let sealed = vault.seal(&PLACE, PLAIN).unwrap();
    let errors = [
        vault.open(&["elsewhere"], &sealed).unwrap_err(),
        vault.open(&PLACE, &format!("pando-vault:1:{PLAIN}")).unwrap_err(),
        vault.open(&PLACE, &format!("pando-vault:1:{PLAIN}:{PLAIN}")).unwrap_err(),
        vault.open(&PLACE, &format!("pando-vault:1:a:{PLAIN}")).unwrap_err(),
        vault.open(&PLACE, &sealed[..sealed.len() - 2]).unwrap_err(),
        without_keys().open(&PLACE, &sealed).unwrap_err(),
        without_keys().seal(&PLACE, &format!("pando-vault:{PLAIN}")).unwrap_err(),
        vault.seal(&PLACE, &PLAIN.repeat(100_000)).unwrap_err(),
    ];
    for error in errors {
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("zoe") && !printed.contains(&sealed), "{printed}");
    }
}
