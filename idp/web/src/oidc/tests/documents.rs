//! Clients that describe themselves at their `client_id`
//! (draft-ietf-oauth-client-id-metadata-document-02; attacks rows 17, 34, 38, 42).

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use idp_domain::outgoing::{Answer, Failure};
use idp_protocol::jose::{Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::house::{
    self, Browser, CHALLENGE, House, ISSUER, SECRET, VERIFIER, claims, form, on_both,
};
use super::site::Sites;
use crate::state::Settings;
use crate::{State, clients};

const AT: &str = "https://app.example/oauth/client.json";
const HOME: &str = "https://cb.example/cb";
const URN: &str = "urn:ietf:params:oauth:grant-type:";

#[derive(Clone, Copy)]
enum Does {
    Disable,
    Register,
}

impl Does {
    async fn it(self, state: &State) {
        let (db, ambient) = (&state.db, &state.ambient);
        if matches!(self, Self::Disable) {
            assert!(clients::disable(db, ambient, AT, true).await.unwrap());
        } else {
            clients::create(db, ambient, own()).await.unwrap();
        }
    }
}

/// What the operator registers under such an id.
fn own() -> Value {
    json!({"client_id": AT, "client_secret": SECRET, "client_name": "登记",
        "redirect_uris": ["https://own.example/cb"], "scope": "openid"})
}

/// The usual document with changes.
fn serve(sites: &Sites, change: Value) {
    sites.answer(AT, Ok(usual(change)));
}

fn page(status: u16, kind: &str, body: &str) -> Answer {
    let (content_type, body) = (Some(kind.to_owned()), body.as_bytes().to_vec());
    Answer { status, content_type, max_age: None, body }
}

fn usual(change: Value) -> Answer {
    let mut document = json!({"client_id": AT, "client_name": "好应用", "redirect_uris": [HOME],
        "token_endpoint_auth_method": "none", "scope": "openid profile"});
    document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    page(200, "application/json", &document.to_string())
}

fn request<'a>(change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("client_id", AT),
        ("redirect_uri", HOME),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in change {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

/// As a browser of nobody's comes.
async fn come(house: &House, change: &[(&str, &str)]) -> house::Answer {
    let path = format!("/oauth2/authorize?{}", form(&request(change)));
    house.send(Method::GET, &path, &[], "").await
}

/// Whether a flow began; a page that names the error otherwise, and no redirect.
async fn begins(house: &House, change: &[(&str, &str)]) -> bool {
    let answer = come(house, change).await;
    if answer.status == StatusCode::SEE_OTHER {
        assert!(answer.location().starts_with("/oauth2/authorize/"), "{answer:?}");
        return true;
    }
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("invalid_"));
    false
}

/// Goes to the consent page and allows what it asks; none if nothing was asked.
async fn allow(house: &House, browser: &mut Browser) -> (Option<String>, String) {
    allow_at(house, browser, &[]).await
}

async fn allow_at(
    house: &House,
    browser: &mut Browser,
    change: &[(&str, &str)],
) -> (Option<String>, String) {
    let path = format!("/oauth2/authorize?{}", form(&request(change)));
    let first = browser.get(house, &path).await.location().to_owned();
    let next = browser.get(house, &first).await.location().to_owned();
    if !next.starts_with("/consent?flow=") {
        return (None, next);
    }
    let shown = browser.get(house, &next).await.body;
    let origin = ("origin", ISSUER.to_owned());
    let decided = browser.post(house, &next, &[origin], &[("consent", "allow")]).await;
    let resumed = browser.get(house, decided.location()).await;
    (Some(shown), resumed.location().to_owned())
}

fn code(location: &str) -> String {
    let (at, query) = location.split_once('?').unwrap();
    assert_eq!(at, HOME);
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "code").unwrap().1.into_owned()
}

async fn redeem(house: &House, code: &str, more: &[(&str, &str)]) -> house::Answer {
    redeem_of(house, AT, code, more).await
}

