//! Every value in the lists of the metadata, used as a partner would use it (Discovery §3,
//! RFC 8414 §2): a value that does not work is a lie, and a new one is tried without being named.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use idp_protocol::jose::{Algorithm, Signer, Unverified, generate};
use idp_protocol::jwe::{self, Content, Management, Opener};
use serde_json::{Value, json};

use super::house::{BACK, Browser, House, ISSUER, SECRET, basic, claims, form, on_both};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Promised {
    house: House,
    document: Value,
    keys: Vec<Value>,
}

impl Promised {
    async fn of(house: House) -> Self {
        let document = house.send(Method::GET, "/.well-known/openid-configuration", &[], "").await;
        let keys = house.send(Method::GET, "/oauth2/jwks/sm2", &[], "").await.json();
        let keys = keys["keys"].as_array().unwrap().clone();
        Self { document: document.json(), keys, house }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let list = self.document[name].as_array().unwrap_or_else(|| panic!("no {name}"));
        list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// The list that all of these members hold.
    fn same(&self, names: &[&str]) -> Vec<String> {
        for name in names {
            assert_eq!(self.list(name), self.list(names[0]), "{name}");
        }
        self.list(names[0])
    }

    async fn register(&self, id: &str, more: Value) {
        let mut registration = json!({"client_id": id, "client_secret": SECRET,
            "redirect_uris": [BACK], "legal_basis": "test", "scope": "openid profile"});
        registration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.house.register(registration).await;
    }

    /// What is in a token that one of our keys has signed by `name`.
    fn signed_by(&self, name: &str, text: &str) -> Value {
        let token = Unverified::parse(text).unwrap();
        assert_eq!(token.algorithm_name(), Some(name));
        let typ = token.typ().map(str::to_owned);
        let algorithm = Algorithm::from_name(name).unwrap();
        let typ = typ.as_deref().filter(|typ| *typ != "JWT");
        token.verify(&self.keys, &[algorithm], typ).unwrap()
    }

    /// An answer by JARM, tokens, userinfo and introspection of a client; each as it came.
    async fn answers(&self, id: &str, open: impl Fn(&str) -> String) -> [String; 4] {
        let house = &self.house;
        let mut browser = Browser::signed_in(house).await;
        let asked = [("client_id", id), ("scope", "openid profile"), ("response_mode", "jwt")];
        let response = browser.authorize(house, &asked).await.query()["response"].clone();
        let inside = claims(&open(&response));
        let fields = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", BACK),
            ("code", inside["code"].as_str().unwrap()),
        ];
        let tokens = house.post("/oauth2/token", &[basic(id, SECRET)], &fields).await.json();
        let access = tokens["access_token"].as_str().unwrap();
        let info = house.userinfo(access).await.body;
        let kind = ("accept", "application/token-introspection+jwt".to_owned());
        let headers = [basic(id, SECRET), kind];
        let told = house.post("/oauth2/introspect", &headers, &[("token", access)]).await.body;
        [response, tokens["id_token"].as_str().unwrap().to_owned(), info, told]
    }
}

async fn discovery_3_each_signing_alg_signs_what_it_is_registered_for(house: House) {
    let promised = Promised::of(house).await;
    let kinds = ["authorization", "id_token", "userinfo", "introspection"];
    let names = kinds.map(|kind| format!("{kind}_signing_alg_values_supported"));
    for alg in promised.same(&names.each_ref().map(String::as_str)) {
        let id = format!("signs-{alg}");
        let mut more = json!({});
        for kind in kinds {
            more[format!("{kind}_signed_response_alg")] = json!(alg);
        }
        promised.register(&id, more).await;
        for (kind, text) in kinds.iter().zip(promised.answers(&id, str::to_owned).await) {
            assert_eq!(promised.signed_by(&alg, &text)["aud"], id, "{kind} {alg}");
        }
    }
}

