//! `tongban check`, `doctor`, `migrate`, `backup`, `restore`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_store::{StoreError, Tx, key};

use crate::place::{Answer, Place, alone};

fn private(file: &Path) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Names of the checks that found something.
fn findings(answer: &Answer) -> Vec<String> {
    let all = answer.json();
    let bad = all.into_iter().filter(|check| check["ok"] == false);
    bad.map(|check| check["check"].as_str().unwrap().to_owned()).collect()
}

fn filled() -> Place {
    let place = Place::new();
    private(&place.path("tongban.toml"));
    private(&place.path("master"));
    let words = ["citizen", "create", "--synthetic", "--count", "4", "--password"];
    let words: Vec<&str> = words.into_iter().chain(["purple-Teapot-rain"]).collect();
    place.run(&words).is(0);
    place
}

#[test]
fn check_changes_nothing_and_names_what_is_missing() {
    let place = Place::new();
    let answer = place.run(&["check", "--json"]).is(1);
    assert_eq!(findings(&answer), ["files", "outside", "plugins", "database"]);
    assert!(!place.path("tongban.sqlite").exists(), "a check makes no database");
    private(&place.path("tongban.toml"));
    private(&place.path("master"));
    place.run(&["migrate"]).is(0);
    let answer = place.run(&["check", "--json"]).is(1);
    assert_eq!(findings(&answer), ["outside", "plugins"]);
    let lines = place.run(&["check"]).is(1);
    assert!(lines.data.contains("see docs/operating/findings.md#plugins"), "{}", lines.data);
    assert_eq!(lines.talk.trim(), "error: 2 findings");
}

/// The line of the keys, as a command tells it.
fn of_keys(place: &Place, command: &str) -> Option<(bool, String)> {
    let all = place.run(&[command, "--json"]).json().into_iter();
    let mut keys = all.filter(|check| check["check"] == "keys");
    let found = keys
        .next()
        .map(|check| (check["ok"].as_bool().unwrap(), check["text"].as_str().unwrap().to_owned()));
    assert_eq!(keys.next(), None, "{command} says it twice");
    found
}

/// Keys that began to sign so many days ago, on the database of a place.
async fn begun(place: &Place, url: &str, algorithm: &str, days: i64) {
    let master = std::fs::read_to_string(place.path("master")).unwrap();
    let master = URL_SAFE_NO_PAD.decode(master.trim()).unwrap();
    let vault = idp_store::Vault::new(&[&master]).unwrap();
    let options = idp_store::Options { url: url.to_owned(), connections: 2, vault };
    let db = idp_store::Db::connect(options).await.unwrap();
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let since = i64::try_from(since).unwrap() - days * 24 * 3_600_000;
    let algorithm = algorithm.to_owned();
    let write = db.write::<_, StoreError, _>("test_key", move |tx: &mut Tx| {
        let (kid, algorithm) = (format!("{algorithm}-{days}"), algorithm.clone());
        let private = vec![1; 32].into();
        Box::pin(
            async move { key::first(tx, &key::Fresh { kid, algorithm, private }, since).await },
        )
    });
    assert!(write.await.unwrap());
}

async fn check_and_doctor_say_the_same_of_old_keys_on(place: Place, url: &str) {
    let never = of_keys(&place, "check");
    assert_eq!(never, None, "nobody started it yet");
    begun(&place, url, "ES256", 90).await;
    let young = of_keys(&place, "check");
    assert!(young.as_ref().is_some_and(|(ok, _)| *ok), "{young:?}");
    assert_eq!(of_keys(&place, "doctor"), young);
    begun(&place, url, "RS256", 92).await;
    let told =
        "the key RS256-92 is in use for 92 days.\nhint: `tongban key rotate --algorithm RS256`";
    let old = Some((false, told.to_owned()));
    assert_eq!(of_keys(&place, "check"), old);
    assert_eq!(of_keys(&place, "doctor"), old);
    // Under another master secret nothing of it is read.
    std::fs::write(place.path("master"), alone(&["secret"]).is(0).data).unwrap();
    let shut = of_keys(&place, "check");
    assert!(shut.as_ref().is_some_and(|(ok, _)| !ok), "{shut:?}");
}

#[tokio::test]
async fn check_and_doctor_say_the_same_of_old_keys() {
    let place = Place::with("[keys]\nrotate_days = 90\n");
    place.run(&["migrate"]).is(0);
    let url = format!("sqlite://{}", place.path("tongban.sqlite").display());
    check_and_doctor_say_the_same_of_old_keys_on(place, &url).await;
}

