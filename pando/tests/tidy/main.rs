//! The invariants of the house, as tests: each finding names its file and line.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod layers;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const DRAWERS: [&str; 6] = ["utils", "common", "helpers", "manager", "types", "misc"];

/// Which kit crates a kit crate may stand on. Services stand on any of them, and on no other service.
const KIT_ARROWS: [(&str, &[&str]); 20] = [
    ("clock", &[]),
    ("wire", &[]),
    ("audit", &["database", "queue", "resilience", "telemetry", "clock", "servers"]),
    ("schema", &[]),
    ("vault", &[]),
    ("tls", &[]),
    ("client", &["resilience", "telemetry", "tls", "servers"]),
    // For tests only: the others take it as a development dependency or behind `testing`.
    ("servers", &[]),
    ("telemetry", &[]),
    ("images", &[]),
    ("resilience", &["clock", "telemetry"]),
    ("cache", &["resilience", "telemetry", "tls", "clock", "servers"]),
    ("database", &["resilience", "telemetry", "tls", "clock", "servers"]),
    ("queue", &["database", "resilience", "schema", "telemetry", "tls", "clock", "servers"]),
    ("idempotency", &["database", "resilience", "telemetry", "clock", "servers"]),
    ("objects", &["client", "resilience", "telemetry", "tls", "clock", "servers"]),
    ("http", &["resilience", "telemetry", "clock", "servers"]),
    ("auth", &["database", "http", "resilience", "telemetry", "clock", "servers"]),
    ("grpc", &["http", "resilience", "telemetry", "clock"]),
    (
        "service",
        &[
            "audit",
            "cache",
            "client",
            "clock",
            "database",
            "grpc",
            "http",
            "idempotency",
            "objects",
            "queue",
            "resilience",
            "servers",
            "telemetry",
            "tls",
            "vault",
        ],
    ),
];

#[test]
fn dependencies_follow_the_floor_plan() {
    let packages = packages();
    let place = |name: &str| packages.iter().find(|package| package.name == name).map(|it| it.room.clone());
    let mut findings = Findings::default();
    for package in &packages {
        for dependency in &package.dependencies {
            let Some(target) = place(dependency) else { continue };
            if *dependency != package.name && !may_stand_on(&package.room, &target) {
                let line = line_of(&package.manifest, dependency);
                findings.add(&package.manifest, line, format!("{} may not depend on {target}", package.room));
            }
        }
    }
    findings.none();
}

fn may_stand_on(room: &str, target: &str) -> bool {
    let kit = |room: &str| room.strip_prefix("kit/").map(str::to_owned);
    match (kit(room), kit(target)) {
        (Some(room), Some(target)) => KIT_ARROWS
            .iter()
            .any(|(name, below)| *name == room && below.iter().any(|allowed| *allowed == target)),
        (Some(_), None) => false,
        (None, Some(_)) => true,
        (None, None) => match target {
            "pando" => room == "lab",
            "lab" => false,
            _service => !room.starts_with("services/"),
        },
    }
}

#[test]
fn arrows_point_down_only() {
    for (room, target, allowed) in [
        ("kit/http", "kit/resilience", true),
        ("kit/database", "kit/http", false),
        ("kit/clock", "kit/telemetry", false),
        ("kit/clock", "services/profiles", false),
        ("services/profiles", "kit/database", true),
        ("services/orders", "services/profiles", false),
        ("services/profiles", "pando", false),
        ("pando", "services/profiles", true),
        ("pando", "lab", false),
        ("lab", "pando", true),
    ] {
        assert_eq!(may_stand_on(room, target), allowed, "{room} on {target}");
    }
}

#[test]
fn every_crate_has_a_readme() {
    let mut findings = Findings::default();
    for package in packages() {
        let readme = package.manifest.with_file_name("README.md");
        if fs::read_to_string(&readme).map_or(true, |text| text.trim().is_empty()) {
            findings.add(&readme, 1, "a crate without a README".to_owned());
        }
    }
    findings.none();
}

#[test]
fn files_are_short_named_for_what_they_hold_and_say_what_they_are() {
    let mut findings = Findings::default();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            findings.add(&source.path, lines, format!("{lines} lines, at most {LINES_MAX}"));
        }
        if !source.text.starts_with("//!") && !source.text.starts_with("#![doc") {
            findings.add(&source.path, 1, "starts with neither //! nor #![doc".to_owned());
        }
        let names = source.path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        if let Some(drawer) = names.map(|name| name.replace(".rs", "")).find(|name| is_drawer(name)) {
            findings.add(&source.path, 1, format!("`{drawer}` is a drawer, not a name"));
        }
    }
    findings.none();
}

fn is_drawer(name: &str) -> bool {
    DRAWERS.contains(&name)
}

#[test]
fn functions_fit_on_a_page() {
    let mut findings = Findings::default();
    for source in sources() {
        for (start, end) in functions(&source.code) {
            let lines = end - start + 1;
            if lines > FUNCTION_LINES_MAX {
                let finding = format!("a function of {lines} lines, at most {FUNCTION_LINES_MAX}");
                findings.add(&source.path, start, finding);
            }
        }
    }
    findings.none();
}

