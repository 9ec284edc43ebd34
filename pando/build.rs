//! Lists the files of the browser app for `front_door.rs`, if `npm run build` made them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder of the app's files, and that of those whose names have a hash of their content.
const BUILT: &str = "../web/dist/app";
const HASHED: &str = "assets";
/// The encodings that the build of the app makes, with the endings of their files.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

fn main() -> io::Result<()> {
    // The folder is always there; what is in it is not.
    println!("cargo:rerun-if-changed=../web/dist");
    let built = fs::canonicalize("../web/dist")?.join("app");
    let mut list = String::from("/// The files of the browser app.\nconst BUILT: &[StaticFile] = &[\n");
    if Path::new(BUILT).is_dir() {
        let mut files = files_of(&built)?;
        files.extend(files_of(&built.join(HASHED))?);
        files.sort();
        for file in files {
            list.push_str(&entry(&built, &file));
        }
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("web_files.rs"), list)
}

/// The files of a folder that are no encoding of another one.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let encoded = ENCODINGS.iter().any(|(_, ending)| path.extension().is_some_and(|it| it == *ending));
        if path.is_file() && !encoded {
            files.push(path);
        }
    }
    Ok(files)
}

fn entry(built: &Path, file: &Path) -> String {
    let path = file.strip_prefix(built).unwrap_or(file).to_string_lossy().into_owned();
    let media_type = match file.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let mut encoded = String::new();
    for (name, ending) in ENCODINGS {
        let other = PathBuf::from(format!("{}.{ending}", file.display()));
        if other.is_file() {
            // Writing into a String cannot fail.
            let _ = write!(encoded, "({name:?}, include_bytes!({:?})), ", other.display().to_string());
        }
    }
    format!(
        "    StaticFile {{ path: {path:?}, media_type: {media_type:?}, bytes: include_bytes!({:?}), \
         hashed: {}, encoded: &[{encoded}] }},\n",
        file.display().to_string(),
        path.starts_with(HASHED),
    )
}
