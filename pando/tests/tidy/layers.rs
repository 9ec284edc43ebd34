//! The layers inside a crate, read from its `use crate::…` and `use super::…`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{Findings, Source, sources};

/// Crates, besides services, in which no two files import each other, however long the way around is.
const WITHOUT_CIRCLES: [&str; 2] = ["kit/database", "kit/http"];

/// The layers of a service. Files of a layer import from their own and from lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Types that parse and render, and settings.
    Domain,
    /// Statements beside the rows that they read and write.
    Store,
    /// The operations of the service.
    Operation,
    /// The ways into the service: requests, jobs, and the process that opens it.
    Door,
}

/// The module that a file holds, from the root of its crate: `store::lists`. The file `lib.rs` is the empty one.
type Module = String;

/// The files of one crate.
struct Crate {
    files: BTreeMap<Module, Source>,
    /// The module of each name that `lib.rs` exports.
    exports: BTreeMap<String, Module>,
}

#[test]
fn imports_of_a_service_point_down() {
    let mut findings = Findings::default();
    for (room, krate) in crates().iter().filter(|(room, _)| room.starts_with("services/")) {
        for (module, source) in krate.files.iter().filter(|(module, _)| !krate.is_contents(module)) {
            for (line, target) in krate.imports(module) {
                let (from, to) = (layer_of(module), krate.layer_of_target(&target));
                if to > from {
                    findings.add(
                        &source.path,
                        line,
                        format!("{room}: {from:?} may not import {target} ({to:?})"),
                    );
                }
            }
        }
    }
    findings.none();
}

#[test]
fn no_files_of_these_crates_import_each_other() {
    let mut findings = Findings::default();
    for (room, krate) in crates() {
        if !room.starts_with("services/") && !WITHOUT_CIRCLES.contains(&room.as_str()) {
            continue;
        }
        for circle in krate.circles() {
            findings.add(Path::new(&room), 0, format!("these files import each other: {circle:?}"));
        }
    }
    findings.none();
}

#[test]
fn imports_are_read_and_circles_are_found() {
    let lines = "use crate::{Profiles, store};\nuse super::domain::{\n    profile::{Name, Email as Mail},\n};\nfn f() { crate::store::lists::page() }\n";
    let paths: Vec<(usize, String)> = paths(lines);
    let expected = [
        (1, "crate::Profiles"),
        (1, "crate::store"),
        (2, "super::domain::profile::Name"),
        (2, "super::domain::profile::Email"),
        (5, "crate::store::lists::page"),
    ];
    assert_eq!(paths, expected.map(|(line, path)| (line, path.to_owned())));
    let arrows = |arrows: &[(&str, &str)]| {
        let mut found: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in arrows {
            found.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        circles(&found)
    };
    assert!(arrows(&[("a", "b"), ("b", "c"), ("a", "c")]).is_empty());
    assert_eq!(arrows(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]), [["a", "b", "c"]]);
}

fn layer_of(module: &str) -> Layer {
    let is = |names: &[&str]| module.split("::").any(|part| names.contains(&part));
    match () {
        () if is(&["http", "grpc", "jobs", "kinds", "service"]) => Layer::Door,
        () if is(&["domain", "messages", "options"]) => Layer::Domain,
        // Parts of risk decisions that stand alone: they compute, and know of no storage.
        () if is(&["model", "rules", "screening"]) => Layer::Domain,
        () if is(&["store"]) => Layer::Store,
        () => Layer::Operation,
    }
}

fn crates() -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for source in sources() {
        let path = source.path.display().to_string();
        let Some((room, file)) = path.split_once("/src/") else { continue };
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let module = if module == "lib" { String::new() } else { module };
        let krate = crates
            .entry(room.to_owned())
            .or_insert_with(|| Crate { files: BTreeMap::new(), exports: BTreeMap::new() });
        krate.files.insert(module, source);
    }
    for krate in crates.values_mut() {
        let Some(lib) = krate.files.get("") else { continue };
        let exported = paths(&lib.code.replace("pub use ", "use crate::"));
        krate.exports = exported
            .into_iter()
            .filter_map(|(_, path)| {
                let (_, name) = path.rsplit_once("::")?;
                Some((name.to_owned(), krate.module_of(path.strip_prefix("crate::")?)))
            })
            .filter(|(_, module)| !module.is_empty())
            .collect();
    }
    crates
}

