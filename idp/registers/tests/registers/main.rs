//! The adapters against the simulators, over sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test may stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use idp_domain::ambient::Clock;
use idp_domain::citizen::evidence::{Evidence, EvidenceKind};
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::number::ResidentNumber;
use idp_domain::citizen::port::{
    FaceCheck as _, FaceRequest, FaceResult, Match, Register as _, Unavailable,
};
use idp_registers::{Endpoint, HttpFace, HttpRegister};
use plugins_simulators::people::{self, Person};
use plugins_simulators::{face, register};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Outside {
    url: String,
    clock: Arc<Hand>,
    theirs: Arc<Hand>,
    dir: tempfile::TempDir,
}

impl Outside {
    async fn start(which: &str) -> Self {
        Self::open(which, tempfile::tempdir().unwrap()).await
    }

    /// Another process over the same books.
    async fn again(self, which: &str) -> Self {
        Self::open(which, self.dir).await
    }

    async fn open(which: &str, dir: tempfile::TempDir) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (clock, theirs) = (Arc::new(Hand::default()), Arc::new(Hand::default()));
        for hand in [&clock, &theirs] {
            hand.0.store(1_790_000_000_000, Ordering::Relaxed);
        }
        let turned = theirs.clone();
        let told: plugins_simulators::Clock = Arc::new(move || turned.now());
        let (path, secret) = (dir.path().to_owned(), "shared".to_owned());
        let router = if which == "face" {
            face::router(face::Settings { dir: path, secret, address: url.clone(), clock: told })
        } else {
            register::router(register::Settings { dir: path, secret, clock: told })
        };
        let router = router.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, clock, theirs, dir }
    }

    fn endpoint(&self, secret: &str) -> Endpoint {
        let timeout = Duration::from_millis(400);
        Endpoint { url: self.url.clone(), secret: secret.to_owned(), timeout }
    }

    fn register(&self) -> HttpRegister {
        HttpRegister::new(self.endpoint("shared"), self.clock.clone()).unwrap()
    }

    fn face(&self) -> HttpFace {
        HttpFace::new(self.endpoint("shared"), None, self.clock.clone()).unwrap()
    }

    async fn post(&self, path: &str, body: Value) {
        let address = format!("{}{path}", self.url);
        let answer = reqwest::Client::new().post(address).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    async fn behave(&self, rule: Value) {
        self.post("/behaviour", rule).await;
    }
}

fn today() -> time::Date {
    time::Date::from_calendar_date(2026, time::Month::November, 23).unwrap()
}

async fn ask(register: &HttpRegister, person: &Person, card: &str) -> Result<Match, Unavailable> {
    let name = PersonName::parse(&person.name).unwrap();
    let number = ResidentNumber::parse(&person.number, today(), true).unwrap();
    let evidence = Evidence::parse(EvidenceKind::SocialSecurityCard, card).unwrap();
    register.match_person(&name, &number, &[evidence]).await
}

async fn honest(register: &HttpRegister, person: &Person) -> Result<Match, Unavailable> {
    ask(register, person, &person.social_security_card).await
}

#[tokio::test]
async fn every_synthetic_person_is_known_by_the_rules_of_numbers_and_evidence() {
    let outside = Outside::start("register").await;
    let register = outside.register();
    for person in people::all() {
        let answer = honest(&register, person).await.unwrap();
        match answer {
            Match::Match(facts) => assert_eq!(facts.address.as_deref(), Some(&*person.address)),
            other => assert!(person.deceased && other == Match::Deceased, "{}", person.number),
        }
        if let Some(file) = &person.driving_licence_file {
            assert!(Evidence::parse(EvidenceKind::DrivingLicenceFile, file).is_ok());
        }
    }
}

#[tokio::test]
async fn the_register_says_no_match_not_found_and_deceased() {
    let outside = Outside::start("register").await;
    let (register, person) = (outside.register(), &people::all()[0]);
    let other = &people::all()[1].social_security_card;
    assert_eq!(ask(&register, person, other).await, Ok(Match::NoMatch));
    outside.post("/status", json!({"number": person.number, "status": "unknown"})).await;
    assert_eq!(honest(&register, person).await, Ok(Match::NotFound));
    outside.post("/status", json!({"number": person.number, "status": "deceased"})).await;
    assert_eq!(honest(&register, person).await, Ok(Match::Deceased));
    assert_eq!(ask(&register, person, other).await, Ok(Match::NoMatch), "no oracle of the dead");
}

#[tokio::test]
async fn what_the_register_was_told_outlives_it() {
    let outside = Outside::start("register").await;
    let person = &people::all()[0];
    outside.post("/status", json!({"number": person.number, "status": "deceased"})).await;
    let outside = outside.again("register").await;
    assert_eq!(honest(&outside.register(), person).await, Ok(Match::Deceased));
    outside.post("/status", json!({"number": person.number, "status": "alive"})).await;
    let outside = outside.again("register").await;
    assert!(matches!(honest(&outside.register(), person).await, Ok(Match::Match(_))));
}