async fn redeem_of(house: &House, at: &str, code: &str, more: &[(&str, &str)]) -> house::Answer {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", HOME),
        ("client_id", at),
        ("code_verifier", VERIFIER),
    ];
    fields.extend_from_slice(more);
    house.post("/oauth2/token", &[], &fields).await
}

async fn cimd_5_a_client_is_read_where_its_id_says_and_signs_a_person_in(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({"grant_types": ["authorization_code", "refresh_token"]}));
    let served = house.send(Method::GET, "/.well-known/openid-configuration", &[], "").await.json();
    assert_eq!(served["client_id_metadata_document_supported"], json!(true));
    // Elsewhere than where people are sent it is nobody before.
    let early = redeem(&house, "tbc_x", &[]).await;
    assert_eq!((early.error().as_str(), sites.asked()), ("invalid_client", 0));
    let mut browser = Browser::signed_in(&house).await;
    let path = format!("/oauth2/authorize?{}", form(&request(&[("ui_locales", "en")])));
    let first = browser.get(&house, &path).await.location().to_owned();
    let asked = browser.get(&house, &first).await.location().to_owned();
    let english = browser.get(&house, &asked).await.body;
    assert!(english.contains("Its site: app.example"), "{english}");
    assert!(english.contains("好应用 (app.example)"), "{english}");
    let (shown, location) = allow(&house, &mut browser).await;
    // CIMD §8: whose word it is, on the page and before all else.
    let shown = shown.unwrap();
    assert!(shown.contains("data-claim=\"publisher\""), "{shown}");
    assert!(shown.contains("好应用（app.example）"), "{shown}");
    let tokens = redeem(&house, &code(&location), &[]).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    let tokens = tokens.json();
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["aud"], AT);
    let info = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
    assert_eq!((&info["sub"], &info["name"]), (&id["sub"], &json!("林小满")));
    // A code without its proof is nobody's.
    let (_, location) = allow(&house, &mut browser).await;
    let fields = [("grant_type", "authorization_code"), ("client_id", AT), ("redirect_uri", HOME)];
    let code = code(&location);
    let bare = [fields.as_slice(), &[("code", code.as_str())]].concat();
    assert_eq!(house.post("/oauth2/token", &[], &bare).await.error(), "invalid_grant");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("client_id", AT), ("refresh_token", refresh)];
    let answer = house.post("/oauth2/token", &[], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(sites.asked(), 1);
}

/// The subject of one person at a client that stands at this address.
async fn subject(house: &House, at: &str) -> String {
    let flow = [("client_id", at)];
    let mut browser = Browser::signed_in(house).await;
    let (_, location) = allow_at(house, &mut browser, &flow).await;
    let tokens = redeem_of(house, at, &code(&location), &[]).await.json();
    claims(tokens["id_token"].as_str().unwrap())["sub"].as_str().unwrap().to_owned()
}

async fn core_8_1_two_authors_at_one_host_know_nobody_by_the_same_name(house: House) {
    let sites = Sites::of(&house);
    let (one, other) = ("https://shared.example/~one/c", "https://shared.example/~other/c");
    // Both answer to the same address: that joins them no more than the host does.
    for at in [one, other] {
        sites.answer(at, Ok(usual(json!({"client_id": at}))));
    }
    let first = subject(&house, one).await;
    assert_ne!(first, subject(&house, other).await);
    house.wait(60 * 60_000);
    sites.answer(one, Ok(usual(json!({"client_id": one, "client_name": "新名"}))));
    assert_eq!(first, subject(&house, one).await);
    // Who was known when the host was the sector is known as before.
    let old = "https://old.example/c";
    let address = idp_protocol::client::document::Address::parse(old).unwrap();
    let body = usual(json!({"client_id": old})).body;
    let mut client = idp_protocol::client::document::read(&address, &body, None).unwrap();
    client.sector = Some("old.example".to_owned());
    let expired = idp_store::client_document::Document { fetched_at: 1, expires_at: 2 };
    let kept = client.clone();
    house
        .write(move |tx| {
            let client = kept.clone();
            Box::pin(async move {
                idp_store::client_document::keep(tx, &client, expired, 1).await.map(drop)
            })
        })
        .await;
    sites.answer(old, Ok(usual(json!({"client_id": old}))));
    let was = idp_protocol::pairwise::subject(&house.state.salt, "old.example", "p1");
    assert_eq!(subject(&house, old).await, was);
}

