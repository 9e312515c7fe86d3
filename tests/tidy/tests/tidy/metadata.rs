//! What the metadata says is proven: every member, every value, by a test that exists.

use std::collections::{BTreeMap, BTreeSet};

use idp_protocol::metadata::{Offer, document};
use serde_json::Value;
use tests_tidy::{files, root};

type Values = BTreeMap<String, BTreeSet<String>>;

/// Everything that can be switched on, is.
fn whole() -> Offer {
    Offer {
        issuer: "https://id.example".to_owned(),
        implicit_and_hybrid: true,
        sm2: true,
        client_id_metadata_documents: true,
        registration: true,
        certificates: true,
        authorities: true,
        mtls: Some("https://mtls.example".to_owned()),
    }
}

fn values(document: &Value) -> Values {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let of = |value: &Value| match value {
        Value::Array(list) => list.iter().map(text).collect(),
        Value::Object(members) => members.keys().cloned().collect(),
        one => BTreeSet::from([text(one)]),
    };
    let members = document.as_object().expect("an object");
    members.iter().map(|(name, value)| (name.clone(), of(value))).collect()
}

/// Words in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Members, values and tests of each row.
fn rows() -> Vec<[BTreeSet<String>; 3]> {
    let text = std::fs::read_to_string(root().join("docs/metadata.md")).expect("docs/metadata.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| -> [BTreeSet<String>; 3] {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(quoted).collect();
        cells.try_into().unwrap_or_else(|_| panic!("a row of other than three cells: {line}"))
    };
    rows.map(cells).collect()
}

#[test]
fn every_member_and_value_of_the_metadata_names_the_test_that_proves_it() {
    let (served, mut told) = (values(&document(&whole())), Values::new());
    for [members, values, _] in rows() {
        for member in members {
            for value in &values {
                let new = told.entry(member.clone()).or_default().insert(value.clone());
                assert!(new, "docs/metadata.md names `{member}` `{value}` twice");
            }
        }
    }
    for (member, values) in &served {
        for value in values {
            assert!(
                told.get(member).is_some_and(|told| told.contains(value)),
                "the metadata holds `{member}` `{value}`, which nothing proves: write the test, \
                 then a row of docs/metadata.md"
            );
        }
    }
    for (member, values) in &told {
        for value in values {
            assert!(
                served.get(member).is_some_and(|served| served.contains(value)),
                "docs/metadata.md proves `{member}` `{value}`, which the metadata does not hold"
            );
        }
    }
}

#[test]
fn what_is_off_is_not_in_the_metadata() {
    let offer = Offer { issuer: "https://id.example".to_owned(), ..Offer::default() };
    let (served, whole) = (values(&document(&offer)), values(&document(&whole())));
    for (member, values) in &served {
        let more = whole.get(member).is_some_and(|whole| values.is_subset(whole));
        assert!(more, "`{member}` says something else where less is switched on");
    }
    for absent in
        ["registration_endpoint", "mtls_endpoint_aliases", "client_id_metadata_document_supported"]
    {
        assert!(!served.contains_key(absent), "{absent}");
    }
    let has = |member: &str, value: &str| served[member].contains(value);
    assert!(
        !has("response_types_supported", "id_token") && !has("grant_types_supported", "implicit")
    );
    assert!(!has("token_endpoint_auth_methods_supported", "tls_client_auth"));
}

#[test]
fn the_tests_that_prove_the_metadata_exist() {
    let sources: String = files(&root(), "rs")
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("readable"))
        .collect();
    for [members, _, tests] in rows() {
        assert!(!tests.is_empty(), "{members:?} names no test");
        for test in tests {
            let defined = sources.find(&format!("fn {test}("));
            let at = defined.unwrap_or_else(|| panic!("{members:?}: no test {test}"));
            // A test by itself, or named again in a list of those that are told on both engines.
            let before = sources.get(..at).unwrap_or_default();
            let marked = before
                .rsplit('\n')
                .take(3)
                .any(|line| line.trim().starts_with("#[") && line.contains("test"));
            let runs = marked || sources.matches(&test).count() > 1;
            assert!(runs, "{members:?}: {test} is defined and not run");
        }
    }
}
