//! The FAPI 2.0 Security Profile for each way to authenticate with each way to bind, told as the
//! certification programme's modules are (their names without `fapi2-security-profile-final-`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, generate};
use serde_json::{Value, json};

use super::certificates::issued;
use super::dpop::Key;
use super::house::{Answer, Browser, CHALLENGE, House, ISSUER, VERIFIER, claims, form, on_both};

type Fields<'a> = Vec<(&'a str, &'a str)>;

/// The four variants: authenticates by certificate, binds by certificate.
const VARIANTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// A client of the profile, with what it holds.
struct Fapi {
    id: &'static str,
    back: String,
    signer: Signer,
    key: Key,
    certificate: Vec<u8>,
    by_certificate: bool,
    bound_by_certificate: bool,
}

impl Fapi {
    /// What a client of that name and variant would hold; registered or not.
    fn made(id: &'static str, (own, bound): (bool, bool), algorithm: Algorithm) -> Self {
        Self {
            id,
            back: format!("https://{id}.example/cb?dummy1=lorem&dummy2=ipsum"),
            signer: Signer::new(algorithm, &rsa()).unwrap(),
            key: Key::new(),
            certificate: issued(id),
            by_certificate: own,
            bound_by_certificate: bound,
        }
    }

    async fn new(house: &House, id: &'static str, variant: (bool, bool)) -> Self {
        let made = Self::made(id, variant, Algorithm::Ps256);
        let (own, bound) = variant;
        let mut registration = json!({
            "client_id": id, "policy": "fapi2", "redirect_uris": [made.back], "legal_basis": "test",
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "scope": "openid profile cases", "jwks": {"keys": [made.signer.jwk()]},
            "token_endpoint_auth_method": "private_key_jwt",
            "tls_client_certificate_bound_access_tokens": bound,
        });
        if own {
            registration["token_endpoint_auth_method"] = json!("tls_client_auth");
            registration["tls_client_auth_subject_dn"] = json!(format!("CN={id},O=partners"));
        }
        house.register(registration).await;
        made
    }

    fn assertion(&self, house: &House, changes: &[(&str, Value)]) -> String {
        let now = house.state.now() / 1000;
        let mut claims = json!({"iss": self.id, "sub": self.id, "aud": ISSUER, "iat": now,
            "exp": now + 60, "jti": house.state.ambient.id()});
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        self.signer.sign("JWT", &claims).unwrap()
    }

    /// Sends a form with all that the client has.
    async fn send(&self, house: &House, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.with(house, path, fields, &self.assertion(house, &[]), !self.bound_by_certificate)
            .await
    }

