//! What is asked, step by step. An answer that is not exactly the expected one is an error.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use idp_protocol::assertion;
use reqwest::Client;
use serde_json::{Value, json};
use url::Url;

use super::browser::{self, Browser};
use super::secured::moment;
use super::target::{Hall, Signing, Target};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The metadata document.
    Discovery,
    /// A token by client_credentials.
    ClientCredentials,
    /// The same, the client authenticated by a signed assertion.
    ClientAssertion,
    /// A refresh token redeemed and rotated.
    Refresh,
    /// A whole sign-in: request, password, code, tokens. Its cost is the password's hash.
    SignIn,
    /// The same by a person who is signed in: request, code, tokens, no password.
    SingleSignOn,
    /// A token bound to a key by a fresh proof (DPoP).
    Dpop,
    /// A token bound to the certificate of the connection, which also says who asks (mutual TLS).
    MutualTls,
    /// A request pushed by its client (PAR).
    Pushed,
    /// A token introspected by its client.
    Introspection,
    /// Claims of a person by access token.
    Userinfo,
    /// A page of the hall that asks no plugin: the catalogue.
    Page,
    /// The plugin's form, as JSON.
    PluginRead,
    /// A case started: the form opened and submitted.
    PluginWrite,
}

/// What a worker holds between two steps.
pub(super) struct Worker {
    http: Client,
    browser: Option<Browser>,
    token: String,
    turn: usize,
}

pub(super) fn told(cause: impl std::fmt::Display) -> String {
    cause.to_string()
}

/// RFC 7636 §4.2.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

const VERIFIER: &str = "load-load-load-load-load-load-load-load-load-0";

impl Target {
    fn at(&self, path: &str) -> Result<Url, String> {
        Url::parse(&self.issuer).and_then(|issuer| issuer.join(path)).map_err(told)
    }

    async fn form(&self, http: &Client, to: &Url, form: &[(&str, &str)]) -> Result<Value, String> {
        let request = http.post(to.clone()).basic_auth(&self.client.0, Some(&self.client.1));
        let answer = request.form(form).send().await.map_err(told)?;
        let (status, path) = (answer.status(), to.path());
        let body: Value =
            answer.json().await.map_err(|cause| format!("{path}: {status}: {cause}"))?;
        if status.as_u16() == 200 {
            return Ok(body);
        }
        Err(format!("{path} answered {status} {}", body["error"].as_str().unwrap_or_default()))
    }

    /// A token for the client itself.
    async fn own_token(&self, http: &Client) -> Result<Value, String> {
        let scope = self.scope.1.iter().map(|scope| ("scope", scope.as_str()));
        let form: Vec<_> =
            [("grant_type", "client_credentials")].into_iter().chain(scope).collect();
        self.form(http, &self.places.token, &form).await
    }

    fn browser(&self) -> Result<Browser, String> {
        Browser::new(&self.transport, self.redirect_uri.clone())
    }

    /// Signs a person in and redeems the code.
    async fn sign_in(
        &self,
        http: &Client,
        browser: &Browser,
        turn: usize,
    ) -> Result<Value, String> {
        let page = browser.get(self.request()?).await?;
        let page = self.fill(browser, page, turn).await?;
        self.redeem(http, page).await
    }

    /// A person who is signed in comes again.
    async fn come_again(&self, http: &Client, browser: &Browser) -> Result<Value, String> {
        let page = browser.get(self.request()?).await?;
        self.redeem(http, page).await
    }

    /// The parameters of an authorization request.
    pub(super) fn authorization(&self) -> [(&'static str, String); 8] {
        [
            ("response_type", "code".to_owned()),
            ("client_id", self.client.0.clone()),
            ("redirect_uri", self.redirect_uri.to_string()),
            ("scope", self.scope.0.clone()),
            ("state", "load-load-load".to_owned()),
            ("nonce", "load-load-load".to_owned()),
            ("code_challenge", challenge(VERIFIER)),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }

    fn request(&self) -> Result<Url, String> {
        let mut address = self.places.authorization.clone();
        address.query_pairs_mut().extend_pairs(self.authorization());
        Ok(address)
    }

    async fn redeem(&self, http: &Client, page: browser::Page) -> Result<Value, String> {
        let back = page.outside.ok_or_else(|| {
            format!("signing in ended at {} with {}", page.address.path(), page.status)
        })?;
        let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code);
        let code = code.ok_or("the answer to the partner holds no code")?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", VERIFIER),
        ];
        let tokens = self.form(http, &self.places.token, &form).await?;
        if tokens["id_token"].is_string() { Ok(tokens) } else { Err("no id_token".to_owned()) }
    }

