//! The whole line of the hall: guide, form, step-up, payment, decision, parcel, rating; and what
//! must not happen on the way.

use crate::dump::holds_nothing_of;
use tests_kit::{Browser, Citizen, Deployment, picture};

const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
const PASSPORT: &str = "exit-entry.passport-renewal";
const SUBMIT: &str = "[data-form=apply] button[name=action][value=submit]";
const SAVE: &str = "[data-form=apply] button[name=action][value=save]";

/// Submits an application with the examples of its schema; ends on the case's page.
async fn submitted(on: &Deployment, browser: &mut Browser, item: &str, citizen: &Citizen) {
    let examples = on.examples(item).await;
    let page = browser.apply(on, item, citizen).await.clone();
    let mut form = browser.form(SUBMIT);
    form.fill(&page, &examples);
    if page.has("input[type=file][name='materials.photo']") {
        form.choose("materials.photo", "me.png", "image/png", picture(300, 400));
    }
    let page = browser.send(form).await.fine();
    assert_eq!(page.alert(), None, "{}", page.told());
    assert!(page.has("[data-case-number]"), "{}", page.told());
}

/// Pays at the bank; ends on the case's page.
async fn paid(browser: &mut Browser, how: &str) {
    browser.until("[data-action=pay]").await;
    browser.press("[data-action=pay]", &[]).await.fine();
    browser.press(&format!("button[name=pay][value={how}]"), &[]).await.fine();
}

/// Carries the newest parcel to its door.
async fn delivered(on: &Deployment, browser: &mut Browser) {
    browser.until("[data-event='express.booked']").await;
    let label = on.outside.parcels().await.pop().expect("a parcel");
    for kind in ["picked_up", "in_transit", "out_for_delivery", "delivered"] {
        on.outside.carry(&label, "next").await;
        browser.until(&format!("[data-event='express.{kind}']")).await;
    }
}

async fn an_endorsement_from_the_guide_to_the_rating(on: Deployment) {
    let citizen = on.citizen(0, 3).await;
    let mut browser = Browser::default();
    browser.open(&on.at(&format!("/items/{ENDORSEMENT}"))).await.fine();
    for element in ["conditions", "materials", "fee", "promised-limit", "legal-basis", "flow"] {
        let told = browser.page().all(&format!("[data-element={element}]"));
        assert!(told.iter().any(|one| !one.text.is_empty()), "the guide does not tell {element}");
    }
    let page = browser.apply(&on, ENDORSEMENT, &citizen).await.clone();
    let locked = page.all("[data-verified][readonly]");
    assert!(locked.iter().any(|field| field.attribute("value") == citizen.person.name));
    assert!(!page.text.contains(&citizen.person.number), "the number is shown masked");

    submitted(&on, &mut browser, ENDORSEMENT, &citizen).await;
    paid(&mut browser, "succeed").await;
    let page = browser.until("[data-event='decision.approved']").await;
    let reasons = page.one("[data-event='rule.evaluated']").text;
    assert!(reasons.chars().count() > 10, "an automatic approval shows its reasons: {reasons}");
    delivered(&on, &mut browser).await;
    let page = browser.until("[data-action=rate]").await;
    let times = page.all("[data-event] time[datetime]").len();
    assert_eq!(times, browser.timeline().len(), "every step has its time");
    browser.press("[data-action=rate]", &[("rating", "5")]).await.fine();
    browser.until("[data-event='case.rated']").await;
    assert_eq!(browser.state(), "rated");

    assert_eq!(on.outside.charges().await.len(), 1, "one charge");
    assert_eq!(on.outside.parcels().await.len(), 1, "one parcel");
    let texts = on.outside.texts(&citizen.person.phone).await;
    assert!(!texts.is_empty(), "she is told by SMS");
    assert!(texts.iter().all(|text| !text.contains(&citizen.person.number)));
    let trail = on.trail(&citizen.id).await;
    for kind in ["proofing_raised", "plugin_call"] {
        assert!(trail.iter().any(|line| line == kind), "{kind} is missing: {trail:?}");
    }
}

async fn paying_twice_going_back_and_two_tabs_are_one_charge(on: Deployment) {
    let citizen = on.citizen(1, 4).await;
    let mut browser = Browser::default();
    submitted(&on, &mut browser, ENDORSEMENT, &citizen).await;
    browser.until("[data-action=pay]").await;
    let case = browser.page().url.to_string();

    let (mut second, mut stale) = (browser.tab(), browser.tab());
    browser.press("[data-action=pay]", &[]).await.fine();
    second.press("[data-action=pay]", &[]).await.fine();
    let mut back = browser.tab();
    let amount = browser.page().one("[data-amount]").attribute("data-amount").to_owned();
    assert!(amount.parse::<i64>().is_ok_and(|minor| minor > 0), "{amount}");
    browser.press("button[name=pay][value=succeed]", &[]).await.fine();
    assert!(browser.page().url.as_str().starts_with(&on.issuer), "{}", browser.page().url);
    second.press("button[name=pay][value=succeed]", &[]).await;
    back.press("button[name=pay][value=succeed]", &[]).await;
    browser.open(&case).await.fine();
    browser.until("[data-event='payment.settled']").await;
    // The page of before, opened by going back, posts an order that is paid.
    stale.press("[data-action=pay]", &[]).await;
    if stale.page().has("button[name=pay]") {
        stale.press("button[name=pay][value=succeed]", &[]).await;
    }
    browser.until("[data-event='decision.approved']").await;
    assert_eq!(on.outside.charges().await.len(), 1, "one charge");
    let settled = browser.timeline();
    assert_eq!(settled.iter().filter(|kind| *kind == "payment.settled").count(), 1, "{settled:?}");
}

