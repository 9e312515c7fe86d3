//! Lists the files below `migrations/`, so that adding a migration is adding two files.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A build script may stop the build.
#![allow(clippy::disallowed_methods)] // Cargo speaks to build scripts through the environment.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    // Asked at run time: a build directory that was moved along must not look where it came from.
    let home = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&home).join("../../migrations");
    println!("cargo::rerun-if-changed={}", root.join("sqlite").display());
    println!("cargo::rerun-if-changed={}", root.join("postgres").display());
    let mut names: Vec<String> = std::fs::read_dir(root.join("sqlite"))
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();
    let mut list = String::from("[");
    for name in names {
        let (sqlite, postgres) =
            (root.join("sqlite").join(&name), root.join("postgres").join(&name));
        let _ = write!(list, "({name:?}, include_str!({sqlite:?}), include_str!({postgres:?})),");
    }
    list.push(']');
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(Path::new(&out).join("migrations.rs"), list).unwrap();
}