    /// The same with an assertion (if it uses one at all) and with or without a proof.
    async fn with(
        &self,
        house: &House,
        path: &str,
        fields: &[(&str, &str)],
        assertion: &str,
        proof: bool,
    ) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("client_id", self.id));
        if !self.by_certificate && !assertion.is_empty() {
            fields.push(("client_assertion_type", idp_protocol::assertion::TYPE));
            fields.push(("client_assertion", assertion));
        }
        house
            .shows((self.by_certificate || self.bound_by_certificate).then_some(&self.certificate));
        let proofs = if proof { vec![self.key.post(house, path)] } else { Vec::new() };
        let answer = house.post(path, &proofs, &fields).await;
        house.shows(None);
        answer
    }

    fn request(&self) -> Fields<'_> {
        vec![
            ("response_type", "code"),
            ("redirect_uri", &self.back),
            ("scope", "openid profile"),
            ("state", "a state"),
            ("nonce", "0123456789012345678901234567890123456789012345678901234567890123"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    async fn push(&self, house: &House, changes: &[(&str, &str)]) -> Answer {
        let mut fields = self.request();
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        fields.retain(|(_, value)| !value.is_empty());
        self.send(house, "/oauth2/par", &fields).await
    }

    /// The answer at the redirect URI.
    async fn arrive(&self, house: &House, pushed: &Answer) -> Answer {
        assert_eq!(pushed.status, StatusCode::CREATED, "{pushed:?}");
        let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let query = form(&[("client_id", self.id), ("request_uri", &uri)]);
        let mut browser = Browser::signed_in(house).await;
        let first = browser.get(house, &format!("/oauth2/authorize?{query}")).await;
        let path = first.location().to_owned();
        browser.get(house, &path).await
    }

    async fn code(&self, house: &House) -> String {
        let answer = self.arrive(house, &self.push(house, &[]).await).await;
        answer.query().remove("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    fn redeems<'a>(&'a self, code: &'a str) -> Fields<'a> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.back),
            ("code_verifier", VERIFIER),
        ]
    }

    async fn redeem(&self, house: &House, code: &str) -> Answer {
        self.send(house, "/oauth2/token", &self.redeems(code)).await
    }

    async fn tokens(&self, house: &House) -> Value {
        let code = self.code(house).await;
        let answer = self.redeem(house, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// A resource, with the token under a scheme and the key or certificate of `holder`.
    async fn resource(&self, house: &House, token: &str, scheme: &str, holder: &Self) -> Answer {
        let mut headers = vec![("authorization", format!("{scheme} {token}"))];
        if self.bound_by_certificate {
            house.shows(Some(&holder.certificate));
        } else {
            headers.push(holder.key.get(house, token, &[]));
        }
        let answer = house.send(Method::GET, "/oauth2/userinfo", &headers, "").await;
        house.shows(None);
        answer
    }

    fn scheme(&self) -> &'static str {
        if self.bound_by_certificate { "Bearer" } else { "DPoP" }
    }
}

/// Making RSA keys takes longer than these tests: one serves all.
fn rsa() -> Vec<u8> {
    static RSA: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    RSA.get_or_init(|| generate(Algorithm::Ps256).unwrap().to_vec()).clone()
}

fn refused(answer: &Answer, codes: &[&str], told: &str) {
    assert!(codes.contains(&answer.error().as_str()), "{told}: {answer:?}");
    let status = if answer.error() == "invalid_client" { 401 } else { 400 };
    assert_eq!(answer.status.as_u16(), status, "{told}");
}

async fn variants(house: &House) -> Vec<Fapi> {
    let mut all = Vec::new();
    for (id, variant) in ["f1", "f2", "f3", "f4"].into_iter().zip(VARIANTS) {
        all.push(Fapi::new(house, id, variant).await);
    }
    all
}

async fn happy_flow(house: House) {
    for client in variants(&house).await {
        let pushed = client.push(&house, &[]).await;
        assert!((5..=600).contains(&pushed.json()["expires_in"].as_i64().unwrap()));
        let query = client.arrive(&house, &pushed).await.query();
        assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("a state", ISSUER));
        assert_eq!((query["dummy1"].as_str(), query["dummy2"].as_str()), ("lorem", "ipsum"));
        let answer = client.redeem(&house, &query["code"]).await;
        let tokens = answer.json();
        assert_eq!(tokens["token_type"], client.scheme(), "{tokens}");
        let id = tokens["id_token"].as_str().unwrap();
        assert_eq!(claims(id)["nonce"].as_str().unwrap().len(), 64);
        let header = URL_SAFE_NO_PAD.decode(id.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], "ES256", "the policy's default");
        let token = tokens["access_token"].as_str().unwrap();
        let answer = client.resource(&house, token, client.scheme(), &client).await;
        assert_eq!(answer.json()["sub"], claims(id)["sub"]);
        // Without a state and a nonce, with the scopes the other way round.
        let changes = [("state", ""), ("nonce", ""), ("scope", "profile openid")];
        let query = client.arrive(&house, &client.push(&house, &changes).await).await.query();
        assert!(!query.contains_key("state"));
        assert_eq!(client.redeem(&house, &query["code"]).await.status, StatusCode::OK);
    }
}

async fn access_token_type_header_case_sensitivity(house: House) {
    for client in variants(&house).await {
        let tokens = client.tokens(&house).await;
        let token = tokens["access_token"].as_str().unwrap();
        for scheme in [client.scheme().to_lowercase(), client.scheme().to_uppercase()] {
            let answer = client.resource(&house, token, &scheme, &client).await;
            assert_eq!(answer.status, StatusCode::OK, "{scheme}");
        }
    }
}