    /// Fills in the pages of a sign-in until there is none that it knows.
    async fn fill(
        &self,
        browser: &Browser,
        mut page: browser::Page,
        turn: usize,
    ) -> Result<browser::Page, String> {
        let who = self.people.get(turn % self.people.len().max(1)).ok_or("nobody can sign in")?;
        for _ in 0..6 {
            let Some(form) = self.forms.iter().find(|form| page.asks(&form.has)) else { break };
            let mut fields = page.hidden_with(&form.has);
            fields.retain(|(name, _)| !form.fill.contains_key(name));
            let written = form
                .fill
                .iter()
                .map(|(name, value)| (name.clone(), value.replace("{person}", who)));
            fields.extend(written);
            page = browser.post(page.form_with(&form.has)?, &fields).await?;
        }
        Ok(page)
    }

    fn own(&self) -> Result<&Hall, String> {
        self.hall.as_ref().ok_or_else(|| "it has no hall".to_owned())
    }

    /// Signs a person in at the hall.
    async fn hall(&self, turn: usize) -> Result<Browser, String> {
        let browser = self.browser()?;
        let page = browser.get(self.at(&format!("/items/{}/apply", self.own()?.item))?).await?;
        let page = self.fill(&browser, page, turn).await?;
        page.form_with("transaction")?;
        Ok(browser)
    }

    /// The client that signs.
    pub(super) fn signs(&self) -> Result<&Signing, String> {
        self.signing.as_deref().ok_or_else(|| "it has no client that signs".to_owned())
    }

    /// A token by a signed assertion (RFC 7523 §2.2), a fresh one each time.
    async fn asserted(&self, http: &Client, turn: usize) -> Result<(), String> {
        let Signing { client, signer, audience } = self.signs()?;
        let (now, jti) = moment(turn)?;
        let claims = json!({"iss": client, "sub": client, "aud": audience,
            "iat": now, "exp": now + 60, "jti": jti});
        // As stock libraries write it: every provider takes that.
        let header = json!({"alg": signer.algorithm().name(), "typ": "JWT"});
        let assertion = signer.sign_with_header(&header, &claims).map_err(told)?;
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_assertion_type", assertion::TYPE),
            ("client_assertion", &assertion),
        ];
        form.extend(self.scope.1.iter().map(|scope| ("scope", scope.as_str())));
        let request = http.post(self.places.token.clone()).form(&form);
        let answer = request.send().await.map_err(told)?;
        let body: Value = answer.json().await.map_err(told)?;
        let error = || body["error"].as_str().unwrap_or("no token").to_owned();
        body["access_token"].as_str().map(drop).ok_or_else(error)
    }

    async fn claims(&self, http: &Client, token: &str) -> Result<(), String> {
        let request = http.get(self.places.userinfo.clone()).bearer_auth(token);
        let body: Value = request.send().await.map_err(told)?.json().await.map_err(told)?;
        // Of our own people the name is known, and was asked for.
        if body["sub"].is_string() && (self.hall.is_none() || body["name"].is_string()) {
            return Ok(());
        }
        Err(format!("no claims: {}", body["error"].as_str().unwrap_or_default()))
    }

    async fn read(&self, http: &Client, address: Url) -> Result<(), String> {
        let path = address.path().to_owned();
        let answer = http.get(address).send().await.map_err(told)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(told)?;
        if status == 200 && body.len() > 200 {
            return Ok(());
        }
        Err(format!("{path} answered {status} with {} bytes", body.len()))
    }

    /// Opens the form and submits it: a case.
    async fn apply(&self, browser: &Browser) -> Result<(), String> {
        let hall = self.own()?;
        let page = browser.get(self.at(&format!("/items/{}/apply", hall.item))?).await?;
        let to = page.form_with("transaction")?;
        let transaction = page.hidden("transaction").ok_or("the form has no transaction")?;
        let fixed =
            [("transaction".to_owned(), transaction), ("action".to_owned(), "submit".into())];
        let fields = fixed.into_iter().chain(hall.answers.iter().cloned());
        let page = browser.upload(to, fields).await?;
        if page.status == 200 && page.address.path().starts_with("/cases/") {
            return Ok(());
        }
        Err(format!("submitting ended at {} with {}", page.address.path(), page.status))
    }
}

