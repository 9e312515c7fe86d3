//! A provider in memory of one test: people, partners, browsers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use idp_domain::ambient::{Ambient, Clock, Random};
use idp_domain::citizen::account::AccountState;
use idp_domain::citizen::evidence::Evidence;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{self, ResidentNumber};
use idp_domain::citizen::phone::Phone;
use idp_domain::citizen::port::{
    FaceCheck, FaceCreated, FaceRequest, FaceResult, Match, Register, Unavailable,
};
use idp_domain::citizen::proofing::Proofing;
use idp_store::account::NewAccount;
use idp_store::key::Fresh;
use idp_store::person::Record;
use idp_store::{Db, StoreError, Tx};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::certificate::Chain;
use crate::session::{self, NewSession, Who};
use crate::state::Settings;
use crate::testing::Place;
use crate::{State, clients};

pub(super) const ISSUER: &str = "http://localhost:8080";
pub(super) const SECRET: &str = "a-secret-of-more-than-thirty-two-characters";
pub(super) const BACK: &str = "https://a.example/cb";
/// RFC 7636 Appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Virtual(AtomicI64);

impl Clock for Virtual {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Random for Virtual {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

struct Nobody;

#[async_trait]
impl Register for Nobody {
    async fn match_person(
        &self,
        _: &PersonName,
        _: &ResidentNumber,
        _: &[Evidence],
    ) -> Result<Match, Unavailable> {
        Ok(Match::NotFound)
    }
}

#[async_trait]
impl FaceCheck for Nobody {
    async fn create(&self, _: FaceRequest) -> Result<FaceCreated, Unavailable> {
        Err(Unavailable { reason: "not in this test".into() })
    }
    async fn result(&self, _: &str) -> Result<FaceResult, Unavailable> {
        Ok(FaceResult::Expired)
    }
}

/// The provider.
pub(super) struct House {
    pub(super) state: State,
    router: Router,
    clock: Arc<Virtual>,
    /// Last byte of the address from which requests come.
    pub(super) peer: AtomicU8,
    certificate: Mutex<Option<Chain>>,
    /// None of a node beside another.
    place: Option<Place>,
}

/// Making RSA keys takes longer than most tests: one set serves all.
async fn keep_keys(db: &Db, sm2: bool) {
    static KEYS: OnceLock<Vec<Fresh>> = OnceLock::new();
    let made = |name| crate::keys::fresh(name).unwrap();
    let keys = KEYS.get_or_init(|| crate::keys::names(true).map(made).collect());
    db.write("test", move |tx: &mut Tx| {
        Box::pin(async move {
            let kept = |key: &&Fresh| crate::keys::names(sm2).any(|name| name == key.algorithm);
            for key in keys.iter().filter(kept) {
                idp_store::key::first(tx, key, 1).await?;
            }
            Ok::<_, StoreError>(())
        })
    })
    .await
    .unwrap();
}

/// Tells each story on both engines; in a house of settings of its own, if they are named.
macro_rules! on_both {
    ($($name:ident;)*) => { crate::testing::on_both! { House: $($name;)* } };
    ($module:ident with $settings:path: $($name:ident;)*) => {
        crate::testing::on_both! { $module of House with $settings: $($name;)* }
    };
}
pub(super) use on_both;

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(super) fn location(&self) -> &str {
        let location = self.headers.get(header::LOCATION);
        location.unwrap_or_else(|| panic!("no redirect: {self:?}")).to_str().unwrap()
    }

