//! A whole identity half in memory, and a browser that keeps cookies and follows redirects.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use idp_domain::ambient::{Ambient, Clock, Random};
use idp_domain::citizen::evidence::Evidence;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::{ResidentNumber, synthetic};
use idp_domain::citizen::port::{
    FaceCheck, FaceCreated, FaceRequest, FaceResult, Match, Register, RegisterFacts, Unavailable,
};
use idp_store::{StoreError, Tx, outbox};
use tower::ServiceExt as _;

use crate::State;
use crate::citizens::{self, NewCitizen, NewStaff, Outcome};
use crate::pages::Hashing;
use crate::state::Settings;
use crate::testing::Place;

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const PHONE: &str = "13950123456";
pub(super) const CARD: &str = "A12345678";
/// 2026-11-23 in China.
const START: i64 = 1_795_400_000_000;

#[derive(Default)]
pub(super) struct Now(AtomicI64);
impl Clock for Now {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Not random, but never the same twice.
#[derive(Default)]
struct Counter(AtomicU64);
impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for (to, from) in chunk.iter_mut().zip(n.to_be_bytes()) {
                *to = from;
            }
        }
    }
}

/// What the register answers next; it knows one card number.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) answer: Mutex<Option<Result<Match, Unavailable>>>,
    pub(super) asked: AtomicU64,
}

#[async_trait]
impl Register for Registry {
    async fn match_person(
        &self,
        _name: &PersonName,
        _number: &ResidentNumber,
        evidence: &[Evidence],
    ) -> Result<Match, Unavailable> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = self.answer.lock().unwrap().clone() {
            return answer;
        }
        let known = evidence.iter().all(|evidence| evidence.value() == CARD);
        let facts = RegisterFacts { address: Some("福建省福州市鼓楼区".to_owned()) };
        Ok(if known { Match::Match(facts) } else { Match::NoMatch })
    }
}

pub(super) struct Faces(pub(super) Mutex<FaceResult>);

#[async_trait]
impl FaceCheck for Faces {
    async fn create(&self, request: FaceRequest) -> Result<FaceCreated, Unavailable> {
        Ok(FaceCreated { check: "f1".to_owned(), page: request.return_url })
    }
    async fn result(&self, _check: &str) -> Result<FaceResult, Unavailable> {
        Ok(*self.0.lock().unwrap())
    }
}

pub(super) struct Site {
    pub(super) state: State,
    pub(super) register: Arc<Registry>,
    pub(super) faces: Arc<Faces>,
    place: Place,
    clock: Arc<Now>,
    router: Router,
}

impl Site {
    pub(super) fn usual() -> Settings {
        let mut settings = Settings::new("http://localhost:8080");
        (settings.demo, settings.simulator_notice) = (true, true);
        settings.hashing = Hashing::least();
        settings
    }

    pub(super) async fn over(place: Place, settings: Settings) -> Self {
        let clock = Arc::new(Now(AtomicI64::new(START)));
        let random = Arc::new(Counter(AtomicU64::new(1)));
        let ambient = Ambient { clock: clock.clone(), random };
        let register = Arc::new(Registry::default());
        let faces = Arc::new(Faces(Mutex::new(FaceResult::Pending)));
        let (asked, shown) = (register.clone(), faces.clone());
        let db = place.db.clone();
        let opened = State::open(db, ambient, settings, asked, shown, Arc::default());
        let state = opened.await.unwrap();
        let router = crate::router(state.clone());
        Self { state, register, faces, place, clock, router }
    }

    /// Another one of the same engine and settings, in which nothing has happened.
    pub(super) async fn afresh(&self) -> Self {
        Self::over(self.place.afresh().await, Settings::clone(&self.state.settings)).await
    }

    pub(super) fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) fn number(sequence: u16) -> String {
        let born = time::Date::from_calendar_date(1990, time::Month::January, 1).unwrap();
        synthetic(born, sequence).unwrap().as_str().to_owned()
    }

    /// A citizen at level 3 with user name `lin`, [`PHONE`] and [`PASSWORD`].
    pub(super) async fn citizen(&self) -> String {
        self.citizen_at(3).await
    }

    pub(super) async fn citizen_at(&self, proofing: u8) -> String {
        let new = NewCitizen {
            name: "林小满".to_owned(),
            number: Self::number(2),
            phone: Some(PHONE.to_owned()),
            user_name: Some("lin".to_owned()),
            email: None,
            address: None,
            proofing,
            password_hash: self.hash(),
            source: "demo",
        };
        let (db, ambient) = (&self.state.db, &self.state.ambient);
        let created = citizens::create(db, ambient, true, vec![new]).await.unwrap();
        match &created[..] {
            [Outcome::Created(id)] => id.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn officer(&self) -> String {
        let new = NewStaff {
            user_name: "chen".to_owned(),
            name: "陈警官".to_owned(),
            role: "officer".to_owned(),
            password_hash: self.hash(),
            totp: Some(*b"12345678901234567890"),
        };
        citizens::create_staff(&self.state.db, &self.state.ambient, new).await.unwrap().id
    }

    fn hash(&self) -> String {
        citizens::hash_password(&self.state.ambient, self.state.settings.hashing, PASSWORD).unwrap()
    }

    /// Messages that wait to be sent: phone and text, taken.
    pub(super) async fn messages(&self) -> Vec<(String, String)> {
        let now = self.state.now();
        let claimed = self
            .state
            .db
            .write::<_, StoreError, _>("test", move |tx: &mut Tx| {
                Box::pin(async move {
                    outbox::claim(tx, outbox::Lane::House, now, 86_400_000, 100).await
                })
            })
            .await
            .unwrap();
        let text =
            |entry: &outbox::Claimed, key: &str| entry.arguments[key].as_str().unwrap().to_owned();
        claimed.iter().map(|entry| (text(entry, "to"), text(entry, "text"))).collect()
    }

    /// The code of the newest message.
    pub(super) async fn code(&self) -> String {
        let messages = self.messages().await;
        let (_, text) = messages.last().expect("a message");
        text.chars().filter(char::is_ascii_digit).take(6).collect()
    }

    /// Every byte that the database keeps.
    pub(super) async fn bytes(&self) -> Vec<u8> {
        self.place.bytes().await
    }

    pub(super) fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            cookies: BTreeMap::new(),
            network: [192, 0, 2, 1],
            language: "zh-CN",
        }
    }
}

pub(super) struct Browser {
    router: Router,
    pub(super) cookies: BTreeMap<String, String>,
    pub(super) network: [u8; 4],
    pub(super) language: &'static str,
}

pub(super) struct Shown {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Shown {
    pub(super) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that the page holds a text.
    pub(super) fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text} is not in {} {}", self.status, self.body);
        self
    }

    pub(super) fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text} is in {}", self.body);
        self
    }

    pub(super) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{} {}", self.location(), self.body);
        self
    }
}

impl Browser {
    pub(super) async fn send(&mut self, mut request: Request<Body>) -> Shown {
        let peer = std::net::SocketAddr::from((self.network, 40_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        let language = self.language.parse().unwrap();
        request.headers_mut().insert(http::header::ACCEPT_LANGUAGE, language);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = to_bytes(body, 1 << 22).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        Shown { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&mut self, path: &str) -> Shown {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.iter().copied())
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// Goes where a 303 leads.
    pub(super) async fn follow(&mut self, shown: &Shown) -> Shown {
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.body);
        self.get(shown.location()).await
    }

    pub(super) async fn sign_in(&mut self, identifier: &str, password: &str) -> Shown {
        self.post("/signin", &[("identifier", identifier), ("password", password)]).await
    }
}