async fn discovery_3_each_encryption_is_opened_by_its_key_alone(house: House) {
    let promised = Promised::of(house).await;
    let kinds = ["authorization", "id_token", "userinfo", "introspection"];
    let all = |what: &str| {
        let kinds = [kinds.as_slice(), &["request_object"]].concat();
        let names: Vec<_> =
            kinds.iter().map(|kind| format!("{kind}_encryption_{what}_values_supported")).collect();
        promised.same(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    for alg in all("alg") {
        let management = Management::from_name(&alg).unwrap();
        let own = [Opener::new(management, &jwe::generate(management).unwrap()).unwrap()];
        for enc in all("enc") {
            let id = format!("{alg}.{enc}");
            let mut more = json!({"jwks": {"keys": [own[0].jwk(), signer.jwk()]},
                "userinfo_signed_response_alg": "RS256"});
            for kind in kinds {
                more[format!("{kind}_encrypted_response_alg")] = json!(alg);
                more[format!("{kind}_encrypted_response_enc")] = json!(enc);
            }
            promised.register(&id, more).await;
            let open = |text: &str| String::from_utf8(jwe::open(&own, text).unwrap()).unwrap();
            for (kind, text) in kinds.iter().zip(promised.answers(&id, open).await) {
                let header = Unverified::parse(&text);
                assert!(header.is_err() && jwe::is_encrypted(&text), "{kind} {id}");
                let head = text.split('.').next().unwrap();
                let head = claims(&format!(".{head}."));
                assert_eq!((&head["alg"], &head["enc"]), (&json!(alg), &json!(enc)), "{kind}");
                assert_eq!(promised.signed_by("RS256", &open(&text))["aud"], id, "{kind}");
            }
            // And the other way: a request that is encrypted to us.
            let key = promised.keys.iter().find(|key| key["alg"] == alg.as_str()).unwrap();
            let content = Content::from_name(&enc).unwrap();
            let request = json!({"iss": id, "aud": ISSUER, "client_id": id, "scope": "openid",
                "response_type": "code", "redirect_uri": BACK, "state": "inside"});
            let request = signer.sign("JWT", &request).unwrap();
            let request =
                jwe::encrypt(request.as_bytes(), key, management, content, Some("JWT")).unwrap();
            let fields = [("request", request.as_str())];
            let house = &promised.house;
            let answer = house.post("/oauth2/par", &[basic(&id, SECRET)], &fields).await;
            assert_eq!(answer.status, StatusCode::CREATED, "{id} {answer:?}");
        }
    }
}

async fn discovery_3_each_alg_of_a_client_is_believed(house: House) {
    let promised = Promised::of(house).await;
    let algorithms = promised.same(&[
        "token_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "request_object_signing_alg_values_supported",
        "backchannel_authentication_request_signing_alg_values_supported",
    ]);
    for alg in algorithms {
        let algorithm = Algorithm::from_name(&alg).unwrap();
        let signer = Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap();
        let (house, id) = (&promised.house, format!("asserts-{alg}"));
        house
            .register(json!({"client_id": id, "redirect_uris": [BACK], "scope": "openid",
                "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk()]},
                "token_endpoint_auth_signing_alg": alg, "request_object_signing_alg": alg,
                "backchannel_authentication_request_signing_alg": alg,
                "backchannel_token_delivery_mode": "poll", "sector": "s.example",
                "grant_types": ["authorization_code", "client_credentials",
                    idp_protocol::ciba::GRANT]}))
            .await;
        let now = house.state.now() / 1000;
        let fresh = || {
            json!({"iss": id, "aud": ISSUER, "exp": now + 60, "iat": now, "nbf": now,
            "jti": house.state.ambient.id()})
        };
        let with = |extra: Value| {
            let mut body = fresh();
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            signer.sign("JWT", &body).unwrap()
        };
        let send = async |path: &str, name: &str, value: &str| {
            let assertion = with(json!({"sub": id}));
            let fields = [
                ("client_assertion_type", ASSERTION),
                ("client_assertion", assertion.as_str()),
                (name, value),
            ];
            house.post(path, &[], &fields).await.status
        };
        let credentials = send("/oauth2/token", "grant_type", "client_credentials").await;
        assert_eq!(credentials, StatusCode::OK, "{alg}");
        assert_eq!(send("/oauth2/introspect", "token", "x").await, StatusCode::OK, "{alg}");
        assert_eq!(send("/oauth2/revoke", "token", "x").await, StatusCode::OK, "{alg}");
        let request = with(json!({"client_id": id, "response_type": "code", "scope": "openid",
            "redirect_uri": BACK}));
        assert_eq!(send("/oauth2/par", "request", &request).await, StatusCode::CREATED, "{alg}");
        let request = with(json!({"scope": "openid", "login_hint": "13800130001"}));
        assert_eq!(send("/oauth2/ciba", "request", &request).await, StatusCode::OK, "{alg}");
    }
}

async fn rfc_8414_2_each_method_opens_each_endpoint(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
    let certificate = super::certificates::issued("vouched");
    let published = super::certificates::published(&certificate);
    for endpoint in ["token", "revocation", "introspection"] {
        let path = promised.document[format!("{endpoint}_endpoint")].as_str().unwrap().to_owned();
        let path = path.strip_prefix(ISSUER).unwrap();
        for method in promised.list(&format!("{endpoint}_endpoint_auth_methods_supported")) {
            let id = format!("{endpoint}-{method}");
            let grants = if method == "none" { "authorization_code" } else { "client_credentials" };
            let mut registration = json!({"client_id": id, "redirect_uris": [BACK],
                "grant_types": [grants], "scope": "openid", "legal_basis": "test",
                "token_endpoint_auth_method": method});
            let more = match method.as_str() {
                "private_key_jwt" => json!({"jwks": {"keys": [signer.jwk()]}}),
                "tls_client_auth" => json!({"tls_client_auth_subject_dn": "CN=vouched,O=partners"}),
                "self_signed_tls_client_auth" => json!({"jwks": {"keys": [published]}}),
                "none" => json!({}),
                _ => json!({"client_secret": SECRET}),
            };
            registration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            house.register(registration).await;
            let now = house.state.now() / 1000;
            let assertion = signer
                .sign(
                    "JWT",
                    &json!({"iss": id, "sub": id, "aud": ISSUER,
                "exp": now + 60, "jti": id}),
                )
                .unwrap();
            let mut fields: Vec<(&str, &str)> = match method.as_str() {
                "client_secret_basic" => vec![],
                "client_secret_post" => vec![("client_id", &id), ("client_secret", SECRET)],
                "private_key_jwt" => {
                    vec![("client_assertion_type", ASSERTION), ("client_assertion", &assertion)]
                }
                _ => vec![("client_id", &id)],
            };
            let mut browser = Browser::signed_in(house).await;
            let code = match (endpoint, method.as_str()) {
                ("token", "none") => {
                    let challenge = [
                        ("client_id", id.as_str()),
                        ("scope", "openid"),
                        ("code_challenge", super::house::CHALLENGE),
                        ("code_challenge_method", "S256"),
                    ];
                    browser.code(house, &challenge).await
                }
                _ => String::new(),
            };
            match endpoint {
                "token" if method == "none" => fields.extend([
                    ("grant_type", "authorization_code"),
                    ("code", code.as_str()),
                    ("redirect_uri", BACK),
                    ("code_verifier", super::house::VERIFIER),
                ]),
                "token" => fields.push(("grant_type", "client_credentials")),
                _ => fields.push(("token", "x")),
            }
            let headers = match method.as_str() {
                "client_secret_basic" => vec![basic(&id, SECRET)],
                _ => Vec::new(),
            };
            let shown = method.contains("tls").then_some(certificate.as_slice());
            house.shows(shown);
            let answer = house.post(path, &headers, &fields).await;
            house.shows(None);
            assert_eq!(answer.status, StatusCode::OK, "{id} {answer:?}");
            // None of them is a formality.
            if method != "none" {
                let name_only = [
                    ("client_id", id.as_str()),
                    ("token", "x"),
                    ("grant_type", "client_credentials"),
                ];
                let refused = house.post(path, &[], &name_only).await;
                assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{id}");
            }
        }
    }
}

async fn rfc_9449_5_1_each_dpop_alg_binds(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    let list = promised.list("dpop_signing_alg_values_supported");
    for alg in &list {
        let algorithm = Algorithm::from_name(alg).unwrap();
        let signer = Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap();
        let mut jwk = signer.jwk().clone();
        for extra in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(extra);
        }
        let proof = json!({"jti": house.state.ambient.id(), "htm": "POST",
            "htu": format!("{ISSUER}/oauth2/token"), "iat": house.state.now() / 1000});
        let header = json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk});
        let proof = ("dpop", signer.sign_with_header(&header, &proof).unwrap());
        let fields = [("grant_type", "client_credentials")];
        let answer = house.post("/oauth2/token", &[basic("a", SECRET), proof], &fields).await;
        assert_eq!(answer.json()["token_type"], "DPoP", "{alg}");
        let bound = claims(answer.json()["access_token"].as_str().unwrap());
        let jkt = idp_protocol::jose::thumbprint(signer.jwk()).unwrap();
        assert_eq!(bound["cnf"]["jkt"], jkt, "{alg}");
    }
    assert!(!list.is_empty());
}

