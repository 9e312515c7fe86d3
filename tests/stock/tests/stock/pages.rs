//! The programs of docs/partners, taken out of the pages: each is installed as its page says, and
//! people sign in through it until they see what the page promises. So a page that stops working
//! fails the run.
//!
//! What is installed is pinned by hash (tests/stock/node, python and go) and is just what the page
//! names; `TONGBAN_SLOW=1` types the page's own commands instead, which get what is newest.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tests_kit::Engine;
use toml::Table;

use crate::page::Page;
use crate::play::{named, root};
use crate::provider::Provider;
use crate::site::{Place, Site};

/// Signs in, comes back, and is not signed in by a stranger's link.
async fn keeps_its_promise(site: &Site, provider: &Provider) {
    let (mut person, home) = (provider.person(), site.place.home());
    let at = person.go(&home).await;
    assert!(at.as_str().starts_with(&home), "{at}\n{}", site.log());
    assert_eq!(person.asked, ["sign-in", "consent"]);
    let first = site.shown(person.browser.page());
    assert_eq!(first.name, person.name);
    if let Some(acr) = &first.acr {
        assert!(acr.starts_with("urn:tongban:"), "{acr}");
    }
    person.go(&home).await;
    assert_eq!(person.asked, ["sign-in", "consent"], "she was signed in");
    assert_eq!(site.shown(person.browser.page()), first);

    // RFC 6749 §10.12: a sign-in that somebody else began, with a code that nobody has redeemed.
    let mut stranger = provider.person();
    stranger.browser.open(&home).await;
    let asked = format!("{}/oauth2/authorize?", provider.issuer);
    let link = stranger.browser.hops.iter().find(|hop| hop.as_str().starts_with(&asked));
    let link = link.unwrap_or_else(|| panic!("{}", stranger.browser.page().told())).clone();
    let mut victim = provider.person();
    victim.go(link.as_str()).await;
    assert_eq!(victim.asked, ["sign-in", "consent"]);
    let back = site.place.callback() + "?";
    let answer = victim.browser.hops.iter().find(|hop| hop.as_str().starts_with(&back));
    assert!(answer.is_some_and(|hop| hop.query().unwrap().contains("code=")));
    let page = victim.browser.page();
    let shown = serde_json::from_str::<Value>(&page.text).unwrap_or_default();
    let name = shown["name"].as_str().unwrap_or(&page.text);
    assert!(!name.contains(&victim.name), "{}", page.told());
}

/// A page, and what this machine has for its language.
pub(crate) struct Tools {
    pub(crate) page: Page,
    /// The interpreter, or whatever builds.
    tool: PathBuf,
    /// The page's own commands install.
    literally: bool,
}

/// Installs what the page says where its files are; gives the command that starts the program.
pub(crate) type Install = fn(&Tools, &Place) -> Command;

impl Tools {
    fn at(page: &str, tool: PathBuf) -> Self {
        Self { page: Page::of(page), tool, literally: false }
    }

    /// With the page's own commands.
    pub(crate) fn literally(self) -> Self {
        Self { literally: true, ..self }
    }

    fn tool(&self) -> &str {
        self.tool.to_str().unwrap()
    }

    /// A command of the page's, by the tool that this run has.
    fn typed(&self, place: &Place, begins: &str) {
        let mut words = self.page.command(begins);
        words[0] = self.tool().to_owned();
        place.run(&words);
    }

    /// A program that is told of the authority as the page says.
    fn command(&self, program: impl AsRef<OsStr>, place: &Place) -> Command {
        let mut command = Command::new(program);
        command.envs(place.authority.as_ref().map(|file| (self.page.authority(), file)));
        command
    }
}

/// Registers a client by the words of the first page.
fn registered(provider: &Provider, place: &Place) -> Value {
    let words = Page::of("README.md").block("tongban client create");
    let words = words.replace("http://localhost:3000/callback", &place.callback());
    let words = quoted(words.trim().strip_prefix("tongban ").unwrap());
    // Whose configuration it is stands with every command of the provider's.
    let at = words.iter().position(|word| word == "--config").unwrap();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.drain(at..at + 2);
    serde_json::from_str(&provider.command(&words)).unwrap()
}

