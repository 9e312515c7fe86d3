//! mod_auth_openidc 2.4 in Apache: a site that knows of the provider only by its configuration.

use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tests_kit::Engine;
use url::Url;

use crate::play::{PATIENCE, place};
use crate::provider::{KEEPER, Person, Provider, free_port};

const MODULES: &str = "/usr/lib/apache2/modules";
/// What of Apache the site needs: without the first there is nothing to be tested.
const LOADED: [(&str, &str); 7] = [
    ("auth_openidc_module", "mod_auth_openidc.so"),
    ("mpm_event_module", "mod_mpm_event.so"),
    ("authn_core_module", "mod_authn_core.so"),
    ("authz_core_module", "mod_authz_core.so"),
    ("authz_user_module", "mod_authz_user.so"),
    ("include_module", "mod_include.so"),
    ("ssl_module", "mod_ssl.so"),
];
/// The protected page, made of what the module tells the site.
const PAGE: &str = "<p data-signed-in><!--#echo encoding=\"none\" var=\"OIDC_CLAIM_name\" --></p>\n\
    <p id=\"sub\"><!--#echo encoding=\"none\" var=\"OIDC_CLAIM_sub\" --></p>\n\
    <p id=\"phone\"><!--#echo encoding=\"none\" var=\"OIDC_CLAIM_phone_number\" --></p>\n\
    <p id=\"sid\"><!--#echo encoding=\"none\" var=\"OIDC_CLAIM_sid\" --></p>\n\
    <p id=\"iss\"><!--#echo encoding=\"none\" var=\"OIDC_CLAIM_iss\" --></p>\n";

/// A running Apache.
struct Site {
    provider: &'static Provider,
    address: String,
    client: Value,
    directory: PathBuf,
    _keeper: ChildStdin,
}

fn configuration(directory: &Path, port: u16, provider: &Provider, client: &Value) -> String {
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    let modules = LOADED.map(|(name, file)| format!("LoadModule {name} {MODULES}/{file}\n"));
    let (place, address) = (directory.display(), format!("https://localhost:{port}"));
    format!(
        "{modules}ServerRoot {place}\nDefaultRuntimeDir {place}\nPidFile {place}/pid\n\
         ErrorLog {place}/log\nLogLevel auth_openidc:info\nServerName localhost\n\
         User www-data\nGroup www-data\nListen 127.0.0.1:{port}\nUseCanonicalName Off\n\
         SSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n\
         DocumentRoot {place}/pages\n\
         OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration\n\
         OIDCClientID {id}\nOIDCClientSecret {secret}\nOIDCRedirectURI {address}/callback\n\
         OIDCProviderTokenEndpointAuth client_secret_basic\nOIDCPKCEMethod S256\n\
         OIDCScope \"openid profile phone\"\nOIDCPassClaimsAs environment\n\
         OIDCCryptoPassphrase {secret}\nOIDCSSLValidateServer On\n\
         OIDCCABundlePath {place}/authority.pem\n\
         <Directory {place}/pages>\nRequire all granted\n</Directory>\n\
         <Location /mine>\nAuthType openid-connect\nRequire valid-user\nForceType text/html\n\
         Options +Includes\nSetOutputFilter INCLUDES\n</Location>\n\
         <Location /callback>\nAuthType openid-connect\nRequire valid-user\n</Location>\n",
        modules = modules.concat(),
        certificate = provider.file("certificate.pem").display(),
        key = provider.file("key.pem").display(),
        issuer = provider.issuer,
        id = text("client_id"),
        secret = text("client_secret"),
    )
}

impl Site {
    /// None if Apache or its module is not there, or the database.
    async fn on(engine: Engine) -> Option<Self> {
        let apache = place("TONGBAN_TEST_APACHE", "/usr/sbin/apache2")?;
        let module = Path::new(MODULES).join(LOADED[0].1);
        if !module.exists() {
            place("TONGBAN_TEST_APACHE_MODULE", module.to_str()?)?;
        }
        let provider = Provider::on(engine).await?;
        Some(tokio::task::spawn_blocking(move || Self::start(&apache, provider)).await.unwrap())
    }

