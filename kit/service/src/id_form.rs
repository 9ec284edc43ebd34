//! The form in which callers see the ids of one kind of things.

use uuid::Uuid;

/// A prefix, and an id as 32 digits: `risk_019b76daa80070008000000000000005`. Callers see at once which kind of thing an id names.
#[derive(Clone, Copy, Debug)]
pub struct IdForm(&'static str);

impl IdForm {
    /// Ids with this prefix.
    pub const fn new(prefix: &'static str) -> Self {
        Self(prefix)
    }

    /// An id as callers see it.
    pub fn show(self, id: Uuid) -> String {
        format!("{}{}", self.0, id.simple())
    }

    /// The id that a text names. Each id has one form, so that two texts never mean the same thing.
    pub fn parse(self, text: &str) -> Option<Uuid> {
        let digits = text.strip_prefix(self.0)?;
        let is_plain =
            digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_plain.then(|| Uuid::parse_str(digits).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_in_no_other_way() {
        const TREE: IdForm = IdForm::new("tree_");
        let id = Uuid::from_u128(u128::MAX);
        assert_eq!(TREE.parse(&TREE.show(id)), Some(id));
        let upper = TREE.show(id).replace('f', "F");
        for text in ["", "tree_", "tree_1", &upper, &id.to_string(), &IdForm::new("bush_").show(id)] {
            assert_eq!(TREE.parse(text), None, "{text}");
        }
    }
}
