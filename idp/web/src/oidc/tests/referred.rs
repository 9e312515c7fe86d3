//! Request objects by reference (RFC 9101 §5.2, OpenID Connect Core §6.2; attacks rows 13, 17).

use http::StatusCode;
use idp_domain::outgoing::{Answer, Failure};
use idp_protocol::jose::{Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::house::{self, Browser, House, ISSUER, SECRET, form, on_both};
use super::site::Sites;

const HOME: &str = "https://q.example/cb";
const AT: &str = "https://q.example/request.jwt";

fn serve(sites: &Sites, object: &str, max_age: Option<u64>) {
    let body = object.as_bytes().to_vec();
    sites.answer(AT, Ok(Answer { status: 200, max_age, body, ..Answer::default() }));
}

/// A client that signs its requests RS256 and keeps them at its site.
async fn partner(house: &House, id: &str, more: Value) -> Signer {
    let signer = Signer::new(Algorithm::Rs256, &generate(Algorithm::Rs256).unwrap()).unwrap();
    let mut registration = json!({"client_id": id, "client_secret": SECRET, "scope": "openid",
        "redirect_uris": [HOME], "request_uris": [AT], "legal_basis": "test",
        "request_object_signing_alg": "RS256", "jwks": {"keys": [signer.jwk()]}});
    registration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.register(registration).await;
    signer
}

fn object(signer: &Signer, change: Value) -> String {
    let mut claims = json!({"client_id": "q", "iss": "q", "aud": ISSUER, "response_type": "code",
        "scope": "openid", "redirect_uri": HOME, "state": "inside"});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    signer.sign("oauth-authz-req+jwt", &claims).unwrap()
}

/// As a browser comes: with what OAuth demands outside, and the reference.
async fn arrive(house: &House, fields: &[(&str, &str)]) -> house::Answer {
    let mut all = vec![("client_id", "q"), ("response_type", "code"), ("scope", "openid")];
    for field in fields {
        all.retain(|(known, _)| *known != field.0);
        all.push(*field);
    }
    let mut browser = Browser::signed_in(house).await;
    let first = browser.get(house, &format!("/oauth2/authorize?{}", form(&all))).await;
    if first.status != StatusCode::SEE_OTHER || first.location().starts_with("http") {
        return first;
    }
    let path = first.location().to_owned();
    browser.get(house, &path).await
}

async fn rfc_9101_5_2_a_request_is_fetched_from_where_it_is_registered(house: House) {
    let (sites, signer) = (Sites::of(&house), partner(&house, "q", json!({})).await);
    serve(&sites, &object(&signer, json!({})), None);
    let query = arrive(&house, &[("request_uri", AT)]).await.query();
    assert!(query.contains_key("code"), "{query:?}");
    assert_eq!(query["state"], "inside");
    // Nothing said that it stays: it is fetched again, and what is new there counts.
    serve(&sites, &object(&signer, json!({"state": "new"})), Some(60));
    assert_eq!(arrive(&house, &[("request_uri", AT)]).await.query()["state"], "new");
    assert_eq!(sites.asked(), 2);
    // RFC 9111 §4.2: as long as the site says.
    serve(&sites, &object(&signer, json!({"state": "newer"})), None);
    assert_eq!(arrive(&house, &[("request_uri", AT)]).await.query()["state"], "new");
    assert_eq!(sites.asked(), 0);
    house.wait(61_000);
    assert_eq!(arrive(&house, &[("request_uri", AT)]).await.query()["state"], "newer");
    // OpenID Connect Core §6.2: another fragment is another version, and stays here.
    let versioned = format!("{AT}#v1");
    assert_eq!(arrive(&house, &[("request_uri", &versioned)]).await.query()["state"], "newer");
    assert_eq!(sites.addresses(), [AT, AT]);
    serve(&sites, &object(&signer, json!({"state": "last"})), None);
    assert_eq!(arrive(&house, &[("request_uri", &versioned)]).await.query()["state"], "newer");
    let next = format!("{AT}#v2");
    assert_eq!(arrive(&house, &[("request_uri", &next)]).await.query()["state"], "last");
}

async fn attack_17_only_registered_addresses_are_fetched(house: House) {
    let (sites, signer) = (Sites::of(&house), partner(&house, "q", json!({})).await);
    serve(&sites, &object(&signer, json!({})), None);
    for wrong in [
        "https://q.example/request.jwt/",
        "https://q.example/request.jwt?x=1",
        "https://q.example/request.jwt%23",
        "https://q.example:444/request.jwt",
        "https://Q.example/request.jwt",
        "https://q.example@evil.example/request.jwt",
        "http://q.example/request.jwt",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "x",
    ] {
        let fields = [("request_uri", wrong), ("redirect_uri", HOME), ("state", "s")];
        let query = arrive(&house, &fields).await.query();
        assert_eq!(
            (query["error"].as_str(), query["state"].as_str()),
            ("invalid_request_uri", "s")
        );
    }
    // Another client's address is not this one's; a client that pushes has nothing fetched.
    let more = json!({"request_uris": [], "redirect_uris": [HOME]});
    partner(&house, "other", more).await;
    partner(&house, "pushes", json!({"require_pushed_authorization_requests": true})).await;
    for (client, error) in [("other", "invalid_request_uri"), ("pushes", "invalid_request")] {
        let fields = [("client_id", client), ("request_uri", AT), ("redirect_uri", HOME)];
        assert_eq!(arrive(&house, &fields).await.query()["error"], error, "{client}");
    }
    assert_eq!(sites.asked(), 0);
}

async fn attack_13_what_is_fetched_is_held_to_the_same_rules(house: House) {
    let (sites, signer) = (Sites::of(&house), partner(&house, "q", json!({})).await);
    let stranger = Signer::new(Algorithm::Rs256, &generate(Algorithm::Rs256).unwrap()).unwrap();
    let weak = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let past = house.state.now() / 1000 - 100;
    let fields = [("request_uri", AT), ("redirect_uri", HOME)];
    for (object, error) in [
        (object(&stranger, json!({})), "invalid_request_object"),
        (object(&weak, json!({})), "invalid_request_object"),
        (object(&signer, json!({"aud": "https://other.example"})), "invalid_request_object"),
        (object(&signer, json!({"exp": past})), "invalid_request_object"),
        (object(&signer, json!({"client_id": "a"})), "invalid_request_object"),
        (object(&signer, json!({"request_uri": AT})), "invalid_request_object"),
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), "request_not_supported"),
        ("<html>".to_owned(), "invalid_request_object"),
        (String::new(), "invalid_request_uri"),
        ("x".repeat(65 * 1024), "invalid_request_uri"),
    ] {
        serve(&sites, &object, None);
        assert_eq!(arrive(&house, &fields).await.query()["error"], error, "{object:.40}");
    }
    let redirect = Answer { status: 302, ..Answer::default() };
    for broken in [Ok(redirect), Err(Failure::Slow), Err(Failure::Closed)] {
        sites.answer(AT, broken);
        assert_eq!(arrive(&house, &fields).await.query()["error"], "invalid_request_uri");
    }
    // An address that is not registered stands in the object: nobody is redirected (row 18).
    serve(&sites, &object(&signer, json!({"redirect_uri": "https://evil.example/cb"})), None);
    let page = arrive(&house, &[("request_uri", AT)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
    // By value or by reference.
    let both = [fields[0], fields[1], ("request", "x")];
    assert_eq!(arrive(&house, &both).await.query()["error"], "invalid_request");
}

async fn attack_42_nobody_makes_us_fetch_without_bound(house: House) {
    let (sites, signer) = (Sites::of(&house), partner(&house, "q", json!({})).await);
    sites.answer(AT, Err(Failure::Slow));
    let fields = [("request_uri", AT), ("redirect_uri", HOME)];
    // One network has its share, and those who come from others are served.
    for _ in 0..40 {
        assert_eq!(arrive(&house, &fields).await.query()["error"], "invalid_request_uri");
    }
    assert_eq!(sites.asked(), 30);
    for peer in 2..7 {
        house.peer.store(peer, std::sync::atomic::Ordering::Relaxed);
        for _ in 0..31 {
            assert_eq!(arrive(&house, &fields).await.query()["error"], "invalid_request_uri");
        }
    }
    // Since then; all in all 120.
    assert_eq!(sites.asked(), 90);
    serve(&sites, &object(&signer, json!({})), None);
    house.wait(60_000);
    assert!(arrive(&house, &fields).await.query().contains_key("code"));
}

on_both! {
    rfc_9101_5_2_a_request_is_fetched_from_where_it_is_registered;
    attack_17_only_registered_addresses_are_fetched;
    attack_13_what_is_fetched_is_held_to_the_same_rules;
    attack_42_nobody_makes_us_fetch_without_bound;
}
