//! A name as it is compared: normalised words in Latin letters.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::script::{is_syllable, write_latin};
use super::words::{LEGAL_PHRASES, UNSPACED_WORDS, WordClass, canonical};

/// A longer name is cut here.
pub const NAME_CHARS_MAX: usize = 255;
/// Further words of a name are not compared.
pub const NAME_WORDS_MAX: usize = 32;
/// A longer word is cut here.
pub(crate) const WORD_LETTERS_MAX: usize = 48;

/// A name in its normal form. Two names with the same words in the same order are the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    words: Vec<String>,
}

impl Name {
    /// Normalises any text. A text without a letter or digit gives a name without words.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let letters = composed(text);
        let mut pieces = String::with_capacity(letters.len() + 16);
        for (at, letter) in letters.iter().copied().enumerate() {
            let before = at.checked_sub(1).map(|at| letters[at]).filter(|it| it.is_alphanumeric());
            let after = letters.get(at + 1).copied().filter(|it| it.is_alphanumeric());
            match letter {
                '\'' | '’' | '‘' | 'ʼ' | 'ʻ' | 'ʹ' | '`' | '´' | '״' | '׳' => {}
                '&' | '+' => pieces.push_str(" and "),
                // Kept for now: it joins the letters of S.A. and of J.R.
                '.' | '/' if before.is_some() => pieces.push('.'),
                _ if is_syllable(letter) => {
                    pieces.push(' ');
                    write_latin(letter, before, after, &mut pieces);
                    pieces.push(' ');
                }
                // The Arabic article is written with its word, and apart from it in Latin letters.
                'ا' if before.is_none() && is_article(&letters[at..]) => pieces.push_str("al "),
                'ل' if before == Some('ا') && pieces.ends_with("al ") => {}
                _ if letter.is_alphanumeric() => write_latin(letter, before, after, &mut pieces),
                _ => pieces.push(' '),
            }
        }
        let mut words = Vec::new();
        pieces.split(' ').for_each(|piece| push_words(piece, &mut words));
        join_phrases(&mut words);
        words.truncate(NAME_WORDS_MAX);
        Self { words }
    }

    /// The words of the name, in order.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

/// The letters of a text in composed form, without marks, and with the known words of unspaced scripts set apart.
///
/// The form is NFKC: its letters are those of NFKD, but for Hangul, whose syllables would fall apart.
fn composed(text: &str) -> Vec<char> {
    let cut = text.char_indices().nth(NAME_CHARS_MAX).map_or(text, |(end, _)| &text[..end]);
    let mut text: String = cut.nfkc().collect();
    if !text.is_ascii() {
        for (word, latin) in UNSPACED_WORDS {
            if text.contains(word) {
                text = text.replace(word, &format!(" {latin} "));
            }
        }
    }
    // One sign may stand for a sentence of eighteen letters.
    text.chars().filter(|letter| !is_combining_mark(*letter)).take(2 * NAME_CHARS_MAX).collect()
}

/// Whether an Arabic word begins with its article: three letters or more follow it.
fn is_article(letters: &[char]) -> bool {
    letters.get(1) == Some(&'ل')
        && letters.iter().skip(2).take(3).filter(|letter| letter.is_alphanumeric()).count() == 3
}

/// Adds the words of a piece that holds no space but may hold dots: `s.a.` is one word, `j.r.` are two, `st.john` too.
fn push_words(piece: &str, words: &mut Vec<String>) {
    let joined: String = piece.split('.').collect();
    let is_dotted = piece.trim_end_matches('.').contains('.');
    if !is_dotted || WordClass::of(&joined) == WordClass::LegalForm {
        push_word(&joined, words);
    } else {
        piece.split('.').for_each(|word| push_word(word, words));
    }
}

fn push_word(word: &str, words: &mut Vec<String>) {
    let cut = &word[..word.len().min(WORD_LETTERS_MAX)];
    let word = canonical(cut);
    if !word.is_empty() {
        words.push(without_digraphs(word));
    }
}

