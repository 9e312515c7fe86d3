//! The hall as a citizen and an officer go through it, by the names of the contract.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::{Browser, Citizen, Deployment, Form, Outside, Page, Upload};

/// How often a page is looked at again before what should be there is missed.
const LOOKS: usize = 3_000;

/// Where cargo puts what it builds.
pub(crate) fn target() -> std::path::PathBuf {
    let executable = std::env::current_exe().expect("a test is a program");
    executable.ancestors().nth(3).expect("target/debug/deps/test").to_owned()
}

/// Builds the department's plugin once a process and lays it where a deployment looks for it.
pub(crate) fn install_plugin(directory: &Path) {
    static BUILT: OnceLock<std::path::PathBuf> = OnceLock::new();
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = BUILT.get_or_init(|| {
        let arguments = ["build", "--quiet", "-p", "plugins-exit-entry", "--profile", "plugin"];
        let mut build = Command::new(env!("CARGO"));
        build.args(arguments).args(["--target", "wasm32-wasip2"]).current_dir(&tree);
        assert!(build.status().expect("cargo runs").success(), "the plugin does not build");
        target().join("wasm32-wasip2/plugin/plugins_exit_entry.wasm")
    });
    let to = directory.join("plugins/exit-entry");
    std::fs::create_dir_all(&to).expect("a directory");
    std::fs::copy(built, to.join("component.wasm")).expect("a component");
    std::fs::copy(tree.join("plugins/exit-entry/plugin.toml"), to.join("plugin.toml"))
        .expect("a manifest");
}

fn gather(value: &Value, into: &mut BTreeMap<String, String>) {
    if let Some(fields) = value["properties"].as_object() {
        for (name, field) in fields {
            if let Some(example) = field["examples"].get(0) {
                let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
                into.insert(name.clone(), text);
            }
        }
    }
    for inner in value.as_object().into_iter().flat_map(|map| map.values()) {
        gather(inner, into);
    }
}

/// An example of every field that an item's form asks, as its public schema gives them.
///
/// # Panics
/// If the item is not served.
pub async fn examples(issuer: &str, item: &str) -> BTreeMap<String, String> {
    let mut browser = Browser::default();
    let page = browser.open(&format!("{issuer}/api/items/{item}")).await.fine();
    let item: Value = serde_json::from_str(&page.text).expect("JSON");
    let mut examples = BTreeMap::new();
    gather(&item["form"], &mut examples);
    assert!(!examples.is_empty(), "the form's schema has examples: {item}");
    examples
}

/// A picture that is one, in PNG.
///
/// # Panics
/// Without memory.
#[must_use]
pub fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let shade = |at: u32| 160 + u8::try_from(at % 64).unwrap_or(0);
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([shade(x / 8), shade(y / 8), 200]));
    image.write_to(&mut bytes, ImageFormat::Png).expect("memory");
    bytes.into_inner()
}

impl Deployment {
    /// An example of every field that an item's form asks.
    pub async fn examples(&self, item: &str) -> BTreeMap<String, String> {
        examples(&self.issuer, item).await
    }

    /// Turns the clock and wakes whoever waits for a time.
    pub fn turn(&self, ms: i64) {
        self.clock.turn(ms);
        self.web.outbox_wake.notify_one();
    }
}

impl Form {
    /// Fills every open field with its example; a box is ticked.
    pub fn fill(&mut self, page: &Page, examples: &BTreeMap<String, String>) {
        for (name, example) in examples {
            let Some(element) = page.all(&format!("[data-form=apply] [name='{name}']")).pop()
            else {
                continue;
            };
            if element.attributes.contains_key("readonly") {
                continue;
            }
            let ticked = element.attribute("type") == "checkbox";
            self.set(name, if ticked { element.attribute("value") } else { example });
        }
    }

    /// Chooses a file.
    pub fn choose(&mut self, name: &str, file: &str, media_type: &str, bytes: Vec<u8>) {
        let (name, file) = (name.to_owned(), file.to_owned());
        self.uploads.retain(|known| known.name != name);
        self.uploads.push(Upload { name, file, media_type: media_type.to_owned(), bytes });
    }
}

impl Browser {
    /// Another tab: the same cookies, the same page.
    #[must_use]
    pub fn tab(&self) -> Self {
        self.clone()
    }

    /// Goes from an item's guide to its form; signs in and shows the face where it is asked.
    pub async fn apply(&mut self, on: &Deployment, item: &str, citizen: &Citizen) -> &Page {
        self.open(&on.at("/items")).await.fine();
        self.follow(&format!("a[data-item='{item}']")).await.fine();
        self.follow("a[data-action=apply]").await;
        if self.page().has("input[name=identifier]") {
            self.sign_in(citizen).await;
        }
        if self.page().has("button[name=step][value=go]") {
            self.press("button[name=step][value=go]", &[]).await.fine();
        }
        if self.page().has("button[name=face]") {
            self.press("button[name=face][value=match]", &[]).await;
        }
        let page = self.page().fine();
        assert!(page.has("form[data-form=apply]"), "{}", page.told());
        page
    }

    /// Looks at the page again until an element is there: what it waits for happens beside the
    /// test, at once, so that this is a matter of turns.
    ///
    /// # Panics
    /// If it never is.
    #[track_caller]
    pub fn until<'b>(&'b mut self, css: &'b str) -> impl Future<Output = &'b Page> + 'b {
        let caller = std::panic::Location::caller();
        async move {
            let address = self.page().url.to_string();
            for _ in 0..LOOKS {
                if self.page().has(css) {
                    return self.page();
                }
                tokio::task::yield_now().await;
                self.open(&address).await;
            }
            panic!("{caller}: {css} does not come: {}", self.page().told());
        }
    }

    /// The state of the case that is shown.
    #[must_use]
    #[track_caller]
    pub fn state(&self) -> String {
        self.page().one("[data-case-state]").attribute("data-case-state").to_owned()
    }

    /// The kinds of the timeline that is shown.
    #[must_use]
    pub fn timeline(&self) -> Vec<String> {
        let rows = self.page().all("[data-event]");
        rows.iter().map(|row| row.attribute("data-event").to_owned()).collect()
    }
}

impl Outside {
    /// Every time that the bank has taken money, as its journal tells: order and minor units.
    pub async fn charges(&self) -> Vec<String> {
        let journal = self.journal(&self.bank).await;
        let paid = journal.iter().filter(|line| {
            let operation = line["operation"].as_str().unwrap_or_default();
            matches!(operation, "pay" | "settle") && line["answer"]["state"] == "paid"
        });
        paid.map(|line| line["key"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Every parcel that the carrier has taken on, as its journal tells.
    pub async fn parcels(&self) -> Vec<String> {
        let journal = self.journal(&self.express).await;
        let booked = journal.iter().filter(|line| line["operation"] == "book");
        let label = |line: &Value| line["answer"]["label"].as_str().unwrap_or_default().to_owned();
        booked.map(label).collect()
    }

    /// Moves a parcel by one step (`next`, `problem`).
    ///
    /// # Panics
    /// If the carrier does not.
    pub async fn carry(&self, label: &str, step: &str) {
        let mut browser = Browser::default();
        browser.open(&format!("{}/parcels/{label}", self.express)).await.fine();
        let button = if step == "next" { "button[value=next]" } else { "button[value=problem]" };
        browser.press(button, &[]).await.fine();
    }
}