async fn discovery_3_each_claim_and_scope_is_told(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    let scopes = promised.list("scopes_supported");
    let all = scopes.join(" ");
    promised
        .register(
            "all",
            json!({"scope": all,
        "grant_types": ["authorization_code", "refresh_token"]}),
        )
        .await;
    let mut browser = Browser::signed_in(house).await;
    let told = async |browser: &mut Browser, scope: &str| -> BTreeSet<String> {
        let asked = [("client_id", "all"), ("scope", scope), ("nonce", "n")];
        let code = browser.code(house, &asked).await;
        let fields =
            [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
        let tokens = house.post("/oauth2/token", &[basic("all", SECRET)], &fields).await.json();
        assert_eq!(tokens["scope"], scope);
        let id = claims(tokens["id_token"].as_str().unwrap());
        let info = house.userinfo(tokens["access_token"].as_str().unwrap()).await.json();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        names(&id).into_iter().chain(names(&info)).collect()
    };
    let whole = told(&mut browser, &all).await;
    for claim in promised.list("claims_supported") {
        assert!(whole.contains(&claim), "{claim} is not in {whole:?}");
    }
    let bare = told(&mut browser, "openid").await;
    for scope in scopes.iter().filter(|scope| *scope != "openid") {
        let with = told(&mut browser, &format!("openid {scope}")).await;
        let more: Vec<_> = with.difference(&bare).collect();
        // These two open something else than claims.
        let other = ["offline_access", "cases"].contains(&scope.as_str());
        assert_eq!(more.is_empty(), other, "{scope} brings {more:?}");
    }
}

async fn discovery_3_each_response_mode_carries_the_answer(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    for mode in promised.list("response_modes_supported") {
        let mut browser = Browser::signed_in(house).await;
        let asked = [("response_mode", mode.as_str()), ("scope", "openid")];
        let answer = browser.authorize(house, &asked).await;
        let carried = if mode.contains("jwt") { "response" } else { "code" };
        if mode.starts_with("form_post") {
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body.contains(&format!("name=\"{carried}\"")), "{mode}");
            assert!(answer.body.contains(&format!("action=\"{BACK}\"")), "{mode}");
            continue;
        }
        assert!(!answer.query()[carried].is_empty(), "{mode}");
        // OAuth 2.0 Multiple Response Types §2.1; JARM §2.3.4: `jwt` is the type's default.
        let separator = if mode.starts_with("fragment") { '#' } else { '?' };
        assert!(answer.location().starts_with(&format!("{BACK}{separator}")), "{mode}");
    }
}

