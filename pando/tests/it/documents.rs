//! The commands of the documents, run against the real binary: each prints what the text says it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Running;

/// What stands before a piece of the output that a document promises.
const SEEN: &str = "# → ";
/// Where the documents say that the server listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// Some lines of shell, and what their output must contain.
#[derive(Debug, Default)]
struct Step {
    line: usize,
    commands: String,
    expected: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The `sh` blocks of a document, cut after each promise.
fn steps(document: &str) -> Vec<Step> {
    let (mut steps, mut inside): (Vec<Step>, bool) = (Vec::new(), false);
    for (index, line) in document.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
            steps.push(Step { line: index + 2, ..Step::default() });
            continue;
        }
        let Some(step) = steps.last_mut().filter(|_| inside) else { continue };
        if let Some(expected) = line.strip_prefix(SEEN) {
            step.expected.push(expected.to_owned());
        } else if step.expected.is_empty() {
            step.commands += &format!("{line}\n");
        } else {
            steps.push(Step { line: index + 1, commands: format!("{line}\n"), expected: Vec::new() });
        }
    }
    steps.retain(|step| !step.commands.trim().is_empty());
    steps
}

/// One shell runs all steps of a document, because later ones use what earlier ones found out.
fn script(steps: &[Step], address: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_pando")).parent().unwrap().display();
    let mut script = format!("set -eu\nPATH={programs}:$PATH\n");
    for (number, step) in steps.iter().enumerate() {
        let commands = step.commands.replace(ADDRESS, address);
        script += &format!("{{\n{commands}}} > step{number} 2>&1\n");
    }
    script
}

fn run(document: &str, variables: &[(&str, &str)]) {
    let steps = steps(&fs::read_to_string(root().join(document)).unwrap());
    // `make run` and `make test` are run by whoever runs this test.
    let steps: Vec<Step> = steps.into_iter().filter(|step| !step.commands.starts_with("make ")).collect();
    assert!(steps.iter().filter(|step| !step.expected.is_empty()).count() > 1, "{document} promises nothing");
    let (data, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seeded = crate::harness::run(data.path(), &["seed", "--profiles", "50"]);
    assert!(seeded.status.success(), "{seeded:?}");
    let running = Running::start(data.path(), &[], variables);
    let script = script(&steps, &running.address.to_string());
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).current_dir(work.path()).env("PANDO_DATA_DIR", data.path());
    let ended = shell.output().unwrap();
    for (number, step) in steps.iter().enumerate() {
        let output = fs::read_to_string(work.path().join(format!("step{number}"))).unwrap_or_default();
        for expected in &step.expected {
            let place = format!("{document}:{}", step.line);
            assert!(output.contains(expected), "{place} promises {expected:?}, but printed {output:?}");
        }
    }
    assert!(ended.status.success(), "{document}: {ended:?}");
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    run("README.md", &[]);
}

#[test]
fn the_commands_of_the_tour_print_what_it_says() {
    run("docs/tour.md", &[]);
}

#[test]
fn the_commands_of_the_guide_to_credentials_print_what_it_says() {
    run("docs/guides/authentication.md", &[("PANDO_AUTH__MODE", "required")]);
}

#[test]
fn the_commands_of_the_guide_to_webhooks_print_what_it_says() {
    let here = [("PANDO_WEBHOOKS__ALLOW_HTTP", "true"), ("PANDO_WEBHOOKS__NETWORKS", "[\"127.0.0.0/8\"]")];
    run("docs/guides/webhooks.md", &here);
}

#[test]
fn the_commands_of_the_guide_to_the_audit_log_print_what_it_says() {
    run("docs/guides/audit.md", &[("PANDO_AUDIT__ENABLED", "true")]);
}

#[test]
fn the_commands_of_the_guide_to_risk_decisions_print_what_it_says() {
    run("docs/guides/risk.md", &[("PANDO_RISK__SAMPLE_LIST", "true"), ("PANDO_RISK__SAMPLE_MEDIA", "true")]);
}

#[test]
fn the_commands_of_the_guide_to_the_shop_print_what_it_says() {
    run("docs/guides/shop.md", &[]);
}

#[test]
fn the_commands_of_the_guide_to_orders_print_what_it_says() {
    run("docs/guides/shop-orders.md", &[]);
}

#[test]
fn the_commands_of_the_guide_to_rules_print_what_it_says() {
    run("docs/guides/risk-rules.md", &[]);
}

#[test]
fn the_commands_of_the_guide_to_lists_print_what_it_says() {
    run("docs/guides/risk-lists.md", &[]);
}

#[test]
fn the_commands_of_the_guide_to_cases_print_what_it_says() {
    run("docs/guides/risk-cases.md", &[("PANDO_AUTH__MODE", "required")]);
}

#[test]
fn make_has_every_target_that_a_document_names() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/tour.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for named in text.split("`make ").skip(1).chain(text.split("\nmake ").skip(1)) {
            let target: String = named.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(makefile.contains(&format!("\n{target}: ")), "{document} names `make {target}`");
        }
    }
}
