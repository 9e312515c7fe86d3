//! Ways that many stories go, each told by the names of the contract.

use plugins_simulators::people::Person;

use crate::{Asked, Browser, Citizen, Deployment, Officer, Page, RelyingParty};

/// A browser that came back to its relying party.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The code.
    pub code: String,
    /// What was asked.
    pub asked: Asked,
}

/// Presses whatever sends the main form of a page.
const SUBMIT: &str = "main form button[type=submit]";

impl Browser {
    /// Signs in on the page that it shows.
    ///
    /// # Panics
    /// If it shows another page.
    pub async fn sign_in(&mut self, citizen: &Citizen) -> &Page {
        let fields =
            [("identifier", citizen.person.phone.as_str()), ("password", citizen.password)];
        self.press("form:has(input[name=identifier]) button[type=submit]", &fields).await
    }

    /// Signs in as staff, with the second factor.
    ///
    /// # Panics
    /// If it shows another page.
    pub async fn sign_in_as_staff(&mut self, officer: &Officer, now: i64) -> &Page {
        let fields = [("identifier", officer.user_name.as_str()), ("password", officer.password)];
        self.press("form:has(input[name=identifier]) button[type=submit]", &fields).await;
        self.press(
            "form:has(input[name=code]) button[type=submit]",
            &[("code", &officer.code(now))],
        )
        .await
    }

    /// Allows what the consent page asks, if it is shown.
    pub async fn allow(&mut self) -> &Page {
        if self.page().has("button[name=consent]") {
            self.press("button[name=consent][value=allow]", &[]).await;
        }
        self.page()
    }
}

impl Deployment {
    /// Signs a citizen in for a relying party and lets them consent.
    ///
    /// # Panics
    /// If the browser does not arrive with a code and the right `state` and `iss` (RFC 9207).
    pub async fn arrive(
        &self,
        browser: &mut Browser,
        party: &RelyingParty,
        scope: &str,
        citizen: &Citizen,
    ) -> Arrived {
        self.arrive_asking(browser, party, party.ask(scope), citizen).await
    }

    /// The same with a request of the test's own.
    ///
    /// # Panics
    /// As [`Deployment::arrive`].
    pub async fn arrive_asking(
        &self,
        browser: &mut Browser,
        party: &RelyingParty,
        asked: Asked,
        citizen: &Citizen,
    ) -> Arrived {
        browser.open(asked.url.as_str()).await;
        if browser.page().has("input[name=identifier]") {
            browser.sign_in(citizen).await;
        }
        let page = browser.allow().await;
        let Some(code) = page.parameter("code") else { panic!("no code at {}", page.told()) };
        assert!(page.url.as_str().starts_with(&party.redirect_uri), "{}", page.url);
        assert_eq!(page.parameter("state").as_deref(), Some(asked.state.as_str()));
        assert_eq!(page.parameter("iss").as_deref(), Some(self.issuer.as_str()));
        Arrived { code, asked }
    }

    /// Waits for the outbox to have carried a text to a phone. The worker runs beside the test and
    /// was woken by the commit, so this is a matter of turns, not of time.
    ///
    /// # Panics
    /// If none comes.
    pub async fn code_for(&self, phone: &str, earlier: usize) -> String {
        for _ in 0..2_000 {
            if self.outside.texts(phone).await.len() > earlier {
                return self.outside.code(phone).await.expect("a text with a code");
            }
            tokio::task::yield_now().await;
        }
        panic!("no text came to the phone");
    }

    /// Registers a person who has no account, as a citizen would; the browser ends signed in.
    ///
    /// # Panics
    /// If a page refuses.
    pub async fn register(&self, browser: &mut Browser, person: &Person, password: &str) {
        self.begin_registering(browser, person, password).await;
        let page = browser.page().fine();
        assert!(page.has("[data-signed-in]"), "registering does not end: {}", page.told());
    }

    /// Answers whatever registering asks, until a page asks nothing, or refuses.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn begin_registering(&self, browser: &mut Browser, person: &Person, password: &str) {
        browser.open(&self.at("/register")).await.fine();
        let earlier = self.outside.texts(&person.phone).await.len();
        browser.press(SUBMIT, &[("phone", &person.phone)]).await.fine();
        let code = self.code_for(&person.phone, earlier).await;
        let known = [
            ("code", code.as_str()),
            ("new_password", password),
            ("name", &person.name),
            ("number", &person.number),
            ("evidence_kind", "social_security_card"),
            ("evidence", &person.social_security_card),
        ];
        for _ in 0..6 {
            let page = browser.page();
            let asks = |name: &str| page.has(&format!("main [name={name}]"));
            let wanted: Vec<_> = known.iter().filter(|(name, _)| asks(name)).copied().collect();
            if wanted.is_empty() || page.alert().is_some() {
                return;
            }
            browser.press(SUBMIT, &wanted).await;
        }
        panic!("registering does not end: {}", browser.page().told());
    }
}
