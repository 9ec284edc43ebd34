//! The files of one model.

/// A model's own file and its card, as bytes.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The model's own file.
    pub model: Vec<u8>,
    /// Its card.
    pub card: Vec<u8>,
}
