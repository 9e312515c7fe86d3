//! A partner that the story itself acts, well or badly.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

/// A registered client and its credentials.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    /// RFC 6749 §2.2.
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<String>,
    /// The first registered one.
    pub redirect_uri: String,
    issuer: String,
    http: reqwest::Client,
}

/// An authorization request, and what has to be remembered of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where the browser is sent.
    pub url: Url,
    /// RFC 6749 §10.12.
    pub state: String,
    /// OpenID Connect Core §3.1.2.1.
    pub nonce: String,
    /// RFC 7636 §4.1.
    pub verifier: String,
}

/// What an endpoint answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; null if it is no JSON.
    pub body: Value,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// A member of the body as text.
    ///
    /// # Panics
    /// If it is absent, with the answer.
    #[must_use]
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The claims of a token in the body, unverified.
    ///
    /// # Panics
    /// If there is no such token.
    #[must_use]
    #[track_caller]
    pub fn claims(&self, name: &str) -> Value {
        let payload = self.text(name).split('.').nth(1).expect("a token has three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
    }
}

fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

impl RelyingParty {
    pub(crate) fn new(issuer: &str, registration: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            client_id: text(&registration["client_id"]).expect("an id"),
            client_secret: text(&registration["client_secret"]),
            redirect_uri: text(&registration["redirect_uris"][0]).unwrap_or_default(),
            issuer: issuer.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
        }
    }

    /// An authorization request with PKCE, state and nonce.
    #[must_use]
    pub fn ask(&self, scope: &str) -> Asked {
        let (state, nonce, verifier) = (random(), random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut url = Url::parse(&format!("{}/oauth2/authorize", self.issuer)).expect("an issuer");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Asked { url, state, nonce, verifier }
    }

    /// Posts a form to an endpoint with our credentials.
    ///
    /// # Panics
    /// If nobody answers.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.issuer));
        let mut form = form.to_vec();
        match &self.client_secret {
            Some(secret) => request = request.basic_auth(&self.client_id, Some(secret)),
            None => form.push(("client_id", &self.client_id)),
        }
        Answer::of(request.form(&form).send().await.expect("an answer")).await
    }

    /// Redeems a code (RFC 6749 §4.1.3).
    pub async fn redeem(&self, code: &str, verifier: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        self.post("/oauth2/token", &form).await
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/oauth2/token", &form).await
    }

    /// Whether a token is alive (RFC 7662).
    pub async fn is_active(&self, token: &str) -> bool {
        let answer = self.post("/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["active"] == true
    }

    /// What an address of the product answers to an access token, or to none.
    ///
    /// # Panics
    /// If nobody answers.
    pub async fn get(&self, path: &str, access_token: Option<&str>) -> Answer {
        let mut request = self.http.get(format!("{}{path}", self.issuer));
        if let Some(token) = access_token {
            request = request.bearer_auth(token);
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Claims of an access token (OpenID Connect Core §5.3).
    ///
    /// # Panics
    /// If nobody answers.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let request = self.http.get(format!("{}/oauth2/userinfo", self.issuer));
        Answer::of(request.bearer_auth(access_token).send().await.expect("an answer")).await
    }
}