#[test]
fn nothing_is_left_for_later() {
    let mut findings = Findings::default();
    for source in sources() {
        for (number, line) in numbered(&source.code) {
            for word in ["#[ignore", "todo!", "unimplemented!"] {
                if line.contains(word) {
                    findings.add(&source.path, number, format!("`{word}`"));
                }
            }
        }
    }
    findings.none();
}

/// `==` stops at the first difference, and the time that takes says where it is.
#[test]
fn secrets_are_compared_in_constant_time() {
    assert!(compares_a_secret("if sent.secret == known {") && compares_a_secret("known != &key.password()"));
    assert!(!compares_a_secret("if secret.len() == 32 {") && !compares_a_secret("secrets: a == b"));
    let mut findings = Findings::default();
    for source in sources().into_iter().filter(|source| !source.path.iter().any(|part| part == "tests")) {
        for (number, line) in numbered(&source.text).filter(|(_, line)| compares_a_secret(line)) {
            findings.add(&source.path, number, format!("compares a secret, use subtle: {}", line.trim()));
        }
    }
    findings.none();
}

fn compares_a_secret(line: &str) -> bool {
    let words = ["secret", "password", "credential", "signature", "api_key", "csrf", "nonce"];
    let is_secret = |side: &str| {
        let name = side.trim().trim_end_matches("()").rsplit(['.', ' ', '(', '&']).next().unwrap_or_default();
        words.contains(&name)
    };
    let sides = [" == ", " != "].into_iter().find_map(|sign| line.split_once(sign));
    sides.is_some_and(|(left, right)| {
        is_secret(left) || is_secret(right.split([' ', ';', ',', '{']).next().unwrap_or_default())
    })
}

#[test]
fn tests_wait_for_events_and_not_for_time() {
    let mut findings = Findings::default();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in numbered(&source.code).filter(|(number, _)| source.is_test(*number)) {
            let explained = [number - 1, number.saturating_sub(2)]
                .iter()
                .any(|index| lines.get(*index).is_some_and(|line| line.contains("// ")));
            if line.contains("sleep(") && !explained && !time_is_paused(&lines, number) {
                findings.add(&source.path, number, "sleeps, and no comment says why".to_owned());
            }
        }
    }
    findings.none();
}

/// Whether the test around this line runs on tokio's paused clock, where a sleep takes no time.
fn time_is_paused(lines: &[&str], number: usize) -> bool {
    let start = lines[..number].iter().rposition(|line| line.contains("fn ")).unwrap_or(0);
    lines[start.saturating_sub(3)..=start].iter().any(|line| line.contains("start_paused"))
}

#[test]
fn only_the_database_and_the_queue_know_the_engine() {
    let mut findings = Findings::default();
    for source in sources() {
        let knows = source.path.starts_with("kit/database") || source.path.starts_with("kit/queue");
        if knows || !source.path.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        for (number, line) in numbered(&source.code).filter(|(number, _)| !source.is_test(*number)) {
            let line = line.replace("base64::Engine", "");
            if line.contains("Engine::") || (line.contains("match ") && line.contains("engine")) {
                findings.add(&source.path, number, "asks which engine it runs on".to_owned());
            }
        }
    }
    findings.none();
}

#[test]
fn every_setting_is_in_the_defaults_file_with_a_sentence() {
    let path = Path::new("config/default.toml");
    let text = fs::read_to_string(root().join(path)).unwrap();
    let defaults = serde_json::to_value(pando::Config::default()).unwrap();
    let mut findings = Findings::default();
    let mut expected = BTreeSet::new();
    leaves("", &defaults, &mut expected);
    let written = settings(&text);
    for key in &expected {
        match written.iter().find(|setting| setting.key == *key) {
            None => findings.add(path, 1, format!("`{key}` is missing")),
            Some(setting) if !setting.explained => {
                findings.add(path, setting.line, format!("`{key}` has no sentence above it"));
            }
            Some(_) => {}
        }
    }
    for setting in written.iter().filter(|setting| !expected.contains(&setting.key)) {
        findings.add(path, setting.line, format!("`{}` is no setting", setting.key));
    }
    findings.none();
}

struct Setting {
    key: String,
    line: usize,
    explained: bool,
}

/// The settings of a TOML text; one without a default stands there commented out (`# url = …`).
fn settings(text: &str) -> Vec<Setting> {
    let (mut section, mut explained, mut found) = (String::new(), false, Vec::new());
    for (number, line) in numbered(text) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
            continue;
        }
        let setting = line.strip_prefix("# ").unwrap_or(line).split_once(" = ").map(|(key, _)| key);
        let is_key =
            |key: &&str| key.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte));
        if let Some(key) = setting.filter(is_key) {
            found.push(Setting { key: format!("{section}{key}"), line: number, explained });
            explained = false;
        } else {
            explained = line.starts_with("# ") && line.ends_with(['.', ':', ')']);
        }
    }
    found
}

