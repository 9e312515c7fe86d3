//! The product over TLS that it ends itself, with certificates made for each story.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod place;

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use place::{Place, authority, issued, numbered};
use reqwest::StatusCode;
use reqwest::tls::{TlsInfo, Version};
use serde_json::{Value, json};

fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// The first bytes of the answer to a ClientHello of one version with one cipher suite.
fn hello(port: u16, version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2]);
    body.extend(suite);
    body.extend([1, 0]);
    // Supported groups, point formats and signature algorithms, as an old client sends them.
    let extensions =
        [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 4, 1_u8];
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = vec![0; 7];
    let read = stream.read(&mut answer).unwrap();
    answer.truncate(read);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_9325_3_old_versions_and_weak_suites_are_refused() {
    let place = Place::new("").await;
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = place.client().min_tls_version(version).max_tls_version(version);
        let client = client.build().unwrap();
        let answer = client.get(place.at("/.well-known/openid-configuration")).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    let port = place.port;
    let answers = tokio::task::spawn_blocking(move || {
        [
            // ECDHE-ECDSA with AES-128-GCM under 1.2: the frame of this test is right.
            hello(port, [3, 3], [0xc0, 0x2b]),
            hello(port, [3, 2], [0xc0, 0x2b]),
            hello(port, [3, 1], [0xc0, 0x2b]),
            // CBC, RSA key exchange, 3DES.
            hello(port, [3, 3], [0xc0, 0x23]),
            hello(port, [3, 3], [0x00, 0x9c]),
            hello(port, [3, 3], [0x00, 0x0a]),
        ]
    });
    let [right, wrong @ ..] = answers.await.unwrap();
    assert_eq!(right[0], 22, "a handshake: {right:?}");
    for answer in wrong {
        assert_eq!((answer[0], answer[5]), (21, 2), "a fatal alert: {answer:?}");
    }
    // Plain HTTP gets no answer of HTTP.
    let plain = format!("http://localhost:{port}/health/live");
    assert!(reqwest::get(plain).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_6797_7_1_over_tls_every_answer_asks_for_tls_ever_after() {
    let place = Place::new("").await;
    let client = place.client().build().unwrap();
    for path in ["/", "/items", "/cases", "/desk", "/api/items", "/health/live", "/nothing"] {
        let answer = client.get(place.at(path)).send().await.unwrap();
        assert!(answer.headers().contains_key("strict-transport-security"), "{path}");
    }
    for path in ["/oauth2/jwks", "/oauth2/authorize", "/oauth2/userinfo", "/account"] {
        let answer = client.get(place.at(path)).send().await.unwrap();
        let told = answer.headers().get_all("strict-transport-security").iter().count();
        assert_eq!(told, 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8705_5_certificates_are_asked_for_at_the_second_listener_only() {
    let place = Place::new("mtls").await;
    let document: Value = place
        .client()
        .build()
        .unwrap()
        .get(place.at("/.well-known/openid-configuration"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let second = place.second.unwrap();
    let alias = document["mtls_endpoint_aliases"]["token_endpoint"].as_str().unwrap();
    assert_eq!(alias, format!("https://localhost:{second}/oauth2/token"));
    place
        .register(json!({"client_id": "vouched", "token_endpoint_auth_method": "tls_client_auth",
            "grant_types": ["client_credentials"], "policy": "fapi2", "scope": "cases",
            "tls_client_auth_san_dns": "vouched.example"}))
        .await;
    let (by, fields) =
        (place.partners(), [("grant_type", "client_credentials"), ("client_id", "vouched")]);
    let (pem, thumbprint) = issued(by, "vouched.example");
    let client = place.client().identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    let client = client.build().unwrap();
    let answer = client.post(alias).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let bound = claims(&token)["cnf"]["x5t#S256"].clone();
    assert_eq!(bound, thumbprint, "bound to what the connection showed");
    // The main listener asks nobody, so that citizens see no prompt.
    let answer = client.post(place.at("/oauth2/token")).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    // Of the right name, by an authority of that name that is not ours.
    let (pem, _) = issued(&authority("partners"), "vouched.example");
    let stranger = place.client().identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    let stranger = stranger.build().unwrap();
    let answer = stranger.post(alias).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    // Attacks row 49: nor by a header, whatever its name.
    let der = pem::of(&issued(by, "vouched.example").0);
    for name in ["client-cert", "x-ssl-client-cert", "x-forwarded-client-cert"] {
        let request = stranger.post(alias).form(&fields).header(name, format!(":{der}:"));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    // No page stands there, and no session begins.
    for path in
        ["/", "/signin", "/oauth2/authorize", "/account", "/.well-known/openid-configuration"]
    {
        let answer = client.get(format!("https://localhost:{second}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // The hall's interface does, for the token with the certificate to which it is bound.
    let cases = format!("https://localhost:{second}/api/cases");
    let seen = client.get(&cases).bearer_auth(&token).send().await.unwrap();
    assert_eq!(seen.status(), StatusCode::OK);
    assert!(seen.headers().contains_key("date"), "RFC 9110 section 6.6.1");
    // RFC 6749 §4.4: a partner that acts for itself has nobody's cases.
    assert_eq!(seen.json::<Value>().await.unwrap(), json!({"cases": []}));
    let one = client.get(format!("{cases}/1")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(one.status(), StatusCode::NOT_FOUND);
    for (told, client, address) in [
        ("another's certificate", &stranger, cases.clone()),
        ("none", &client, place.at("/api/cases")),
    ] {
        let refused = client.get(address).bearer_auth(&token).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_8705_2_the_main_listener_can_ask_too() {
    let place = Place::new("request").await;
    place
        .register(json!({"client_id": "vouched", "token_endpoint_auth_method": "tls_client_auth",
            "grant_types": ["client_credentials"],
            "tls_client_auth_subject_dn": "CN=vouched.example"}))
        .await;
    let (pem, _) = issued(place.partners(), "vouched.example");
    let fields = [("grant_type", "client_credentials"), ("client_id", "vouched")];
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = place.client().min_tls_version(version).max_tls_version(version);
        let with = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        let answer =
            with.build().unwrap().post(place.at("/oauth2/token")).form(&fields).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    // Asked, not compelled.
    let without = place.client().build().unwrap();
    let answer = without.post(place.at("/oauth2/token")).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let answer = without.get(place.at("/health/live")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_into_use_and_a_broken_one_is_not() {
    let place = Place::new("").await;
    let shown = |client: reqwest::Client, address: String| async move {
        let answer = client.get(address).send().await.unwrap();
        answer.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap().to_vec()
    };
    let live = place.at("/health/live");
    let kept = place.client().tls_info(true).build().unwrap();
    let first = shown(kept.clone(), live.clone()).await;
    let identity = place.identity.clone();
    assert!(!identity.reload().unwrap(), "nothing is new");
    place.renew();
    assert!(identity.reload().unwrap());
    let fresh = place.client().tls_info(true).build().unwrap();
    let second = shown(fresh, live.clone()).await;
    assert_ne!(first, second);
    assert_eq!(identity.certificate().unwrap(), second);
    // The connection that lives was not dropped.
    assert_eq!(shown(kept, live.clone()).await, first);
    place.break_key();
    let told = identity.reload().unwrap_err().to_string();
    assert!(told.contains("do not go together"), "{told}");
    let fresh = place.client().tls_info(true).build().unwrap();
    assert_eq!(shown(fresh, live).await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc_5280_5_a_certificate_that_was_taken_back_opens_nothing_from_then_on() {
    let mut place = Place::new("request").await;
    place
        .register(json!({"client_id": "vouched", "token_endpoint_auth_method": "tls_client_auth",
            "grant_types": ["client_credentials"], "scope": "cases",
            "tls_client_auth_san_dns": "vouched.example"}))
        .await;
    let address = place.at("/oauth2/token");
    let fields = [("grant_type", "client_credentials"), ("client_id", "vouched")];
    let mut programs = Vec::new();
    for serial in [1, 2, 3] {
        let pem = numbered(place.partners(), "vouched.example", serial);
        let identity = reqwest::Identity::from_pem(pem.as_bytes()).unwrap();
        programs.push(place.client().identity(identity).build().unwrap());
    }
    let believed = async || {
        let mut believed = Vec::new();
        for program in &programs {
            let answer = program.post(&address).form(&fields).send().await.unwrap();
            believed.push(answer.status() == StatusCode::OK);
        }
        believed
    };
    assert_eq!(believed().await, [false, true, true], "the list of the start");
    assert!(!place.lists.reload().unwrap(), "nothing is new");
    place.withdraw(&[1, 2]);
    assert!(place.lists.reload().unwrap());
    assert_eq!(believed().await, [false, false, true], "over connections that live, too");
    place.garble_list();
    let told = place.lists.reload().unwrap_err().to_string();
    assert!(told.contains("`tls.client_crl`"), "{told}");
    assert_eq!(believed().await, [false, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hall_trusts_the_authority_of_its_own_issuer() {
    let place = Place::new("").await;
    let client = place.client().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // It asks the provider for its metadata first.
    let answer = client.get(place.at("/hall/signin?next=/cases")).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&place.at("/oauth2/authorize?")), "{location}");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

mod pem {
    /// The base64 of a PEM text's certificate.
    pub(super) fn of(text: &str) -> String {
        let body = text.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap();
        body.split("-----END").next().unwrap().split_whitespace().collect()
    }
}
