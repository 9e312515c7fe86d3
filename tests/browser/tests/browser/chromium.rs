//! Chromium through chromedriver, as a person uses it: looks, clicks, types.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::Url;

/// A command of the Chrome DevTools Protocol, which chromedriver passes on.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.0, "params": self.1 });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Bytes of a picture that a repository can carry.
const LARGEST: usize = 150_000;

/// A browser and its driver.
pub(crate) struct Chromium {
    driver: Child,
    profile: tempfile::TempDir,
    pub(crate) client: Client,
    pictures: Option<PathBuf>,
    /// What was wrong with the pages that were looked at.
    pub(crate) faults: Vec<String>,
}

#[allow(clippy::disallowed_methods)] // Tests are told what to use.
fn told(name: &str) -> Option<PathBuf> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// The driver that was named, or the one that Debian installs; none without either.
fn chromedriver() -> Option<PathBuf> {
    let named = told("TONGBAN_TEST_CHROMEDRIVER");
    if let Some(path) = &named {
        assert!(path.exists(), "{} is no chromedriver", path.display());
    }
    named.or_else(|| Some(PathBuf::from("/usr/bin/chromedriver")).filter(|path| path.exists()))
}

/// What every page owes to those who look at it: no sideways scrolling, a language, a heading, a
/// name for every field and button, pictures with a text.
const LOOK: &str = r#"
const faults = [];
const root = document.documentElement;
if (root.scrollWidth > window.innerWidth) faults.push(`scrolls sideways: ${root.scrollWidth} > ${window.innerWidth}`);
if (!/^(zh-CN|en)$/.test(root.lang)) faults.push(`language "${root.lang}"`);
if (!document.title.trim()) faults.push('no title');
if (arguments[0] && document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
  const named = [...(field.labels || [])].some(label => label.textContent.trim()) || field.getAttribute('aria-label');
  if (!named) faults.push(`no label: ${field.name}`);
}
for (const button of document.querySelectorAll('button, a[href]'))
  if (!button.textContent.trim() && !button.getAttribute('aria-label') && !button.querySelector('img[alt]:not([alt=""])'))
    faults.push(`no name: ${button.outerHTML.slice(0, 80)}`);
for (const image of document.images) if (!image.hasAttribute('alt')) faults.push(`no alt: ${image.src}`);
for (const id of new Set([...document.querySelectorAll('[id]')].map(e => e.id)))
  if (document.querySelectorAll(`[id="${CSS.escape(id)}"]`).length > 1) faults.push(`twice: #${id}`);
return faults;
"#;

/// Whether what holds the focus can be seen to hold it.
const FOCUS: &str = r#"
const held = document.activeElement;
if (!held || held === document.body) return null;
const style = getComputedStyle(held);
const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
return ring || style.boxShadow !== 'none' ? '' : held.outerHTML.slice(0, 100);
"#;

impl Chromium {
    /// Starts one; none where no chromedriver is installed.
    pub(crate) async fn start() -> Option<Self> {
        let path = chromedriver()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new(path)
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path())
            .env("HOME", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(driver.try_wait().unwrap().is_none(), "chromedriver ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "chromedriver does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
        ];
        let options =
            json!({ "args": arguments, "prefs": { "intl.accept_languages": "zh-CN,zh" } });
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".to_owned(), options);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client =
            builder.capabilities(wanted).connect(&format!("http://127.0.0.1:{port}")).await;
        let client = client.expect("a session of Chromium");
        let pictures = told("TONGBAN_SCREENSHOTS");
        let browser = Self { driver, profile, client, pictures, faults: Vec::new() };
        // Every page works without: what the pages themselves would run is switched off.
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser.wide(1280).await;
        // The looks below are taken by the driver's own script; were it off too, they would be blind.
        let seen = browser.client.execute("return 6 * 7", Vec::new()).await.unwrap();
        assert_eq!(seen, json!(42), "the driver cannot look at pages");
        Some(browser)
    }

