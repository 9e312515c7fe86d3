//! How long files and handlers may be, and what nothing is called.

use tests_tidy::{files, root};

#[test]
fn no_file_is_longer_than_its_reader_can_hold() {
    let mut faults = Vec::new();
    for path in files(&root(), "rs") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let shown = path.display().to_string();
        let limit =
            if shown.contains("/tests/") || shown.ends_with("tests.rs") { 600 } else { 400 };
        let lines = text.lines().count();
        if lines > limit {
            faults.push(format!("{shown}: {lines} lines, at most {limit}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_room_is_a_lumber_room() {
    for path in files(&root(), "rs") {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let parent = path
            .parent()
            .and_then(|parent| parent.file_name())
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        for name in [stem, parent] {
            assert!(
                !matches!(name, "common" | "utils" | "util" | "types" | "helpers" | "misc"),
                "{} says nothing about its concern",
                path.display()
            );
        }
    }
}

/// What whoever opens the tree sees first: nothing that somebody left for a neighbour.
#[test]
fn the_first_thing_that_a_reader_sees_is_the_product() {
    const ROOT: &[&str] = &[
        "Cargo.lock",
        "Cargo.toml",
        "README.md",
        "clippy.toml",
        "docs",
        "idp",
        "migrations",
        "plugin-sdk",
        "plugins",
        "rustfmt.toml",
        "tests",
    ];
    let entries = std::fs::read_dir(tests_tidy::root()).expect("the tree has a root");
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let seen = names.filter(|name| !name.starts_with('.') && name != "target" && name != "data");
    let stray: Vec<_> = seen.filter(|name| !ROOT.contains(&name.as_str())).collect();
    assert!(stray.is_empty(), "at the root: {stray:?}");
}

#[test]
fn migrations_come_in_pairs() {
    let names = |engine: &str| -> Vec<_> {
        files(&root().join("migrations").join(engine), "sql")
            .iter()
            .filter_map(|path| path.file_name().map(|name| name.to_owned()))
            .collect()
    };
    assert!(!names("sqlite").is_empty(), "there are migrations");
    assert_eq!(names("sqlite"), names("postgres"));
}