async fn attack_15_ensure_holder_of_key_required(house: House) {
    let thief = Fapi::new(&house, "thief", (false, false)).await;
    for client in variants(&house).await {
        let tokens = client.tokens(&house).await;
        let token = tokens["access_token"].as_str().unwrap();
        let scheme = client.scheme();
        let answer = client.resource(&house, token, scheme, &thief).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", client.id);
        for scheme in ["Bearer", "DPoP"] {
            let headers = [("authorization", format!("{scheme} {token}"))];
            let answer = house.send(Method::GET, "/oauth2/userinfo", &headers, "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {scheme}", client.id);
        }
        // At the token endpoint: no proof, and no certificate where that is what binds.
        if client.by_certificate {
            continue;
        }
        let code = client.code(&house).await;
        let bare = Fapi::made(client.id, (false, false), Algorithm::Ps256);
        let assertion = bare.assertion(&house, &[]);
        let fields = client.redeems(&code);
        let answer = bare.with(&house, "/oauth2/token", &fields, &assertion, false).await;
        refused(&answer, &["invalid_request"], client.id);
        // Nothing was used up.
        assert_eq!(client.redeem(&house, &code).await.status, StatusCode::OK);
    }
}

async fn attack_08_ensure_authorization_code_is_bound_to_client(house: House) {
    let other = Fapi::new(&house, "other", (false, false)).await;
    for client in variants(&house).await {
        let code = client.code(&house).await;
        let answer = other.send(&house, "/oauth2/token", &client.redeems(&code)).await;
        refused(&answer, &["invalid_grant"], client.id);
        // With another's name beside one's own credentials.
        let mut fields = client.redeems(&code);
        fields.push(("client_id", client.id));
        let answer = other.send(&house, "/oauth2/token", &fields).await;
        refused(&answer, &["invalid_client", "invalid_request"], client.id);
        assert_eq!(client.redeem(&house, &code).await.status, StatusCode::OK);
    }
}

async fn attack_01_attempt_reuse_authorization_code_after_one_second(house: House) {
    for client in variants(&house).await {
        let code = client.code(&house).await;
        let tokens = client.redeem(&house, &code).await.json();
        let token = tokens["access_token"].as_str().unwrap();
        house.wait(1_000);
        refused(&client.redeem(&house, &code).await, &["invalid_grant"], client.id);
        let answer = client.resource(&house, token, client.scheme(), &client).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "revoked");
        let late = client.code(&house).await;
        house.wait(60_000);
        refused(&client.redeem(&house, &late).await, &["invalid_grant"], "60 s");
    }
}

async fn attack_06_ensure_request_with_invalid_pkce_fails(house: House) {
    for client in variants(&house).await {
        for changes in [
            &[("code_challenge", ""), ("code_challenge_method", "")][..],
            &[("code_challenge_method", "plain")],
            &[("code_challenge_method", "")],
        ] {
            refused(&client.push(&house, changes).await, &["invalid_request"], client.id);
        }
        for verifier in ["", "wrong-but-long-enough-to-be-a-code-verifier-0123"] {
            let code = client.code(&house).await;
            let mut fields = client.redeems(&code);
            fields.retain(|(name, _)| *name != "code_verifier");
            if !verifier.is_empty() {
                fields.push(("code_verifier", verifier));
            }
            let answer = client.send(&house, "/oauth2/token", &fields).await;
            refused(&answer, &["invalid_grant"], client.id);
        }
    }
}