    async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(DevTools(command, parameters)).await.expect(command)
    }

    async fn wide(&self, width: u32) {
        let height = if width < 800 { 844 } else { 900 };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    }

    pub(crate) async fn open(&mut self, address: &str) {
        self.client.goto(address).await.unwrap_or_else(|cause| panic!("{address}: {cause}"));
    }

    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        !self.client.find_all(Locator::Css(css)).await.unwrap().is_empty()
    }

    /// The first element, with what the page says if there is none.
    pub(crate) async fn one(&self, css: &str) -> Element {
        let found = self.client.find(Locator::Css(css)).await;
        if let Ok(element) = found {
            return element;
        }
        let text = self.text("body").await;
        panic!("no {css} at {}:\n{text}", self.address().await);
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap(),
            Err(_) => String::new(),
        }
    }

    /// Clicks, as a person does: what is hidden cannot be clicked.
    pub(crate) async fn tick(&mut self, css: &str) -> Element {
        let element = self.one(css).await;
        if let Err(cause) = element.click().await {
            panic!("{css} at {} cannot be clicked: {cause}", self.address().await);
        }
        element
    }

    /// Clicks what leads to another page, and waits for that page.
    pub(crate) async fn click(&mut self, css: &str) {
        let element = self.tick(css).await;
        let begun = Instant::now();
        // An element of a page that was left is stale.
        while element.is_enabled().await.is_ok() {
            let late = begun.elapsed() > Duration::from_secs(30);
            assert!(!late, "{css} leads nowhere from {}", self.address().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while self.client.execute("return document.readyState", Vec::new()).await.unwrap()
            != "complete"
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "{css}: the page does not come");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn type_into(&mut self, css: &str, text: &str) {
        let element = self.one(css).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    pub(crate) async fn choose(&mut self, css: &str, value: &str) {
        self.one(css).await.select_by_value(value).await.unwrap();
    }

    /// A file in the input's own dialog.
    pub(crate) async fn upload(&mut self, css: &str, file: &std::path::Path) {
        self.one(css).await.send_keys(&file.display().to_string()).await.unwrap();
    }

    /// Looks again until an element is there; `within` bounds it.
    pub(crate) async fn until(&mut self, css: &str, within: Duration) {
        let begun = Instant::now();
        while !self.has(css).await {
            if begun.elapsed() > within {
                self.one(css).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.client.refresh().await.unwrap();
        }
    }

    /// Looks at a page of ours at both widths, by eye and by keyboard, and takes its picture.
    pub(crate) async fn look(&mut self, name: &str) {
        self.look_at(name, true).await;
    }

    /// The same at a page of a simulator, which owes a little less.
    pub(crate) async fn look_at(&mut self, name: &str, ours: bool) {
        for width in [390, 1280] {
            self.wide(width).await;
            let faults = self.client.execute(LOOK, vec![json!(ours)]).await.unwrap();
            let faults = faults.as_array().cloned().unwrap_or_default();
            self.faults.extend(faults.iter().map(|fault| format!("{name} at {width}: {fault}")));
            self.picture(&format!("{name}-{width}")).await;
        }
        if ours {
            self.go_through(name).await;
        }
    }

    /// With the Tab key through the beginning of a page: what holds the focus shows it.
    async fn go_through(&mut self, name: &str) {
        let mut held = 0;
        for _ in 0..8 {
            self.client.active_element().await.unwrap().send_keys("\u{E004}").await.unwrap();
            match self.client.execute(FOCUS, Vec::new()).await.unwrap().as_str() {
                None => {}
                Some("") => held += 1,
                Some(hidden) => {
                    self.faults.push(format!("{name}: the focus cannot be seen on {hidden}"));
                }
            }
        }
        if held == 0 {
            self.faults.push(format!("{name}: nothing takes the focus"));
        }
    }

    /// The whole page, if pictures are wanted; its first screen only, where that would be large.
    async fn picture(&self, name: &str) {
        let Some(directory) = &self.pictures else { return };
        let mut bytes = Vec::new();
        for whole in [true, false] {
            let wanted = json!({ "format": "png", "captureBeyondViewport": whole });
            let taken = self.devtools("Page.captureScreenshot", wanted).await;
            bytes = decode(taken["data"].as_str().unwrap());
            if bytes.len() < LARGEST {
                break;
            }
        }
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join(format!("{name}.png")), bytes).unwrap();
    }
}

/// RFC 4648 §4.
fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

impl Drop for Chromium {
    /// A driver that is killed leaves its browser behind: whatever works in our profile goes too.
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let ours = self.profile.path().to_string_lossy().into_owned();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(&ours) {
                let _ = Command::new("kill").arg("-KILL").arg(process.file_name()).status();
            }
        }
    }
}