async fn discovery_3_each_subject_type_names_people_in_its_way(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    for kind in promised.list("subject_types_supported") {
        let mut subjects = BTreeSet::new();
        for site in ["one", "two"] {
            let (id, back) = (format!("{kind}-{site}"), format!("https://{site}.example/cb"));
            let more = json!({"subject_type": kind, "redirect_uris": [back]});
            promised.register(&id, more).await;
            let mut browser = Browser::signed_in(house).await;
            let asked = [("client_id", id.as_str()), ("redirect_uri", &back), ("scope", "openid")];
            let code = browser.code(house, &asked).await;
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", &back),
            ];
            let tokens = house.post("/oauth2/token", &[basic(&id, SECRET)], &fields).await.json();
            let id = claims(tokens["id_token"].as_str().unwrap());
            subjects.insert(id["sub"].as_str().unwrap().to_owned());
        }
        // OpenID Connect Core §8: two sites know one person by two names, or by one.
        assert_eq!(subjects.len(), if kind == "public" { 1 } else { 2 }, "{kind}");
    }
}

async fn discovery_3_each_acr_is_given_or_asked_for(house: House) {
    let promised = Promised::of(house).await;
    let house = &promised.house;
    // The person is at proofing level 3 and has typed a password.
    for acr in promised.list("acr_values_supported") {
        let mut browser = Browser::signed_in(house).await;
        let asked = [("acr_values", acr.as_str()), ("scope", "openid")];
        if ["urn:tongban:proofing:4", "urn:tongban:auth:2"].contains(&acr.as_str()) {
            let page = browser.authorize(house, &asked).await.location().to_owned();
            assert!(page.starts_with('/') && page.contains("flow="), "{acr}: {page}");
            let silent = [asked[0], asked[1], ("prompt", "none")];
            let error = browser.authorize(house, &silent).await.query()["error"].clone();
            let known =
                ["login_required", "interaction_required", "unmet_authentication_requirements"];
            assert!(known.contains(&error.as_str()), "{acr}: {error}");
            continue;
        }
        let tokens = browser.tokens(house, &asked).await;
        assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], acr, "{acr}");
    }
}