impl Crate {
    /// Whether a file says only what is in its crate, or in a part of it that has doors of its own.
    fn is_contents(&self, module: &str) -> bool {
        module.is_empty() || self.files.contains_key(&format!("{module}::http"))
    }

    fn layer_of_target(&self, target: &str) -> Layer {
        // The struct of the service itself stands in its table of contents.
        if self.is_contents(target) { Layer::Operation } else { layer_of(target) }
    }

    /// The file that holds this path, which begins at the root of the crate.
    fn module_of(&self, path: &str) -> Module {
        let mut path = path;
        loop {
            if self.files.contains_key(path) {
                return path.to_owned();
            }
            let Some((shorter, _)) = path.rsplit_once("::") else { return Module::new() };
            path = shorter;
        }
    }

    /// The files that a file imports from, each with a line that does.
    fn imports(&self, module: &str) -> Vec<(usize, Module)> {
        let source = &self.files[module];
        let code: Vec<&str> = source.code.lines().take(source.tests_from.saturating_sub(1)).collect();
        let mut found = Vec::new();
        for (line, path) in paths(&code.join("\n")) {
            let mut parts: Vec<&str> = path.split("::").collect();
            let mut base: Vec<&str> = module.split("::").collect();
            if parts[0] == "crate" {
                base.clear();
                parts.remove(0);
            }
            while parts.first() == Some(&"super") {
                base.pop();
                parts.remove(0);
            }
            base.extend(parts);
            let path = base.join("::");
            let target = self.exports.get(&path).cloned().unwrap_or_else(|| self.module_of(&path));
            if target != module {
                found.push((line, target));
            }
        }
        found
    }

    fn circles(&self) -> Vec<Vec<Module>> {
        let mut arrows: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for module in self.files.keys().filter(|module| !module.is_empty()) {
            let targets = self.imports(module).into_iter().map(|(_, target)| target);
            arrows.insert(module.clone(), targets.filter(|target| !target.is_empty()).collect());
        }
        circles(&arrows)
    }
}

/// Sets of modules that can all be reached from each other.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reached = |from: &Module| {
        let (mut found, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(next) = left.pop() {
            for target in arrows.get(next).into_iter().flatten() {
                if found.insert(target.clone()) {
                    left.push(target);
                }
            }
        }
        found
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        arrows.keys().map(|from| (from, reached(from))).collect();
    let mut found: Vec<Vec<Module>> = Vec::new();
    for (from, targets) in &reached {
        if targets.contains(*from) && !found.iter().any(|circle| circle.contains(from)) {
            let back = |module: &&Module| reached.get(*module).is_some_and(|there| there.contains(*from));
            found.push(targets.iter().filter(back).cloned().collect());
        }
    }
    found
}

/// The paths in a text that begin with `crate` or `super`, with the lines they begin at.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, word) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || "_:$".contains(letter)) {
            continue;
        }
        let line = code[..at].lines().count().max(1) + usize::from(code[..at].ends_with('\n'));
        expand(word.trim_end_matches("::"), &code[at + word.len()..], &mut |path| found.push((line, path)));
    }
    found.sort_by_key(|(line, _)| *line);
    found
}

/// Takes one path from the beginning of a text, or all of a list in braces; what is left of the text behind it.
fn expand<'a>(before: &str, text: &'a str, take: &mut dyn FnMut(String)) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            inside = inside.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
            if let Some(behind) = inside.strip_prefix('}') {
                return behind;
            }
            let left = expand(before, inside, take);
            if left.len() == inside.len() {
                return left;
            }
            inside = left;
        }
    }
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path =
        if name == "self" || name.is_empty() { before.to_owned() } else { format!("{before}::{name}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return expand(&path, rest, take);
    }
    take(path);
    let rest = rest.trim_start();
    match rest.strip_prefix("as ") {
        Some(renamed) => renamed.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_'),
        None => rest,
    }
}