fn leaves(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                leaves(&path, value, found);
            }
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

#[test]
fn the_defaults_file_says_what_the_program_does() {
    let written: pando::Config = toml::from_str(pando::DEFAULTS).unwrap();
    let compiled = serde_json::to_value(pando::Config::default()).unwrap();
    assert_eq!(serde_json::to_value(written).unwrap(), compiled);
}

#[test]
fn links_between_pages_resolve() {
    let mut findings = Findings::default();
    for path in files("md") {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let mut in_code = false;
        for (number, line) in numbered(&text) {
            in_code ^= line.trim_start().starts_with("```");
            if in_code {
                continue;
            }
            for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|it| it.0) {
                let target = target.split('#').next().unwrap_or_default();
                let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
                if !elsewhere && !root().join(&path).parent().unwrap().join(target).exists() {
                    findings.add(&path, number, format!("links to {target}, which is not there"));
                }
            }
        }
    }
    findings.none();
}

#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, path: &Path, line: usize, what: String) {
        let path = path.strip_prefix(root()).unwrap_or(path);
        self.0.push(format!("{}:{line}: {what}", path.display()));
    }

    fn none(self) {
        assert!(self.0.is_empty(), "\n{}\n", self.0.join("\n"));
    }
}

struct Package {
    name: String,
    /// Where it stands, from the root: `kit/clock`, `services/profiles`, `pando`, `lab`.
    room: String,
    manifest: PathBuf,
    dependencies: Vec<String>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter().map(|package| {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        Package {
            name: text(&package["name"]),
            room: manifest.parent().unwrap().strip_prefix(root()).unwrap().display().to_string(),
            dependencies: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| text(&it["name"]))
                .collect(),
            manifest,
        }
    });
    packages.collect()
}

fn line_of(file: &Path, word: &str) -> usize {
    let text = fs::read_to_string(file).unwrap();
    numbered(&text).find(|(_, line)| line.starts_with(word)).map_or(1, |(number, _)| number)
}

struct Source {
    path: PathBuf,
    text: String,
    /// The text with the insides of strings and comments blanked out, line by line as long as before.
    code: String,
    /// The line its tests begin at.
    tests_from: usize,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let code = blank(&text);
        let in_folder = path.components().any(|part| part.as_os_str() == "tests");
        let marked = numbered(&code).find(|(_, line)| line.contains("#[cfg(test)]"));
        let tests_from = if in_folder { 0 } else { marked.map_or(usize::MAX, |(number, _)| number) };
        Self { path, text, code, tests_from }
    }

    fn is_test(&self, line: usize) -> bool {
        line >= self.tests_from
    }
}

fn sources() -> Vec<Source> {
    files("rs").into_iter().map(Source::read).collect()
}

/// Every file of the project with this ending, from the root, in order.
fn files(ending: &str) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "data"];
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                if !NOT_OURS.contains(&entry.file_name().to_string_lossy().as_ref()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// First and last line of every function with a body.
fn functions(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = code.lines().collect();
    for (number, line) in numbered(code) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let qualifier = |word: &&str| {
            word.starts_with("pub") || ["const", "async", "extern", "in", "super)"].contains(word)
        };
        if words[..at].iter().all(qualifier)
            && let Some(end) = end_of_body(&lines[number - 1..])
        {
            found.push((number, number + end));
        }
    }
    found
}

/// How many lines below the first the body ends; none where a declaration ends without one.
fn end_of_body(lines: &[&str]) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (index, line) in lines.iter().enumerate() {
        for letter in line.chars() {
            match letter {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                '{' => braces += 1,
                '}' if braces == 1 => return Some(index),
                '}' => braces = braces.saturating_sub(1),
                ';' if braces == 0 && brackets == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// Puts spaces for everything inside comments, strings and characters.
fn blank(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let inside = literal(rest).unwrap_or(0);
        let (taken, left) = rest.split_at(if inside == 0 { first.len_utf8() } else { inside });
        if inside == 0 {
            code.push_str(taken);
        } else {
            code.extend(taken.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        }
        rest = left;
    }
    code
}

/// How long the comment, string or character is that the text starts with, if it starts with one.
fn literal(text: &str) -> Option<usize> {
    let upto = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(upto("*/", 2));
    }
    if let Some(raw) = text.strip_prefix('r')
        && raw.trim_start_matches('#').starts_with('"')
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        return Some(upto(&format!("\"{}", "#".repeat(hashes)), hashes + 2));
    }
    if let Some(inside) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = inside.find(|letter: char| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        return Some(end.map_or(text.len(), |at| at + 2));
    }
    let mut letters = text.strip_prefix('\'')?.chars();
    match (letters.next()?, letters.next()?) {
        ('\\', _) => Some(upto("'", 3)),
        // 'a' is a character; 'a without a closing quote is a lifetime.
        (letter, '\'') => Some(letter.len_utf8() + 2),
        _ => None,
    }
}
