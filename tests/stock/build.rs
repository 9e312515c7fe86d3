//! Takes the program out of docs/partners/rust.md, for `stock_page`.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A build script may stop the build.
#![allow(clippy::disallowed_methods)] // Cargo speaks to build scripts through the environment.

use std::path::Path;

/// What stands in the program, and what stands there in a test instead.
const CHANGES: [(&str, &str); 3] = [
    ("\"http://localhost:3000/callback\".to_owned()", "at(\"http://localhost:3000/callback\")"),
    ("bind(\"localhost:3000\")", "bind(at(\"localhost:3000\"))"),
    ("reqwest::Client::builder()", "client_builder()"),
];

fn main() {
    let home = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let page = Path::new(&home).join("../../docs/partners/rust.md");
    println!("cargo::rerun-if-changed={}", page.display());
    let text = std::fs::read_to_string(page).unwrap();
    let (_, code) = text.split_once("\n`src/main.rs`:\n\n```rust\n").unwrap();
    let (code, _) = code.split_once("\n```\n").unwrap();
    let mut code = code.to_owned();
    for (theirs, ours) in CHANGES {
        assert_eq!(code.matches(theirs).count(), 1, "docs/partners/rust.md and `{theirs}`");
        code = code.replace(theirs, ours);
    }
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(Path::new(&out).join("partner.rs"), code).unwrap();
}