    /// Parameters of the redirect's query, or of its fragment.
    pub(super) fn query(&self) -> BTreeMap<String, String> {
        let (_, query) = self.location().split_once(['?', '#']).unwrap();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// A partner's way to present itself.
pub(super) fn basic(id: &str, secret: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

pub(super) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The claims of a compact JWS, not checked.
pub(super) fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

impl House {
    /// Behind a proxy that is trusted; clients may show certificates, and describe themselves.
    pub(super) fn usual() -> Settings {
        let mut settings = Settings::new(ISSUER);
        settings.certificates = super::certificates::settings();
        settings.sm2 = true;
        settings.client_id_metadata_documents = true;
        settings.trusted_proxies = vec!["192.0.2.200".parse().unwrap()];
        settings
    }

    /// From now on each request comes with this certificate.
    pub(super) fn shows(&self, certificate: Option<&[u8]>) {
        let chain = certificate.and_then(|der| Chain::new(vec![der.to_vec()]));
        *self.certificate.lock().unwrap() = chain;
    }

    pub(super) async fn over(place: Place, settings: Settings) -> Self {
        let db = place.db.clone();
        keep_keys(&db, settings.sm2).await;
        let clock = Arc::new(Virtual(AtomicI64::new(1_800_000_000_000)));
        let ambient = Ambient { clock: clock.clone(), random: clock.clone() };
        let state =
            State::open(db, ambient, settings, Arc::new(Nobody), Arc::new(Nobody), Arc::default())
                .await
                .unwrap();
        let house = Self {
            router: crate::router(state.clone()),
            state,
            clock,
            peer: AtomicU8::new(1),
            certificate: Mutex::new(None),
            place: Some(place),
        };
        house.person("p1", 1).await;
        for registration in [
            json!({"client_id": "a", "client_secret": SECRET, "client_name": "甲",
                "redirect_uris": [BACK, "https://a.example/cb?x=1"],
                "post_logout_redirect_uris": ["https://a.example/bye"],
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "scope": "openid profile phone identity email address offline_access cases",
                "legal_basis": "test"}),
            json!({"client_id": "b", "client_secret": SECRET, "client_name": "乙",
                "redirect_uris": ["https://b.example/cb"],
                "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                "token_endpoint_auth_method": "client_secret_post",
                "scope": "openid profile phone"}),
            json!({"client_id": "public", "redirect_uris": ["https://p.example/cb"],
                "token_endpoint_auth_method": "none", "scope": "openid",
                "legal_basis": "test"}),
        ] {
            house.register(registration).await;
        }
        house
    }

    /// Another node on the same database and clock.
    pub(super) async fn beside(&self) -> Self {
        self.beside_with(Settings::clone(&self.state.settings)).await
    }

    /// The same with settings of its own.
    pub(super) async fn beside_with(&self, settings: Settings) -> Self {
        let (db, ambient) = (self.state.db.clone(), self.state.ambient.clone());
        let (register, face) = (Arc::new(Nobody), Arc::new(Nobody));
        let state = State::open(db, ambient, settings, register, face, Arc::default());
        let state = state.await.unwrap();
        Self {
            router: crate::router(state.clone()),
            state,
            clock: self.clock.clone(),
            peer: AtomicU8::new(1),
            certificate: Mutex::new(None),
            place: None,
        }
    }

    pub(super) async fn register(&self, registration: Value) {
        clients::create(&self.state.db, &self.state.ambient, registration).await.unwrap();
    }

    /// Every byte that the database keeps.
    pub(super) async fn bytes(&self) -> Vec<u8> {
        self.place.as_ref().unwrap().bytes().await
    }

    pub(super) fn wait(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) async fn person(&self, id: &'static str, sequence: u16) {
        let born = time::Date::from_calendar_date(1990, time::Month::January, 1).unwrap();
        let number = number::synthetic(born, sequence).unwrap();
        let name = PersonName::parse("林小满").unwrap();
        let record = Record::new(&name, &number, Some("福州市".into()));
        let phone = Phone::parse(&format!("1380013{sequence:04}")).unwrap();
        let account = NewAccount {
            person_id: id.to_owned(),
            phone: Some(phone),
            user_name: None,
            email: Some(format!("{id}@example.cn")),
            password: "x".to_owned(),
            language: None,
        };
        self.write(move |tx| {
            let (record, account) = (record.clone(), account.clone());
            Box::pin(async move {
                idp_store::person::create(tx, id, &record, Proofing::RealName, 1).await?;
                idp_store::account::create(tx, &account, 1).await.map(drop)
            })
        })
        .await;
    }

    /// An officer who can sign in.
    pub(super) async fn officer(&self, id: &'static str) {
        self.write(move |tx| {
            let staff = idp_store::staff::Staff {
                id: id.into(),
                user_name: "officer".into(),
                name: "陈警官".into(),
                role: "officer".into(),
                password: "x".into(),
                totp: vec![1],
                active: true,
            };
            Box::pin(async move { idp_store::staff::create(tx, &staff, 1).await })
        })
        .await;
    }

    pub(super) async fn write<F>(&self, unit: F)
    where
        F: for<'a> Fn(&'a mut Tx) -> idp_store::Unit<'a, (), StoreError> + Send + Sync + 'static,
    {
        self.state.db.write("test", unit).await.unwrap();
    }

    /// A person's audit trail, newest first.
    pub(super) async fn trail(&self, person: &'static str) -> Vec<idp_store::audit::Shown> {
        let read = self.state.db.read::<_, StoreError, _>("test", move |tx: &mut Tx| {
            Box::pin(async move { idp_store::audit::list(tx, person, i64::MAX, 50).await })
        });
        read.await.unwrap()
    }

    pub(super) async fn set_state(&self, from: AccountState, to: AccountState) {
        self.write(move |tx| {
            Box::pin(
                async move { idp_store::account::set_state(tx, "p1", from, to).await.map(drop) },
            )
        })
        .await;
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let last = self.peer.load(Ordering::Relaxed);
        let peer = std::net::SocketAddr::from(([192, 0, 2, last], 40_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let chain = self.certificate.lock().unwrap().clone();
        if let Some(chain) = chain {
            request.extensions_mut().insert(chain);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, String)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, &form(fields)).await
    }

    /// A token request of client `a`.
    pub(super) async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.post("/oauth2/token", &[basic("a", SECRET)], fields).await
    }

    pub(super) async fn redeem(&self, code: &str) -> Answer {
        self.token(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)])
            .await
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(super) async fn userinfo(&self, token: &str) -> Answer {
        self.send(Method::GET, "/oauth2/userinfo", &[bearer(token)], "").await
    }

    pub(super) async fn active(&self, token: &str) -> bool {
        let answer =
            self.post("/oauth2/introspect", &[basic("a", SECRET)], &[("token", token)]).await;
        answer.json()["active"].as_bool().unwrap()
    }
}

/// A browser with its cookies.
#[derive(Default, Clone)]
pub(super) struct Browser(pub(super) BTreeMap<String, String>);

impl Browser {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&self.cookie()).unwrap());
        headers
    }

    fn cookie(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn take(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            // Only the browser's state, which is no secret, is for scripts.
            let readable = text.contains("tongban_state_");
            assert!(readable != text.contains("HttpOnly"), "{text}");
            let wanted = if readable { "SameSite=" } else { "SameSite=Lax" };
            assert!(text.contains(wanted), "{text}");
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(super) fn take_all(&mut self, cookies: session::Cookies) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        self.take(&headers);
    }

    pub(super) async fn get(&mut self, house: &House, path: &str) -> Answer {
        let headers = [("cookie", self.cookie())];
        let answer = house.send(Method::GET, path, &headers, "").await;
        self.take(&answer.headers);
        answer
    }

    pub(super) async fn post(
        &mut self,
        house: &House,
        path: &str,
        headers: &[(&str, String)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("cookie", self.cookie())];
        all.extend_from_slice(headers);
        let answer = house.post(path, &all, fields).await;
        self.take(&answer.headers);
        answer
    }

    /// Signs in as the pages would.
    pub(super) async fn sign_in(&mut self, house: &House, who: Who) {
        self.sign_in_with(house, NewSession { who, auth_level: 1, amr: vec!["pwd".into()] }).await;
    }

    pub(super) async fn sign_in_with(&mut self, house: &House, new: NewSession) {
        let cookies = session::start(&house.state, &self.headers(), new).await.unwrap();
        self.take_all(cookies);
    }

    pub(super) async fn signed_in(house: &House) -> Self {
        let mut browser = Self::default();
        browser.sign_in(house, Who::Citizen("p1".into())).await;
        browser
    }

    /// Sends an authorization request of client `a` and follows to the first answer that is not
    /// ours alone.
    pub(super) async fn authorize(&mut self, house: &House, extra: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("client_id", "a"),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid profile phone identity"),
            ("state", "s t&ä"),
        ];
        for (name, value) in extra {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        fields.retain(|(_, value)| !value.is_empty());
        let first = self.get(house, &format!("/oauth2/authorize?{}", form(&fields))).await;
        if first.headers.get(header::LOCATION).is_none()
            || !first.location().starts_with("/oauth2/authorize/")
        {
            return first;
        }
        let path = first.location().to_owned();
        self.get(house, &path).await
    }

    /// A code for client `a`.
    pub(super) async fn code(&mut self, house: &House, extra: &[(&str, &str)]) -> String {
        let answer = self.authorize(house, extra).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer.query().remove("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// Tokens for client `a`.
    pub(super) async fn tokens(&mut self, house: &House, extra: &[(&str, &str)]) -> Value {
        let code = self.code(house, extra).await;
        let answer = house.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }
}
