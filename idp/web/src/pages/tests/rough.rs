//! Whatever a client sends: the right status, a page, and never a 500.

use axum::body::Body;
use http::{Method, Request};

use crate::pages::Lang;

use super::site::{PASSWORD, Site};
use crate::testing::on_both;

const PAGES: [&str; 21] = [
    "/signin",
    "/signin/code",
    "/signin/sms",
    "/signin/sms/code",
    "/signout",
    "/consent",
    "/stepup",
    "/register",
    "/register/code",
    "/register/password",
    "/register/identity",
    "/recover",
    "/recover/code",
    "/recover/evidence",
    "/recover/password",
    "/account/sessions/end",
    "/account/consents/withdraw",
    "/account/language",
    "/account/password",
    "/account/freeze",
    "/signin/sms/resend",
];

fn post(path: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}

async fn attack_42_bodies_are_bounded_and_typed(site: Site) {
    site.citizen().await;
    let form = "application/x-www-form-urlencoded";
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    for path in PAGES.iter().filter(|path| !path.ends_with("resend")) {
        let huge = format!("identifier={}", "x".repeat(20_000));
        browser.send(post(path, form, huge)).await.is(413).has("role=\"alert\"");
        browser.send(post(path, "application/json", "{}")).await.is(415).has("role=\"alert\"");
        let many = "a=1&".repeat(100);
        browser.send(post(path, form, many)).await.is(400).has("role=\"alert\"");
    }
}

async fn garbage_is_never_our_failure(site: Site) {
    site.citizen().await;
    let form = "application/x-www-form-urlencoded";
    let names = [
        "identifier",
        "password",
        "code",
        "phone",
        "new_password",
        "name",
        "number",
        "evidence_kind",
        "evidence",
        "consent",
        "logout",
        "session",
        "client_id",
        "language",
        "freeze",
        "step",
        "flow",
    ];
    for signed_in in [false, true] {
        for value in
            ["", "%00", "%ff%fe", "%F0%9F%92%A9", "'%22%3E%3Cscript%3E", "a%0d%0aSet-Cookie:x"]
        {
            let body: String = names.iter().map(|name| format!("{name}={value}&")).collect();
            let mut browser = site.browser();
            if signed_in {
                browser.sign_in("lin", PASSWORD).await.is(303);
            }
            let cookies = browser.cookies.clone();
            for path in PAGES {
                // One page may sign out or change what the next one needs.
                browser.cookies.clone_from(&cookies);
                let address =
                    format!("{path}?flow={value}&lang={value}&check={value}&before={value}");
                let shown = browser.send(post(&address, form, body.clone())).await;
                assert!(shown.status.as_u16() < 500, "{path} {value}: {}", shown.status);
                shown.lacks("<script>");
                let shown = browser.get(&address).await;
                assert!(shown.status.as_u16() < 500, "{path} {value}: {}", shown.status);
                shown.lacks("<script>");
            }
        }
    }
}

async fn a_nul_in_a_path_names_nothing(site: Site) {
    let mut browser = site.browser();
    for path in ["/oauth2/authorize/%00", "/oauth2/register/a%00", "/static/%00"] {
        browser.get(path).await.is(404);
    }
    let sent = post("/signin", "application/x-www-form-urlencoded", "identifier=a%00&password=b");
    browser.send(sent).await.is(400).has("role=\"alert\"");
}

async fn wrong_methods_and_assets_answer_as_http_says(site: Site) {
    let mut browser = site.browser();
    let request = Request::builder().method("DELETE").uri("/signin").body(Body::empty()).unwrap();
    browser.send(request).await.is(405).has("role=\"alert\"");
    browser.get("/account/freeze").await.is(303);
    browser.get("/register/resend").await.is(405);
    let page = browser.get("/signin").await;
    let (_, rest) = page.body.split_once("href=\"/static/tongban.css").expect("a style sheet");
    let address = format!("/static/tongban.css{}", rest.split_once('"').unwrap().0);
    let sheet = browser.get(&address).await;
    assert!(sheet.is(200).headers["cache-control"].to_str().unwrap().contains("immutable"));
    let tag = sheet.headers["etag"].clone();
    let again = Request::get("/static/tongban.css").header("if-none-match", tag);
    browser.send(again.body(Body::empty()).unwrap()).await.is(304);
}

async fn attack_35_to_37_pages_carry_their_headers(site: Site) {
    let page = site.browser().get("/signin").await;
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    for part in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    page.lacks("<script").lacks("http://").lacks("https://");
}

async fn every_page_reads_in_both_languages(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    browser.sign_in("lin", PASSWORD).await.is(303);
    let open = [
        "/account",
        "/account/audit",
        "/account/password",
        "/account/freeze",
        "/account/frozen",
        "/signout",
    ];
    let shut =
        ["/signin", "/signin/sms", "/register", "/recover", "/consent", "/signin?done=recovered"];
    for path in open.iter().chain(&shut) {
        for lang in Lang::ALL {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = browser.get(&format!("{path}{separator}lang={}", lang.tag())).await;
            page.has(&format!("<html lang=\"{}\">", lang.tag())).has("hreflang=\"en\"");
            // A missing sentence would show its key.
            page.lacks("-title<").lacks("label-").lacks("{ $");
        }
    }
}

on_both! { Site:
    attack_42_bodies_are_bounded_and_typed;
    garbage_is_never_our_failure;
    a_nul_in_a_path_names_nothing;
    wrong_methods_and_assets_answer_as_http_says;
    attack_35_to_37_pages_carry_their_headers;
    every_page_reads_in_both_languages;
}
