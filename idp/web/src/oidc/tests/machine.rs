//! Endpoints that programs call: metadata, client credentials, assertions, introspection,
//! revocation, userinfo, and what HTTP itself asks of all of them.

use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use serde_json::{Value, json};

use super::house::{Browser, House, ISSUER, SECRET, basic, bearer, claims, form};

async fn get(house: &House, path: &str) -> super::house::Answer {
    house.send(Method::GET, path, &[], "").await
}

async fn discovery_4_metadata_and_keys_are_public(house: House) {
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let answer = get(&house, path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert_eq!(answer.json()["issuer"], ISSUER);
    }
    let metadata = get(&house, "/.well-known/openid-configuration").await.json();
    // Every endpoint that is named is there.
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().unwrap().strip_prefix(ISSUER).unwrap();
            assert_ne!(get(&house, path).await.status, StatusCode::NOT_FOUND, "{name}");
        }
    }
    let keys = get(&house, "/oauth2/jwks").await.json();
    let keys = keys["keys"].as_array().unwrap();
    let mut kids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!((keys.len(), kids.len()), (6, 6));
    let to_encrypt = keys.iter().filter(|key| key["use"] == "enc").count();
    assert_eq!(to_encrypt, 2);
    for private in ["d", "p", "q", "k"] {
        assert!(keys.iter().all(|key| key.get(private).is_none()));
    }
}

async fn attack_47_a_rotated_key_signs_and_the_old_one_still_verifies(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    let schedule = house.state.settings.keys();
    let kid = crate::keys::rotate(db, ambient, schedule, "RS256").await.unwrap().kid;
    house.wait(schedule.publish_ahead);
    let keys = get(&house, "/oauth2/jwks").await.json()["keys"].as_array().unwrap().clone();
    let check = |token: &str| {
        let token = Unverified::parse(token).unwrap();
        let named = token.kid().unwrap().to_owned();
        token.verify(&keys, &[Algorithm::Rs256], None).unwrap();
        named
    };
    assert_ne!(check(tokens["id_token"].as_str().unwrap()), kid);
    let tokens = browser.tokens(&house, &[]).await;
    assert_eq!(check(tokens["id_token"].as_str().unwrap()), kid);
}

async fn attack_47_what_a_revoked_key_signed_is_not_believed(house: House) {
    let token = house.token(&[("grant_type", "client_credentials")]).await.json();
    let token = token["access_token"].as_str().unwrap();
    assert!(house.active(token).await);
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    let kid = Unverified::parse(token).unwrap().kid().unwrap().to_owned();
    assert!(crate::keys::revoke(db, ambient, &kid).await.unwrap());
    assert!(!crate::keys::revoke(db, ambient, &kid).await.unwrap());
    house.wait(5_000);
    assert!(!house.active(token).await);
    let fresh = house.token(&[("grant_type", "client_credentials")]).await.json();
    assert!(house.active(fresh["access_token"].as_str().unwrap()).await);
}

async fn rfc_6749_4_4_a_client_acts_for_itself(house: House) {
    let grant = ("grant_type", "client_credentials");
    let answer = house.token(&[grant]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["pragma"], "no-cache");
    let answer = answer.json();
    assert_eq!(answer["scope"], "cases", "scopes that mean a person are left out");
    assert!(answer["refresh_token"].is_null() && answer["id_token"].is_null());
    let token = answer["access_token"].as_str().unwrap();
    let held = claims(token);
    assert_eq!((&held["sub"], &held["client_id"]), (&json!("a"), &json!("a")));
    assert_eq!((&held["iss"], &held["aud"]), (&json!(ISSUER), &json!(ISSUER)));
    assert!(house.active(token).await);
    assert_eq!(house.userinfo(token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.token(&[grant, ("scope", "openid")]).await.error(), "invalid_scope");
    assert_eq!(house.token(&[grant, ("scope", "admin")]).await.error(), "invalid_scope");
    // Revoked at once, although its signature was believed before.
    let revoke = [("token", token)];
    let foreign = [("token", token), ("client_id", "b"), ("client_secret", SECRET)];
    assert_eq!(house.post("/oauth2/revoke", &[], &foreign).await.status, StatusCode::OK);
    assert!(house.active(token).await, "another client revokes nothing");
    let answer = house.post("/oauth2/revoke", &[basic("a", SECRET)], &revoke).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!house.active(token).await);
    house.wait(15 * 60_000);
    assert!(!house.active(token).await);
}

async fn rfc_7662_who_may_see_what(house: House) {
    let tokens = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let (access, refresh) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let seen =
        house.post("/oauth2/introspect", &[basic("a", SECRET)], &[("token", access)]).await.json();
    assert_eq!((&seen["active"], &seen["client_id"]), (&json!(true), &json!("a")));
    assert_eq!(seen["sub"], claims(access)["sub"]);
    assert!(house.active(refresh).await);
    let b = [("client_id", "b"), ("client_secret", SECRET)];
    for token in [access, refresh, "nonsense", tokens["id_token"].as_str().unwrap()] {
        let answer =
            house.post("/oauth2/introspect", &[], &[&b[..], &[("token", token)]].concat()).await;
        assert_eq!(answer.json(), json!({"active": false}));
    }
    // A legal basis is about consent; it makes nobody a reader of others' tokens.
    let own = [("grant_type", "client_credentials"), b[0], b[1]];
    let of_b = house.post("/oauth2/token", &[], &own).await.json();
    let of_b = of_b["access_token"].as_str().unwrap();
    assert!(!house.active(of_b).await);
    let public = [("client_id", "public"), ("token", access)];
    let answer = house.post("/oauth2/introspect", &[], &public).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // RFC 7009 §2.1: the refresh token takes its access tokens along.
    house.post("/oauth2/revoke", &[basic("a", SECRET)], &[("token", refresh)]).await;
    assert!(!house.active(access).await);
    assert!(!house.active(refresh).await);
}

