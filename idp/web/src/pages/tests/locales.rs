//! Every sentence in both languages, none missing, none left over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::pages::text::{Lang, source};

fn keys(lang: Lang) -> BTreeSet<String> {
    source(lang)
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key.to_owned())
        .collect()
}

fn files(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "html") {
            into.push(path);
        }
    }
}

/// All string literals of the pages and templates.
fn literals() -> (BTreeSet<String>, BTreeSet<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src/pages"), &mut found);
    files(&root.join("templates"), &mut found);
    let (mut all, mut called) = (BTreeSet::new(), BTreeSet::new());
    for path in
        found.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
    {
        let text = std::fs::read_to_string(path).unwrap();
        let pieces: Vec<&str> = text.split('"').collect();
        for (n, piece) in pieces.iter().enumerate().skip(1) {
            let before = pieces[n - 1];
            if before.ends_with(".t(") || before.ends_with(".with(") {
                called.insert((*piece).to_owned());
            }
            all.insert((*piece).to_owned());
        }
    }
    (all, called)
}

#[test]
fn both_languages_have_the_same_keys() {
    assert_eq!(keys(Lang::Chinese), keys(Lang::English));
    assert!(keys(Lang::English).len() > 150);
}

#[test]
fn no_key_is_missing_or_unused() {
    let (all, called) = literals();
    let keys = keys(Lang::Chinese);
    let missing: Vec<_> = called.difference(&keys).collect();
    let unused: Vec<_> = keys.difference(&all).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert!(unused.is_empty(), "unused: {unused:?}");
}

#[test]
fn every_sentence_is_well_formed_in_both_languages() {
    for lang in Lang::ALL {
        assert!(fluent_bundle::FluentResource::try_new(source(lang).to_owned()).is_ok());
        for key in keys(lang) {
            let args = [
                ("code", "1"),
                ("phone", "1"),
                ("partner", "1"),
                ("day", "1"),
                ("from", "1"),
                ("seen", "1"),
                ("name", "1"),
                ("network", "1"),
                ("list", "1"),
                ("at", "1"),
                ("sent", "1"),
                ("known", "1"),
                ("host", "1"),
                ("uri", "1"),
            ];
            let sentence = lang.with(&key, &args);
            assert!(sentence != key && !sentence.contains('{'), "{key}");
        }
    }
}