impl Scenario {
    /// Whether a provider can be asked for it at all.
    #[must_use]
    pub fn fits(self, target: &Target) -> bool {
        match self {
            Self::ClientAssertion | Self::Dpop => target.signing.is_some(),
            Self::MutualTls => target.certified.is_some(),
            Self::Pushed => target.places.pushed.is_some(),
            Self::Introspection => target.places.introspection.is_some(),
            Self::Page | Self::PluginRead | Self::PluginWrite => target.hall.is_some(),
            _ => true,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::ClientCredentials => "client-credentials",
            Self::ClientAssertion => "client-assertion",
            Self::Refresh => "refresh",
            Self::SignIn => "sign-in",
            Self::SingleSignOn => "single-sign-on",
            Self::Dpop => "dpop",
            Self::MutualTls => "mutual-tls",
            Self::Pushed => "pushed",
            Self::Introspection => "introspection",
            Self::Userinfo => "userinfo",
            Self::Page => "page",
            Self::PluginRead => "plugin-read",
            Self::PluginWrite => "plugin-write",
        }
    }

    /// What a worker needs before its first step.
    pub(super) async fn prepare(self, target: &Target) -> Result<Worker, String> {
        static TURN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let turn = TURN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let http = target.transport.client(false)?;
        let mut worker = Worker { http, browser: None, token: String::new(), turn };
        let text = |body: &Value, name: &str| {
            let found = body[name].as_str().map(str::to_owned);
            found.ok_or_else(|| format!("the answer holds no {name}"))
        };
        match self {
            Self::Refresh => {
                let tokens = target.sign_in(&worker.http, &target.browser()?, turn).await?;
                worker.token = text(&tokens, "refresh_token")?;
            }
            Self::Userinfo => {
                let tokens = target.sign_in(&worker.http, &target.browser()?, turn).await?;
                worker.token = text(&tokens, "access_token")?;
            }
            Self::SingleSignOn => {
                let browser = target.browser()?;
                target.sign_in(&worker.http, &browser, turn).await?;
                worker.browser = Some(browser);
            }
            Self::Introspection => {
                let tokens = target.own_token(&worker.http).await?;
                worker.token = text(&tokens, "access_token")?;
            }
            Self::PluginWrite => worker.browser = Some(target.hall(turn).await?),
            _ => {}
        }
        Ok(worker)
    }

    /// One operation.
    pub(super) async fn step(self, target: &Target, worker: &mut Worker) -> Result<(), String> {
        let http = &worker.http;
        match self {
            Self::ClientCredentials => {
                let tokens = target.own_token(http).await?;
                tokens["access_token"].as_str().map(drop).ok_or_else(|| "no token".to_owned())
            }
            Self::Refresh => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", &worker.token)];
                let tokens = target.form(http, &target.places.token, &form).await?;
                tokens["access_token"].as_str().ok_or("no access token")?;
                let next = tokens["refresh_token"].as_str().filter(|next| *next != worker.token);
                worker.token = next.ok_or("the refresh token was not rotated")?.to_owned();
                Ok(())
            }
            Self::SignIn => {
                worker.turn += 1;
                target.sign_in(http, &target.browser()?, worker.turn).await.map(drop)
            }
            Self::SingleSignOn => {
                let browser = worker.browser.as_ref().ok_or("nobody is signed in")?;
                target.come_again(http, browser).await.map(drop)
            }
            Self::Userinfo => target.claims(http, &worker.token).await,
            Self::Discovery => target.read(http, target.places.discovery.clone()).await,
            Self::ClientAssertion => target.asserted(http, worker.turn).await,
            Self::Dpop => target.bound(http, worker.turn).await,
            Self::MutualTls => target.certified(http).await,
            Self::Pushed => target.pushed(http).await,
            Self::Introspection => {
                let form = [("token", worker.token.as_str())];
                let place = target.places.introspection.as_ref().ok_or("it does not introspect")?;
                let about = target.form(http, place, &form).await?;
                if about["active"] == true { Ok(()) } else { Err("not active".to_owned()) }
            }
            Self::Page => target.read(http, target.at("/items")?).await,
            Self::PluginRead => {
                let form = target.at(&format!("/api/items/{}", target.own()?.item))?;
                target.read(http, form).await
            }
            Self::PluginWrite => {
                let browser = worker.browser.as_ref().ok_or("nobody is signed in")?;
                target.apply(browser).await
            }
        }
    }
}