fn assertion(signer: &Signer, change: &[(&str, Value)]) -> String {
    let mut claims = json!({"iss": "k", "sub": "k", "aud": ISSUER, "jti": "1",
        "exp": 1_800_000_060, "iat": 1_800_000_000});
    for (name, value) in change {
        claims[*name] = value.clone();
    }
    signer.sign("JWT", &claims).unwrap()
}

async fn attack_16_an_assertion_is_used_once_and_meant_for_us(house: House) {
    let signer = |algorithm| Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap();
    let (own, other) = (signer(Algorithm::Es256), signer(Algorithm::Es256));
    house
        .register(json!({"client_id": "k", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt", "scope": "cases",
            "jwks": {"keys": [own.jwk()]}}))
        .await;
    let send = async |assertion: String| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        house.post("/oauth2/token", &[], &fields).await
    };
    let good = assertion(&own, &[]);
    assert_eq!(send(good.clone()).await.status, StatusCode::OK);
    let endpoint = json!(format!("{ISSUER}/oauth2/token"));
    let second = assertion(&own, &[("jti", json!("2")), ("aud", endpoint)]);
    assert_eq!(send(second).await.status, StatusCode::OK);
    for bad in [
        good,
        assertion(&own, &[("jti", json!("3")), ("aud", json!("https://other.example"))]),
        assertion(&own, &[("jti", json!("4")), ("exp", json!(1_799_999_000))]),
        assertion(&own, &[("jti", json!("5")), ("sub", json!("a"))]),
        assertion(&other, &[("jti", json!("6"))]),
        // PostgreSQL cannot keep it: the client's fault, not ours.
        assertion(&own, &[("jti", json!("7\0"))]),
    ] {
        let answer = send(bad).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.error(), "invalid_client");
    }
    // Its name alone is not enough.
    let named = [("grant_type", "client_credentials"), ("client_id", "k")];
    assert_eq!(house.post("/oauth2/token", &[], &named).await.error(), "invalid_client");
}

async fn core_5_3_userinfo_by_header_and_body(house: House) {
    let tokens = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let access = tokens["access_token"].as_str().unwrap();
    let by_header =
        house.send(Method::POST, "/oauth2/userinfo", &[bearer(access)], "").await.json();
    let by_body = house.post("/oauth2/userinfo", &[], &[("access_token", access)]).await.json();
    assert_eq!(by_header, by_body);
    let both = house.post("/oauth2/userinfo", &[bearer(access)], &[("access_token", access)]).await;
    assert_eq!((both.status, both.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
    let nothing = get(&house, "/oauth2/userinfo").await;
    assert_eq!(nothing.status, StatusCode::UNAUTHORIZED);
    assert!(!nothing.headers["www-authenticate"].to_str().unwrap().contains("error"));
    // Attacks row 11: an ID token, a refresh token, a token with its signature cut.
    let (cut, _) = access.rsplit_once('.').unwrap();
    let cut = format!("{cut}.");
    for wrong in [tokens["id_token"].as_str().unwrap(), "tbr_x", &cut] {
        let answer = house.userinfo(wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    house.wait(15 * 60_000);
    assert_eq!(house.userinfo(access).await.status, StatusCode::UNAUTHORIZED);
}

async fn a_token_without_openid_has_no_userinfo(house: House) {
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[("scope", "profile")]).await;
    assert!(tokens["id_token"].is_null());
    let answer = house.userinfo(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
}

async fn wrong_methods_types_and_sizes_have_their_status(house: House) {
    for (method, path) in [
        (Method::GET, "/oauth2/token"),
        (Method::PUT, "/oauth2/authorize"),
        (Method::GET, "/oauth2/introspect"),
        (Method::GET, "/oauth2/revoke"),
        (Method::DELETE, "/oauth2/userinfo"),
        (Method::POST, "/oauth2/jwks"),
        (Method::PATCH, "/oauth2/end_session"),
    ] {
        let answer = house.send(method.clone(), path, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(answer.headers.contains_key("allow"));
    }
    let json = [("content-type", "application/json".to_owned()), basic("a", SECRET)];
    let answer = house.send(Method::POST, "/oauth2/token", &json, "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.error(), "invalid_request");
    let huge = "x".repeat(256 * 1024);
    let answer = house.token(&[("grant_type", &huge)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let repeated = format!("{}&grant_type=x", form(&[("grant_type", "client_credentials")]));
    let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let headers = [kind, basic("a", SECRET)];
    let answer = house.send(Method::POST, "/oauth2/token", &headers, &repeated).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::BAD_REQUEST, "invalid_request")
    );
}

async fn browsers_of_single_page_partners_may_call(house: House) {
    for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/jwks", "/oauth2/revoke"] {
        let origin = [("origin", "https://spa.example".to_owned())];
        let answer = house.send(Method::OPTIONS, path, &origin, "").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    let answer = house.send(Method::OPTIONS, "/oauth2/authorize", &[], "").await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

super::house::on_both! {
    discovery_4_metadata_and_keys_are_public;
    attack_47_a_rotated_key_signs_and_the_old_one_still_verifies;
    attack_47_what_a_revoked_key_signed_is_not_believed;
    rfc_6749_4_4_a_client_acts_for_itself;
    rfc_7662_who_may_see_what;
    attack_16_an_assertion_is_used_once_and_meant_for_us;
    core_5_3_userinfo_by_header_and_body;
    a_token_without_openid_has_no_userinfo;
    wrong_methods_types_and_sizes_have_their_status;
    browsers_of_single_page_partners_may_call;
}
