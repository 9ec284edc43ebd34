//! Finding values without reading them.

use std::collections::HashSet;

use pando_vault::{Keyring, KeyringOptions};

use crate::{FIELD, key, keyring, options, without_keys};

#[test]
fn equal_values_of_one_field_have_equal_indexes_whichever_key_seals() {
    let vault = keyring(&[key("a", 0)], "a");
    let index = vault.blind_index(&FIELD, "zoe@example.org");
    assert_eq!(index, vault.blind_index(&FIELD, "zoe@example.org"));
    let rotated = keyring(&[key("a", 0), key("b", 64)], "b");
    assert_eq!(index, rotated.blind_index(&FIELD, "zoe@example.org"));
}

#[test]
fn indexes_differ_by_value_tenant_field_and_key() {
    let vault = keyring(&[key("a", 0)], "a");
    let inputs: [(&[&str], &str); 8] = [
        (&["acme", "email"], "zoe@example.org"),
        (&["acme", "email"], "zoe@example.com"),
        (&["globex", "email"], "zoe@example.org"),
        (&["acme", "phone"], "zoe@example.org"),
        (&["acme", "emailz"], "oe@example.org"),
        (&["acmeemail"], "zoe@example.org"),
        (&["acme"], "zoe@example.org"),
        (&["acme", "email", "zoe@example.org"], ""),
    ];
    let mut indexes: HashSet<String> =
        inputs.iter().map(|(context, value)| vault.blind_index(context, value)).collect();
    assert_eq!(indexes.len(), inputs.len());
    let other = KeyringOptions { index_keys: vec![key("index-2", 96)], ..options(&[key("a", 0)], "a") };
    let (context, value) = inputs[0];
    assert!(indexes.insert(Keyring::new(&other).unwrap().blind_index(context, value)));
}

#[test]
fn an_index_never_shows_the_value() {
    let vault = keyring(&[key("a", 0)], "a");
    let index = vault.blind_index(&FIELD, "zoe@example.org");
    for value in ["", "zoe@example.org", &index, &"x".repeat(100_000)] {
        let index = vault.blind_index(&FIELD, value);
        assert_ne!(index, value);
        assert!(index.len() == 26 && index.starts_with("ix1:") && index.is_ascii(), "{index}");
    }
}

#[test]
fn look_ups_find_rows_of_either_key_and_plain_rows_at_each_step_of_a_rotation() {
    let value = "zoe@example.org";
    let (old_key, new_key) = (key("index-1", 32), key("index-2", 96));
    let vault = |index_keys: &[_]| {
        let index_keys = index_keys.to_vec();
        Keyring::new(&KeyringOptions { index_keys, ..options(&[key("a", 0)], "a") }).unwrap()
    };
    let steps = [
        vault(std::slice::from_ref(&old_key)),
        vault(&[old_key.clone(), new_key.clone()]),
        vault(&[new_key.clone(), old_key]),
        vault(&[new_key]),
    ];
    let [before, announced, current, after] = &steps;
    let (old, new) = (before.blind_index(&FIELD, value), after.blind_index(&FIELD, value));
    assert_ne!(old, new);
    assert_eq!(announced.blind_index(&FIELD, value), old);
    assert_eq!(current.blind_index(&FIELD, value), new);
    assert_eq!(before.blind_indexes(&FIELD, value), [old.as_str(), value]);
    assert_eq!(announced.blind_indexes(&FIELD, value), [old.as_str(), new.as_str(), value]);
    assert_eq!(current.blind_indexes(&FIELD, value), [new.as_str(), old.as_str(), value]);
    assert_eq!(after.blind_indexes(&FIELD, value), [new.as_str(), value]);
}

#[test]
fn without_keys_the_index_is_the_value() {
    let off = without_keys();
    for value in ["", "zoe@example.org", "ix1:whatever"] {
        assert_eq!(off.blind_index(&FIELD, value), value);
        assert_eq!(off.blind_indexes(&FIELD, value), [value]);
    }
}

#[test]
fn nobody_finds_a_row_by_its_index() {
    let vault = keyring(&[key("a", 0)], "a");
    let stored = vault.blind_index(&FIELD, "zoe@example.org");
    assert!(!vault.blind_indexes(&FIELD, &stored).contains(&stored));
}