async fn refresh_token(house: House) {
    let thief = Fapi::new(&house, "thief", (false, false)).await;
    for client in variants(&house).await {
        // Nobody asked for offline_access.
        let tokens = client.tokens(&house).await;
        let first = tokens["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", first)];
        let answer = thief.send(&house, "/oauth2/token", &fields).await;
        refused(&answer, &["invalid_grant"], "another client");
        let mut named = fields.to_vec();
        named.push(("client_id", client.id));
        let answer = house.post("/oauth2/token", &[], &named).await;
        refused(&answer, &["invalid_client"], "without authentication");
        if !client.by_certificate {
            let bare = Fapi::made(client.id, (false, false), Algorithm::Ps256);
            let assertion = bare.assertion(&house, &[]);
            let answer = bare.with(&house, "/oauth2/token", &fields, &assertion, false).await;
            refused(&answer, &["invalid_request", "invalid_grant"], "without its key");
        }
        let answer = client.send(&house, "/oauth2/token", &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(claims(answer.json()["access_token"].as_str().unwrap())["cnf"].is_object());
        // FAPI 2.0 §5.3.2.1, item 11: whatever came back, what the client has still works.
        let second = answer.json()["refresh_token"].as_str().unwrap_or(first).to_owned();
        for token in [first, &second, first] {
            house.wait(45_000);
            let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
            let answer = client.send(&house, "/oauth2/token", &fields).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        }
    }
}

async fn par_ensure_requests_that_are_wrong_are_refused(house: House) {
    for client in variants(&house).await {
        for changes in [
            ("redirect_uri", ""),
            ("redirect_uri", "https://evil.example/cb"),
            ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            ("response_type", "code id_token"),
            ("response_type", "token"),
        ] {
            let answer = client.push(&house, &[changes]).await;
            refused(&answer, &["invalid_request", "unsupported_response_type"], changes.0);
        }
        // Plain, without PAR: a page, and nobody is redirected.
        let mut fields = client.request();
        fields.push(("client_id", client.id));
        let path = format!("/oauth2/authorize?{}", form(&fields));
        let answer = Browser::signed_in(&house).await.get(&house, &path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("invalid_request"));
        // RFC 9449 §10: another key than the one that is named.
        if !client.bound_by_certificate {
            let named = Key::new().jkt();
            let answer = client.push(&house, &[("dpop_jkt", &named)]).await;
            refused(&answer, &["invalid_dpop_proof", "invalid_request"], "dpop_jkt");
        }
    }
}

async fn attack_16_ensure_client_assertions_that_are_wrong_are_refused(house: House) {
    let seconds = |ahead: i64| json!(house.state.now() / 1000 + ahead);
    let cases: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("token endpoint", vec![("aud", json!(format!("{ISSUER}/oauth2/token")))]),
        ("PAR endpoint", vec![("aud", json!(format!("{ISSUER}/oauth2/par")))]),
        ("an array", vec![("aud", json!([ISSUER]))]),
        ("another server", vec![("aud", json!("https://other.example"))]),
        ("expired", vec![("exp", seconds(-61))]),
        ("too long", vec![("exp", seconds(3_700))]),
        ("from the future", vec![("nbf", seconds(70))]),
        ("no sub", vec![("sub", json!(null))]),
        ("no jti", vec![("jti", json!(null))]),
    ];
    for variant in [(false, false), (false, true)] {
        let id = if variant.1 { "m" } else { "d" };
        let client = Fapi::new(&house, id, variant).await;
        let credentials = vec![("grant_type", "client_credentials")];
        for (path, fields) in [("/oauth2/par", client.request()), ("/oauth2/token", credentials)] {
            let proof = !client.bound_by_certificate;
            for (told, changes) in &cases {
                let assertion = client.assertion(&house, changes);
                let answer = client.with(&house, path, &fields, &assertion, proof).await;
                refused(&answer, &["invalid_client"], told);
            }
            let answer = client.with(&house, path, &fields, "", proof).await;
            refused(&answer, &["invalid_client"], "none");
            let near = client.assertion(&house, &[("nbf", seconds(8))]);
            let answer = client.with(&house, path, &fields, &near, proof).await;
            assert!(answer.status.is_success(), "{answer:?}");
            let again = client.with(&house, path, &fields, &near, proof).await;
            refused(&again, &["invalid_client"], "used before");
            // RS256 by the registered key.
            let weak = Fapi::made(client.id, variant, Algorithm::Rs256);
            let assertion = weak.assertion(&house, &[]);
            let answer = client.with(&house, path, &fields, &assertion, proof).await;
            refused(&answer, &["invalid_client"], "RS256");
        }
    }
}