    fn start(apache: &Path, provider: &'static Provider) -> Self {
        let port = free_port();
        let address = format!("https://localhost:{port}");
        let client = provider.register(&json!({
            "redirect_uris": [format!("{address}/callback")],
            "post_logout_redirect_uris": [format!("{address}/bye")],
            "backchannel_logout_uri": format!("{address}/callback?logout=backchannel"),
            "backchannel_logout_session_required": true,
            "grant_types": ["authorization_code"], "scope": "openid profile phone",
        }));
        let directory = tempfile::tempdir().unwrap().keep();
        std::fs::create_dir(directory.join("pages")).unwrap();
        std::fs::write(directory.join("pages/mine"), PAGE).unwrap();
        std::fs::write(directory.join("pages/bye"), "goodbye").unwrap();
        std::fs::write(directory.join("authority.pem"), &provider.authority).unwrap();
        let text = configuration(&directory, port, provider, &client);
        std::fs::write(directory.join("apache.conf"), text).unwrap();
        // Apache reads these as somebody who may do less than whoever started it.
        let open = Command::new("chmod").args(["-R", "go+rX"]).arg(&directory).status().unwrap();
        assert!(open.success());
        let tried =
            Command::new(apache).args(["-t", "-f"]).arg(directory.join("apache.conf")).output();
        let said = String::from_utf8(tried.unwrap().stderr).unwrap();
        assert!(said.contains("Syntax OK"), "{said}");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&directory).arg(apache).args(["-X", "-f"]);
        keeper.arg(directory.join("apache.conf")).stdin(Stdio::piped());
        let said = std::fs::File::create(directory.join("said")).unwrap();
        keeper.stdout(said.try_clone().unwrap()).stderr(said);
        let keeper = keeper.spawn().unwrap().stdin.take().unwrap();
        let site = Self { provider, address, client, directory, _keeper: keeper };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "Apache does not start:\n{}", site.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        site
    }

    fn log(&self) -> String {
        let part = |name| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        part("said") + &part("log")
    }

    fn mine(&self) -> String {
        format!("{}/mine", self.address)
    }

    /// Somebody for whom the site has begun a sign-in, and the address to which it sent her.
    async fn begun(&self) -> (Person, Url) {
        let mut person = self.provider.person();
        person.browser.open(&self.mine()).await;
        let asked = person.browser.hops[1].clone();
        assert!(asked.as_str().starts_with(&self.provider.issuer), "{asked}\n{}", self.log());
        (person, asked)
    }

    async fn signed_in(&self) -> Person {
        let mut person = self.provider.person();
        person.go(&self.mine()).await;
        self.shows_her(&person);
        person
    }

    /// The page is hers.
    #[track_caller]
    fn shows_her(&self, person: &Person) {
        let page = person.browser.page();
        assert!(page.has("[data-signed-in]"), "{} {}\n{}", page.status, page.text, self.log());
        assert_eq!(page.one("[data-signed-in]").text, person.name);
    }

    /// The module refused her answer, for a reason that its log names, and nobody is signed in.
    async fn refused(&self, person: &mut Person, reason: &str) {
        let page = person.browser.page();
        assert!(page.url.as_str().starts_with(&self.address), "{}", page.url);
        assert!(!page.has("[data-signed-in]"), "{}", page.text);
        assert!(self.log().contains(reason), "not {reason}:\n{}", self.log());
        // The site does not know her: it asks the provider, who may.
        person.browser.open(&self.mine()).await;
        let asked = person.browser.hops.get(1).unwrap_or_else(|| panic!("{}", self.log()));
        assert!(asked.as_str().starts_with(&self.provider.issuer), "{asked}");
    }
}

/// The address with another value of a parameter.
fn altered(address: &Url, name: &str, value: &str) -> String {
    let mut other = address.clone();
    let pairs = address.query_pairs().filter(|(known, _)| known != name);
    let pairs: Vec<_> =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    other.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
    other.to_string()
}

async fn shows_her_claims(site: Site) {
    let (mut person, asked) = site.begun().await;
    for name in ["state", "nonce", "code_challenge"] {
        assert!(asked.query_pairs().any(|(known, _)| known == name), "{name}: {asked}");
    }
    person.go(&site.mine()).await;
    site.shows_her(&person);
    assert_eq!(person.asked, ["sign-in", "consent"]);
    let text = |id: &str| person.browser.page().one(id).text;
    assert_eq!(text("#iss"), site.provider.issuer);
    assert_eq!(text("#phone"), format!("+86{}", person.phone));
    assert!(text("#sub").len() > 10 && text("#sid").len() > 10, "{}", person.browser.page().text);
}

