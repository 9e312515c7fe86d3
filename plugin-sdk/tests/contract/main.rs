//! What was published of the contract stays as it is: a plugin that was compiled years ago goes on
//! being admitted and linked. `published/1.0.0.txt` is the normal form of the first release; it is
//! never edited. What is added later gets a file of its own when it is released.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod normal;

use std::collections::BTreeMap;

use normal::Line;

const PUBLISHED: &str = include_str!("../published/1.0.0.txt");

fn sources() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut files: Vec<_> = std::fs::read_dir(root.join("deps"))
        .unwrap()
        .flat_map(|package| std::fs::read_dir(package.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.push(root.join("service.wit"));
    // A package is read after those that it uses: all use `types`, the world uses all.
    files.sort_by_key(|file| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        (name == "service.wit", name != "types.wit", name)
    });
    let read = |file: std::path::PathBuf| {
        (file.display().to_string(), std::fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn published() -> BTreeMap<String, String> {
    let split = |line: &str| {
        let (name, shape) = line.split_once(" = ").unwrap();
        (name.to_owned(), shape.to_owned())
    };
    PUBLISHED.lines().filter(|line| !line.starts_with('#')).map(split).collect()
}

/// Which rule of the contract's versions (docs/plugins/contract.md) a change breaks.
fn broken(now: &BTreeMap<String, Line>, before: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, shape) in before {
        let kind = name.split(' ').next().unwrap();
        let rule = match kind {
            "record" => {
                "rule 1: a published record is frozen; what may grow is a string or `extra`"
            }
            "enum" | "variant" | "flags" => {
                "rule 1: a published vocabulary is frozen; open ones are strings"
            }
            "func" => "rule 2: a published function is frozen; a new ability is a new function",
            "export" | "import" => "rule 3: what the world imports and exports stays",
            _ => "rule 1: a published type is frozen",
        };
        match now.get(name) {
            None => faults.push(format!("{rule}\n  gone: {name} = {shape}")),
            Some(line) if line.shape != *shape => {
                faults.push(format!("{rule}\n  was: {name} = {shape}\n  is:  {}", line.shape));
            }
            Some(_) => {}
        }
    }
    for (name, line) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
        if line.exported {
            let rule = "rule 4: plugins that exist do not export what is new; a question that the \
                        hall asks only newer plugins is a new world";
            faults.push(format!("{rule}\n  new: {name} = {}", line.shape));
        }
    }
    faults
}

#[test]
fn the_contract_keeps_what_was_published() {
    let now = normal::form(&sources()).unwrap();
    let faults = broken(&now, &published());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(published().len() > 30, "the published form is there");
}

#[test]
fn each_change_that_would_break_a_plugin_is_told_with_its_rule() {
    let table = [
        ("more fields", "retryable: bool,", "retryable: bool, hint: option<string>,", "rule 1"),
        ("fewer fields", "field: option<string>,", "", "rule 1"),
        (
            "another order",
            "record text { lang: string, value: string }",
            "record text { value: string, lang: string }",
            "rule 1",
        ),
        ("another type", "proofing: u8, auth: u8", "proofing: u16, auth: u8", "rule 1"),
        ("another name", "type instant = u64;", "type instant = s64;", "rule 1: a published type"),
        ("a function less", "find: func(id: string) -> result<quote, problem>;", "", "rule 2"),
        ("a parameter more", "resume-clock: func()", "resume-clock: func(why: string)", "rule 2"),
        ("another answer", "now: func() -> instant;", "now: func() -> option<instant>;", "rule 2"),
        ("async", "now: func() -> instant;", "now: async func() -> instant;", "rule 2"),
        ("an import less", "import tongban:kit/log@1.0.0;", "", "rule 3"),
        (
            "a question more",
            "describe: func() -> descriptor;",
            "describe: func() -> descriptor; explain: func() -> string;",
            "rule 4",
        ),
        (
            "an export more",
            "export plugin;",
            "export plugin; export more: interface { go: func(); }",
            "rule 4",
        ),
    ];
    for (what, from, to, rule) in table {
        let mut files = sources();
        let file = files.iter_mut().find(|(_, text)| text.contains(from)).expect(what);
        file.1 = file.1.replacen(from, to, 1);
        let faults = broken(&normal::form(&files).expect(what), &published());
        assert!(faults.iter().any(|fault| fault.starts_with(rule)), "{what}: {faults:?}");
    }
}

#[test]
fn what_breaks_nobody_is_let_through() {
    let table = [
        (
            "import tongban:kit/log@1.0.0;",
            "import tongban:kit/log@1.0.0; import extra: interface { go: func(); }",
        ),
        ("resume-clock: func()", "resume-all: func(); resume-clock: func()"),
        ("/// A named value.", "/// Other words for people."),
        ("record prop {", "record pair { a: prop, b: prop } record prop {"),
    ];
    for (from, to) in table {
        let mut files = sources();
        let file = files.iter_mut().find(|(_, text)| text.contains(from)).expect(from);
        file.1 = file.1.replacen(from, to, 1);
        assert_eq!(broken(&normal::form(&files).expect(to), &published()), Vec::<String>::new());
    }
}
