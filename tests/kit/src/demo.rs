//! The real binary as a person starts it: `tongban demo` in a directory of its own, on ports that
//! were free a moment ago, its simulators beside it as processes that outlive it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running demo.
pub struct Demo {
    binary: PathBuf,
    child: Option<Child>,
    port: u16,
    database: Option<String>,
    directory: tempfile::TempDir,
    /// What `demo.json` says.
    pub json: Value,
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

impl Demo {
    /// Starts a binary and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it ends before, or does not come up.
    #[must_use]
    pub fn start(binary: &Path, database: Option<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (binary, port) = (binary.to_owned(), base());
        // From here on whatever fails stops the demo.
        let mut demo = Self { binary, child: None, port, database, directory, json: Value::Null };
        demo.run(None);
        demo
    }

    /// The binary beside a test's own: cargo lays it there when it builds the workspace.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn binary() -> PathBuf {
        let own = std::env::current_exe().expect("a test is a program");
        let binary = own.ancestors().nth(2).expect("target/debug/deps/test").join("tongban");
        let hint = "hint: cargo build -p idp-server";
        assert!(binary.exists(), "{} is not built\n{hint}", binary.display());
        binary
    }

    /// True once it is ready; false if it ended as it was told to.
    fn run(&mut self, dies_at: Option<&str>) -> bool {
        let ready = self.directory.path().join("demo.json");
        let _ = std::fs::remove_file(&ready);
        let mut command = Command::new(&self.binary);
        command.args(["demo", "--port", &self.port.to_string(), "--data"]);
        command.arg(self.directory.path());
        if let Some(url) = &self.database {
            command.args(["--database-url", url]);
        }
        if let Some(step) = dies_at {
            command.env("TONGBAN_DEMO_DIES_AT", step);
        }
        let log = self.directory.path().join("product.log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while !ready.exists() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            if ended.is_some() && dies_at.is_some() {
                return false;
            }
            assert!(ended.is_none(), "the demo ended before it was ready:\n{}", self.log());
            assert!(begun.elapsed() < Duration::from_secs(240), "not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.json = serde_json::from_str(&std::fs::read_to_string(ready).unwrap()).unwrap();
        true
    }

    /// What the product has said, its last lines.
    #[must_use]
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.directory.path().join("product.log"));
        let text = text.unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(60).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Kills the product where it stands (SIGKILL). The simulators live on.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be dead already.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts the product again over what it left.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        self.run(None);
    }

    /// Starts the product again, to die where it reaches a step of its work. It may do so before
    /// it is ready: what it left is waiting for it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart_to_die_at(&mut self, step: &str) {
        self.kill();
        self.run(Some(step));
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If its process cannot be asked.
    pub fn is_dead(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// Its process, for a killer that runs beside the story.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A text of `demo.json`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        let found = self.json.pointer(path).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {path} in demo.json")).to_owned()
    }

    /// The address of a simulator.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn simulator(&self, name: &str) -> String {
        let all = self.json["simulators"].as_array().unwrap();
        let one = all.iter().find(|simulator| simulator["name"] == name).unwrap();
        one["address"].as_str().unwrap().to_owned()
    }

    /// The people of the demo at a proofing level; 0 are those without an account.
    ///
    /// # Panics
    /// If `demo.json` names none.
    #[must_use]
    pub fn people(&self, proofing: u8) -> Vec<Value> {
        let all = self.json["people"].as_array().unwrap();
        all.iter().filter(|person| person["proofing"] == proofing).cloned().collect()
    }

    /// Runs another command on the same data, while the demo runs.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--data").arg(self.directory.path()).output().unwrap()
    }

    /// A simulator's journal, oldest line first.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn journal(&self, simulator: &str) -> Vec<Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(format!("{}/journal", self.simulator(simulator))).send().await;
        answer.expect("an answer").json().await.expect("a journal")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
        stop_left(self.directory.path());
    }
}

/// Stops the simulators that a killed demo left behind.
fn stop_left(directory: &Path) {
    let text = std::fs::read_to_string(directory.join("simulators.json")).unwrap_or_default();
    let left: std::collections::BTreeMap<String, u32> =
        serde_json::from_str(&text).unwrap_or_default();
    for (name, process) in left {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        // Ids are used again by others: only a simulator over our own directory is ours.
        if line.contains(&name) && line.contains(&directory.display().to_string()) {
            let _ = Command::new("kill").arg(process.to_string()).stderr(Stdio::null()).status();
        }
    }
}
