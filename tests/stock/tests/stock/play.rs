//! A program of a stock library, in a process of its own, and the person whom it sends about.
//!
//! It is told a story's name and the settings in its arguments, and speaks in lines of JSON:
//! `{"open": address}` sends the person's browser there and reads back where that ended,
//! `{"approve": id}` has the operator allow a request over the back channel, `{"done": …}` is what
//! it has seen. Whatever else ends it is a failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tests_kit::Engine;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use url::Url;

use crate::key::Key;
use crate::provider::{Person, Provider};

/// How long something may take, a program between two lines for one: other builds may have the machine meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A program that is there to be run.
pub(crate) struct Library {
    /// Interpreter and program.
    pub(crate) command: Vec<PathBuf>,
    /// Variables that name the authority's file.
    pub(crate) authority: &'static str,
}

/// Where something stands that `tests/run` installs: named and absent is a failure, neither named
/// nor where `tests/run` would put it is not asked.
#[allow(clippy::print_stderr)] // Tests say what they leave out.
pub(crate) fn place(variable: &str, otherwise: &str) -> Option<PathBuf> {
    if let Some(path) = told(variable) {
        return Some(path);
    }
    let path = root().join(otherwise);
    if path.exists() {
        return Some(path);
    }
    eprintln!("not asked: {} is not there\nhint: tests/run installs it", path.display());
    None
}

/// What has to be named, because being there is not enough: it would load what it lacks.
#[allow(clippy::print_stderr)] // Tests say what they leave out.
pub(crate) fn named(variable: &str) -> Option<PathBuf> {
    let found = told(variable);
    if found.is_none() {
        eprintln!("not asked: {variable} names nothing\nhint: tests/run names it");
    }
    found
}

#[allow(clippy::disallowed_methods)] // Tests are told what to use.
fn told(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|named| !named.is_empty());
    let path = PathBuf::from(named?);
    assert!(path.exists(), "{variable} names {}, which is not there", path.display());
    Some(path)
}

/// The root of the source tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a story ended with.
pub(crate) struct Told {
    /// What the program has seen.
    pub(crate) done: Value,
    /// Addresses to which it sent the person.
    pub(crate) opened: Vec<Url>,
    /// The person.
    pub(crate) person: Person,
    /// The registration by which it went.
    pub(crate) client: Value,
}

/// A provider and a library before a story.
pub(crate) struct Stage {
    pub(crate) provider: &'static Provider,
    library: Library,
}

impl Stage {
    /// None if the library or the database is not there.
    pub(crate) async fn of(library: Option<Library>, engine: Engine) -> Option<Self> {
        let library = library?;
        Some(Self { provider: Provider::on(engine).await?, library })
    }

    /// Registers a partner, runs the story of a name, and is its person.
    pub(crate) async fn play(&self, story: &str, registration: Value) -> Told {
        let (signing, reading) = (Key::p256("signing", "ES256"), Key::p256("reading", "ECDH-ES"));
        let mut registration = registration;
        registration["jwks"] = json!({"keys": [signing.public, reading.public]});
        let client = self.provider.register(&registration);
        let settings = json!({"issuer": self.provider.issuer, "client": client,
            "signing": signing.pem, "reading": reading.pem});
        self.run(story, client, settings).await
    }

    /// The same with settings of the story's own.
    pub(crate) async fn run(&self, story: &str, client: Value, mut settings: Value) -> Told {
        let mut person = self.provider.person();
        settings["phone"] = json!(person.phone);
        let [interpreter, program @ ..] = &self.library.command[..] else { panic!("a command") };
        let mut child = Command::new(interpreter)
            .args(program)
            .args([story, &settings.to_string()])
            .env(self.library.authority, self.provider.file("authority.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut opened = Vec::new();
        let done = loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
            let Some(line) = line.expect("a line in good time").unwrap() else {
                let said = child.wait_with_output().await.unwrap().stderr;
                let said = String::from_utf8_lossy(&said);
                panic!("{story} ended early: {said}\nprovider: {}", self.provider.log());
            };
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            let answer = match &said {
                said if said.get("done").is_some() => break said["done"].clone(),
                said if said.get("approve").is_some() => {
                    let id = said["approve"].as_str().unwrap();
                    self.provider.command(&["ciba", "approve", id])
                }
                said => {
                    let address = said["open"].as_str().unwrap_or_else(|| panic!("{line}"));
                    opened.push(Url::parse(address).unwrap());
                    person.go(address).await.to_string()
                }
            };
            to.write_all(format!("{}\n", answer.trim()).as_bytes()).await.unwrap();
        };
        drop(to);
        assert!(child.wait().await.unwrap().success(), "{story} did not end well");
        Told { done, opened, person, client }
    }
}