async fn cimd_8_the_account_page_names_the_host_too(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({"client_name#en": "Good app"}));
    let mut browser = Browser::signed_in(&house).await;
    assert!(allow(&house, &mut browser).await.0.is_some());
    let cookie = browser.headers()["cookie"].to_str().unwrap().to_owned();
    let page = async |lang: &str| {
        let headers = [("cookie", cookie.clone()), ("accept-language", lang.to_owned())];
        house.send(Method::GET, "/account", &headers, "").await.body
    };
    assert!(page("zh-CN").await.contains("<strong>好应用（app.example）</strong>"));
    assert!(page("en").await.contains("<strong>Good app (app.example)</strong>"));
    // Also when the operator keeps it out, and when it is gone.
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(clients::disable(db, ambient, AT, true).await.unwrap());
    house.state.clients.forget();
    assert!(page("en").await.contains("<strong>Good app (app.example)</strong>"));
}

async fn cimd_8_a_person_is_told_that_any_program_here_may_listen(house: House) {
    let sites = Sites::of(&house);
    let shown = async |change: &[(&str, &str)]| {
        let mut browser = Browser::signed_in(&house).await;
        let (page, _) = allow_at(&house, &mut browser, change).await;
        page.unwrap()
    };
    let warned = |page: &str| page.contains("alert-warning");
    serve(&sites, json!({}));
    assert!(!warned(&shown(&[]).await));
    for local in ["http://localhost:9/cb", "http://127.0.0.1:9/cb", "http://[::1]:9/cb"] {
        // Alone, and beside one that is elsewhere.
        for uris in [json!([local]), json!([HOME, local])] {
            house.wait(60 * 60_000);
            serve(&sites, json!({"redirect_uris": uris}));
            let page = shown(&[("redirect_uri", local), ("ui_locales", "en")]).await;
            assert!(warned(&page) && page.contains("any program on it can"), "{local}: {page}");
        }
    }
    house.wait(60 * 60_000);
    serve(&sites, json!({"redirect_uris": [HOME, "http://localhost:9/cb"], "client_name": "它"}));
    assert!(!warned(&shown(&[]).await));
}

async fn cimd_5_a_pushed_request_is_met_and_its_key_is_looked_up(house: House) {
    let (sites, keys) = (Sites::of(&house), "https://app.example/keys");
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    serve(&sites, json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys}));
    let set = json!({"keys": [signer.jwk()]}).to_string();
    sites.answer(keys, Ok(page(200, "application/json", &set)));
    let asserted = |signer: &Signer, jti: &str| {
        let claims = json!({"iss": AT, "sub": AT, "aud": ISSUER, "jti": jti,
            "exp": house.state.now() / 1000 + 60});
        signer.sign("JWT", &claims).unwrap()
    };
    let kind = format!("{}jwt-bearer", URN.replace("grant-type", "client-assertion-type"));
    let push = async |assertion: &str| {
        let proof = [("client_assertion_type", kind.as_str()), ("client_assertion", assertion)];
        house.post("/oauth2/par", &[], &request(&proof)).await
    };
    let forged = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    assert_eq!(push(&asserted(&forged, "1")).await.error(), "invalid_client");
    let answer = push(&asserted(&signer, "2")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    let path =
        format!("/oauth2/authorize?{}", form(&[("client_id", AT), ("request_uri", uri.as_str())]));
    assert_eq!(house.send(Method::GET, &path, &[], "").await.status, StatusCode::SEE_OTHER);
    // What cannot be read is told to whoever pushes, too.
    let other = "https://other.example/c";
    let answer = house.post("/oauth2/par", &[], &request(&[("client_id", other)])).await;
    assert_eq!(answer.error(), "invalid_request");
    assert!(!answer.body.contains("network"), "{answer:?}");
}