async fn a_forged_notice_is_refused_and_moves_nothing(on: Deployment) {
    let citizen = on.citizen(2, 4).await;
    let mut browser = Browser::default();
    submitted(&on, &mut browser, ENDORSEMENT, &citizen).await;
    browser.until("[data-action=pay]").await;
    // Everything that the payer's browser knows, and the signature of our own order.
    let mut forged = browser.form("[data-action=pay]");
    forged.action = url(&on.at("/payment/notice/unionpay"));
    for (name, value) in [("respCode", "00"), ("respMsg", "success"), ("queryId", "1234567890")] {
        forged.fields.push((name.to_owned(), value.to_owned()));
    }
    let mut thief = browser.tab();
    let page = thief.send(forged).await;
    assert_eq!(page.status, 400, "{}", page.told());
    let case = browser.page().url.clone();
    browser.open(case.as_str()).await.fine();
    assert_eq!(browser.state(), "fee_due");
    assert!(!browser.timeline().contains(&"payment.settled".to_owned()));
    assert!(on.outside.charges().await.is_empty());

    // A notice that the bank signed and that is not so: believed only after asking.
    let lie = serde_json::json!({ "mode": "lie", "count": 1, "match": { "operation": "notice" } });
    on.outside.behave(&on.outside.bank, lie).await;
    paid(&mut browser, "fail").await;
    browser.until("[data-event='payment.failed']").await;
    assert!(!browser.timeline().contains(&"payment.settled".to_owned()));
    paid(&mut browser, "succeed").await;
    browser.until("[data-event='payment.settled']").await;
    assert_eq!(on.outside.charges().await.len(), 1, "one charge");
}

fn url(address: &str) -> url::Url {
    address.parse().unwrap()
}

async fn a_refused_form_keeps_what_was_typed_and_a_saved_one_too(on: Deployment) {
    let citizen = on.citizen(3, 4).await;
    let mut browser = Browser::default();
    let examples = on.examples(PASSPORT).await;
    let page = browser.apply(&on, PASSPORT, &citizen).await.clone();
    let bad: [(&str, Vec<u8>); 3] = [
        ("image/png", b"no picture at all".to_vec()),
        ("image/png", picture(10, 10)),
        ("image/jpeg", vec![0; 3 * 1024 * 1024]),
    ];
    for (media_type, bytes) in bad {
        let mut form = browser.form(SUBMIT);
        form.fill(&page, &examples);
        form.choose("materials.photo", "me.png", media_type, bytes);
        let page = browser.send(form).await;
        assert!(page.status < 500 && page.alert().is_some(), "{}", page.told());
        let marked = page.one("input[type=file][aria-invalid=true]");
        let sentence = marked.attribute("aria-describedby").to_owned();
        assert!(sentence.split(' ').any(|id| page.has(&format!("[id='{id}'].error"))));
        let held = browser.form(SUBMIT);
        assert_eq!(held.value("old_number"), examples.get("old_number").map(String::as_str));
    }
    let page = browser.page().clone();
    let mut form = browser.form(SUBMIT);
    form.fill(&page, &examples);
    form.set("old_number", "not a number");
    let page = browser.send(form).await;
    assert!(page.alert().is_some() && page.has("[name=old_number][aria-invalid=true]"));
    assert_eq!(browser.form(SUBMIT).value("old_number"), Some("not a number"));

    let page = browser.page().clone();
    let mut form = browser.form(SAVE);
    form.fill(&page, &examples);
    form.choose("materials.photo", "me.png", "image/png", picture(300, 400));
    browser.send(form).await.fine();
    let mut later = Browser::default();
    let page = later.apply(&on, PASSPORT, &citizen).await.clone();
    assert!(page.has("[data-kept='materials.photo']"), "{}", page.told());
    assert_eq!(
        later.form(SUBMIT).value("old_number"),
        examples.get("old_number").map(String::as_str)
    );
    let mut form = later.form(SUBMIT);
    form.fill(&page, &examples);
    let page = later.send(form).await.fine();
    assert!(page.has("[data-case-number]"), "{}", page.told());
}

/// Decides; where the case moved on meanwhile, the officer looks again and decides again.
async fn decide(desk: &mut Browser, decision: &str, reasons: &str) {
    let (address, button) =
        (desk.page().url.to_string(), format!("button[name=decision][value={decision}]"));
    for _ in 0..5 {
        if desk.press(&button, &[("reasons", reasons)]).await.status != 409 {
            break;
        }
        desk.open(&address).await.fine();
    }
    desk.page().fine();
}

