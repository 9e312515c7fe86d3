//! Who may import whom (docs/ARCHITECTURE.md repeats this table).

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Room, workspace rooms that it may import, and crates of the field that it must not.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("idp/protocol", &[], &["tokio", "axum", "sqlx", "rusqlite", "reqwest"]),
    ("idp/domain", &["idp-protocol"], &["tokio", "axum", "sqlx", "rusqlite", "reqwest"]),
    ("idp/store", &["idp-domain", "idp-protocol"], &["axum", "wasmtime", "reqwest"]),
    ("idp/registers", &["idp-domain"], &["axum", "sqlx", "rusqlite", "wasmtime"]),
    ("idp/outgoing", &["idp-domain"], &["axum", "sqlx", "rusqlite", "wasmtime"]),
    (
        "idp/web",
        &["idp-domain", "idp-protocol", "idp-store"],
        &["sqlx", "rusqlite", "wasmtime", "clap", "reqwest"],
    ),
    ("plugins/hall", &[], &["tokio", "axum", "sqlx", "rusqlite", "reqwest", "wasmtime"]),
    ("plugins/store", &["plugins-hall", "idp-store"], &["axum", "wasmtime", "reqwest"]),
    (
        "plugins/engine",
        &["plugins-hall", "plugins-store", "idp-store", "idp-domain"],
        &["axum", "wasmtime", "sqlx", "rusqlite", "reqwest"],
    ),
    ("plugins/host", &["plugins-hall"], &["axum", "sqlx", "rusqlite", "reqwest"]),
    ("plugins/payment", &["plugins-hall"], &["axum", "sqlx", "rusqlite", "wasmtime"]),
    ("plugins/mailing", &["plugins-hall"], &["axum", "sqlx", "rusqlite", "wasmtime"]),
    (
        "plugins/portal",
        &["plugins-hall", "plugins-store", "plugins-engine", "idp-store", "idp-domain"],
        &["sqlx", "rusqlite", "wasmtime", "clap"],
    ),
    ("plugins/simulators", &[], &["sqlx", "rusqlite", "wasmtime"]),
    ("plugins/exit-entry", &["plugin-sdk"], &["tokio", "axum", "sqlx", "wasmtime", "reqwest"]),
    ("plugin-sdk", &["plugin-sdk-macros"], &["tokio", "axum", "sqlx", "wasmtime", "reqwest"]),
    ("plugin-sdk/macros", &[], &["tokio", "axum", "sqlx", "wasmtime", "reqwest"]),
];

/// The binary sees everything.
const FREE: &[&str] = &["idp/server"];

fn manifest(room: &str) -> Table {
    let path = tests_tidy::root().join(room).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("a room has a manifest");
    text.parse().expect("a manifest is TOML")
}

fn dependencies(room: &str) -> Vec<String> {
    manifest(room)
        .get("dependencies")
        .and_then(Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

fn members() -> BTreeMap<String, String> {
    manifest("")["workspace"]["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|member| member.as_str())
        .map(|room| {
            let name = manifest(room)["package"]["name"].as_str().expect("name").to_owned();
            (name, room.to_owned())
        })
        .collect()
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let members = members();
    let mut faults = Vec::new();
    for (room, may, never) in ROOMS {
        for dependency in dependencies(room) {
            if members.contains_key(&dependency) && !may.contains(&dependency.as_str()) {
                faults.push(format!("{room} imports the room {dependency}"));
            }
            if never.contains(&dependency.as_str()) {
                faults.push(format!("{room} imports {dependency}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_member_stands_in_the_table() {
    for (name, room) in members() {
        let listed = ROOMS.iter().any(|(known, ..)| *known == room)
            || FREE.contains(&room.as_str())
            || room.starts_with("tests/")
            || room.starts_with("plugin-sdk/examples");
        assert!(listed, "{name} ({room}) has no row in the table of rooms");
        let expected = room.replace('/', "-");
        assert_eq!(name, expected, "a package is named after its path");
    }
}

#[test]
fn every_version_stands_in_the_workspace_manifest() {
    for room in members().values() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest(room).get(section).and_then(Value::as_table).cloned() else {
                continue;
            };
            for (name, value) in table {
                let from_workspace =
                    value.as_table().is_some_and(|entry| entry.contains_key("workspace"));
                assert!(from_workspace, "{room} pins {name} itself: move it to Cargo.toml");
            }
        }
    }
}
