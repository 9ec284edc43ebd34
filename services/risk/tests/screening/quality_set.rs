//! A made list, variants of its names, and names that are not on it.

use std::collections::HashSet;

use fastrand::Rng;
use pando_risk::screening::{Entry, Kind, List};

use crate::made_names::{COINED, LANGUAGES, LEGAL_FORMS, Spellings, TRADES};

/// The ways in which a name is varied.
pub(crate) const VARIANTS: [&str; 5] = ["transliterated", "reordered", "abbreviated", "misspelt", "combined"];

/// A name to look for.
pub(crate) struct Sample {
    /// As it is looked for.
    pub(crate) name: String,
    /// The place in `VARIANTS` of the way in which it was varied.
    pub(crate) variant: usize,
    /// The entry that it is a variant of; none for a name that is not on the list.
    pub(crate) entry: Option<String>,
}

/// A list and the names that are looked for in it.
pub(crate) struct QualitySet {
    /// The list.
    pub(crate) list: List,
    /// True and false names.
    pub(crate) samples: Vec<Sample>,
}

/// A person or company, as places in the tables of `made_names`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Named {
    Person { language: usize, given: usize, middle: Option<usize>, family: usize },
    Company { coined: (usize, usize), trade: usize, second: Option<usize>, legal: usize },
}

impl QualitySet {
    /// Makes a set of these sizes. The same seed makes the same set.
    pub(crate) fn make(entries: usize, true_names: usize, false_names: usize, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut listed = Vec::new();
        let mut known = HashSet::new();
        while listed.len() < entries {
            let named = Named::draw(&mut rng);
            if !named.identities().iter().any(|it| known.contains(it)) {
                known.extend(named.identities());
                listed.push(named);
            }
        }
        let mut names = Vec::new();
        let mut list = Vec::new();
        for (at, named) in listed.iter().enumerate() {
            let texts = named.texts(&mut rng);
            list.push(entry(at, named, &texts));
            names.push(texts);
        }
        let mut samples = Vec::new();
        while samples.len() < true_names {
            let (at, variant) = (rng.usize(..entries), samples.len() % VARIANTS.len());
            let name = listed[at].vary(variant, &mut rng);
            // A variant that the list writes out itself would show nothing.
            if !names[at].contains(&name) {
                samples.push(Sample { name, variant, entry: Some(id(at)) });
            }
        }
        let initials: HashSet<_> = listed.iter().flat_map(Named::initials).collect();
        while samples.len() < true_names + false_names {
            let (named, variant) = (Named::draw(&mut rng), samples.len() % VARIANTS.len());
            // "J. Smith" is no stranger to a list with a John Smith.
            let is_ambiguous = named.initials().iter().any(|it| initials.contains(it));
            let is_listed = named.identities().iter().any(|it| known.contains(it));
            if !(is_listed || matches!(variant, 2 | 4) && is_ambiguous) {
                samples.push(Sample { name: named.vary(variant, &mut rng), variant, entry: None });
            }
        }
        Self { list: List::new(list), samples }
    }
}

fn id(at: usize) -> String {
    format!("made-{at:06}")
}

fn entry(at: usize, named: &Named, texts: &[String]) -> Entry {
    Entry {
        id: id(at),
        source: "made".to_owned(),
        name: texts[0].clone(),
        aliases: texts[1..].to_vec(),
        kind: if matches!(named, Named::Person { .. }) { Kind::Person } else { Kind::Organization },
        countries: Vec::new(),
        birth_dates: Vec::new(),
        programs: Vec::new(),
        updated_at: None,
        contact: None,
    }
}

impl Named {
    fn draw(rng: &mut Rng) -> Self {
        if rng.u8(..4) == 0 {
            let second = rng.bool().then(|| rng.usize(..TRADES.len()));
            let coined = (rng.usize(..COINED[0].len()), rng.usize(..COINED[1].len()));
            let (trade, legal) = (rng.usize(..TRADES.len()), rng.usize(..LEGAL_FORMS.len()));
            return Self::Company { coined, trade, second: second.filter(|it| *it != trade), legal };
        }
        let at = rng.usize(..LANGUAGES.len());
        let language = &LANGUAGES[at];
        let has_middle = rng.u8(..5) == 0 && !language.family_first;
        let (given, family) = (rng.usize(..language.given.len()), rng.usize(..language.family.len()));
        let middle = has_middle.then(|| rng.usize(..language.given.len())).filter(|it| *it != given);
        Self::Person { language: at, given, middle, family }
    }

    /// All that tells one from another. Persons who share a family name and any given name are not told apart: one name
    /// may be a part of the other. Companies that share their invented word are not told apart either.
    fn identities(&self) -> Vec<Self> {
        match *self {
            Self::Person { language, given, middle, family } => {
                let given = [Some(given), middle].into_iter().flatten();
                given.map(|given| Self::Person { language, given, middle: None, family }).collect()
            }
            Self::Company { coined, .. } => vec![Self::Company { coined, trade: 0, second: None, legal: 0 }],
        }
    }