#[tokio::test]
async fn a_face_check_outlives_the_simulator_and_is_listed() {
    let outside = Outside::start("face").await;
    let (face, person) = (outside.face(), &people::all()[0]);
    let created = face.create(request(person)).await.unwrap();
    press(&created.page, "match").await;
    let outside = outside.again("face").await;
    assert_eq!(outside.face().result(&created.check).await, Ok(FaceResult::Match));
    let listed = reqwest::get(format!("{}/checks", outside.url)).await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed[0]["check"], json!(created.check));
    assert_eq!(listed[0]["result"], "match");
    let page = reqwest::get(&outside.url).await.unwrap().text().await.unwrap();
    assert!(page.contains(&created.check));
}

#[tokio::test]
async fn a_bad_day_of_the_face_check_is_no_result_and_a_lie_is_told_as_one() {
    let outside = Outside::start("face").await;
    let (face, person) = (outside.face(), &people::all()[0]);
    let created = face.create(request(person)).await.unwrap();
    press(&created.page, "mismatch").await;
    for mode in ["garble", "slow"] {
        outside.behave(json!({"mode": mode, "delay_ms": 2000, "count": 1})).await;
        assert!(face.result(&created.check).await.is_err(), "{mode}");
    }
    let journal = reqwest::get(format!("{}/journal", outside.url)).await.unwrap();
    let journal: Vec<Value> = journal.json().await.unwrap();
    let told = journal.iter().filter(|line| line["answer"] == "garbled").count();
    assert_eq!(told, 1, "its book says what left, not what should have left");
    outside.behave(json!({"mode": "lie", "count": 1})).await;
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Match));
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Mismatch));
}

#[tokio::test]
async fn a_bad_day_of_the_register_is_no_answer_and_never_a_wrong_one() {
    let outside = Outside::start("register").await;
    let (register, person) = (outside.register(), &people::all()[0]);
    for mode in ["down", "garble", "slow"] {
        outside.behave(json!({"mode": mode, "delay_ms": 2000, "count": 1})).await;
        assert!(honest(&register, person).await.is_err(), "{mode}");
        assert!(matches!(honest(&register, person).await, Ok(Match::Match(_))), "after {mode}");
    }
    outside.behave(json!({"mode": "refuse", "match": {"number": person.number}})).await;
    assert_eq!(honest(&register, person).await, Ok(Match::NoMatch));
    assert!(matches!(honest(&register, &people::all()[1]).await, Ok(Match::Match(_))));
}

#[tokio::test]
async fn whoever_does_not_share_the_secret_or_the_time_is_refused_on_both_sides() {
    let outside = Outside::start("register").await;
    let person = &people::all()[0];
    let stranger = HttpRegister::new(outside.endpoint("other"), outside.clock.clone()).unwrap();
    assert!(honest(&stranger, person).await.is_err());
    outside.theirs.0.fetch_add(301_000, Ordering::Relaxed);
    assert!(honest(&outside.register(), person).await.is_err(), "an old question is not answered");
    let nobody = Endpoint { url: "http://127.0.0.1:1".into(), ..outside.endpoint("shared") };
    let gone = HttpRegister::new(nobody, outside.clock.clone()).unwrap();
    let error = honest(&gone, person).await.unwrap_err().to_string();
    assert!(!error.contains(&person.number), "{error}");
}

fn request(person: &Person) -> FaceRequest {
    FaceRequest {
        reference: "ref-1".into(),
        name: person.name.clone(),
        number: person.number.clone(),
        return_url: "http://127.0.0.1:9/stepup/return?flow=f".into(),
    }
}

async fn press(page: &str, value: &str) -> String {
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let shown = client.get(page).send().await.unwrap().text().await.unwrap();
    assert!(
        shown.contains(&format!("name=\"face\" value=\"{value}\"")) && shown.contains("simulator")
    );
    let answer = client.post(page).form(&[("face", value)]).send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_face_check_is_decided_once_on_its_own_page() {
    let outside = Outside::start("face").await;
    let (face, person) = (outside.face(), &people::all()[0]);
    let created = face.create(request(person)).await.unwrap();
    assert_eq!(face.create(request(person)).await.unwrap(), created, "one reference, one check");
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Pending));
    let back = press(&created.page, "match").await;
    assert_eq!(back, format!("http://127.0.0.1:9/stepup/return?flow=f&check={}", created.check));
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Match));
    press(&created.page, "mismatch").await;
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Match), "the first press stands");
    assert_eq!(face.result("unknown").await, Ok(FaceResult::Expired));
    assert_eq!(face.result("../v1/checks").await, Ok(FaceResult::Expired));
}

#[tokio::test]
async fn a_face_check_mismatches_expires_and_fails() {
    let outside = Outside::start("face").await;
    let (face, person) = (outside.face(), &people::all()[0]);
    let created = face.create(request(person)).await.unwrap();
    press(&created.page, "mismatch").await;
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Mismatch));
    let second = FaceRequest { reference: "ref-2".into(), ..request(person) };
    let created = face.create(second.clone()).await.unwrap();
    for hand in [&outside.clock, &outside.theirs] {
        hand.0.fetch_add(600_001, Ordering::Relaxed);
    }
    assert_eq!(face.result(&created.check).await, Ok(FaceResult::Expired));
    outside.behave(json!({"mode": "refuse", "count": 1})).await;
    assert!(face.create(second.clone()).await.is_err());
    outside.behave(json!({"mode": "down", "match": {"operation": "result"}})).await;
    assert!(face.result(&created.check).await.is_err());
}