async fn discovery_3_each_language_is_spoken(house: House) {
    let promised = Promised::of(house).await;
    for language in promised.list("ui_locales_supported") {
        let fields = [
            ("client_id", "a"),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("ui_locales", language.as_str()),
            ("display", "page"),
        ];
        let mut browser = Browser::default();
        let path = format!("/oauth2/authorize?{}", form(&fields));
        let mut answer = promised.house.send(Method::GET, &path, &[], "").await;
        for _ in 0..3 {
            browser.take(&answer.headers);
            if answer.status == StatusCode::OK {
                break;
            }
            let (path, cookie) = (answer.location().to_owned(), browser.headers());
            let cookie = cookie.get("cookie").map(|text| text.to_str().unwrap().to_owned());
            let cookie = ("cookie", cookie.unwrap_or_default());
            answer = promised.house.send(Method::GET, &path, &[cookie], "").await;
        }
        assert!(answer.body.contains(&format!("lang=\"{language}\"")), "{language}");
    }
}

on_both! {
    discovery_3_each_signing_alg_signs_what_it_is_registered_for;
    discovery_3_each_encryption_is_opened_by_its_key_alone;
    discovery_3_each_alg_of_a_client_is_believed;
    rfc_8414_2_each_method_opens_each_endpoint;
    rfc_9449_5_1_each_dpop_alg_binds;
    discovery_3_each_claim_and_scope_is_told;
    discovery_3_each_response_mode_carries_the_answer;
    discovery_3_each_subject_type_names_people_in_its_way;
    discovery_3_each_acr_is_given_or_asked_for;
    discovery_3_each_language_is_spoken;
}
