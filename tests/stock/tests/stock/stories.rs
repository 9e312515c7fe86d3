//! What every library is asked to do, and what must come of it. A library tells those stories that
//! it has the means for; its program has a function of the same name for each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::play::{Stage, Told};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CIBA: &str = "urn:openid:params:grant-type:ciba";

fn payload(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn parameter(address: &url::Url, name: &str) -> Option<String> {
    address.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The library believed the ID token of this client, and userinfo told of the same person.
fn is_signed_in(stage: &Stage, told: &Told) {
    let (done, claims) = (&told.done, &told.done["claims"]);
    assert_eq!(claims["iss"], json!(stage.provider.issuer), "{done}");
    assert_eq!(claims["aud"], told.client["client_id"], "{done}");
    assert_eq!(done["userinfo"]["sub"], claims["sub"], "{done}");
    assert_eq!(done["userinfo"]["name"], json!(told.person.name), "{done}");
}

/// The library gave a refusal of its own with this word, or the provider did with this code.
#[track_caller]
fn refused(refusal: &Value, word: &str) {
    assert!(refusal.to_string().to_lowercase().contains(word), "not {word}: {refusal}");
}

pub(crate) async fn signs_in_with_pkce_state_and_nonce(stage: Stage) {
    let told = stage.play("signs_in_with_pkce_state_and_nonce", json!({})).await;
    is_signed_in(&stage, &told);
    let (asked, claims) = (&told.opened[0], &told.done["claims"]);
    assert_eq!(parameter(asked, "code_challenge_method").as_deref(), Some("S256"));
    assert!(parameter(asked, "state").is_some());
    assert_eq!(parameter(asked, "nonce").as_deref(), claims["nonce"].as_str());
    assert_eq!(told.done["nonce"], claims["nonce"]);
    assert_eq!(told.person.asked, ["sign-in", "consent"]);
    // RFC 9207 §2, RFC 9068 §2.1.
    let at = url::Url::parse(told.done["at"].as_str().unwrap()).unwrap();
    assert_eq!(parameter(&at, "iss"), Some(stage.provider.issuer.clone()));
    assert_eq!(payload(&told.done["access_token"])["sub"], claims["sub"]);
    assert_eq!(told.done["userinfo"]["phone_number"], json!(format!("+86{}", told.person.phone)));
}

pub(crate) async fn refuses_another_nonce(stage: Stage) {
    let told = stage.play("refuses_another_nonce", json!({})).await;
    refused(&told.done["refusal"], "nonce");
}

pub(crate) async fn refuses_another_state(stage: Stage) {
    let told = stage.play("refuses_another_state", json!({})).await;
    refused(&told.done["refusal"], "state");
    // The refusal was the library's: the code is still good for the true answer.
    assert_eq!(told.done["claims"]["aud"], told.client["client_id"]);
}

pub(crate) async fn refuses_another_issuer(stage: Stage) {
    let told = stage.play("refuses_another_issuer", json!({})).await;
    refused(&told.done["refusal"], "\\\"iss\\\"");
    assert_eq!(told.done["claims"]["aud"], told.client["client_id"]);
}

pub(crate) async fn refuses_metadata_of_another_issuer(stage: Stage) {
    let told = stage.play("refuses_metadata_of_another_issuer", json!({})).await;
    refused(&told.done["refusal"], "issuer");
}

pub(crate) async fn refuses_a_signature_by_another_key(stage: Stage) {
    let told = stage.play("refuses_a_signature_by_another_key", json!({})).await;
    refused(&told.done["refusal"], "signature");
}

pub(crate) async fn rotates_the_refresh_token(stage: Stage) {
    let told = stage.play("rotates_the_refresh_token", json!({})).await;
    let tokens = told.done["tokens"].as_array().unwrap();
    let mut different: Vec<_> = tokens.iter().map(|token| token.as_str().unwrap()).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 3, "each is another: {tokens:?}");
    assert_eq!(told.done["told"]["userinfo"]["name"], json!(told.person.name));
    // RFC 9700 §4.14.2: whoever uses an old one ends them all.
    refused(&told.done["replayed"], "invalid_grant");
    refused(&told.done["after"], "invalid_grant");
}

pub(crate) async fn redeems_a_code_once(stage: Stage) {
    let told = stage.play("redeems_a_code_once", json!({})).await;
    refused(&told.done["refusal"], "invalid_grant");
    // RFC 6749 §4.1.2: what the first gave has ended as well.
    assert_eq!(told.done["after"], json!({"active": false}));
}

pub(crate) async fn redeems_by_its_own_verifier(stage: Stage) {
    let told = stage.play("redeems_by_its_own_verifier", json!({})).await;
    // RFC 7636 §4.6.
    refused(&told.done["refusal"], "invalid_grant");
}

pub(crate) async fn comes_back_to_its_own_address(stage: Stage) {
    let told = stage.play("comes_back_to_its_own_address", json!({})).await;
    // RFC 6749 §4.1.2.1: nobody is sent to an address that is not registered, and nobody was asked.
    let at = told.done["at"].as_str().unwrap();
    assert!(at.starts_with(&stage.provider.issuer), "{at}");
    assert!(told.person.asked.is_empty(), "{:?}", told.person.asked);
    assert!(told.person.browser.page().has("[role=alert]"));
}

pub(crate) async fn signs_in_by_private_key_jwt(stage: Stage) {
    let method = json!({"token_endpoint_auth_method": "private_key_jwt"});
    let told = stage.play("signs_in_by_private_key_jwt", method).await;
    is_signed_in(&stage, &told);
    assert_eq!(told.client.get("client_secret"), None);
}

pub(crate) async fn pushes_the_request(stage: Stage) {
    let mandate = json!({"require_pushed_authorization_requests": true});
    let told = stage.play("pushes_the_request", mandate).await;
    is_signed_in(&stage, &told);
    // RFC 9126 §4: nothing but the reference goes through the browser.
    let mut names: Vec<_> = told.opened[0].query_pairs().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["client_id", "request_uri"]);
}