async fn attack_17_only_what_a_document_is_is_believed(house: House) {
    let sites = Sites::of(&house);
    let good = String::from_utf8(usual(json!({})).body).unwrap();
    let long = json!({"x": "x".repeat(5 * 1024)});
    let to = |status| Answer { status, ..usual(json!({})) };
    for answer in [
        Ok(page(200, "text/html", &good)),
        Ok(Answer { content_type: None, ..usual(json!({})) }),
        Ok(page(200, "application/json", "<html>")),
        Ok(to(201)),
        Ok(to(302)),
        Ok(to(404)),
        Ok(to(500)),
        Ok(usual(long)),
        Ok(usual(json!({"client_id": "https://app.example/other"}))),
        Ok(usual(json!({"client_secret": "s"}))),
        Ok(usual(json!({"token_endpoint_auth_method": "client_secret_post"}))),
        Ok(usual(json!({"redirect_uris": ["http://cb.example/cb"]}))),
        Ok(usual(json!({"response_types": ["code", "id_token"],
            "grant_types": ["authorization_code", "implicit"]}))),
        Err(Failure::Closed),
        Err(Failure::Slow),
    ] {
        sites.answer(AT, answer.clone());
        assert!(!begins(&house, &[]).await, "{answer:?}");
        house.wait(10_000);
    }
    serve(&sites, json!({}));
    assert!(begins(&house, &[]).await);
    // RFC 9700 §2.1: exactly what the document names, and a page for the rest (row 18).
    for wrong in ["https://cb.example/cb/", "https://evil.example/cb", "https://CB.example/cb"] {
        assert!(!begins(&house, &[("redirect_uri", wrong)]).await);
    }
    sites.asked();
    // CIMD §3: an address in another form is no address, and nobody is called.
    for wrong in [
        "http://app.example/oauth/client.json",
        "https://app.example/oauth/client.json?x=1",
        "https://app.example/oauth/client.json#x",
        "https://app.example/oauth/x/../client.json",
        "https://u@app.example/oauth/client.json",
        "https://APP.example/oauth/client.json",
        "https://app.example",
        "file:///etc/passwd",
    ] {
        assert!(!begins(&house, &[("client_id", wrong)]).await, "{wrong}");
    }
    assert_eq!(sites.asked(), 0);
}

async fn attack_34_what_a_document_says_anew_is_asked_anew(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({}));
    let mut browser = Browser::signed_in(&house).await;
    assert!(allow(&house, &mut browser).await.0.is_some());
    assert!(allow(&house, &mut browser).await.0.is_none());
    // Written otherwise, it says the same.
    let spaced = String::from_utf8(usual(json!({"more": 1})).body).unwrap().replace(',', " ,\n");
    sites.answer(AT, Ok(page(200, "application/json", &spaced)));
    house.wait(60 * 60_000);
    let mut browser = Browser::signed_in(&house).await;
    assert!(allow(&house, &mut browser).await.0.is_none());
    for change in [
        // Each beside what was said at first, so that nothing else differs.
        json!({"redirect_uris": [HOME, "https://evil.example/cb"]}),
        json!({}),
        json!({"client_name": "另一个"}),
        json!({}),
        json!({"logo_uri": "https://app.example/logo.png"}),
    ] {
        serve(&sites, change.clone());
        house.wait(60 * 60_000);
        let mut browser = Browser::signed_in(&house).await;
        assert!(allow(&house, &mut browser).await.0.is_some(), "{change}");
        assert!(allow(&house, &mut browser).await.0.is_none(), "{change}");
    }
    assert_eq!(sites.asked(), 7);
}

