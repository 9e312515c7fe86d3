use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::client::AuthMethod;

fn client() -> Client {
    Client::from_json(json!({"client_id": "a", "redirect_uris": ["https://a.example/cb"],
        "scope": "openid profile"}))
    .unwrap()
}

fn checked(query: &str) -> Result<AuthorizationRequest, Refusal> {
    check(&client(), &Parameters::parse(query.as_bytes()).unwrap(), Arrival::default())
}

fn redirected(query: &str) -> ErrorCode {
    let base = "redirect_uri=https://a.example/cb&scope=openid&state=s&";
    match checked(&format!("{base}{query}")) {
        Err(Refusal::Redirect { error, redirect_uri, state, .. }) => {
            assert_eq!(redirect_uri, "https://a.example/cb");
            assert_eq!(state.as_deref(), Some("s"));
            error.code
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn attack_18_nothing_is_sent_to_an_unregistered_address() {
    for query in [
        "redirect_uri=https://evil.example/&response_type=code&scope=openid",
        "response_type=code&scope=openid",
        "redirect_uri=https://a.example/cb/",
    ] {
        assert!(matches!(checked(query), Err(Refusal::Page(_))), "{query}");
    }
}

#[test]
fn core_3_1_2_6_each_fault_has_its_code() {
    assert_eq!(redirected(""), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=token"), ErrorCode::UnsupportedResponseType);
    // Objects are opened before: one that is left stands inside of another.
    assert_eq!(redirected("response_type=code&request=x"), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=code&request_uri=x"), ErrorCode::InvalidRequest);
    assert_eq!(
        redirected("response_type=code&registration=%7B%7D"),
        ErrorCode::RegistrationNotSupported
    );
    let acr = "%7B%22id_token%22:%7B%22acr%22:%7B%22essential%22:true,%22value%22:%22x%22%7D%7D%7D";
    assert_eq!(
        redirected(&format!("response_type=code&claims={acr}")),
        ErrorCode::UnmetAuthenticationRequirements
    );
    assert_eq!(redirected("response_type=code&claims=%7B"), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=code&prompt=none%20create"), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=code&max_age=%2B5"), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=code%20id_token"), ErrorCode::UnsupportedResponseType);
    assert_eq!(redirected("response_type=code&prompt=none%20login"), ErrorCode::InvalidRequest);
    assert_eq!(redirected("response_type=code&max_age=-1"), ErrorCode::InvalidRequest);
    assert_eq!(
        redirected("response_type=code&response_mode=web_message"),
        ErrorCode::InvalidRequest
    );
    assert_eq!(redirected("response_type=code&code_challenge=x"), ErrorCode::InvalidRequest);
}

#[test]
fn core_3_1_2_1_unknown_scopes_and_parameters_are_ignored() {
    let request = checked(
        "redirect_uri=https://a.example/cb&scope=profile%20openid%20x\
        &response_type=code&extra=foobar&display=popup&response_mode=form_post",
    )
    .unwrap();
    assert_eq!(request.scope.text(), "profile openid");
    assert_eq!(request.response_mode, ResponseMode::FORM_POST);
}

#[test]
fn attack_06_pkce_is_demanded_of_a_public_client_and_plain_of_nobody() {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let mut public = client();
    public.token_endpoint_auth_method = AuthMethod::None;
    let base = "redirect_uri=https://a.example/cb&scope=openid&response_type=code";
    for (query, passes) in [
        (String::new(), false),
        (format!("&code_challenge={challenge}"), false),
        (format!("&code_challenge={challenge}&code_challenge_method=plain"), false),
        (format!("&code_challenge={challenge}&code_challenge_method=S256"), true),
    ] {
        let parameters = Parameters::parse(format!("{base}{query}").as_bytes()).unwrap();
        assert_eq!(
            check(&public, &parameters, Arrival::default()).is_ok(),
            passes,
            "public {query}"
        );
        let passes = passes || query.is_empty();
        assert_eq!(
            check(&client(), &parameters, Arrival::default()).is_ok(),
            passes,
            "confidential {query}"
        );
    }
}

#[test]
fn core_3_1_2_1_state_and_hints_come_through_whole() {
    let state = "%20%2B\u{4e2d}&x=1#".repeat(16);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("redirect_uri", "https://a.example/cb")
        .append_pair("scope", "openid")
        .append_pair("response_type", "code")
        .append_pair("state", &state)
        .append_pair("nonce", &"n".repeat(384))
        .append_pair("login_hint", "13800000000")
        .append_pair("max_age", "0")
        .append_pair("prompt", "login consent")
        .finish();
    let request = checked(&query).unwrap();
    assert_eq!(request.state.as_ref(), Some(&state));
    assert_eq!(request.nonce.unwrap().len(), 384);
    assert_eq!(request.max_age, Some(0));
    assert!(request.prompt.login && request.prompt.consent && !request.prompt.none);
    assert_eq!(request.login_hint.as_deref(), Some("13800000000"));
}

#[test]
fn attack_34_a_client_gets_neither_scope_nor_claim_beyond_its_registration() {
    let claims = "%7B%22userinfo%22:%7B%22phone_number%22:null,%22name%22:null%7D%7D";
    let request = checked(&format!(
        "redirect_uri=https://a.example/cb&response_type=code&scope=openid%20phone%20staff&claims={claims}"
    ))
    .unwrap();
    assert_eq!(request.scope.text(), "openid");
    assert_eq!(request.claims.userinfo.keys().collect::<Vec<_>>(), ["name"]);
}

proptest! {
    #[test]
    fn outside_bytes_never_panic(bytes: Vec<u8>) {
        if let Ok(parameters) = Parameters::parse(&bytes) {
            let _ = check(&client(), &parameters, Arrival::default());
        }
    }

    /// Whatever else is sent, nothing leaves to an address that is not registered.
    #[test]
    fn attack_18_no_request_moves_the_answer(
        pairs in proptest::collection::btree_map(
            prop_oneof!["redirect_uri", "response_mode", "response_type", "scope", "prompt",
                "claims", "max_age", "request", "request_uri", "state"],
            prop_oneof!["https://a\\.example/cb.{0,2}", "code", "form_post", "openid", "none", ".{0,12}"],
            0..8,
        ),
    ) {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let Ok(parameters) = Parameters::parse(query.as_bytes()) else { return Ok(()) };
        match check(&client(), &parameters, Arrival::default()) {
            Ok(request) => {
                prop_assert_eq!(&request.redirect_uri, "https://a.example/cb");
                let text = serde_json::to_string(&request).unwrap();
                prop_assert_eq!(serde_json::from_str::<AuthorizationRequest>(&text).unwrap(), request);
            }
            Err(Refusal::Redirect { redirect_uri, .. }) => {
                prop_assert_eq!(redirect_uri, "https://a.example/cb");
            }
            Err(Refusal::Page(_)) => {}
        }
    }
}