pub(crate) async fn binds_tokens_by_dpop(stage: Stage) {
    let told = stage.play("binds_tokens_by_dpop", json!({"dpop_bound_access_tokens": true})).await;
    is_signed_in(&stage, &told);
    assert!(told.done["token_type"].as_str().unwrap().eq_ignore_ascii_case("dpop"));
    assert_eq!(payload(&told.done["access_token"])["cnf"]["jkt"], told.done["jkt"]);
    // RFC 9449 §7: neither another's key nor none.
    refused(&told.done["stolen"], "invalid_token");
    refused(&told.done["bare"], "invalid_token");
}

pub(crate) async fn signs_the_request(stage: Stage) {
    let mandate =
        json!({"require_signed_request_object": true, "request_object_signing_alg": "ES256"});
    let told = stage.play("signs_the_request", mandate).await;
    is_signed_in(&stage, &told);
    let request = json!(parameter(&told.opened[0], "request").unwrap());
    assert_eq!(payload(&request)["iss"], told.client["client_id"]);
    assert_eq!(parameter(&told.opened[0], "redirect_uri"), None);
}

/// An answer as a JWT that names issuer and client (JARM §2.1).
fn is_signed_answer(stage: &Stage, told: &Told) {
    let at = url::Url::parse(told.done["at"].as_str().unwrap()).unwrap();
    assert_eq!(parameter(&at, "code"), None);
    let answer = payload(&json!(parameter(&at, "response").unwrap()));
    assert_eq!(answer["iss"], json!(stage.provider.issuer));
    assert_eq!(answer["aud"], told.client["client_id"]);
}

pub(crate) async fn takes_a_signed_answer(stage: Stage) {
    let wish = json!({"authorization_signed_response_alg": "ES256"});
    let told = stage.play("takes_a_signed_answer", wish).await;
    is_signed_in(&stage, &told);
    is_signed_answer(&stage, &told);
    refused(&told.done["refusal"], "state");
}

pub(crate) async fn signs_out(stage: Stage) {
    let told = stage.play("signs_out", json!({})).await;
    let at = url::Url::parse(told.done["at"].as_str().unwrap()).unwrap();
    assert!(at.as_str().starts_with("https://partner.example/bye?"), "{at}");
    assert_eq!(parameter(&at, "state").as_deref(), told.done["state"].as_str());
    // The session had ended: the next one began with a sign-in.
    let asked = told.person.asked.iter().filter(|asked| **asked == "sign-in").count();
    assert_eq!(asked, 2, "{:?}", told.person.asked);
    assert_eq!(told.done["subjects"][0], told.done["subjects"][1]);
    assert_ne!(told.done["sessions"][0], told.done["sessions"][1]);
}

pub(crate) async fn acts_for_itself(stage: Stage) {
    let machine = json!({"grant_types": ["client_credentials"], "response_types": [],
        "redirect_uris": [], "scope": "cases"});
    let told = stage.play("acts_for_itself", machine).await;
    assert_eq!(told.done["scope"], "cases", "{}", told.done);
    // RFC 6749 §4.4.3, RFC 9068 §3.
    assert_eq!(told.done.get("refresh_token"), None);
    assert_eq!(payload(&told.done["access_token"])["client_id"], told.client["client_id"]);
}

pub(crate) async fn introspects_and_revokes(stage: Stage) {
    let told = stage.play("introspects_and_revokes", json!({})).await;
    let before = &told.done["before"];
    assert_eq!(before["active"], true, "{before}");
    assert_eq!(before["client_id"], told.client["client_id"]);
    assert!(before["scope"].as_str().unwrap().contains("openid"));
    assert_eq!(told.done["after"], json!({"active": false}));
    refused(&told.done["refresh"], "invalid_grant");
}

