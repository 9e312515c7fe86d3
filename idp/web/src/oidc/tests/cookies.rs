//! What binds a browser to us, and what no header of a request changes (attacks rows 20, 24).

use http::{Method, header};

use super::house::{Browser, House, ISSUER, on_both};
use crate::session::{self, Who};
use crate::state::Settings;

/// A neighbouring host, or a plain-text answer in its name, may set cookies for us; none of a
/// `__Host-` name (RFC 6265bis §4.1.3.2).
async fn attack_20_over_tls_a_cookie_is_of_this_host_alone(house: House) {
    let house = house.beside_with(Settings::new("https://id.example")).await;
    let mut browser = Browser::default();
    let begun = house.send(Method::GET, ASK, &[], "").await;
    browser.take(&begun.headers);
    browser.sign_in(&house, Who::Citizen("p1".into())).await;
    assert_eq!(browser.0.len(), 3, "a flow, a session and its state");
    assert!(browser.0.keys().all(|name| name.starts_with("__Host-tongban_")), "{:?}", browser.0);
    for cookie in begun.headers.get_all(header::SET_COOKIE) {
        let text = cookie.to_str().unwrap();
        assert!(text.contains("; Secure") && text.contains("; Path=/;"), "{text}");
        assert!(!text.to_lowercase().contains("domain"), "{text}");
    }
    assert!(begun.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    let stands = async |browser: &Browser| {
        session::current(&house.state, &browser.headers()).await.unwrap().is_some()
    };
    assert!(stands(&browser).await);
    // The very same secret under a name that anybody's host could have set.
    let planted = |(name, value): (&String, &String)| {
        (name.trim_start_matches("__Host-").to_owned(), value.clone())
    };
    assert!(!stands(&Browser(browser.0.iter().map(planted).collect())).await);
}

const ASK: &str = "/oauth2/authorize?client_id=a&response_type=code&scope=openid\
                   &redirect_uri=https%3A%2F%2Fa.example%2Fcb";

/// Cookies do not know ports: a deployment beside ours on the same host keeps its own.
async fn the_flows_of_another_port_are_let_be(house: House) {
    let mut browser = Browser::default();
    for n in 0..12 {
        browser.0.insert(format!("tongban_flow_80801_{n}"), "x".into());
    }
    for n in 0..12 {
        browser.0.insert(format!("tongban_flow_8080_{n}"), "x".into());
    }
    browser.get(&house, ASK).await;
    let of = |stem: &str| browser.0.keys().filter(|name| name.starts_with(stem)).count();
    assert_eq!((of("tongban_flow_80801_"), of("tongban_flow_8080_")), (12, 10));
}

/// Whatever a request calls this place, links and issuers are the configured ones.
async fn attack_24_no_header_moves_an_address_of_ours(house: House) {
    let evil = || "evil.example".to_owned();
    let headers = [
        ("host", evil()),
        ("x-forwarded-host", evil()),
        ("x-forwarded-proto", "http".to_owned()),
        ("forwarded", "host=evil.example".to_owned()),
        ("x-original-url", "https://evil.example/".to_owned()),
    ];
    for path in [
        ASK,
        "/.well-known/openid-configuration",
        "/oauth2/jwks",
        "/signin",
        "/recover",
        "/oauth2/end_session",
        "/oauth2/authorize",
    ] {
        let answer = house.send(Method::GET, path, &headers, "").await;
        assert!(!answer.status.is_server_error(), "{path}");
        assert!(!answer.body.contains("evil.example"), "{path}");
        for value in answer.headers.values() {
            assert!(!value.to_str().unwrap().contains("evil.example"), "{path}");
        }
    }
    let metadata = house.send(Method::GET, "/.well-known/openid-configuration", &headers, "").await;
    assert_eq!(metadata.json()["issuer"], ISSUER);
    let mut browser = Browser::signed_in(&house).await;
    let tokens = browser.tokens(&house, &[]).await;
    assert_eq!(super::house::claims(tokens["id_token"].as_str().unwrap())["iss"], ISSUER);
}

on_both! {
    attack_20_over_tls_a_cookie_is_of_this_host_alone;
    the_flows_of_another_port_are_let_be;
    attack_24_no_header_moves_an_address_of_ours;
}