/// The umlauts of German and Scandinavian languages are written as one letter or as two: `ue` is `u`, `aa` is `a`.
///
/// No umlaut ends a word; Choe and Zoe stay as they are.
fn without_digraphs(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    for (at, letter) in word.char_indices() {
        let is_second = match plain.chars().next_back() {
            Some('a') => matches!(letter, 'e' | 'a'),
            Some('o' | 'u') => letter == 'e',
            _ => false,
        };
        if !is_second || at + 1 == word.len() {
            plain.push(letter);
        }
    }
    plain
}

fn join_phrases(words: &mut Vec<String>) {
    // The words of a phrase are already canonical here: `limited` is `ltd`, `company` is `co`.
    let is_phrase = |words: &[String], phrase: &[&str]| {
        words.len() >= phrase.len() && words.iter().zip(phrase).all(|(word, other)| word == canonical(other))
    };
    let mut at = 0;
    while at < words.len() {
        if let Some((phrase, form)) = LEGAL_PHRASES.iter().find(|(phrase, _)| is_phrase(&words[at..], phrase))
        {
            words.splice(at..at + phrase.len(), [(*form).to_owned()]);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        Name::new(text).words().join(" ")
    }

    #[test]
    fn spellings_of_one_name_have_one_normal_form() {
        for names in [
            &[
                "Müller GmbH",
                "MUELLER G.m.b.H.",
                "Muller, GmbH",
                "Mu\u{308}ller Gesellschaft mit beschränkter Haftung",
            ][..],
            &["Ørsted & Søn A/S", "Oersted and Soen AS", "orsted + son a.s."],
            &["Acme Intl Ltd", "ACME International, Limited"],
            &["タナカ株式会社", "Tanaka K.K."],
            &["Владимир Щукин", "Vladimir Shchukin"],
            &["ООО «Ромашка»", "OOO \"Romashka\""],
            &["O'Brien & Sons", "O’Brien and Sons"],
            &["Ｆｕｌｌ Ｗｉｄｔｈ", "full width"],
            &["김 민준", "김민준"],
            &["El Masri", "al-Masri"],
        ] {
            for name in names {
                assert_eq!(normal(name), normal(names[0]));
            }
        }
    }

    #[test]
    fn every_script_is_read() {
        for (text, latin) in [
            ("Γιώργος Παπαδόπουλος", "giorgos papadopoulos"),
            ("Μπουτάρης", "boutaris"),
            ("محمد يوسف", "mhmd yusf"),
            ("خالد القحطاني", "khald al qhtani"),
            ("דוד לוי", "dod loi"),
            ("王小明", "wang xiao ming"),
            ("トヨタ株式会社", "toyota kk"),
            ("김민준", "kim min jun"),
            ("北京华为有限公司", "bei jing hua wei ltd"),
            ("J.R. Smith", "j r smith"),
            ("Հայկ", "hayk"),
        ] {
            assert_eq!(normal(text), latin);
        }
    }

    #[test]
    fn any_text_gives_a_bounded_name() {
        for text in [
            "",
            " . / ' ",
            "😀😀",
            "\u{0}\u{300}\u{fdfa}\u{202e}",
            &"ﷺ".repeat(400),
            &"a ".repeat(400),
            &"x".repeat(999),
        ] {
            let name = Name::new(text);
            assert!(name.words().len() <= NAME_WORDS_MAX);
            assert!(name.words().iter().all(|word| !word.is_empty() && word.len() <= WORD_LETTERS_MAX));
        }
        for start in (0..0x0011_0000_u32).step_by(64) {
            let text: String = (start..start + 64).filter_map(char::from_u32).collect();
            for word in Name::new(&text).words() {
                assert!(
                    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
                    "{word}"
                );
            }
        }
    }
}
