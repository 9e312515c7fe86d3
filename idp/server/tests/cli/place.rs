//! A deployment's directory, and commands run on it.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A directory with a configuration of its own, on SQLite.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
}

/// What a command answered.
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) data: String,
    pub(crate) talk: String,
}

impl Answer {
    /// Refuses an answer of another status, with what the command said.
    pub(crate) fn is(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.data, self.talk);
        self
    }

    /// One JSON value a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.data.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn answer(output: Output) -> Answer {
    Answer {
        status: output.status.code().unwrap_or(-1),
        data: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command that is about no deployment.
pub(crate) fn alone(words: &[&str]) -> Answer {
    answer(Command::new(env!("CARGO_BIN_EXE_tongban")).args(words).output().unwrap())
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With lines of its own in the configuration.
    pub(crate) fn with(more: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let master = alone(&["secret"]).is(0).data;
        std::fs::write(place.path("master"), master).unwrap();
        let text = format!("[secrets]\nmaster_file = \"master\"\n{more}");
        std::fs::write(place.path("tongban.toml"), text).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a command on this deployment.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tongban"));
        command.args(words).arg("--data").arg(self.directory.path());
        answer(command.output().unwrap())
    }
}