async fn refuses_a_sign_in_that_it_did_not_begin(site: Site) {
    // RFC 6749 §10.12: a link that leads the person into the attacker's account, or hers elsewhere.
    let mut person = site.provider.person();
    let (home, id) =
        (format!("{}/callback", site.address), site.client["client_id"].as_str().unwrap());
    let asked = Url::parse_with_params(
        &format!("{}/oauth2/authorize", site.provider.issuer),
        [
            ("client_id", id),
            ("redirect_uri", &home),
            ("response_type", "code"),
            ("state", "made-up"),
            ("scope", "openid"),
            ("nonce", "n"),
            ("code_challenge_method", "S256"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ],
    );
    person.go(asked.unwrap().as_str()).await;
    assert_eq!(person.asked, ["sign-in", "consent"]);
    site.refused(&mut person, "unable to restore state").await;
}

async fn refuses_another_nonce(site: Site) {
    let (mut person, asked) = site.begun().await;
    person.go(&altered(&asked, "nonce", "another")).await;
    site.refused(&mut person, "nonce").await;
}

async fn redeems_by_its_own_verifier(site: Site) {
    let (mut person, asked) = site.begun().await;
    let other = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    person.go(&altered(&asked, "code_challenge", other)).await;
    site.refused(&mut person, "invalid_grant").await;
}

async fn comes_back_to_its_own_address(site: Site) {
    let (mut person, asked) = site.begun().await;
    let other = format!("{}/callback/", site.address);
    let at = person.go(&altered(&asked, "redirect_uri", &other)).await;
    assert!(at.as_str().starts_with(&site.provider.issuer), "{at}");
    assert!(person.browser.page().has("[role=alert]"));
    assert!(person.asked.is_empty(), "{:?}", person.asked);
}

async fn refuses_a_code_in_another_browser(site: Site) {
    let mut person = site.signed_in().await;
    let home = format!("{}/callback?", site.address);
    let answer = person.browser.hops.iter().find(|hop| hop.as_str().starts_with(&home));
    let answer = answer.unwrap().clone();
    let mut other = site.provider.person();
    other.browser.open(answer.as_str()).await;
    site.refused(&mut other, "unable to restore state").await;
    // A replay in her own does not end what she has.
    person.go(&site.mine()).await;
    site.shows_her(&person);
}

async fn signs_out(site: Site) {
    let mut person = site.signed_in().await;
    let leave = Url::parse_with_params(
        &format!("{}/callback", site.address),
        [("logout", format!("{}/bye", site.address))],
    );
    let at = person.go(leave.unwrap().as_str()).await;
    assert_eq!(at.path(), "/bye", "{at}\n{}", site.log());
    assert!(person.browser.page().text.contains("goodbye"));
    person.go(&site.mine()).await;
    site.shows_her(&person);
    let again = person.asked.iter().filter(|asked| **asked == "sign-in").count();
    assert_eq!(again, 2, "both sessions had ended: {:?}", person.asked);
}

async fn learns_that_she_signed_out_elsewhere(site: Site) {
    let mut person = site.signed_in().await;
    person.go(&format!("{}/oauth2/end_session", site.provider.issuer)).await;
    assert_eq!(person.asked.last(), Some(&"sign-out"));
    // Back-Channel Logout §2.5: the notice goes from server to server.
    let begun = Instant::now();
    while person.browser.open(&site.mine()).await.has("[data-signed-in]") {
        assert!(begun.elapsed() < PATIENCE, "no notice came:\n{}", site.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(person.browser.page().has("input[name=identifier]"), "{}", person.browser.page().text);
}

async fn believes_no_forged_notice(site: Site) {
    let mut person = site.signed_in().await;
    let text = |id: &str| person.browser.page().one(id).text;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let notice = json!({"iss": site.provider.issuer, "aud": site.client["client_id"], "iat": now,
        "exp": now + 120, "jti": "forged", "sub": text("#sub"), "sid": text("#sid"),
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({"alg": "RS256", "typ": "logout+jwt"}));
    let token = format!("{head}.{}.{}", part(&notice), URL_SAFE_NO_PAD.encode([7; 256]));
    let authority = reqwest::Certificate::from_pem(site.provider.authority.as_bytes()).unwrap();
    let stranger = reqwest::Client::builder().add_root_certificate(authority).build().unwrap();
    let notices = format!("{}/callback?logout=backchannel", site.address);
    let answer = stranger.post(notices).form(&[("logout_token", token)]).send().await.unwrap();
    assert_eq!(answer.status(), 400, "{}", site.log());
    assert!(site.log().contains("JWT signature verification failed"), "{}", site.log());
    person.browser.open(&site.mine()).await;
    site.shows_her(&person);
}

/// Makes a test of each story on each database.
macro_rules! told {
    ($($story:ident;)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $story() {
                if let Some(site) = super::Site::on(tests_kit::Engine::Sqlite).await {
                    super::$story(site).await;
                }
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $story() {
                if let Some(site) = super::Site::on(tests_kit::Engine::Postgres).await {
                    super::$story(site).await;
                }
            })*
        }
    };
}

told! {
    shows_her_claims;
    refuses_a_sign_in_that_it_did_not_begin;
    refuses_another_nonce;
    redeems_by_its_own_verifier;
    comes_back_to_its_own_address;
    refuses_a_code_in_another_browser;
    signs_out;
    learns_that_she_signed_out_elsewhere;
    believes_no_forged_notice;
}
