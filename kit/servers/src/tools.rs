//! Programs that `scripts/setup` installs into the build directory.

use std::path::PathBuf;

/// A program from there: the build directory is the one that this test was built into.
pub(crate) fn tool(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let places = test.ancestors().map(|folder| folder.join("tools/bin").join(name));
    let found = places.into_iter().find(|program| program.exists());
    found.unwrap_or_else(|| panic!("these tests need {name}: run scripts/setup test"))
}

/// A Python that knows gRPC.
pub fn python() -> PathBuf {
    tool("python3")
}
