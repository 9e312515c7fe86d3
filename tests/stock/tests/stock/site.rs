//! The program of a page of docs/partners: installed somewhere, started, visited.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::play::PATIENCE;
use crate::provider::free_port;

/// A directory of its own for a partner's program, and the port at which it will answer.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
    /// Whom it is to trust besides everybody else.
    pub(crate) authority: Option<PathBuf>,
}

impl Place {
    pub(crate) fn new(authority: Option<PathBuf>) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), port: free_port(), authority }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, below the directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs a command in the directory to its end; what it says is told if it fails.
    pub(crate) fn run(&self, words: &[impl AsRef<str>]) {
        let [program, arguments @ ..] = words else { panic!("a command") };
        let mut command = Command::new(program.as_ref());
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(self.path());
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
    }

    /// Where people open the site.
    pub(crate) fn home(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Where they come back to.
    pub(crate) fn callback(&self) -> String {
        self.home() + "callback"
    }
}

/// A partner's site on this machine.
pub(crate) struct Site {
    pub(crate) place: Place,
    program: Child,
}

/// Who a site says is signed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) sub: String,
    pub(crate) name: String,
    pub(crate) acr: Option<String>,
}

impl Site {
    /// Starts a program where it was installed, and waits until it answers.
    pub(crate) fn start(place: Place, mut command: Command) -> Self {
        let said = std::fs::File::create(place.path().join("said")).unwrap();
        command.current_dir(place.path()).stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let started = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut site = Self { place, program: started };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("localhost", site.place.port)).is_err() {
            let ended = site.program.try_wait().unwrap().is_some();
            assert!(!ended, "{command:?} ended:\n{}", site.log());
            assert!(begun.elapsed() < PATIENCE, "{command:?} does not answer:\n{}", site.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        site
    }

    /// What the program has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("said")).unwrap_or_default()
    }

    /// What the page shows: JSON, or subject and name.
    #[track_caller]
    pub(crate) fn shown(&self, page: &tests_kit::Page) -> Shown {
        assert_eq!(page.status, 200, "{}\n{}", page.told(), self.log());
        let found = serde_json::from_str(&page.text).unwrap_or_else(|_| {
            let (sub, name) = page.text.split_once(' ').unwrap_or_default();
            json!({"sub": sub, "name": name})
        });
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        let (sub, name) = (text("sub").unwrap(), text("name").unwrap());
        assert!(!sub.is_empty(), "{}", page.told());
        Shown { sub, name, acr: text("acr") }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
