//! Sign in once: two partners written with a stock library, one session.

use tests_kit::{Browser, Deployment};

async fn the_second_partner_asks_nothing(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();

    browser.open(&on.partners[0]).await.fine();
    browser.follow("a[data-action=signin]").await;
    browser.sign_in(&citizen).await;
    assert!(browser.page().has("[data-claim]"), "one line a claim group");
    let page = browser.allow().await.fine();
    assert!(page.url.as_str().starts_with(&on.partners[0]), "{}", page.told());
    assert!(page.has("[data-signed-in]"), "{}", page.told());
    let first = page.one("[data-claim=sub]").text;

    browser.open(&on.partners[1]).await.fine();
    let page = browser.follow("a[data-action=signin]").await.fine();
    assert!(page.url.as_str().starts_with(&on.partners[1]), "{}", page.told());
    assert!(page.has("[data-signed-in]"), "{}", page.told());
    assert_ne!(page.one("[data-claim=sub]").text, first, "each partner sees its own pseudonym");

    let trail = on.trail(&citizen.id).await;
    assert_eq!(trail[0], "registered");
    for kind in ["consent", "claims_released"] {
        assert!(trail.iter().any(|line| line == kind), "{kind} is missing: {trail:?}");
    }
    assert_eq!(trail.iter().filter(|kind| *kind == "sign_in").count(), 1, "{trail:?}");
}

async fn who_denies_tells_the_partner_nothing(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    browser.open(&on.partners[0]).await;
    browser.follow("a[data-action=signin]").await;
    browser.sign_in(&citizen).await;
    let page = browser.press("button[name=consent][value=deny]", &[]).await;
    assert!(page.url.as_str().starts_with(&on.partners[0]), "{}", page.told());
    assert!(!page.has("[data-signed-in]"), "{}", page.told());
    assert!(
        !page.text.contains(&citizen.person.name) && !page.text.contains(&citizen.person.phone)
    );
    let trail = on.trail(&citizen.id).await;
    assert!(!trail.contains(&"claims_released".to_owned()), "{trail:?}");
}

async fn signing_out_at_one_partner_ends_the_session_after_a_question(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    browser.open(&on.partners[0]).await;
    browser.follow("a[data-action=signin]").await;
    browser.sign_in(&citizen).await;
    browser.allow().await.fine();
    browser.press("[data-action=signout]", &[]).await;
    browser.press("button[name=logout][value=no]", &[]).await;
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-signed-in]"), "who says no stays: {}", page.told());

    browser.open(&on.partners[0]).await;
    if browser.page().has("a[data-action=signin]") {
        browser.follow("a[data-action=signin]").await.fine();
    }
    browser.press("[data-action=signout]", &[]).await;
    let page = browser.press("button[name=logout][value=yes]", &[]).await.fine();
    assert!(page.url.as_str().starts_with(&on.partners[0]), "back at the partner: {}", page.url);
    assert!(page.has("a[data-action=signin]"), "{}", page.told());
    let page = browser.open(&on.at("/account")).await;
    assert!(page.has("input[name=identifier]"), "the session has ended: {}", page.told());
    assert!(on.trail(&citizen.id).await.contains(&"sign_out".to_owned()));
}

tests_kit::on_both! {
    the_second_partner_asks_nothing;
    who_denies_tells_the_partner_nothing;
    signing_out_at_one_partner_ends_the_session_after_a_question;
}
