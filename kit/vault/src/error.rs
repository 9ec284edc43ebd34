//! The faults of the settings of a keyring, and of a value. No message contains a key or a value.

use std::io;
use std::path::PathBuf;

/// Why a keyring cannot be made of its options. The keys are named as `keys.ID` and `index_keys.ID`.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The id of a key is empty, too long, or has other letters.
    /// The id is not quoted: somebody may have written the key in its place.
    #[error("the id of a key is not 1 to 32 letters, digits, `-`, `_` and `.`")]
    KeyId,
    /// Two keys of a list have the same id.
    #[error("two keys are called `{0}`")]
    DuplicateId(String),
    /// `current` is not the id of one of the keys, or is missing although there are keys.
    #[error("`current` is {0:?}, which is not the id of one of the `keys`")]
    UnknownCurrent(String),
    /// There is this number of index keys, and they do not fit the keys.
    #[error("there are {0} `index_keys`: with `keys` there must be one or two, and without `keys` none")]
    IndexKeys(usize),
    /// Neither `key` nor `key_file` is set, or both are.
    #[error("`{0}` needs either `key` or `key_file`")]
    KeySource(String),
    /// A key file cannot be read.
    #[error("the key file {path} of `{0}` cannot be read", path = .1.display())]
    KeyFile(String, PathBuf, #[source] io::Error),
    /// A key is too short, too long, or neither base64 nor hex.
    #[error("the key of `{0}` is not 32 bytes in base64 or hex")]
    KeyForm(String),
    /// One key has two ids, or two purposes.
    #[error("`{0}` and `{1}` are the same key")]
    SameKey(String, String),
}

/// Why a value cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The value has this many bytes, too many to be sealed.
    #[error("the value has {0} bytes, more than {max}", max = crate::PLAIN_BYTES_MAX)]
    TooLong(usize),
    /// There are no keys, and the value could not be told from a sealed one.
    #[error("a value that begins with `pando-vault:` cannot be stored without encryption")]
    LooksSealed,
    /// The key with this id, which sealed the value, is not in the keyring.
    #[error("the value was sealed with the key `{0}`, which is not in the keyring")]
    UnknownKey(String),
    /// The value was changed or sealed for another place, or its key was replaced under the same id.
    #[error(
        "the sealed value was damaged, or moved here from another place, or sealed with another key of this id"
    )]
    Damaged,
    /// The value begins as sealed values do, and goes on differently.
    #[error("the sealed value is cut off or in an unknown form")]
    Unreadable,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}
