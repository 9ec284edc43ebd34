//! Builds the index of a million made names and searches it 10,000 times: time and memory.
//!
//! `cargo run --release -p pando-risk --example screen_a_million`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use pando_risk::screening::{Entry, Index, Kind, List, Query};

const NAMES: usize = 1_000_000;
const QUERIES: usize = 10_000;

const GIVEN: [&str; 32] = [
    "Mohammed",
    "Ali",
    "Maria",
    "Ivan",
    "John",
    "Wei",
    "Fatima",
    "Aleksandr",
    "Jose",
    "Anna",
    "David",
    "Olga",
    "Ahmed",
    "Juan",
    "Elena",
    "Michael",
    "Yusuf",
    "Sofia",
    "Peter",
    "Natalia",
    "Hassan",
    "Carlos",
    "Mehmet",
    "Ingrid",
    "Александр",
    "محمد",
    "Γιώργος",
    "Björn",
    "François",
    "Dmitry",
    "Xiaoming",
    "Min-jun",
];
const SYLLABLES: [&str; 48] = [
    "ka", "ro", "mi", "ta", "sha", "pe", "lo", "va", "no", "zi", "ber", "gor", "man", "dil", "sen", "rak",
    "tov", "el", "ur", "chi", "fa", "ghi", "har", "jo", "kru", "lin", "mor", "nik", "os", "pra", "qua",
    "ras", "ste", "tri", "vel", "wa", "xen", "yas", "zor", "bai", "dem", "fro", "gal", "hu", "ie", "lam",
    "ned", "pol",
];
const ENDINGS: [&str; 16] = [
    "ov", "enko", "ez", "son", "ski", "i", "opoulos", "er", "yan", "dze", "a", "ini", "oglu", "sen", "u",
    "ah",
];
const TRADES: [&str; 12] = [
    "Trading",
    "International",
    "Shipping",
    "Group",
    "Holding",
    "Industries",
    "Energy",
    "Logistics",
    "Petroleum",
    "Services",
    "Technologies",
    "Investment",
];
const LEGAL_FORMS: [&str; 8] = ["Ltd", "LLC", "GmbH", "S.A.", "Inc", "OOO", "Co., Ltd.", "JSC"];

fn main() {
    let mut rng = Rng::with_seed(20_261_128);
    let started = Instant::now();
    let list = Arc::new(List::new((0..NAMES).map(|at| entry(at, &mut rng)).collect()));
    println!("list:   {NAMES} entries made in {:.1?}; resident {} MB", started.elapsed(), resident_mb());
    let before = resident_mb();
    let started = Instant::now();
    let index = Index::build(Arc::clone(&list));
    let (bytes, names) = (index.bytes(), index.names());
    println!(
        "index:  built in {:.1?}; {} words; {} MB, {} bytes a name; resident {} MB more",
        started.elapsed(),
        index.words(),
        bytes >> 20,
        bytes / names,
        resident_mb().saturating_sub(before)
    );
    for (title, threshold) in [("0.75", 0.75), ("0.85", 0.85)] {
        let (mut times, mut found) = (Vec::with_capacity(QUERIES), 0);
        let mut rng = Rng::with_seed(7);
        for at in 0..QUERIES {
            let name = query(at, &list, &mut rng);
            let started = Instant::now();
            let matches = index.search(&Query { threshold, ..Query::new(&name) });
            times.push(started.elapsed());
            found += usize::from(matches.is_ok_and(|matches| !matches.is_empty()));
        }
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 1000];
        let mean = times.iter().sum::<Duration>() / u32::try_from(QUERIES).unwrap_or(1);
        println!(
            "search: threshold {title}: mean {mean:.2?}, p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, max {:.2?}; {found} of {QUERIES} found",
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
    println!("memory: resident {} MB at the end", resident_mb());
}

/// One of the first is drawn far more often than one of the last, as with names of people.
fn skewed<'a>(words: &[&'a str], rng: &mut Rng) -> &'a str {
    let share = rng.f64();
    let place = (share * share * f64::from(u32::try_from(words.len()).unwrap_or(0))).floor();
    words
        .iter()
        .enumerate()
        .find(|(at, _)| f64::from(u32::try_from(*at).unwrap_or(0)) >= place)
        .map_or(words[0], |(_, word)| *word)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn coined(rng: &mut Rng) -> String {
    let syllables: String = (0..rng.usize(1..4)).map(|_| skewed(&SYLLABLES, rng)).collect();
    capital(&format!("{syllables}{}", skewed(&ENDINGS, rng)))
}

fn name(is_person: bool, rng: &mut Rng) -> String {
    if is_person {
        let given = if rng.u8(..3) == 0 { coined(rng) } else { skewed(&GIVEN, rng).to_owned() };
        let middle = if rng.u8(..4) == 0 { format!(" {}", skewed(&GIVEN, rng)) } else { String::new() };
        return format!("{given}{middle} {}", coined(rng));
    }
    let second = if rng.bool() { format!(" {}", coined(rng)) } else { String::new() };
    format!("{}{second} {} {}", coined(rng), skewed(&TRADES, rng), skewed(&LEGAL_FORMS, rng))
}

fn entry(at: usize, rng: &mut Rng) -> Entry {
    let is_person = rng.u8(..3) > 0;
    Entry {
        id: format!("made-{at:07}"),
        source: "made".to_owned(),
        name: name(is_person, rng),
        aliases: Vec::new(),
        kind: if is_person { Kind::Person } else { Kind::Organization },
        countries: vec![["DE", "RU", "SY", "CN", "US", "GR"][rng.usize(..6)].to_owned()],
        birth_dates: Vec::new(),
        programs: Vec::new(),
        updated_at: None,
        contact: None,
    }
}

/// Half of the names are on the list, with an edit; a quarter is made like those of the list, and of the last quarter every
/// word is one of the commonest.
fn query(at: usize, list: &List, rng: &mut Rng) -> String {
    match at % 4 {
        0 | 1 => {
            let entry = &list.entries()[rng.usize(..NAMES)];
            let mut letters: Vec<char> = entry.name.chars().collect();
            let edited = rng.usize(..letters.len());
            letters[edited] = rng.lowercase();
            letters.into_iter().collect()
        }
        2 => name(rng.bool(), rng),
        _ if rng.bool() => format!("{} {}", skewed(&GIVEN, rng), skewed(&GIVEN, rng)),
        _ => format!("{} {} {}", skewed(&TRADES, rng), skewed(&TRADES, rng), skewed(&LEGAL_FORMS, rng)),
    }
}

/// The memory of this process that is in use, in megabytes.
fn resident_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<usize>().ok()).unwrap_or(0) / 1024
}