async fn attack_38_a_document_does_not_come_back_into_a_closed_house(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({}));
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    let disable = async |disabled| clients::disable(db, ambient, AT, disabled).await.unwrap();
    // Before it ever came; then it is not even asked.
    assert!(disable(true).await);
    assert!(!begins(&house, &[]).await);
    assert_eq!(sites.asked(), 0);
    assert!(disable(false).await);
    assert!(begins(&house, &[]).await);
    assert!(disable(true).await);
    house.wait(24 * 60 * 60_000);
    assert!(!begins(&house, &[]).await);
    assert_eq!(sites.asked(), 1);
    assert!(disable(false).await);
    assert!(begins(&house, &[]).await);
    assert!(clients::delete(db, ambient, AT).await.unwrap());
    // What the operator has registered under such an id is not overwritten.
    house.register(own()).await;
    house.wait(24 * 60 * 60_000);
    sites.asked();
    assert!(!begins(&house, &[]).await);
    assert!(
        begins(&house, &[("redirect_uri", "https://own.example/cb"), ("scope", "openid")]).await
    );
    assert_eq!(sites.asked(), 0);
    // Nobody is kept out of what is no address.
    assert!(!clients::disable(db, ambient, "nobody", true).await.unwrap());
}

async fn attack_38_what_the_operator_says_meanwhile_stands(house: House) {
    let sites = Sites::of(&house);
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    for does in [Does::Disable, Does::Register] {
        serve(&sites, json!({}));
        let state = house.state.clone();
        sites.meanwhile(async move { does.it(&state).await });
        assert!(!begins(&house, &[]).await);
        assert_eq!(sites.asked(), 1);
        assert!(!begins(&house, &[]).await);
        assert_eq!(sites.asked(), 0);
        let kept = clients::show(db, AT).await.unwrap().unwrap().client_name;
        assert_eq!(kept, if matches!(does, Does::Disable) { "" } else { "登记" });
        assert!(clients::delete(db, ambient, AT).await.unwrap());
        house.state.clients.forget();
    }
}

async fn attack_42_nobody_makes_us_a_cannon(house: House) {
    let sites = Sites::of(&house);
    sites.answer(AT, Err(Failure::Slow));
    // One address is asked once in a while.
    for _ in 0..20 {
        assert!(!begins(&house, &[]).await);
        house.wait(1_000);
    }
    assert_eq!(sites.asked(), 2);
    house.wait(60_000);
    // Those who come at once ask once.
    let all = futures_util::future::join_all((0..8).map(|_| begins(&house, &[]))).await;
    assert!(all.iter().all(|begun| !begun));
    assert_eq!(sites.asked(), 1);
    house.wait(60_000);
    // One network has its share, over all addresses and hosts.
    for number in 0..40 {
        let at = format!("https://h{number}.example/c");
        assert!(!begins(&house, &[("client_id", &at)]).await);
    }
    assert_eq!(sites.asked(), 30);
    house.wait(60_000);
    // And one host, whoever asks.
    for number in 0..80 {
        house.peer.store(2 + number / 20, Ordering::Relaxed);
        let at = format!("https://app.example/{number}");
        assert!(!begins(&house, &[("client_id", &at)]).await);
    }
    assert_eq!(sites.asked(), 60);
    house.wait(60_000);
    serve(&sites, json!({}));
    assert!(begins(&house, &[]).await);
}

async fn cimd_5_2_a_document_is_kept_as_long_as_its_site_says_within_bounds(house: House) {
    let sites = Sites::of(&house);
    let (minute, hour) = (60_000, 60 * 60_000);
    for (said, kept) in
        [(None, hour), (Some(0), 5 * minute), (Some(600), 10 * minute), (Some(u64::MAX), 24 * hour)]
    {
        let answer = Answer { max_age: said, ..usual(json!({})) };
        sites.answer(AT, Ok(answer));
        assert!(begins(&house, &[]).await);
        house.wait(kept - 1);
        assert!(begins(&house, &[]).await);
        assert_eq!(sites.asked(), 1, "{said:?}");
        house.wait(1);
    }
    // A site that fails: the old one serves for an hour and no longer.
    sites.answer(AT, Err(Failure::Slow));
    assert!(begins(&house, &[]).await);
    assert!(begins(&house, &[]).await);
    assert_eq!(sites.asked(), 1);
    house.wait(hour - 1);
    assert!(begins(&house, &[]).await);
    house.wait(1);
    assert!(!begins(&house, &[]).await);
    // A site that says that it is gone is believed at once.
    house.wait(minute);
    serve(&sites, json!({}));
    assert!(begins(&house, &[]).await);
    house.wait(hour);
    sites.answer(AT, Ok(page(404, "text/html", "gone")));
    assert!(!begins(&house, &[]).await);
}

