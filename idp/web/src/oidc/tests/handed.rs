//! Exchanged tokens (RFC 8693) along a chain, side by side with their end, and with certificates.

use http::StatusCode;
use idp_protocol::ErrorCode;
use idp_protocol::exchange::{ACCESS_TOKEN, GRANT};
use serde_json::{Value, json};

use super::certificates::issued;
use super::dpop::Key;
use super::exchanging::{
    access, exchange, front, houses, introspected, opened, service, tokens, whole,
};
use super::house::{Answer, BACK, Browser, House, SECRET, basic, claims, form, on_both};
use crate::clients;

async fn attack_39_a_client_that_is_kept_out_takes_the_chain_with_it(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let made = access(&exchange(&house, "s", &token, &[]).await.json());
    let deep = access(&exchange(&house, "deep", &made, &[]).await.json());
    assert!(opened(&house, &deep).await.is_ok());
    let (db, ambient) = (&house.state.db, &house.state.ambient);
    clients::disable(db, ambient, "s", true).await.unwrap();
    assert_eq!(opened(&house, &deep).await.unwrap_err(), ErrorCode::InvalidToken);
    assert_eq!(introspected(&house, "deep", &deep).await["active"], false);
    clients::disable(db, ambient, "s", false).await.unwrap();
    assert!(opened(&house, &deep).await.is_ok());
    // The partner with the page: its grants have ended.
    clients::disable(db, ambient, "front", true).await.unwrap();
    assert_eq!(opened(&house, &deep).await.unwrap_err(), ErrorCode::InvalidToken);
}

async fn attack_42_a_token_is_exchanged_so_often_and_no_more(house: House) {
    let mut own = front(&[]);
    own["grant_types"] = json!(["authorization_code", "refresh_token", GRANT]);
    house.register(own).await;
    let mut token = access(&tokens(&house, &[("scope", "openid cases")]).await);
    for _ in 0..4 {
        token = access(&exchange(&house, "front", &token, &[]).await.json());
    }
    let refused = exchange(&house, "front", &token, &[]).await;
    assert_eq!(refused.error(), "invalid_request");
    assert!(opened(&house, &token).await.is_ok());
}

async fn attack_39_side_by_side_with_its_end_nothing_is_left(house: House) {
    houses(&house).await;
    for round in 0..8 {
        let token = whole(&house).await;
        let fields = [("token", token.as_str())];
        let headers = [basic("front", SECRET)];
        let (made, _) = tokio::join!(
            exchange(&house, "s", &token, &[]),
            house.post("/oauth2/revoke", &headers, &fields)
        );
        if made.status == StatusCode::OK {
            let made = access(&made.json());
            assert_eq!(opened(&house, &made).await.unwrap_err(), ErrorCode::InvalidToken);
        } else {
            assert_eq!(made.error(), "invalid_request", "round {round}");
        }
    }
}

/// A page whose tokens are bound to its certificate, and one of its tokens.
async fn page(house: &House, certificate: &[u8]) -> String {
    let mut page = front(&["s"]);
    page["client_id"] = json!("bound");
    page["tls_client_certificate_bound_access_tokens"] = json!(true);
    page["grant_types"] = json!(["authorization_code", GRANT]);
    house.register(page).await;
    let mut browser = Browser::signed_in(house).await;
    let fields = [
        ("client_id", "bound"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "cases"),
    ];
    let first = browser.get(house, &format!("/oauth2/authorize?{}", form(&fields))).await;
    let code = browser.get(house, first.location()).await.query()["code"].clone();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)];
    let made = showing(house, certificate, "bound", &fields).await;
    access(&made.json())
}

async fn showing(house: &House, certificate: &[u8], id: &str, fields: &[(&str, &str)]) -> Answer {
    house.shows(Some(certificate));
    let answer = house.post("/oauth2/token", &[basic(id, SECRET)], fields).await;
    house.shows(None);
    answer
}

async fn rfc_8705_3_a_token_bound_to_a_certificate_stays_bound(house: House) {
    let (own, other) = (issued("own"), issued("other"));
    let token = page(&house, &own).await;
    let thumbprint = claims(&token)["cnf"].clone();
    house.register(service("s", &[])).await;
    let fields = [
        ("grant_type", GRANT),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    // Its own client: with the same certificate only.
    let made = showing(&house, &own, "bound", &fields).await;
    assert_eq!(claims(&access(&made.json()))["cnf"], thumbprint);
    let refused = showing(&house, &other, "bound", &fields).await;
    assert_eq!(refused.error(), "invalid_request");
    // A service whose tokens are not bound would have one that anybody can use.
    assert_eq!(showing(&house, &other, "s", &fields).await.error(), "invalid_request");
    let mut bound = service("s", &[]);
    bound["tls_client_certificate_bound_access_tokens"] = json!(true);
    clients::update(&house.state.db, &house.state.ambient, bound).await.unwrap();
    house.wait(5_000);
    let made = access(&showing(&house, &other, "s", &fields).await.json());
    let now = &claims(&made)["cnf"];
    assert!(now["x5t#S256"].is_string() && *now != thumbprint, "{now}");
    // A bearer of it opens nothing.
    assert_eq!(opened(&house, &made).await.unwrap_err(), ErrorCode::InvalidToken);
}

async fn rfc_9449_7_1_an_actor_token_comes_with_its_key(house: House) {
    houses(&house).await;
    let token = whole(&house).await;
    let (key, another) = (Key::new(), Key::new());
    let own = [("grant_type", "client_credentials")];
    let headers = [basic("s", SECRET), key.post(&house, "/oauth2/token")];
    let actor = access(&house.post("/oauth2/token", &headers, &own).await.json());
    let fields = [
        ("grant_type", GRANT),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("actor_token", actor.as_str()),
        ("actor_token_type", ACCESS_TOKEN),
    ];
    let headers = [basic("s", SECRET)];
    let refused: Value = house.post("/oauth2/token", &headers, &fields).await.json();
    assert_eq!(refused["error"], "invalid_request");
    let headers = [basic("s", SECRET), another.post(&house, "/oauth2/token")];
    let refused = house.post("/oauth2/token", &headers, &fields).await;
    assert_eq!(refused.error(), "invalid_request");
    let headers = [basic("s", SECRET), key.post(&house, "/oauth2/token")];
    let made = house.post("/oauth2/token", &headers, &fields).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
}

on_both! {
    attack_39_a_client_that_is_kept_out_takes_the_chain_with_it;
    attack_42_a_token_is_exchanged_so_often_and_no_more;
    attack_39_side_by_side_with_its_end_nothing_is_left;
    rfc_8705_3_a_token_bound_to_a_certificate_stays_bound;
    rfc_9449_7_1_an_actor_token_comes_with_its_key;
}
