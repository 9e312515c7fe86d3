//! Registering: from a phone number to a real name, and every refusal on the way.

use tests_kit::{Browser, Deployment, Page};

const PASSWORD: &str = "a lotus in the rain 7";
const SUBMIT: &str = "main form button[type=submit]";

async fn a_citizen_registers_and_stands_at_level_three(on: Deployment) {
    let person = on.person(7);
    let mut browser = Browser::default();
    on.register(&mut browser, person, PASSWORD).await;
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-signed-in] [data-proofing='3']"), "{}", page.told());
    for whole in [&person.number, &person.name, &person.phone] {
        assert!(!page.text.contains(whole), "{whole} is shown masked");
    }
    let found = idp_web::citizens::find(&on.db, &person.phone, on.now()).await;
    let (id, claims) = found.unwrap().expect("an account");
    assert_eq!((claims.proofing, claims.name), (3, person.name.clone()));
    let trail = on.trail(&id).await;
    assert!(trail.contains(&"registered".to_owned()), "{trail:?}");
}

/// A refused page says so once, marks its field, and holds what was typed.
#[track_caller]
fn refused(page: &Page, field: &str, typed: &[(&str, &str)]) {
    assert!((400..500).contains(&page.status) || page.status == 200, "{}", page.told());
    assert!(page.alert().is_some_and(|text| !text.is_empty()), "no alert: {}", page.told());
    let marked = page.one(&format!("[name={field}][aria-invalid=true]"));
    let told = marked.attribute("aria-describedby").split(' ').any(|id| {
        !id.is_empty() && page.all(&format!("[id='{id}'].error")).iter().any(|e| !e.text.is_empty())
    });
    assert!(told, "{field} has no sentence: {}", page.told());
    for (name, value) in typed {
        let input = page.all(&format!("input[name={name}]"));
        let held = input.iter().any(|input| input.attribute("value") == *value)
            || page.has(&format!("select[name={name}] option[value={value}][selected]"));
        assert!(held, "what was typed into {name} is lost: {}", page.text);
    }
}

/// ISO 7064 MOD 11-2, as GB 11643-1999 §5 writes it.
fn with_check(digits: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.chars().zip(weights).map(|(c, w)| c.to_digit(10).unwrap() * w).sum();
    let last = b"10X98765432"[usize::try_from(sum % 11).unwrap()];
    format!("{digits}{}", char::from(last))
}

async fn every_refused_form_comes_back_filled(on: Deployment) {
    let person = on.person(8);
    let mut browser = Browser::default();
    browser.open(&on.at("/register")).await.fine();
    let page = browser.press(SUBMIT, &[("phone", "12345")]).await;
    refused(page, "phone", &[("phone", "12345")]);
    assert!(on.outside.texts(&person.phone).await.is_empty());
    browser.press(SUBMIT, &[("phone", &person.phone)]).await.fine();
    let code = on.code_for(&person.phone, 0).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    refused(browser.press(SUBMIT, &[("code", wrong)]).await, "code", &[]);
    browser.press(SUBMIT, &[("code", &code)]).await.fine();
    refused(browser.press(SUBMIT, &[("new_password", "12345678")]).await, "new_password", &[]);
    browser.press(SUBMIT, &[("new_password", PASSWORD)]).await.fine();

    let card = person.social_security_card.as_str();
    let fine = [
        ("name", person.name.as_str()),
        ("number", person.number.as_str()),
        ("evidence_kind", "social_security_card"),
        ("evidence", card),
    ];
    // GB 11643: length, characters, date, checksum, region; each fault has a sentence of its own.
    let mut said = std::collections::BTreeSet::new();
    let checksum = with_check("35990119900101001").chars().next_back();
    let off = if checksum == Some('0') { "359901199001010011" } else { "359901199001010010" };
    let numbers = ["12345", "35990119900101A01X", "359901199013011234", off];
    for number in numbers {
        let mut fields = fine;
        fields[1].1 = number;
        let page = browser.press(SUBMIT, &fields).await;
        refused(page, "number", &fields);
        said.insert(page.one("[id=number-error]").text);
    }
    assert_eq!(said.len(), numbers.len(), "each fault its own sentence: {said:?}");
    // A region that no table knows is no fault of form (withdrawn codes stay valid): the register
    // says no, to everything at once, so that nobody can try which of the facts is right.
    let nowhere = with_check("99010119900101123");
    let mut fields = fine;
    fields[1].1 = &nowhere;
    let page = browser.press(SUBMIT, &fields).await;
    assert!(page.alert().is_some() && !page.has("[aria-invalid=true]"), "{}", page.told());
    assert_eq!(browser.form(SUBMIT).value("number"), Some(nowhere.as_str()));

    let mut fields = fine;
    fields[0].1 = "<b>";
    refused(browser.press(SUBMIT, &fields).await, "name", &fields);
    browser.press(SUBMIT, &fine).await.fine();
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-signed-in]"), "{}", page.told());
}

async fn a_register_that_is_down_loses_no_typing_and_says_so(on: Deployment) {
    let person = on.person(9);
    let mut browser = Browser::default();
    on.outside
        .behave(&on.outside.register, serde_json::json!({ "mode": "down", "count": 1 }))
        .await;
    browser.open(&on.at("/register")).await.fine();
    browser.press(SUBMIT, &[("phone", &person.phone)]).await.fine();
    let code = on.code_for(&person.phone, 0).await;
    browser.press(SUBMIT, &[("code", &code)]).await.fine();
    browser.press(SUBMIT, &[("new_password", PASSWORD)]).await.fine();
    let fine = [
        ("name", person.name.as_str()),
        ("number", person.number.as_str()),
        ("evidence_kind", "social_security_card"),
        ("evidence", person.social_security_card.as_str()),
    ];
    let page = browser.press(SUBMIT, &fine).await;
    assert!(page.alert().is_some(), "{}", page.told());
    let form = browser.form(SUBMIT);
    for (name, value) in fine {
        assert_eq!(form.value(name), Some(value), "what was typed into {name} is lost");
    }
    browser.send(form).await.fine();
    let page = browser.open(&on.at("/account")).await.fine();
    assert!(page.has("[data-signed-in]"), "{}", page.told());
    let asked = on.outside.journal(&on.outside.register).await;
    let asked = asked.iter().filter(|line| line["operation"] == "match").count();
    assert_eq!(asked, 2, "one try failed, the next went through");
}

async fn nobody_registers_twice_and_the_dead_do_not_register(on: Deployment) {
    let known = on.citizen(0, 3).await;
    let (other, gone) = (on.person(10), on.person(11));
    let mut browser = Browser::default();
    // All evidence of a person who has an account: led to it, from another phone.
    let mut twin = known.person.clone();
    twin.phone = other.phone.clone();
    on.begin_registering(&mut browser, &twin, PASSWORD).await;
    let page = browser.page();
    assert!(page.url.path().contains("exists"), "{}", page.told());
    assert!(!page.text.contains(&known.person.phone), "nothing of hers is told");

    on.outside.person_is(&gone.number, "deceased").await;
    let mut browser = Browser::default();
    on.begin_registering(&mut browser, gone, PASSWORD).await;
    assert!(browser.page().alert().is_some(), "{}", browser.page().told());
    let found = idp_web::citizens::find(&on.db, &gone.number, on.now()).await.unwrap();
    assert!(found.is_none(), "no account for the dead");
}

tests_kit::on_both! {
    a_citizen_registers_and_stands_at_level_three;
    every_refused_form_comes_back_filled;
    a_register_that_is_down_loses_no_typing_and_says_so;
    nobody_registers_twice_and_the_dead_do_not_register;
}
