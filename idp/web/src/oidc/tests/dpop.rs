//! Tokens that are bound to a key (RFC 9449), at the token endpoint and at resources.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use idp_protocol::jose::{self, Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::house::{
    Answer, BACK, Browser, House, ISSUER, SECRET, basic, bearer, claims, form, on_both,
};

/// A client's key, and proofs that it is held.
pub(super) struct Key(Signer);

impl Key {
    pub(super) fn new() -> Self {
        Self(Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap())
    }

    pub(super) fn jkt(&self) -> String {
        jose::thumbprint(self.0.jwk()).unwrap()
    }

    fn signed(&self, mut claims: Value, extra: &[(&str, Value)]) -> (&'static str, String) {
        for (name, value) in extra {
            claims[*name] = value.clone();
        }
        let mut jwk = self.0.jwk().clone();
        jwk.as_object_mut().unwrap().remove("kid");
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
        ("dpop", self.0.sign_with_header(&header, &claims).unwrap())
    }

    /// A fresh proof for an endpoint that takes POST.
    pub(super) fn post(&self, house: &House, path: &str) -> (&'static str, String) {
        self.with(house, path, &[])
    }

    pub(super) fn jwk(&self) -> Value {
        self.0.jwk().clone()
    }

    /// A fresh proof for an address that takes POST.
    pub(super) fn to(&self, house: &House, address: &str) -> (&'static str, String) {
        self.with(house, "", &[("htu", json!(address))])
    }

    fn with(&self, house: &House, path: &str, extra: &[(&str, Value)]) -> (&'static str, String) {
        let claims = json!({"jti": house.state.ambient.id(), "htm": "POST",
            "htu": format!("{ISSUER}{path}"), "iat": house.state.now() / 1000});
        self.signed(claims, extra)
    }

    /// A fresh proof for a resource.
    pub(super) fn get(
        &self,
        house: &House,
        token: &str,
        extra: &[(&str, Value)],
    ) -> (&'static str, String) {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let claims = json!({"jti": house.state.ambient.id(), "htm": "GET",
            "htu": format!("{ISSUER}/oauth2/userinfo"), "iat": house.state.now() / 1000,
            "ath": URL_SAFE_NO_PAD.encode(hash)});
        self.signed(claims, extra)
    }
}

