//! What the population register and the face comparison answer: over a wire that others may hold,
//! from counterparts that have bad days.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use idp_domain::ambient::Clock;
use idp_domain::citizen::port::{FaceResult, Match, Unavailable};
use idp_registers::{Endpoint, HttpFace, HttpRegister, Received};
use serde_json::Value;
use url::Url;

use crate::{NOW, text};

/// Where browsers may be sent for a face check.
const PAGES: [&str; 2] = ["https://face.example", "https://pages.face.example:8443"];
/// Signatures of two questions.
const ASKED: &str = "6f";
const ANOTHER: &str = "70";
/// The check that was asked about.
const CHECK: &str = "c1";

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> i64 {
        NOW * 1000
    }
}

/// Counterparts under a secret that is made anew in each process.
struct Counterparts {
    key: hmac::Key,
    register: HttpRegister,
    face: HttpFace,
}

fn counterparts() -> &'static Counterparts {
    static COUNTERPARTS: OnceLock<Counterparts> = OnceLock::new();
    COUNTERPARTS.get_or_init(|| {
        let mut secret = [0; 32];
        rand::fill(&mut secret).expect("randomness");
        let secret = hex::encode(secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let timeout = Duration::from_secs(1);
        let endpoint = Endpoint { url: PAGES[0].to_owned(), secret, timeout };
        let register = HttpRegister::new(endpoint.clone(), Arc::new(Frozen)).expect("a client");
        let face = HttpFace::new(endpoint, Some(PAGES[1]), Arc::new(Frozen)).expect("a client");
        Counterparts { key, register, face }
    })
}

fn quiet(cause: &Unavailable, body: &Value) {
    assert!(cause.reason.len() < 80, "for a log, not a page");
    let personal = body["address"].as_str().filter(|text| text.chars().count() > 8);
    assert!(!personal.is_some_and(|text| cause.reason.contains(text)), "a home in the log");
}

fn said(result: &Match) -> &'static str {
    match result {
        Match::Match(_) => "match",
        Match::NoMatch => "no_match",
        Match::NotFound => "not_found",
        Match::Deceased => "deceased",
    }
}

fn of_the_register(received: &Received, body: &Value) {
    match counterparts().register.read(received) {
        Ok(found) => {
            assert_eq!((received.status, &body["result"]), (200, &said(&found).into()));
            if let Match::Match(facts) = found {
                assert_eq!(facts.address.as_deref(), body["address"].as_str());
            }
        }
        Err(cause) => quiet(&cause, body),
    }
}

fn of_the_face(received: &Received, body: &Value) {
    match counterparts().face.created(received) {
        Ok(made) => {
            assert_eq!((received.status, &body["check"]), (200, &made.check.as_str().into()));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(made.check.bytes().all(plain) && (1..=128).contains(&made.check.len()));
            let page = Url::parse(&made.page).expect("an address");
            let known = PAGES.map(|page| Url::parse(page).expect("an address").origin());
            assert!(known.contains(&page.origin()), "leads to {page}");
        }
        Err(cause) => quiet(&cause, body),
    }
    match counterparts().face.became(CHECK, received) {
        Ok(became) => {
            let said = match became {
                FaceResult::Pending => "pending",
                FaceResult::Match => "match",
                FaceResult::Mismatch => "mismatch",
                FaceResult::Expired => "expired",
            };
            assert_eq!((&body["check"], &body["result"]), (&CHECK.into(), &said.into()));
        }
        Err(cause) => quiet(&cause, body),
    }
}

/// An answer's status and signature, a line each, and its body; without a signature it is signed
/// here. What the counterpart did not sign for this question is no answer, and what it signed says
/// what stands in it and leads nowhere else.
pub(crate) fn register(bytes: &[u8]) {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let [status, proof, body] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let Some(Ok(status)) = text(status).map(str::parse) else { return };
    let Counterparts { key, register, face } = counterparts();
    let signed = |question: &str| {
        let bound = [question.as_bytes(), b"\n", body].concat();
        hex::encode(hmac::sign(key, &bound))
    };
    let received = |proof: Option<String>| Received {
        question: ASKED.to_owned(),
        status,
        proof,
        body: body.to_vec(),
    };
    let believed = |received: &Received| {
        register.read(received).is_ok()
            || face.created(received).is_ok()
            || face.became(CHECK, received).is_ok()
    };
    let written = text(proof).map(str::to_owned);
    assert!(!believed(&received(written.clone())), "forged");
    assert!(!believed(&received(None)), "unsigned");
    assert!(!believed(&received(Some(signed(ANOTHER)))), "said of somebody else");
    if written.is_none_or(|written| !written.is_empty()) {
        return;
    }
    let own = received(Some(signed(ASKED)));
    let body = serde_json::from_slice(body).unwrap_or_default();
    of_the_register(&own, &body);
    of_the_face(&own, &body);
}
