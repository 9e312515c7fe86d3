//! People who go their way whatever dies: each asks again for what got no answer.

use std::collections::BTreeMap;

use serde_json::Value;
use tests_kit::{Browser, Demo, Form, Gone, Page, picture, totp};

pub(crate) const ENDORSEMENT: &str = "exit-entry.hk-macao-group-endorsement";
pub(crate) const PASSPORT: &str = "exit-entry.passport-renewal";
const SUBMIT: &str = "[data-form=apply] button[name=action][value=submit]";

/// A case as its applicant remembers it.
pub(crate) struct Case {
    pub(crate) item: &'static str,
    /// The very form that was sent: sent again after a crash, it is the same application.
    form: Form,
    /// Its page, once an answer came.
    pub(crate) address: Option<String>,
    /// The bank's page, while she is there.
    bank: Option<Browser>,
    pub(crate) rated: bool,
}

/// A citizen at a browser.
pub(crate) struct Citizen {
    pub(crate) browser: Browser,
    pub(crate) cases: Vec<Case>,
    /// What is being done, for the tally of what the deaths cut off.
    pub(crate) doing: &'static str,
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap()
}

impl Citizen {
    /// Signs in at the hall.
    pub(crate) async fn arrive(demo: &Demo, person: &Value) -> Self {
        let mut browser = Browser::default();
        browser.open(&format!("{}/items/{PASSPORT}", demo.text("/issuer"))).await.fine();
        browser.follow("a[data-action=apply]").await;
        let fields =
            [("identifier", text(person, "phone")), ("password", text(person, "password"))];
        browser.press("form:has(input[name=identifier]) button[type=submit]", &fields).await.fine();
        assert!(browser.page().has(SUBMIT), "{}", browser.page().told());
        Self { browser, cases: Vec::new(), doing: "" }
    }

    /// Opens an item's form and fills it; nothing is sent yet.
    pub(crate) async fn begin(
        &mut self,
        demo: &Demo,
        item: &'static str,
        examples: &BTreeMap<String, String>,
    ) -> Result<(), Gone> {
        self.doing = "opening a form";
        let address = format!("{}/items/{item}/apply", demo.text("/issuer"));
        let page = self.browser.try_open(&address).await?.fine().clone();
        let mut form = self.browser.form(SUBMIT);
        form.fill(&page, examples);
        if page.has("input[type=file]") {
            form.choose("materials.photo", "me.png", "image/png", picture(200, 260));
        }
        self.cases.push(Case { item, form, address: None, bank: None, rated: false });
        Ok(())
    }

    /// One step of a case from where it stands; true if there was something to do.
    pub(crate) async fn step(&mut self, at: usize, comment: &str) -> Result<bool, Gone> {
        let case = &mut self.cases[at];
        let Some(address) = case.address.clone() else {
            self.doing = "submitting";
            let page = self.browser.try_send(case.form.clone()).await?.fine();
            assert!(page.has("[data-case-number]"), "{}", page.told());
            case.address = Some(page.url.to_string());
            return Ok(true);
        };
        if let Some(mut bank) = case.bank.take() {
            // The bank lives; where she comes back to may not.
            self.doing = "coming back from the bank";
            let form = bank.form("button[name=pay][value=succeed]");
            bank.try_send(form).await?;
            return Ok(true);
        }
        self.doing = "looking";
        let page = self.browser.try_open(&address).await?.clone();
        assert_eq!(page.status, 200, "a case is lost: {}", page.told());
        if page.has("[data-action=pay]") {
            self.doing = "going to the bank";
            let form = self.browser.form("[data-action=pay]");
            let mut tab = self.browser.tab();
            if tab.try_send(form).await?.has("button[name=pay]") {
                case.bank = Some(tab);
            }
            return Ok(true);
        }
        if page.has("[data-action=rate]") && !case.rated {
            self.doing = "rating";
            let mut form = self.browser.form("[data-action=rate]");
            form.set("rating", "4");
            form.set("comment", comment);
            self.browser.try_send(form).await?;
            return Ok(true);
        }
        case.rated = state(&page) == "rated";
        Ok(false)
    }
}

/// The state that a case's page shows.
pub(crate) fn state(page: &Page) -> String {
    page.one("[data-case-state]").attribute("data-case-state").to_owned()
}

/// An officer at the desk.
pub(crate) struct Officer(Browser, String);

impl Officer {
    pub(crate) async fn arrive(demo: &Demo) -> Self {
        let staff = demo.json["staff"].as_array().unwrap();
        let officer = staff.iter().find(|one| one["role"] == "officer").unwrap();
        let (mut browser, desk) = (Browser::default(), format!("{}/desk", demo.text("/issuer")));
        browser.open(&desk).await;
        if browser.page().has("main a[data-action=signin]") {
            browser.follow("main a[data-action=signin]").await;
        }
        let fields =
            [("identifier", text(officer, "name")), ("password", text(officer, "password"))];
        browser.press("form:has(input[name=identifier]) button[type=submit]", &fields).await;
        let code = totp(text(officer, "totp_secret"));
        let button = "form:has(input[name=code]) button[type=submit]";
        browser.press(button, &[("code", &code)]).await.fine();
        Self(browser, desk)
    }

    /// Approves one waiting case; false if none waits.
    pub(crate) async fn decide(&mut self) -> Result<bool, Gone> {
        let page = self.0.try_open(&self.1).await?.fine();
        let Some(waiting) = page.all("a[data-case]").into_iter().next() else { return Ok(false) };
        let address = waiting.attribute("href").to_owned();
        let page = self.0.try_open(&address).await?.fine();
        if !page.has("button[name=decision][value=approve]") {
            return Ok(false);
        }
        let mut form = self.0.form("button[name=decision][value=approve]");
        form.set("reasons", "材料齐全，符合条件。");
        let page = self.0.try_send(form).await?;
        assert!(page.status < 500, "{}", page.told());
        Ok(true)
    }
}