type Header = (&'static str, String);

/// A token request of client `a` with these headers beside its secret.
async fn token(house: &House, fields: &[(&str, &str)], proofs: &[Header]) -> Answer {
    let mut headers = vec![basic("a", SECRET)];
    headers.extend_from_slice(proofs);
    house.post("/oauth2/token", &headers, fields).await
}

async fn redeem(house: &House, code: &str, proofs: &[Header]) -> Answer {
    let grant = ("grant_type", "authorization_code");
    token(house, &[grant, ("code", code), ("redirect_uri", BACK)], proofs).await
}

async fn userinfo(house: &House, headers: &[Header]) -> Answer {
    house.send(Method::GET, "/oauth2/userinfo", headers, "").await
}

fn dpop(token: &str) -> Header {
    ("authorization", format!("DPoP {token}"))
}

async fn bound(house: &House, key: &Key) -> Value {
    let code = Browser::signed_in(house).await.code(house, &[]).await;
    let answer = redeem(house, &code, &[key.post(house, "/oauth2/token")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

async fn rfc_9449_5_tokens_are_bound_to_the_key_that_was_proven(house: House) {
    let key = Key::new();
    let tokens = bound(&house, &key).await;
    assert_eq!(tokens["token_type"], "DPoP");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims(access)["cnf"], json!({"jkt": key.jkt()}));
    let answer = userinfo(&house, &[dpop(access), key.get(&house, access, &[])]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.headers.contains_key("dpop-nonce"), "RFC 9449 section 8.2");
    // RFC 9110 §11.1: the scheme in any case.
    let lower = ("authorization", format!("dpop {access}"));
    let answer = userinfo(&house, &[lower, key.get(&house, access, &[])]).await;
    assert_eq!(answer.status, StatusCode::OK);
    // RFC 9449 §6.2.
    let seen = house.post("/oauth2/introspect", &[basic("a", SECRET)], &[("token", access)]).await;
    let seen = seen.json();
    assert_eq!((&seen["token_type"], &seen["cnf"]["jkt"]), (&json!("DPoP"), &json!(key.jkt())));
}

async fn attack_15_a_bound_token_without_its_key_opens_nothing(house: House) {
    let (key, thief) = (Key::new(), Key::new());
    let tokens = bound(&house, &key).await;
    let access = tokens["access_token"].as_str().unwrap();
    let plain = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let plain = plain["access_token"].as_str().unwrap();
    let proof = |extra: &[(&str, Value)]| key.get(&house, access, extra);
    let cases: Vec<(&str, Vec<Header>)> = vec![
        ("as a bearer token", vec![bearer(access)]),
        ("as a bearer token with a proof", vec![bearer(access), proof(&[])]),
        ("without a proof", vec![dpop(access)]),
        ("another's key", vec![dpop(access), thief.get(&house, access, &[])]),
        ("two proofs", vec![dpop(access), proof(&[]), proof(&[])]),
        ("another token's proof", vec![dpop(access), key.get(&house, plain, &[])]),
        ("another method", vec![dpop(access), proof(&[("htm", json!("POST"))])]),
        ("another address", vec![dpop(access), proof(&[("htu", json!("https://x.example/"))])]),
        ("an hour old", vec![dpop(access), proof(&[("iat", json!(1_799_996_400))])]),
        ("a wrong nonce", vec![dpop(access), proof(&[("nonce", json!("made up"))])]),
        ("an unbound token", vec![dpop(plain), key.get(&house, plain, &[])]),
    ];
    for (told, headers) in cases {
        let answer = userinfo(&house, &headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{told}: {answer:?}");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(&format!("error=\"{}\"", answer.error())), "{told}");
    }
    let challenges = userinfo(&house, &[]).await;
    let told: Vec<_> = challenges.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(told.len(), 2, "RFC 9449 section 7.1: both schemes");
}

async fn attack_15_a_proof_is_good_for_one_request(house: House) {
    let key = Key::new();
    let tokens = bound(&house, &key).await;
    let access = tokens["access_token"].as_str().unwrap();
    let proof = key.get(&house, access, &[]);
    let headers = [dpop(access), proof];
    assert_eq!(userinfo(&house, &headers).await.status, StatusCode::OK);
    let again = userinfo(&house, &headers).await;
    assert_eq!(
        (again.status, again.error().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_dpop_proof")
    );
    // The same jti a second later.
    let jti = ("jti", json!("fixed"));
    let first = key.get(&house, access, std::slice::from_ref(&jti));
    assert_eq!(userinfo(&house, &[dpop(access), first]).await.status, StatusCode::OK);
    house.wait(1_000);
    let second = key.get(&house, access, &[jti]);
    let answer = userinfo(&house, &[dpop(access), second]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let proof = key.post(&house, "/oauth2/token");
    let grant = [("grant_type", "client_credentials")];
    assert_eq!(token(&house, &grant, std::slice::from_ref(&proof)).await.status, StatusCode::OK);
    let again = token(&house, &grant, &[proof]).await;
    assert_eq!(
        (again.status, again.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_dpop_proof")
    );
}

async fn rfc_9449_8_a_nonce_of_ours_is_followed(house: House) {
    let key = Key::new();
    let grant = [("grant_type", "client_credentials")];
    let first = token(&house, &grant, &[key.post(&house, "/oauth2/token")]).await;
    let nonce = first.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let with = |nonce: &str| key.with(&house, "/oauth2/token", &[("nonce", json!(nonce))]);
    assert_eq!(token(&house, &grant, &[with(&nonce)]).await.status, StatusCode::OK);
    house.wait(180_000);
    assert_eq!(token(&house, &grant, &[with(&nonce)]).await.status, StatusCode::OK);
    house.wait(180_000);
    let late = token(&house, &grant, &[with(&nonce)]).await;
    assert_eq!((late.status, late.error().as_str()), (StatusCode::BAD_REQUEST, "use_dpop_nonce"));
    let nonce = late.headers["dpop-nonce"].to_str().unwrap().to_owned();
    assert_eq!(token(&house, &grant, &[with(&nonce)]).await.status, StatusCode::OK);
}

async fn rfc_9449_5_2_a_client_that_registers_it_gets_bound_tokens_only(house: House) {
    house
        .register(json!({"client_id": "bound", "client_secret": SECRET,
            "grant_types": ["client_credentials"], "dpop_bound_access_tokens": true}))
        .await;
    let grant = [("grant_type", "client_credentials")];
    let headers = vec![basic("bound", SECRET)];
    let answer = house.post("/oauth2/token", &headers, &grant).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
    let key = Key::new();
    let headers = [headers, vec![key.post(&house, "/oauth2/token")]].concat();
    let answer = house.post("/oauth2/token", &headers, &grant).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
}

async fn rfc_9449_5_a_public_clients_refresh_token_is_bound_to_its_key(house: House) {
    house
        .register(json!({"client_id": "native", "redirect_uris": ["https://n.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "legal_basis": "test",
            "token_endpoint_auth_method": "none", "scope": "openid offline_access"}))
        .await;
    let (key, thief) = (Key::new(), Key::new());
    let mut browser = Browser::signed_in(&house).await;
    let answer = browser
        .authorize(
            &house,
            &[
                ("client_id", "native"),
                ("redirect_uri", "https://n.example/cb"),
                ("scope", "openid"),
                ("code_challenge", super::house::CHALLENGE),
                ("code_challenge_method", "S256"),
            ],
        )
        .await;
    let code = answer.query().remove("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", code.as_str()),
        ("redirect_uri", "https://n.example/cb"),
        ("code_verifier", super::house::VERIFIER),
    ];
    let proof = key.post(&house, "/oauth2/token");
    let tokens = house.post("/oauth2/token", &[proof], &fields).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", &refresh)];
    for proofs in [vec![], vec![thief.post(&house, "/oauth2/token")]] {
        let answer = house.post("/oauth2/token", &proofs, &fields).await;
        assert_eq!(answer.error(), "invalid_grant");
    }
    let answer = house.post("/oauth2/token", &[key.post(&house, "/oauth2/token")], &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(claims(answer.json()["access_token"].as_str().unwrap())["cnf"]["jkt"], key.jkt());
}

async fn rfc_9449_4_1_browsers_programs_may_send_proofs(house: House) {
    let answer = house.send(Method::OPTIONS, "/oauth2/token", &[], "").await;
    let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("dpop"), "{allowed}");
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let answer = house.send(Method::POST, "/oauth2/token", &headers, &form(&[])).await;
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_owned();
    assert!(exposed.contains("dpop-nonce"), "{exposed}");
}

on_both! {
    rfc_9449_5_tokens_are_bound_to_the_key_that_was_proven;
    attack_15_a_bound_token_without_its_key_opens_nothing;
    attack_15_a_proof_is_good_for_one_request;
    rfc_9449_8_a_nonce_of_ours_is_followed;
    rfc_9449_5_2_a_client_that_registers_it_gets_bound_tokens_only;
    rfc_9449_5_a_public_clients_refresh_token_is_bound_to_its_key;
    rfc_9449_4_1_browsers_programs_may_send_proofs;
}