async fn client_credentials(house: House) {
    for client in variants(&house).await {
        let grant = [("grant_type", "client_credentials")];
        let answer = client.send(&house, "/oauth2/token", &grant).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let member = if client.bound_by_certificate { "x5t#S256" } else { "jkt" };
        assert_eq!(claims(&token)["cnf"].as_object().unwrap().keys().next().unwrap(), member);
        let seen = client.send(&house, "/oauth2/introspect", &[("token", &token)]).await.json();
        assert_eq!((&seen["active"], &seen["cnf"]), (&json!(true), &claims(&token)["cnf"]));
    }
}

/// The person is asked each time, also when she allowed the same before, and her no is told.
async fn user_rejects_authentication(house: House) {
    let client = Fapi::new(&house, "c", VARIANTS[0]).await;
    let mut registration = json!({
        "client_id": "d", "policy": "fapi2", "redirect_uris": [client.back],
        "grant_types": ["authorization_code"], "scope": "openid profile",
        "jwks": {"keys": [client.signer.jwk()]}, "token_endpoint_auth_method": "private_key_jwt",
    });
    registration["client_name"] = json!("D");
    house.register(registration).await;
    let client = Fapi { id: "d", ..client };
    let site = [("origin", ISSUER.to_owned())];
    for choice in ["allow", "deny"] {
        let pushed = client.push(&house, &[]).await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{pushed:?}");
        let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let query = form(&[("client_id", "d"), ("request_uri", &uri)]);
        let mut browser = Browser::signed_in(&house).await;
        let first = browser.get(&house, &format!("/oauth2/authorize?{query}")).await;
        let flow = first.location().to_owned();
        let page = browser.get(&house, &flow).await.location().to_owned();
        assert!(page.starts_with("/consent?flow="), "asked for {choice}: {page}");
        browser.get(&house, &page).await;
        let back = browser.post(&house, &page, &site, &[("consent", choice)]).await;
        let answer = browser.get(&house, back.location()).await.query();
        match choice {
            "allow" => assert!(answer.contains_key("code"), "{answer:?}"),
            _ => assert_eq!(answer["error"], "access_denied"),
        }
        assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("a state", ISSUER));
    }
}

/// FAPI 1.0 Part 1 §6.2.1 clauses 11 and 12, which FAPI-CIBA asks for.
async fn fapi_r_6_2_1_11_a_resource_names_the_call(house: House) {
    let token = Browser::signed_in(&house).await.tokens(&house, &[]).await;
    let access = token["access_token"].as_str().unwrap().to_owned();
    let name = "x-fapi-interaction-id";
    let theirs = "c770aef3-6784-41f7-8e0e-ff5f97bddb3a".to_owned();
    let known = [super::house::bearer(&access), (name, theirs.clone())];
    let answer = house.send(Method::GET, "/oauth2/userinfo", &known, "").await;
    assert_eq!(answer.headers[name].to_str().unwrap(), theirs);
    let ours = house.userinfo(&access).await.headers[name].to_str().unwrap().to_owned();
    assert!(ours.len() == 36 && ours != theirs, "{ours}");
    let odd = [super::house::bearer(&access), (name, "a%0d%0ab".to_owned())];
    let answer = house.send(Method::GET, "/oauth2/userinfo", &odd, "").await;
    assert_eq!(answer.headers[name].len(), 36);
}

on_both! {
    happy_flow;
    user_rejects_authentication;
    fapi_r_6_2_1_11_a_resource_names_the_call;
    access_token_type_header_case_sensitivity;
    attack_15_ensure_holder_of_key_required;
    attack_08_ensure_authorization_code_is_bound_to_client;
    attack_01_attempt_reuse_authorization_code_after_one_second;
    attack_06_ensure_request_with_invalid_pkce_fails;
    refresh_token;
    par_ensure_requests_that_are_wrong_are_refused;
    attack_16_ensure_client_assertions_that_are_wrong_are_refused;
    client_credentials;
}
