//! A demo in a directory of its own, on ports that were free a moment ago.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) struct Deployment {
    child: Child,
    directory: tempfile::TempDir,
    pub(crate) json: Value,
}

/// A base whose next nine ports are free too.
fn base() -> u16 {
    for _ in 0..200 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let rest = (0..10).map(|n| TcpListener::bind(("127.0.0.1", first.saturating_add(n))));
        if first < 65_000 && rest.collect::<Result<Vec<_>, _>>().is_ok() {
            return first;
        }
    }
    panic!("no ten free ports in a row");
}

impl Deployment {
    /// Starts the binary and waits until it says that it is ready.
    pub(crate) fn start(database: Option<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tongban"));
        command.args(["demo", "--port", &base().to_string(), "--data"]).arg(directory.path());
        if let Some(url) = database {
            command.args(["--database-url", &url]);
        }
        command.stdout(Stdio::null());
        let child = command.spawn().unwrap();
        // From here on whatever fails stops the demo.
        let mut demo = Self { child, directory, json: Value::Null };
        let ready = demo.directory.path().join("demo.json");
        let begun = Instant::now();
        while !ready.exists() {
            assert!(demo.child.try_wait().unwrap().is_none(), "the demo ended before it was ready");
            assert!(begun.elapsed() < Duration::from_secs(120), "the demo is not ready");
            std::thread::yield_now();
        }
        demo.json = serde_json::from_str(&std::fs::read_to_string(ready).unwrap()).unwrap();
        demo
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.json.pointer(path).unwrap().as_str().unwrap().to_owned()
    }

    pub(crate) fn simulator(&self, name: &str) -> String {
        let all = self.json["simulators"].as_array().unwrap();
        let one = all.iter().find(|simulator| simulator["name"] == name).unwrap();
        one["address"].as_str().unwrap().to_owned()
    }

    /// A person of the demo, with an account or without.
    pub(crate) fn person(&self, registered: bool) -> Value {
        let all = self.json["people"].as_array().unwrap();
        all.iter().find(|person| person["registered"] == registered).unwrap().clone()
    }

    /// Runs another command on the same data, while the demo runs.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tongban"));
        command.args(words).arg("--data").arg(self.directory.path()).output().unwrap()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // A signal, so that the demo stops its simulators.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
