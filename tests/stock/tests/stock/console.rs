//! The sandbox console as a developer has it whose browser runs no JavaScript: a client is
//! registered, the program that the console has filled in is installed and started as it stands
//! there, somebody whom the console names signs in, and the timeline shows each step decoded.

use std::process::Command;

use tests_kit::{Browser, Demo};

use crate::pages::{self, Install, Tools};
use crate::provider::Person;
use crate::site::{Place, Site};

/// A developer's browser, at a page of the console.
struct Developer {
    console: String,
    browser: Browser,
}

impl Developer {
    fn of(demo: &Demo) -> Self {
        let console = format!("{}/sandbox", demo.text("/issuer"));
        Self { console, browser: Browser::default() }
    }

    /// Somebody to sign in as.
    async fn test_person(&mut self) -> Person {
        let page = self.browser.open(&self.console).await;
        let text = |css: &str| page.one(css).text;
        let phone = text("[data-person] .number");
        let phone = phone.split(' ').next().unwrap().to_owned();
        let (name, password) = (text("[data-person] strong"), text("[data-person] code"));
        Person::of(name, phone, password, Browser::default())
    }

    /// Registers a client; its page is open then.
    async fn registers(&mut self, redirect_uri: &str) {
        self.browser.open(&self.console).await;
        let fields = [("name", "试验"), ("redirect_uris", redirect_uri)];
        self.browser.press("[data-form=sandbox-register] button", &fields).await.fine();
        assert!(self.browser.page().has("[data-environment]"), "{}", self.browser.page().told());
    }

    /// Writes the program of a page as the console has it, gives the secret of its client.
    fn copies(&self, program: &str, tools: &Tools, place: &Place) -> String {
        let page = self.browser.page();
        let files = format!("[data-program={program}] [data-file]");
        let (named, texts) = (page.all(&files), page.texts(&files));
        let names: Vec<_> = named.iter().map(|file| file.attribute("data-file")).collect();
        let expected: Vec<_> = tools.page.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, expected);
        for (name, text) in names.into_iter().zip(texts) {
            place.write(name, &text);
        }
        let environment = page.texts("[data-environment]").remove(0);
        let secret =
            environment.lines().find_map(|line| line.strip_prefix("export CLIENT_SECRET="));
        secret.unwrap().trim_matches('\'').to_owned()
    }
}

/// The timeline of the page that is open has the whole of a sign-in by a program.
async fn sees_it_decoded(developer: &mut Developer, sub: &str, person: &Person) {
    let here = developer.browser.page().url.to_string();
    let page = developer.browser.open(&here).await;
    for event in ["authorize", "step", "token", "userinfo"] {
        assert!(page.has(&format!("[data-event={event}]")), "{event}: {}", page.told());
    }
    let token = page.one("[data-token=id_token]").text;
    assert!(token.contains(&format!("\"sub\": \"{sub}\"")), "{token}");
    assert!(page.has("[data-token=id_token] .badge-green"), "{token}");
    assert!(page.one("[data-event=userinfo]").text.contains(&person.name), "{}", page.told());
    assert!(!page.has("[data-cause]"), "{}", page.told());
}

async fn fills_in(demo: &Demo, program: &str, tools: Option<Tools>, install: Install) {
    let Some(tools) = tools else { return };
    let (mut developer, place) = (Developer::of(demo), Place::new(None));
    let mut person = developer.test_person().await;
    // Another path than the page's: it is filled in as well.
    let redirect_uri = format!("http://localhost:{}/signed-in/here", place.port);
    developer.registers(&redirect_uri).await;
    let secret = developer.copies(program, &tools, &place);
    let started = move || {
        let mut command: Command = install(&tools, &place);
        // Nothing else of the client: it stands in the program.
        command.env_remove("ISSUER").env_remove("CLIENT_ID").env("CLIENT_SECRET", secret);
        Site::start(place, command)
    };
    let site = tokio::task::spawn_blocking(started).await.unwrap();
    let at = person.go(&site.place.home()).await;
    assert!(at.as_str().starts_with(&site.place.home()), "{at}\n{}", site.log());
    assert_eq!(person.asked, ["sign-in", "consent"], "{program}");
    let shown = site.shown(person.browser.page());
    assert_eq!(shown.name, person.name);
    assert!(person.browser.hops.iter().any(|hop| hop.as_str().starts_with(&redirect_uri)));
    sees_it_decoded(&mut developer, &shown.sub, &person).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_fills_in_programs_that_sign_people_in() {
    let demo = tokio::task::spawn_blocking(|| Demo::start(&Demo::binary(), None)).await.unwrap();
    fills_in(&demo, "node", pages::node(), pages::in_node).await;
    fills_in(&demo, "python", pages::python(), pages::in_python).await;
    fills_in(&demo, "java", pages::java(), pages::in_java).await;
    fills_in(&demo, "go", pages::go(), pages::in_go).await;
    // The workspace has no program of this text: it is built as the page says.
    let rust = pages::slow().then(pages::rust).flatten().map(Tools::literally);
    fills_in(&demo, "rust", rust, pages::in_rust).await;
}