    /// The family name with each first letter of the given names.
    fn initials(&self) -> Vec<(usize, usize, char)> {
        let Self::Person { language, given, middle, family } = *self else { return Vec::new() };
        let table = &LANGUAGES[language].given;
        let spellings = [Some(given), middle].into_iter().flatten().flat_map(|it| table[it]);
        spellings.filter_map(|it| Some((language, family, it.chars().next()?))).collect()
    }

    /// The words of a name, each with its spellings, in the order of the script or of Latin letters.
    fn words(&self, in_own_script: bool) -> Vec<Spellings> {
        match *self {
            Self::Person { language, given, middle, family } => {
                let language = &LANGUAGES[language];
                let middle = middle.map(|it| language.given[it]);
                let mut words: Vec<Spellings> =
                    [Some(language.given[given]), middle].into_iter().flatten().collect();
                let place = if in_own_script && language.family_first { 0 } else { words.len() };
                words.insert(place, language.family[family]);
                words
            }
            Self::Company { trade, second, legal, .. } => {
                let words = [Some(TRADES[trade]), second.map(|it| TRADES[it]), Some(LEGAL_FORMS[legal])];
                words.into_iter().flatten().collect()
            }
        }
    }

    /// The invented word of a company, which has one spelling.
    fn coined(&self) -> Option<String> {
        let Self::Company { coined, .. } = self else { return None };
        Some(format!("{}{}", COINED[0][coined.0], COINED[1][coined.1]))
    }

    /// The name with a spelling of each word that the choice takes.
    fn write(&self, in_own_script: bool, mut choose: impl FnMut(Spellings) -> usize) -> Vec<String> {
        let words =
            self.words(in_own_script).into_iter().map(|spellings| spellings[choose(spellings)].to_owned());
        self.coined().into_iter().chain(words).collect()
    }

    /// The names that the list has: in its own script or in Latin letters, and sometimes another spelling.
    fn texts(&self, rng: &mut Rng) -> Vec<String> {
        let in_own_script = rng.bool();
        let main = self
            .write(in_own_script, |spellings| usize::from(!in_own_script && spellings.len() > 1))
            .join(" ");
        let mut texts = vec![main];
        if rng.u8(..5) < 2 {
            let alias = self
                .write(false, |spellings| rng.usize(1.min(spellings.len() - 1)..spellings.len()))
                .join(" ");
            texts.extend((alias != texts[0]).then_some(alias));
        }
        texts
    }

    /// The name varied in one of the ways of `VARIANTS`.
    fn vary(&self, variant: usize, rng: &mut Rng) -> String {
        let in_own_script = variant == 0 && rng.u8(..4) == 0;
        let is_respelt = matches!(variant, 0 | 4);
        let mut words = self.write(in_own_script, |spellings| match (in_own_script, is_respelt) {
            (true, _) => 0,
            (_, true) => rng.usize(1.min(spellings.len() - 1)..spellings.len()),
            (_, false) => 1.min(spellings.len() - 1),
        });
        match variant {
            1 => reorder(&mut words, self.coined().is_some(), rng),
            2 => self.abbreviate(&mut words, rng),
            3 => misspell(&mut words, rng),
            4 if rng.bool() => {
                reorder(&mut words, self.coined().is_some(), rng);
                misspell(&mut words, rng);
            }
            4 => {
                self.abbreviate(&mut words, rng);
                misspell(&mut words, rng);
            }
            _ => {}
        }
        words.join(" ")
    }

    /// Given names become initials; trades are shortened, and the legal form is shortened or left out.
    fn abbreviate(&self, words: &mut Vec<String>, rng: &mut Rng) {
        let Self::Company { trade, legal, .. } = self else {
            let given = words[0].chars().next().unwrap_or('x');
            words[0] = if rng.bool() { format!("{given}.") } else { given.to_string() };
            return;
        };
        words[1] = TRADES[*trade].last().copied().unwrap_or_default().to_owned();
        words.pop();
        if rng.bool() {
            words.push(LEGAL_FORMS[*legal][1].to_owned());
        }
    }
}

/// A family name goes to the front, sometimes with a comma; the words of a company change places behind the first.
fn reorder(words: &mut [String], is_company: bool, rng: &mut Rng) {
    if is_company && words.len() > 3 {
        let end = words.len() - 1;
        words[1..end].reverse();
    } else {
        words.rotate_right(1);
        if rng.bool() {
            words[0].push(',');
        }
    }
}

/// One edit in the longest word, and a second one in another place if the word has nine letters or more.
fn misspell(words: &mut [String], rng: &mut Rng) {
    let Some(word) = words.iter_mut().max_by_key(|word| word.chars().count()) else { return };
    let mut letters: Vec<char> = word.chars().collect();
    let edits = 1 + usize::from(letters.len() > 8);
    for _ in 0..edits {
        let at = rng.usize(1..letters.len().max(3) - 1);
        // Spaces and hyphens stay where they are.
        if !letters[at - 1..=at].iter().all(|letter| letter.is_alphabetic()) {
            continue;
        }
        match rng.u8(..4) {
            0 => letters.insert(at, rng.lowercase()),
            1 => drop(letters.remove(at)),
            2 => letters[at] = rng.lowercase(),
            _ => letters.swap(at, at - usize::from(at > 1)),
        }
    }
    *word = letters.into_iter().collect();
}
