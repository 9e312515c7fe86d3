//! Documents point at things that exist.

use tests_tidy::{files, root};

/// Targets of Markdown links that are neither addresses nor anchors.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split('#').next().unwrap_or_default().to_owned())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    for path in files(&root(), "md") {
        let text = std::fs::read_to_string(&path).expect("readable");
        for target in links(&text) {
            let place = path.parent().expect("a folder").join(&target);
            if !place.exists() {
                faults.push(format!("{} links to {target}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_readme_names_its_two_commands() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    for command in ["cargo demo", "tests/run"] {
        assert!(text.contains(command), "README.md does not say `{command}`");
    }
}

#[test]
fn every_attack_row_has_a_test_that_exists_or_is_pending() {
    let text = std::fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    let sources: String = files(&root(), "rs")
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("readable"))
        .collect();
    for row in 1..=53 {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| {row} |")))
            .unwrap_or_else(|| panic!("row {row} is missing from docs/security.md"));
        let tests: Vec<_> = line
            .split('`')
            .filter(|word| word.starts_with("attack_") && !word.contains(' '))
            .collect();
        assert!(
            !tests.is_empty() || line.contains("pending"),
            "row {row} names neither a test nor that it is pending"
        );
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "row {row}: no test {test}");
        }
    }
}
