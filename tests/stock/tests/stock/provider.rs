//! The real binary: `tongban serve` over https, with an authority made for this run, and the
//! operator's commands beside it. One a database serves all stories of the run.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use serde_json::{Value, json};
use tests_kit::{Browser, Demo, Engine};

use crate::play::PATIENCE;

/// People with accounts.
const PEOPLE: &str = "12";
const PASSWORD: &str = "Tests-only-7-lotus";

/// Ends the deployment when the run ends, however it ends: the pipe to it breaks then.
pub(crate) const KEEPER: &str =
    r#"directory=$1; shift; "$@" & cat >/dev/null; kill $!; wait; rm -rf "$directory""#;

/// A running deployment.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    /// The authority's certificate.
    pub(crate) authority: String,
    people: Vec<Value>,
    directory: PathBuf,
    turn: Mutex<usize>,
    _keeper: ChildStdin,
}

fn certificate(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes the authority's certificate, and the server's with its key; gives the first.
fn certify(directory: &Path) -> String {
    let (key, mut params) = (KeyPair::generate().unwrap(), certificate("tests-stock"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let server = certificate("localhost").signed_by(&key, &issuer).unwrap();
    std::fs::write(directory.join("authority.pem"), &authority).unwrap();
    std::fs::write(directory.join("certificate.pem"), server.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    authority
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[allow(clippy::disallowed_methods)] // Tests are told where the server is.
async fn database(engine: Engine, directory: &Path) -> Option<String> {
    match engine {
        Engine::Sqlite => Some(format!("sqlite://{}", directory.join("t.sqlite").display())),
        Engine::Postgres => {
            let server = std::env::var("TONGBAN_TEST_POSTGRES_URL").ok()?;
            let fresh = idp_store::testing::fresh_postgres_url(&server).await;
            Some(fresh.expect("the server that TONGBAN_TEST_POSTGRES_URL names answers"))
        }
    }
}

impl Provider {
    /// The one on a database; none if no PostgreSQL server is named.
    pub(crate) async fn on(engine: Engine) -> Option<&'static Self> {
        static SQLITE: OnceLock<Option<Provider>> = OnceLock::new();
        static POSTGRES: OnceLock<Option<Provider>> = OnceLock::new();
        let place = if engine == Engine::Sqlite { &SQLITE } else { &POSTGRES };
        // Stories on other threads wait here: this one's other tasks are none.
        let runtime = tokio::runtime::Handle::current();
        let started = move || place.get_or_init(|| runtime.block_on(Self::start(engine))).as_ref();
        tokio::task::spawn_blocking(started).await.unwrap()
    }

    async fn start(engine: Engine) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let database = database(engine, directory.path()).await?;
        let directory = directory.keep();
        let authority = certify(&directory);
        let binary = Demo::binary();
        let secret = Command::new(&binary).arg("secret").output().unwrap().stdout;
        std::fs::write(directory.join("master"), secret).unwrap();
        let port = free_port();
        let text = format!(
            "[server]\nissuer = \"https://localhost:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\
             [tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n\
             [database]\nurl = \"{database}\"\nconnections = 4\n\
             [secrets]\nmaster_file = \"master\"\n\
             [protocol]\nimplicit_and_hybrid = true\nsm2 = true\nrequire_dpop_nonce = true\n\
             [outgoing]\nallow_networks = [\"127.0.0.0/8\"]\nca_file = \"authority.pem\"\n"
        );
        std::fs::write(directory.join("tongban.toml"), text).unwrap();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .arg(&binary)
            .args(["serve", "--config"]);
        keeper.arg(directory.join("tongban.toml")).stdin(Stdio::piped());
        keeper.stdout(log.try_clone().unwrap()).stderr(log);
        let keeper = keeper.spawn().unwrap().stdin.take().unwrap();
        let issuer = format!("https://localhost:{port}");
        let (people, turn) = (Vec::new(), Mutex::new(0));
        let mut provider = Self { issuer, authority, people, directory, turn, _keeper: keeper };
        provider.wait(port);
        let made = provider.command(&[
            "citizen",
            "create",
            "--synthetic",
            "--count",
            PEOPLE,
            "--password",
            PASSWORD,
            "--proofing",
            "3",
            "--json",
        ]);
        provider.people = made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Some(provider)
    }

    fn wait(&self, port: u16) {
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the deployment has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// A file of the deployment's: `authority.pem`, as libraries are told of it, the server's own
    /// `certificate.pem` and `key.pem`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a command of the operator's on the running deployment; gives its data.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let config = self.directory.join("tongban.toml");
        let output = Command::new(Demo::binary()).args(words).arg("--config").arg(config).output();
        let output = output.unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tongban {words:?}: {talk}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Registers a partner: `changes` are laid over what most stories want.
    pub(crate) fn register(&self, changes: &Value) -> Value {
        let mut registration = json!({
            "client_name": "伙伴", "redirect_uris": ["https://partner.example/callback"],
            "post_logout_redirect_uris": ["https://partner.example/bye"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile phone offline_access",
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            registration[name] = value.clone();
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(registration.to_string().as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let made = self.command(&["client", "create", "--from", path, "--json"]);
        serde_json::from_str(&made).unwrap()
    }

    /// A person whom no story beside this one has.
    pub(crate) fn person(&self) -> Person {
        let mut turn = self.turn.lock().unwrap();
        *turn += 1;
        let told = &self.people[*turn % self.people.len()];
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let browser = Browser::trusting(&self.authority);
        Person::of(text("name"), text("phone"), PASSWORD.to_owned(), browser)
    }
}

/// Somebody in front of a browser.
pub(crate) struct Person {
    pub(crate) phone: String,
    pub(crate) name: String,
    password: String,
    pub(crate) browser: Browser,
    /// What the pages asked, in their order.
    pub(crate) asked: Vec<&'static str>,
}

/// What pages ask, and the button that answers.
const QUESTIONS: [(&str, &str); 5] = [
    ("sign-in", "form:has(input[name=identifier]) button[type=submit]"),
    ("user code", "form:has(input[name=user_code]) button[type=submit]"),
    ("device", "button[name=confirm][value=yes]"),
    ("consent", "button[name=consent][value=allow]"),
    ("sign-out", "button[name=logout][value=yes]"),
];

impl Person {
    /// Of a name, with what signs her in.
    pub(crate) fn of(name: String, phone: String, password: String, browser: Browser) -> Self {
        Self { phone, name, password, browser, asked: Vec::new() }
    }

    /// Goes to an address and agrees to whatever is asked on the way; gives where that ends.
    pub(crate) async fn go(&mut self, address: &str) -> url::Url {
        self.browser.open(address).await;
        for _ in 0..6 {
            let found = QUESTIONS.iter().find(|(_, button)| self.browser.page().has(button));
            let Some((question, button)) = found else { break };
            self.asked.push(question);
            let (phone, password) = (self.phone.clone(), self.password.clone());
            let fields = [("identifier", phone.as_str()), ("password", password.as_str())];
            let fields = if *question == "sign-in" { &fields[..] } else { &[] };
            self.browser.press(button, fields).await;
        }
        self.browser.page().url.clone()
    }
}