#[tokio::test]
#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
async fn check_and_doctor_say_the_same_of_old_keys_on_postgres() {
    let Ok(server) = std::env::var("TONGBAN_TEST_POSTGRES_URL") else { return };
    let url = idp_store::testing::fresh_postgres_url(&server).await.unwrap();
    let place = Place::with(&format!("[database]\nurl = \"{url}\"\n[keys]\nrotate_days = 90\n"));
    place.run(&["migrate"]).is(0);
    check_and_doctor_say_the_same_of_old_keys_on(place, &url).await;
}

#[test]
fn every_check_has_its_section_in_the_manual() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating/findings.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let place = filled();
    let answer = place.run(&["doctor", "--thorough", "--json"]).is(1);
    let checks = answer.json();
    assert!(checks.len() > 12, "{}", answer.data);
    for check in checks {
        let heading = format!("\n## {}\n", check["check"].as_str().unwrap());
        assert!(manual.contains(&heading), "{heading:?} is missing");
    }
}

#[test]
fn doctor_tells_a_deployment_that_does_not_answer() {
    let place = filled();
    let answer = place.run(&["doctor", "--thorough", "--json"]).is(1);
    let found = findings(&answer);
    for name in ["answers", "keys", "staff", "backup"] {
        assert!(found.iter().any(|one| one == name), "{name} in {found:?}");
    }
    for name in ["database", "outbox", "damage", "audit", "files"] {
        assert!(!found.iter().any(|one| one == name), "{name} in {found:?}");
    }
}

#[test]
fn migrate_says_what_it_applied_once() {
    let place = Place::new();
    let planned = place.run(&["migrate", "--dry-run"]).is(0);
    assert!(planned.data.starts_with("0001_core.sql\n") && !place.path("tongban.sqlite").exists());
    let applied = place.run(&["migrate"]).is(0);
    assert_eq!(applied.data, planned.data);
    assert_eq!(place.run(&["migrate"]).is(0).data, "");
}

#[test]
fn a_backup_is_sealed_and_its_restoration_is_proven() {
    let place = filled();
    let (key, file) = (place.path("backup.key"), place.path("one.tongban"));
    std::fs::write(&key, alone(&["secret"]).is(0).data).unwrap();
    let (key, file) = (key.to_str().unwrap(), file.to_str().unwrap());
    let made = place.run(&["backup", file, "--key-file", key, "--json"]).is(0);
    assert_eq!(made.json()[0]["accounts"], 4);
    place.run(&["backup", file, "--key-file", key]).is(1);

    let sealed = std::fs::read(file).unwrap();
    let master = std::fs::read_to_string(place.path("master")).unwrap();
    for secret in [master.trim().as_bytes(), b"SQLite format 3", b"tongban.toml"] {
        assert!(!sealed.windows(secret.len()).any(|window| window == secret));
    }
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let left = std::fs::read_dir(place.directory.path()).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name.contains("backup-") || name.contains("partial")
    });
    assert_eq!(left.count(), 0, "nothing lies about");

    let proven = alone(&["restore", file, "--key-file", key, "--prove"]).is(0);
    assert!(proven.talk.contains("ok: every chain of the audit trail is whole"), "{}", proven.talk);
    let to = place.path("restored");
    let restored = alone(&["restore", file, "--key-file", key, "--to", to.to_str().unwrap()]).is(0);
    assert!(restored.talk.contains("the 4 accounts"), "{}", restored.talk);
    let data = to.to_str().unwrap();
    // It stands for itself: another directory, the same keys.
    let shown = alone(&["citizen", "show", "19910000000", "--json", "--data", data]).is(0);
    assert_eq!(shown.json()[0]["state"], "active");
    alone(&["audit", "verify", "--data", data]).is(0);
    alone(&["restore", file, "--key-file", key, "--to", data]).is(1);
}

#[test]
fn a_backup_with_another_key_or_a_changed_byte_leaves_nothing_behind() {
    let place = filled();
    let (key, other, file) = (place.path("a.key"), place.path("b.key"), place.path("one.tongban"));
    for key in [&key, &other] {
        std::fs::write(key, alone(&["secret"]).is(0).data).unwrap();
    }
    let words = |key: &Path, to: &Path| {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        alone(&["restore", &text(&file), "--key-file", &text(key), "--to", &text(to)])
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    place.run(&["backup", &text(&file), "--key-file", &text(&key)]).is(0);
    let to = place.path("restored");
    let refused = words(&other, &to).is(1);
    assert!(refused.talk.contains("the key is another one"), "{}", refused.talk);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    words(&key, &to).is(1);
    std::fs::write(&file, &bytes[..middle]).unwrap();
    words(&key, &to).is(1);
    assert!(!to.exists() && !place.path("restored.partial").exists());
    let none = place.run(&["backup", "x", "--key-file", &text(&place.path("tongban.toml"))]).is(1);
    assert!(none.talk.contains("holds no key"), "{}", none.talk);
    alone(&["restore", "x", "--key-file", "y"]).is(2);
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tongban"));
    let output = command.arg("config").stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