pub(crate) async fn introspects_into_a_signed_answer(stage: Stage) {
    let wish = json!({"introspection_signed_response_alg": "ES256"});
    let told = stage.play("introspects_into_a_signed_answer", wish).await;
    // RFC 9701 §5.
    assert_eq!(told.done["type"], "application/token-introspection+jwt");
    assert_eq!(told.done["told"]["active"], true, "{}", told.done);
    assert_eq!(told.done["told"]["client_id"], told.client["client_id"]);
}

pub(crate) async fn proves_its_access_tokens_to_a_resource(stage: Stage) {
    let told = stage.play("proves_its_access_tokens_to_a_resource", json!({})).await;
    let claims = &told.done["claims"];
    assert_eq!(claims["client_id"], told.client["client_id"], "{claims}");
    assert_eq!(claims["iss"], json!(stage.provider.issuer));
    refused(&told.done["audience"], "aud");
    refused(&told.done["signature"], "signature");
}

pub(crate) async fn signs_in_on_a_device(stage: Stage) {
    let device = json!({"grant_types": [DEVICE], "response_types": [], "redirect_uris": [],
        "sector": "device.example"});
    let told = stage.play("signs_in_on_a_device", device).await;
    is_signed_in(&stage, &told);
    assert_eq!(told.person.asked, ["user code", "sign-in", "device"]);
}

pub(crate) async fn asks_over_the_back_channel(stage: Stage) {
    let desk = json!({"grant_types": [CIBA], "response_types": [], "redirect_uris": [],
        "sector": "desk.example", "backchannel_token_delivery_mode": "poll"});
    let told = stage.play("asks_over_the_back_channel", desk).await;
    is_signed_in(&stage, &told);
    assert_eq!(told.opened, []);
}

pub(crate) async fn keeps_to_fapi2(stage: Stage) {
    let fapi2 = json!({"policy": "fapi2", "token_endpoint_auth_method": "private_key_jwt",
        "dpop_bound_access_tokens": true});
    let told = stage.play("keeps_to_fapi2", fapi2).await;
    is_signed_in(&stage, &told);
    assert!(parameter(&told.opened[0], "request_uri").is_some());
    assert!(payload(&told.done["access_token"])["cnf"]["jkt"].is_string());
}

pub(crate) async fn signs_messages_as_fapi2(stage: Stage) {
    let fapi2 = json!({"policy": "fapi2-message-signing", "dpop_bound_access_tokens": true,
        "token_endpoint_auth_method": "private_key_jwt",
        "request_object_signing_alg": "ES256", "authorization_signed_response_alg": "ES256"});
    let told = stage.play("signs_messages_as_fapi2", fapi2).await;
    is_signed_in(&stage, &told);
    is_signed_answer(&stage, &told);
    assert!(parameter(&told.opened[0], "request_uri").is_some());
}

pub(crate) async fn decrypts_the_id_token(stage: Stage) {
    let wish = json!({"id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A256GCM"});
    let told = stage.play("decrypts_the_id_token", wish).await;
    is_signed_in(&stage, &told);
    // RFC 7516 §3.1.
    assert_eq!(told.done["parts"], 5);
}

pub(crate) async fn takes_signed_userinfo(stage: Stage) {
    let wish = json!({"userinfo_signed_response_alg": "ES256"});
    let told = stage.play("takes_signed_userinfo", wish).await;
    is_signed_in(&stage, &told);
    // OpenID Connect Core §5.3.2: a signed answer says whose it is and for whom.
    assert_eq!(told.done["userinfo"]["iss"], json!(stage.provider.issuer));
    assert_eq!(told.done["userinfo"]["aud"], told.client["client_id"]);
}

pub(crate) async fn takes_code_and_id_token(stage: Stage) {
    let hybrid = json!({"response_types": ["code id_token"],
        "grant_types": ["authorization_code", "implicit", "refresh_token"]});
    let told = stage.play("takes_code_and_id_token", hybrid).await;
    is_signed_in(&stage, &told);
    let at = url::Url::parse(told.done["at"].as_str().unwrap()).unwrap();
    assert!(at.fragment().unwrap().contains("id_token="), "{at}");
    assert_eq!(at.query(), None);
}

pub(crate) async fn registers_itself(stage: Stage) {
    let token = stage.provider.command(&["client", "token", "create"]);
    let metadata = json!({"client_name": "伙伴", "scope": "openid profile",
        "redirect_uris": ["https://partner.example/callback"]});
    let settings = json!({"issuer": stage.provider.issuer, "access_token": token.trim(), "metadata": metadata});
    let mut told = stage.run("registers_itself", Value::Null, settings).await;
    told.client = told.done["registered"].clone();
    is_signed_in(&stage, &told);
    // RFC 7591 §3.2.1.
    assert!(told.client["client_secret"].is_string() && told.client["client_id"].is_string());
}
