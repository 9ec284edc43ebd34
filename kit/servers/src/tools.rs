//! Programs that `scripts/setup` installs into the build directory.

use std::path::PathBuf;

/// A program from there.
pub(crate) fn tool(name: &str) -> PathBuf {
    installed(&format!("bin/{name}"))
}

/// A file or folder from there: the build directory is the one that this test was built into.
fn installed(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let places = test.ancestors().map(|folder| folder.join("tools").join(name));
    let found = places.into_iter().find(|place| place.exists());
    found.unwrap_or_else(|| panic!("these tests need {name}: run scripts/setup test"))
}

/// The folder with packages of Node.js.
pub fn node_packages() -> PathBuf {
    installed("node/node_modules")
}

/// A Python that knows gRPC.
pub fn python() -> PathBuf {
    tool("python3")
}