async fn a_passport_over_the_officers_desk(on: Deployment) {
    let (citizen, officer) = (on.citizen(4, 4).await, on.officer("chen", "officer").await);
    let mut browser = Browser::default();
    submitted(&on, &mut browser, PASSPORT, &citizen).await;
    let number = browser.page().one("[data-case-number]").attribute("data-case-number").to_owned();
    paid(&mut browser, "later").await;
    browser.until("[data-event='payment.settled']").await;
    browser.until("[data-case-state=review]").await;
    assert!(browser.page().has("[data-due]"), "the clock is shown");

    let mut desk = Browser::default();
    desk.open(&on.at("/desk")).await;
    if desk.page().has("main a[data-action=signin]") {
        desk.follow("main a[data-action=signin]").await;
    }
    desk.sign_in_as_staff(&officer, on.now()).await.fine();
    desk.open(&on.at("/desk")).await.fine();
    desk.follow(&format!("a[data-case='{number}']")).await.fine();
    assert!(desk.page().text.contains(&examples_of(&on).await), "the officer sees the answers");
    let page = desk.press("button[name=decision][value=refuse]", &[("reasons", "")]).await;
    assert!(page.alert().is_some(), "no refusal without reasons: {}", page.told());
    let asked = "照片背景不是白色，请重新上传。";
    decide(&mut desk, "correct", asked).await;

    browser.until("[data-event='correction.asked']").await;
    assert!(browser.page().text.contains(asked), "she reads what is asked of her");
    browser.follow("a[data-action=correct]").await.fine();
    let mut form = browser.form(SUBMIT);
    form.choose("materials.photo", "white.png", "image/png", picture(400, 500));
    browser.send(form).await.fine();
    browser.open(&on.at(&format!("/cases/{number}"))).await.fine();
    browser.until("[data-event='correction.received']").await;

    desk.open(&on.at(&format!("/desk/{number}"))).await.fine();
    desk.until("button[name=decision][value=approve]").await;
    let mut again = desk.tab();
    let reasons = [("reasons", "材料齐全，符合条件。")];
    decide(&mut desk, "approve", reasons[0].1).await;
    let page = again.press("button[name=decision][value=approve]", &reasons).await;
    assert!(page.status < 500, "{}", page.told());
    browser.until("[data-event='decision.approved']").await;
    delivered(&on, &mut browser).await;
    browser.until("[data-action=rate]").await;
    let timeline = browser.timeline();
    assert_eq!(timeline.iter().filter(|kind| *kind == "decision.approved").count(), 1);
    assert_eq!((on.outside.charges().await.len(), on.outside.parcels().await.len()), (1, 1));
    let (person, answer) = (&citizen.person, examples_of(&on).await);
    let photo = picture(400, 500);
    let text = |text: &'static str| text.as_bytes();
    let secrets: [&[u8]; 7] = [
        person.number.as_bytes(),
        person.phone.as_bytes(),
        person.name.as_bytes(),
        answer.as_bytes(),
        text("照片背景不是白色"),
        text("材料齐全"),
        &photo[photo.len() / 2..photo.len() / 2 + 64.min(photo.len() / 2)],
    ];
    holds_nothing_of(&on, &secrets);
    let trail = on.trail(&citizen.id).await;
    assert!(trail.contains(&"officer_look".to_owned()), "{trail:?}");
}

async fn examples_of(on: &Deployment) -> String {
    on.examples(PASSPORT).await.remove("old_number").expect("an example")
}

async fn a_case_is_its_owners(on: Deployment) {
    let (citizen, other) = (on.citizen(5, 4).await, on.citizen(6, 4).await);
    let mut browser = Browser::default();
    submitted(&on, &mut browser, ENDORSEMENT, &citizen).await;
    let case = browser.page().url.to_string();
    let mut stranger = Browser::default();
    stranger.apply(&on, ENDORSEMENT, &other).await;
    for path in ["", "/correct"] {
        let page = stranger.open(&format!("{case}{path}")).await;
        assert_eq!(page.status, 404, "{}", page.told());
    }
    stranger.open(&on.at("/cases")).await.fine();
    assert!(!stranger.page().has("a[data-case]"));
    let page = stranger.open(&on.at("/desk")).await;
    assert!(!page.has("a[data-case]"), "a citizen is no officer: {}", page.told());
    browser.open(&on.at("/cases")).await.fine();
    assert_eq!(browser.page().all("a[data-case]").len(), 1);
}

tests_kit::on_both! {
    an_endorsement_from_the_guide_to_the_rating;
    paying_twice_going_back_and_two_tabs_are_one_charge;
    a_forged_notice_is_refused_and_moves_nothing;
    a_refused_form_keeps_what_was_typed_and_a_saved_one_too;
    a_passport_over_the_officers_desk;
    a_case_is_its_owners;
}