async fn what_nobody_uses_is_forgotten_and_what_is_disabled_is_not(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({"grant_types": ["authorization_code", "refresh_token"]}));
    for at in ["https://idle.example/c", "https://closed.example/c"] {
        sites.answer(at, Ok(usual(json!({"client_id": at}))));
        assert!(begins(&house, &[("client_id", at)]).await);
    }
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    assert!(clients::disable(db, ambient, "https://closed.example/c", true).await.unwrap());
    let mut browser = Browser::signed_in(&house).await;
    let (_, location) = allow(&house, &mut browser).await;
    redeem(&house, &code(&location), &[]).await;
    let left = async || {
        let now = house.state.now();
        house
            .write(move |tx| {
                Box::pin(async move { idp_store::prune::round(tx, now).await.map(drop) })
            })
            .await;
        let all = clients::seen::all(db).await.unwrap().into_iter();
        all.filter(|seen| seen.document.is_some())
            .map(|seen| seen.client.client_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(left().await.len(), 3);
    house.wait(25 * 60 * 60_000 + 1);
    // One holds a grant, the other what the operator said.
    assert_eq!(left().await, [AT, "https://closed.example/c"]);
    let seen = clients::seen::one(db, "https://closed.example/c").await.unwrap().unwrap();
    assert_eq!(seen.standing(), "describes itself, disabled");
    assert_eq!(seen.json().unwrap()["disabled"], json!(true));
    house.wait(60 * 24 * 60 * 60_000);
    assert_eq!(left().await, ["https://closed.example/c"]);
    // Whoever comes again is read again.
    assert!(begins(&house, &[("client_id", "https://idle.example/c")]).await);
}

fn without_the_word() -> Settings {
    Settings::new(ISSUER)
}

async fn without_the_operators_word_nobody_describes_itself(house: House) {
    let sites = Sites::of(&house);
    serve(&sites, json!({}));
    assert!(!begins(&house, &[]).await);
    let served = house.send(Method::GET, "/.well-known/openid-configuration", &[], "").await.json();
    assert_eq!(served.get("client_id_metadata_document_supported"), None);
    assert_eq!(sites.asked(), 0);
    // One that was read before the word was taken back is out with everybody else.
    let never = idp_store::client_document::Document { fetched_at: 1, expires_at: i64::MAX };
    let document = idp_protocol::client::document::Address::parse(AT).unwrap();
    let body = usual(json!({})).body;
    let client = idp_protocol::client::document::read(&document, &body, None).unwrap();
    house
        .write(move |tx| {
            let client = client.clone();
            Box::pin(async move {
                idp_store::client_document::keep(tx, &client, never, 1).await.map(drop)
            })
        })
        .await;
    assert!(!begins(&house, &[]).await);
    assert_eq!(redeem(&house, "tbc_x", &[]).await.error(), "invalid_client");
}

on_both! {
    cimd_5_a_client_is_read_where_its_id_says_and_signs_a_person_in;
    cimd_5_a_pushed_request_is_met_and_its_key_is_looked_up;
    core_8_1_two_authors_at_one_host_know_nobody_by_the_same_name;
    cimd_8_the_account_page_names_the_host_too;
    cimd_8_a_person_is_told_that_any_program_here_may_listen;
    attack_17_only_what_a_document_is_is_believed;
    attack_34_what_a_document_says_anew_is_asked_anew;
    attack_38_a_document_does_not_come_back_into_a_closed_house;
    attack_38_what_the_operator_says_meanwhile_stands;
    attack_42_nobody_makes_us_a_cannon;
    cimd_5_2_a_document_is_kept_as_long_as_its_site_says_within_bounds;
    what_nobody_uses_is_forgotten_and_what_is_disabled_is_not;
}
on_both! { switched_off with without_the_word:
    without_the_operators_word_nobody_describes_itself;
}
