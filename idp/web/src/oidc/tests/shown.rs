//! What a partner registered about itself, on the sign-in page (OpenID Connect Registration §2;
//! attacks rows 17, 36, 37).

use http::StatusCode;
use idp_domain::outgoing::{Answer, Failure};
use serde_json::json;

use super::house::{Browser, House, on_both};
use super::site::Sites;

const LOGO: &str = "https://l.example/logo.png";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and the rest";

async fn partner(house: &House, name: &str) {
    let registration = json!({"client_id": "l", "token_endpoint_auth_method": "none",
        "client_name": name, "redirect_uris": ["https://l.example/cb"], "scope": "openid",
        "client_uri": "https://l.example/?a=1&b=2", "logo_uri": LOGO,
        "policy_uri": "https://l.example/policy", "tos_uri": "https://l.example/terms"});
    house.register(registration).await;
}

/// The sign-in page of a stranger, and the address of its flow.
async fn page(house: &House, browser: &mut Browser) -> (String, String) {
    let challenge = super::house::CHALLENGE;
    let fields = [
        ("client_id", "l"),
        ("redirect_uri", "https://l.example/cb"),
        ("scope", "openid"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let answer = browser.authorize(house, &fields).await;
    let path = answer.location().to_owned();
    let (_, flow) = path.split_once("flow=").unwrap();
    let body = browser.get(house, &path).await.body;
    (body, format!("/signin/logo?flow={flow}"))
}

async fn registration_2_policy_terms_and_logo_stand_on_the_sign_in_page(house: House) {
    let sites = Sites::of(&house);
    sites.answer(LOGO, Ok(Answer { status: 200, body: PNG.to_vec(), ..Answer::default() }));
    partner(&house, "L<script>").await;
    let mut browser = Browser::default();
    let (body, logo) = page(&house, &mut browser).await;
    for part in [
        "href=\"https://l.example/policy\"",
        "href=\"https://l.example/terms\"",
        &format!("src=\"{logo}\""),
    ] {
        assert!(body.contains(part), "{part} {body}");
    }
    // Whatever is typed: the page that comes back still says whom she signs in to.
    let again = format!("/signin?{}", logo.split_once('?').unwrap().1);
    for typed in ["13800130001", "nobody at all"] {
        let fields = [("identifier", typed), ("password", "wrong and long enough")];
        let refused = browser.post(&house, &again, &[], &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        assert!(refused.body.contains("https://l.example/terms"), "{refused:?}");
        assert!(refused.body.contains(&format!("src=\"{logo}\"")), "{refused:?}");
    }
    // Attacks row 37: a name is text; row 36: no browser goes to the partner for a picture.
    assert!(!body.contains("<script>"), "{body}");
    assert!(!body.contains(LOGO), "{body}");
    for _ in 0..3 {
        let picture = browser.get(&house, &logo).await;
        assert_eq!(picture.status, StatusCode::OK);
        assert_eq!(picture.headers["content-type"], "image/png");
        assert_eq!(picture.headers["x-content-type-options"], "nosniff");
        let policy = picture.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("sandbox"), "{policy}");
    }
    assert_eq!(sites.asked(), 1);
}

async fn attack_37_a_drawing_with_scripts_is_no_picture(house: House) {
    let sites = Sites::of(&house);
    partner(&house, "L").await;
    let mut browser = Browser::default();
    let (_, logo) = page(&house, &mut browser).await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    let kind = Some("image/png".to_owned());
    let svg = Answer { status: 200, content_type: kind, body: svg, ..Answer::default() };
    let absent = Answer { status: 404, body: PNG.to_vec(), ..Answer::default() };
    for answer in [Ok(svg), Ok(absent), Err(Failure::Closed), Err(Failure::Long)] {
        sites.answer(LOGO, answer);
        for _ in 0..3 {
            assert_eq!(browser.get(&house, &logo).await.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(sites.asked(), 1);
        house.wait(60_000);
    }
}

async fn attack_17_only_whom_a_flow_sent_makes_us_look_for_a_picture(house: House) {
    let sites = Sites::of(&house);
    sites.answer(LOGO, Ok(Answer { status: 200, body: PNG.to_vec(), ..Answer::default() }));
    partner(&house, "L").await;
    let (_, logo) = page(&house, &mut Browser::default()).await;
    let mut stranger = Browser::default();
    for path in ["/signin/logo", "/signin/logo?flow=x", &logo] {
        assert_eq!(stranger.get(&house, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(sites.asked(), 0);
}

on_both! {
    registration_2_policy_terms_and_logo_stand_on_the_sign_in_page;
    attack_37_a_drawing_with_scripts_is_no_picture;
    attack_17_only_whom_a_flow_sent_makes_us_look_for_a_picture;
}