/// The words of a line for a shell that quotes with `"` only.
fn quoted(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

async fn signs_in(tools: Option<Tools>, engine: Engine, install: Install) {
    let Some(tools) = tools else { return };
    let Some(provider) = Provider::on(engine).await else { return };
    let started = move || {
        let place = Place::new(Some(provider.file("authority.pem")));
        tools.page.write(&place);
        let client = registered(provider, &place);
        let mut command = install(&tools, &place);
        command.env("ISSUER", &provider.issuer);
        for (variable, member) in [("CLIENT_ID", "client_id"), ("CLIENT_SECRET", "client_secret")] {
            command.env(variable, client[member].as_str().unwrap());
        }
        Site::start(place, command)
    };
    let site = tokio::task::spawn_blocking(started).await.unwrap();
    keeps_its_promise(&site, provider).await;
}

pub(crate) fn node() -> Option<Tools> {
    crate::node::libraries()?;
    Some(Tools::at("node.md", crate::node::interpreter()?))
}

/// The library alone: what stands beside it on the disk cannot be imported.
pub(crate) fn in_node(tools: &Tools, place: &Place) -> Command {
    let asked = tools.page.command("npm i ");
    let [_, _, library] = &asked[..] else { panic!("one library: {asked:?}") };
    let (name, version) = library.split_once('@').unwrap();
    if tools.literally {
        place.run(&["npm", "i", "--ignore-scripts", "--no-audit", library]);
    } else {
        let pinned = crate::node::libraries().unwrap();
        let manifest = std::fs::read_to_string(pinned.join(name).join("package.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let found = manifest["version"].as_str().unwrap();
        assert!(within(version, found), "the page asks for {library}, pinned is {found}");
        let modules = place.path().join("node_modules");
        std::fs::create_dir(&modules).unwrap();
        let pinned = std::fs::canonicalize(pinned.join(name)).unwrap();
        std::os::unix::fs::symlink(pinned, modules.join(name)).unwrap();
    }
    let mut command = tools.command(&tools.tool, place);
    command.args(&tools.page.command("node ")[1..]);
    command
}

/// Whether a version is one of those that a shorter one stands for.
fn within(short: &str, version: &str) -> bool {
    version.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(crate) fn python() -> Option<Tools> {
    Some(Tools::at("python.md", crate::python::interpreter()?))
}

/// What `requirements.txt` pins because it was asked for, without what that stands on.
fn pinned_for_python() -> Vec<String> {
    let pins = std::fs::read_to_string(root().join("tests/stock/python/requirements.txt")).unwrap();
    let (mut found, mut last) = (Vec::new(), "");
    for line in pins.lines() {
        if let Some((name, _)) = line.split_once("==").filter(|_| !line.starts_with('#')) {
            last = name;
        } else if line.trim() == "# asked for" {
            found.push(last.to_owned());
        }
    }
    found
}

pub(crate) fn in_python(tools: &Tools, place: &Place) -> Command {
    let asked = tools.page.command("pip install ");
    let mut python = tools.tool.clone();
    if tools.literally {
        let made = place.path().join("venv");
        place.run(&[tools.tool(), "-m", "venv", made.to_str().unwrap()]);
        python = made.join("bin/python");
        let pip = [python.to_str().unwrap(), "-m", "pip"];
        let words: Vec<&str> = asked[1..].iter().map(String::as_str).collect();
        place.run(&[&pip[..], &words].concat());
    } else {
        assert_eq!(asked[2..], pinned_for_python(), "the page's libraries are the pinned ones");
    }
    let words = tools.page.command("python ");
    let mut command = tools.command(python, place);
    command.args(&words[1..]);
    command
}

pub(crate) fn go() -> Option<Tools> {
    Some(Tools::at("go.md", named("TONGBAN_TEST_GO")?))
}

/// Built and started in two steps, because `go run` leaves its program behind when it is stopped.
pub(crate) fn in_go(tools: &Tools, place: &Place) -> Command {
    let asked = tools.page.command("go get ");
    if tools.literally {
        tools.typed(place, "go mod init ");
        tools.typed(place, "go get ");
    } else {
        for file in ["go.mod", "go.sum"] {
            let pinned = root().join("tests/stock/go").join(file);
            std::fs::copy(pinned, place.path().join(file)).unwrap();
        }
        let pins = std::fs::read_to_string(place.path().join("go.mod")).unwrap();
        let direct = pins.lines().filter(|line| line.starts_with('\t'));
        let direct: Vec<&str> = direct.filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(asked.len() - 2, direct.len(), "{asked:?}: {direct:?}");
        for (package, module) in asked[2..].iter().zip(direct) {
            assert!(package.starts_with(module), "the page gets {package}, pinned is {module}");
        }
    }
    assert_eq!(tools.page.command("go run "), ["go", "run", "."]);
    place.run(&[tools.tool(), "build", "-o", "partner", "."]);
    tools.command(place.path().join("partner"), place)
}

pub(crate) fn java() -> Option<Tools> {
    Some(Tools::at("java.md", named("TONGBAN_TEST_MAVEN")?))
}

pub(crate) fn in_java(tools: &Tools, place: &Place) -> Command {
    tools.typed(place, "mvn ");
    let words = tools.page.command("java ");
    let mut command = Command::new(&words[0]);
    if let Some(authority) = &place.authority {
        std::fs::copy(authority, place.path().join("authority.pem")).unwrap();
        place.run(&tools.page.command("keytool "));
        command.args(tools.page.command("-Djavax.net.ssl.trustStore="));
    }
    command.args(&words[1..]);
    command
}

/// The program is compiled with this crate (build.rs), against the crates of the workspace: they
/// have to be what the page's manifest asks for.
pub(crate) fn rust() -> Option<Tools> {
    Some(Tools::at("rust.md", PathBuf::from(env!("CARGO_BIN_EXE_stock_page"))))
}

pub(crate) fn in_rust(tools: &Tools, place: &Place) -> Command {
    let mut program = tools.tool.clone();
    if tools.literally {
        let built = root().join("target/page");
        place.run(&["cargo", "build", "--target-dir", built.to_str().unwrap()]);
        program = built.join("debug/partner");
    } else {
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap().parse::<Table>().unwrap();
        let ours = read(root().join("Cargo.toml"));
        let asked = read(place.path().join("Cargo.toml"));
        for (name, asked) in asked["dependencies"].as_table().unwrap() {
            let version = |entry: &toml::Value| {
                let text = entry.as_str().or_else(|| entry["version"].as_str());
                text.unwrap().to_owned()
            };
            let ours = version(&ours["workspace"]["dependencies"][name]);
            let asked = version(asked);
            assert!(within(&asked, &ours), "the page asks for {name} {asked}, ours is {ours}");
        }
    }
    let mut command = tools.command(program, place);
    command.env("STOCK_PAGE_PORT", place.port.to_string());
    command
}

/// Whether the commands of the pages themselves are typed.
#[allow(clippy::disallowed_methods)] // Tests are told what to use.
pub(crate) fn slow() -> bool {
    static SLOW: OnceLock<bool> = OnceLock::new();
    *SLOW.get_or_init(|| std::env::var_os("TONGBAN_SLOW").is_some())
}

/// Makes tests of a page on each database, and one that types the page's commands.
macro_rules! pages {
    ($($name:ident: $tools:path, $prepare:path;)*) => {
        $(mod $name {
            use tests_kit::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn signs_in_on_sqlite() {
                super::signs_in($tools(), Engine::Sqlite, $prepare).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn signs_in_on_postgres() {
                super::signs_in($tools(), Engine::Postgres, $prepare).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn signs_in_by_its_own_commands() {
                let tools = super::slow().then($tools).flatten();
                let tools = tools.map(super::Tools::literally);
                super::signs_in(tools, Engine::Sqlite, $prepare).await;
            }
        })*
    };
}

pages! {
    the_node_page: super::node, super::in_node;
    the_python_page: super::python, super::in_python;
    the_go_page: super::go, super::in_go;
    the_java_page: super::java, super::in_java;
    the_rust_page: super::rust, super::in_rust;
}
