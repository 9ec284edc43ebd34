//! Letters of any script, written in the 26 Latin ones.
//!
//! `any_ascii` has a spelling for nearly every letter. Five scripts read better with rules of their own: Arabic and Hebrew,
//! where a letter is a vowel or a consonant by its place; Greek, where two letters make one sound; Han and Hangul,
//! where each sign is a syllable.

use any_ascii::any_ascii_char;

/// Writes one letter in Latin. `before` and `after` are its neighbours, if they are letters.
pub(super) fn write_latin(letter: char, before: Option<char>, after: Option<char>, to: &mut String) {
    let own = match letter {
        '\u{0590}'..='\u{05ff}' => hebrew(letter, before.is_none()),
        '\u{0600}'..='\u{06ff}' => arabic(letter, before, after),
        '\u{0370}'..='\u{03ff}' | '\u{1f00}'..='\u{1fff}' => greek(letter, before, after),
        _ if is_hangul(letter) && !before.is_some_and(is_hangul) => korean_family_name(letter),
        _ => None,
    };
    let latin = own.unwrap_or_else(|| any_ascii_char(letter));
    to.extend(latin.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()));
}

/// Whether the sign is a syllable, which is kept as a word of its own.
pub(super) fn is_syllable(sign: char) -> bool {
    is_hangul(sign)
        || matches!(sign, '\u{3005}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_hangul(sign: char) -> bool {
    matches!(sign, '\u{ac00}'..='\u{d7a3}')
}

fn hebrew(letter: char, first: bool) -> Option<&'static str> {
    Some(match letter {
        'א' | 'ע' => "a",
        'ו' if first => "v",
        'ו' => "o",
        'י' if first => "y",
        'י' => "i",
        'ח' => "h",
        'כ' | 'ך' | 'ק' => "k",
        'צ' | 'ץ' => "ts",
        'ש' => "sh",
        'ט' => "t",
        'פ' | 'ף' => "f",
        _ => return None,
    })
}

fn arabic(letter: char, before: Option<char>, after: Option<char>) -> Option<&'static str> {
    Some(match letter {
        'ا' | 'أ' | 'آ' | 'ٱ' | 'ى' | 'ع' | 'ة' => "a",
        'إ' | 'ئ' => "i",
        'ؤ' => "u",
        'ء' | 'ـ' => "",
        'و' if before.is_none() || after == Some('ا') => "w",
        'و' => "u",
        'ي' | 'ی' if before.is_none() || after == Some('ا') => "y",
        'ي' | 'ی' => "i",
        'ح' | 'ه' => "h",
        'خ' => "kh",
        'ث' => "th",
        'ذ' => "dh",
        'ش' => "sh",
        'غ' => "gh",
        'ق' => "q",
        'ص' => "s",
        'ض' => "d",
        'ط' => "t",
        'ظ' => "z",
        'چ' => "ch",
        'گ' => "g",
        'پ' => "p",
        'ژ' => "zh",
        'ک' => "k",
        _ => return None,
    })
}

fn greek(letter: char, before: Option<char>, after: Option<char>) -> Option<&'static str> {
    let bare = |letter: Option<char>| {
        letter.map_or("", any_ascii_char).chars().next().map(|it| it.to_ascii_lowercase())
    };
    let first = bare(before);
    Some(match letter.to_lowercase().next().unwrap_or(letter) {
        'υ' | 'ύ' if first == Some('o') => "u",
        'υ' | 'ύ' if matches!(first, Some('a' | 'e')) => "v",
        'π' if before.is_some_and(|it| matches!(it, 'μ' | 'Μ')) => "",
        'μ' if after.is_some_and(|it| matches!(it, 'π' | 'Π')) && before.is_none() => "b",
        'μ' if after.is_some_and(|it| matches!(it, 'π' | 'Π')) => "mp",
        'γ' if matches!(after, Some('γ' | 'χ' | 'ξ')) => "n",
        'γ' if after == Some('κ') => "",
        'κ' if matches!(before, Some('γ' | 'Γ')) => "g",
        'χ' => "ch",
        'φ' => "f",
        'β' => "v",
        'ξ' => "x",
        _ => return None,
    })
}

/// The usual Latin spelling of a Korean family name; the official romanisation is hardly used for it.
fn korean_family_name(syllable: char) -> Option<&'static str> {
    Some(match syllable {
        '김' => "kim",
        '이' => "lee",
        '박' => "park",
        '최' => "choi",
        '정' => "jung",
        '조' => "cho",
        '강' => "kang",
        '임' => "lim",
        '오' => "oh",
        '신' => "shin",
        '권' => "kwon",
        '안' => "ahn",
        '유' => "yoo",
        '고' => "ko",
        '문' => "moon",
        '배' => "bae",
        '노' => "roh",
        '구' => "koo",
        _ => return None,
    })
}
