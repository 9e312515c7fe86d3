//! `/recover`, and freezing.

use super::site::{Browser, CARD, PASSWORD, PHONE, Shown, Site};
use crate::testing::on_both;

const FRESH: &str = "another horse battery";

async fn to_evidence(site: &Site, browser: &mut Browser) {
    browser.post("/recover", &[("phone", PHONE)]).await.is(303);
    let code = site.code().await;
    let answer = browser.post("/recover/code", &[("code", &code)]).await;
    browser.follow(&answer).await.is(200).has("name=\"evidence\"");
}

async fn evidence(browser: &mut Browser, number: &str, card: &str) -> Shown {
    let fields = [
        ("name", "林小满"),
        ("number", number),
        ("evidence_kind", "social_security_card"),
        ("evidence", card),
    ];
    browser.post("/recover/evidence", &fields).await
}

async fn a_recovery_sets_a_password_and_signs_out_everywhere(site: Site) {
    site.citizen().await;
    let mut old = site.browser();
    old.sign_in("lin", PASSWORD).await.is(303);
    let mut browser = site.browser();
    to_evidence(&site, &mut browser).await;
    let answer = evidence(&mut browser, &Site::number(2), CARD).await;
    browser.follow(&answer).await.is(200).has("name=\"new_password\"");
    let weak = browser.post("/recover/password", &[("new_password", PHONE)]).await;
    weak.is(422).has("new_password-error");
    let answer = browser.post("/recover/password", &[("new_password", FRESH)]).await;
    browser.follow(&answer).await.is(200).has("alert-success");
    old.get("/account").await.is(303);
    browser.sign_in("lin", PASSWORD).await.is(422);
    browser.sign_in("lin", FRESH).await.is(303);
    // The journey is over: its cookie opens nothing again.
    browser.post("/recover/password", &[("new_password", PASSWORD)]).await.is(303);
    browser.sign_in("lin", FRESH).await.is(303);
}

async fn attack_23_recovery_skips_no_proof(site: Site) {
    site.citizen().await;
    let mut browser = site.browser();
    let skip = [("new_password", FRESH)];
    assert_eq!(browser.post("/recover/password", &skip).await.is(303).location(), "/recover");
    to_evidence(&site, &mut browser).await;
    let skipped = browser.post("/recover/password", &skip).await;
    assert_eq!(skipped.is(303).location(), "/recover/evidence");
    // The register knows the person, but the phone is another's.
    evidence(&mut browser, &Site::number(4), CARD).await.is(422).has("role=\"alert\"");
    evidence(&mut browser, &Site::number(2), "B12345678").await.is(422);
    let skipped = browser.post("/recover/password", &skip).await;
    assert_eq!(skipped.is(303).location(), "/recover/evidence");
    browser.sign_in("lin", PASSWORD).await.is(303);
}

async fn attack_29_recovery_of_an_unknown_phone_looks_the_same(site: Site) {
    site.citizen().await;
    let (mut one, mut two) = (site.browser(), site.browser());
    let known = one.post("/recover", &[("phone", PHONE)]).await;
    let unknown = two.post("/recover", &[("phone", "13950123457")]).await;
    assert_eq!(known.location(), unknown.location());
    assert_eq!(
        one.follow(&known).await.body.replace("3456", ""),
        two.follow(&unknown).await.body.replace("3457", "")
    );
    assert_eq!(site.messages().await.len(), 1);
}

/// A recovery that began before the operator stopped the account does not open it.
async fn attack_26_recovery_does_not_open_what_the_operator_stopped(site: Site) {
    let person = site.citizen().await;
    let mut browser = site.browser();
    to_evidence(&site, &mut browser).await;
    evidence(&mut browser, &Site::number(2), CARD).await.is(303);
    assert!(crate::citizens::freeze(&site.state.db, &person, site.state.now()).await.unwrap());
    browser.post("/recover/password", &[("new_password", FRESH)]).await.is(303);
    browser.sign_in("lin", FRESH).await.is(403);
}

async fn attack_51_this_was_not_me_shuts_everything_until_recovered(site: Site) {
    let person = site.citizen().await;
    let (mut here, mut there) = (site.browser(), site.browser());
    here.sign_in("lin", PASSWORD).await.is(303);
    there.sign_in("lin", PASSWORD).await.is(303);
    here.get("/account/freeze").await.is(200).has("name=\"freeze\" value=\"yes\"");
    assert_eq!(here.post("/account/freeze", &[("freeze", "no")]).await.location(), "/account");
    here.get("/account").await.is(200);
    let answer = here.post("/account/freeze", &[("freeze", "yes")]).await;
    here.follow(&answer).await.is(200).has("/recover");
    here.get("/account").await.is(303);
    there.get("/account").await.is(303);
    // Only who has the right password learns that it is frozen.
    here.sign_in("lin", PASSWORD).await.is(403).has("/recover");
    here.sign_in("lin", "wrong password").await.is(422);
    // Nor does SMS get past the gate.
    here.post("/signin/sms", &[("phone", PHONE)]).await.is(303);
    let code = site.code().await;
    here.post("/signin/sms/code", &[("code", &code)]).await.is(403);
    to_evidence(&site, &mut here).await;
    evidence(&mut here, &Site::number(2), CARD).await.is(303);
    here.post("/recover/password", &[("new_password", FRESH)]).await.is(303);
    here.sign_in("lin", FRESH).await.is(303);
    assert!(crate::citizens::freeze(&site.state.db, &person, site.state.now()).await.unwrap());
    here.get("/account").await.is(303);
    // Whom the operator stopped, no recovery opens: not even a code leaves.
    site.messages().await;
    here.post("/recover", &[("phone", PHONE)]).await.is(303);
    assert!(site.messages().await.is_empty());
    here.sign_in("lin", FRESH).await.is(403).lacks("role=\"alert\"><p>这个账户已被冻结");
    assert!(crate::citizens::unfreeze(&site.state.db, &person, site.state.now()).await.unwrap());
    here.sign_in("lin", FRESH).await.is(303);
}

on_both! { Site:
    a_recovery_sets_a_password_and_signs_out_everywhere;
    attack_23_recovery_skips_no_proof;
    attack_29_recovery_of_an_unknown_phone_looks_the_same;
    attack_26_recovery_does_not_open_what_the_operator_stopped;
    attack_51_this_was_not_me_shuts_everything_until_recovered;
}
