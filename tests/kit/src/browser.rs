//! A browser without JavaScript: cookies, forms, redirects, and the rules that real ones hold
//! against us (`form-action`, `Sec-Fetch-Site`, `Origin`).

use std::sync::Arc;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, multipart};
use url::{Origin, Url};

use crate::{Form, Page, Upload};

/// Redirects that a browser follows.
const MOST: usize = 20;

/// Nobody answers at an address any more.
#[derive(Debug)]
pub struct Gone(String);

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A browser of one person.
#[derive(Clone)]
pub struct Browser {
    jar: Arc<Jar>,
    client: reqwest::Client,
    language: String,
    page: Option<Page>,
    /// Addresses of the last walk, redirects included, oldest first.
    pub hops: Vec<Url>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::speaking("zh-CN")
    }
}

#[derive(Clone)]
enum Body {
    None,
    Form(Vec<(String, String)>),
    Multipart(Vec<(String, String)>, Vec<Upload>),
}

impl Body {
    fn on(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Self::None => request,
            Self::Form(fields) => request.form(fields),
            Self::Multipart(fields, uploads) => {
                let mut form = multipart::Form::new();
                for (name, value) in fields {
                    form = form.text(name.clone(), value.clone());
                }
                for upload in uploads {
                    let part = multipart::Part::bytes(upload.bytes.clone())
                        .file_name(upload.file.clone())
                        .mime_str(&upload.media_type)
                        .expect("a media type");
                    form = form.part(upload.name.clone(), part);
                }
                request.multipart(form)
            }
        }
    }
}

/// The sources of `form-action`, if the page's policy names it (CSP Level 3 §6.4.1).
fn form_action(page: &Page) -> Option<Vec<String>> {
    let policies = page.headers.get_all(header::CONTENT_SECURITY_POLICY);
    policies.iter().filter_map(|policy| policy.to_str().ok()).find_map(|policy| {
        policy.split(';').find_map(|directive| {
            let mut words = directive.split_whitespace();
            (words.next() == Some("form-action")).then(|| words.map(str::to_owned).collect())
        })
    })
}

fn allowed(sources: &[String], own: &Origin, target: &Url) -> bool {
    sources.iter().any(|source| match source.as_str() {
        "'self'" => target.origin() == *own,
        "*" => true,
        scheme if scheme.ends_with(':') => format!("{}:", target.scheme()) == scheme,
        address => Url::parse(address).is_ok_and(|address| address.origin() == target.origin()),
    })
}

impl Browser {
    /// A fresh browser with a language.
    #[must_use]
    pub fn speaking(language: &str) -> Self {
        Self::with(language, None)
    }

    /// One that trusts an authority (PEM) and nobody else.
    #[must_use]
    pub fn trusting(authority: &str) -> Self {
        Self::with("zh-CN", Some(authority))
    }

    fn with(language: &str, authority: Option<&str>) -> Self {
        let jar = Arc::new(Jar::default());
        let mut client = reqwest::Client::builder()
            .cookie_provider(jar.clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(pem) = authority {
            let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
            client = client.tls_built_in_root_certs(false).add_root_certificate(root);
        }
        let client = client.build().expect("a client");
        Self { jar, client, language: language.to_owned(), page: None, hops: Vec::new() }
    }

    /// What it shows.
    ///
    /// # Panics
    /// Before the first page.
    #[must_use]
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("a page was opened")
    }

    /// The value of a cookie that would be sent to an address, by the beginning of its name.
    #[must_use]
    pub fn cookie(&self, address: &str, name: &str) -> Option<String> {
        let url = Url::parse(address).expect("an address");
        let cookies = self.jar.cookies(&url)?;
        let found = cookies.to_str().ok()?.split("; ").find(|pair| pair.starts_with(name))?;
        found.split_once('=').map(|(_, value)| value.to_owned())
    }

    /// The whole name of a cookie that would be sent to an address, by its beginning.
    #[must_use]
    pub fn cookie_name(&self, address: &str, name: &str) -> Option<String> {
        let cookies = self.jar.cookies(&Url::parse(address).ok()?)?;
        let found = cookies.to_str().ok()?.split("; ").find(|pair| pair.starts_with(name))?;
        found.split_once('=').map(|(name, _)| name.to_owned())
    }

    /// Lays a cookie into the jar as an attacker on a neighbouring site would.
    pub fn plant(&self, address: &str, cookie: &str) {
        self.jar.add_cookie_str(cookie, &Url::parse(address).expect("an address"));
    }

    /// Types an address. Relative ones are below the current page.
    ///
    /// # Panics
    /// If nobody answers.
    pub async fn open(&mut self, address: &str) -> &Page {
        self.try_open(address).await.unwrap_or_else(|gone| panic!("{gone}"))
    }

    /// As [`Self::open`], where the other side may die in the middle.
    ///
    /// # Errors
    /// [`Gone`] if nobody answers.
    pub async fn try_open(&mut self, address: &str) -> Result<&Page, Gone> {
        let url = match &self.page {
            Some(page) => page.url.join(address),
            None => Url::parse(address),
        };
        let url = url.unwrap_or_else(|_| panic!("{address} is no address"));
        self.walk(Method::GET, url, Body::None, None, None).await
    }

    /// Follows a link.
    pub async fn follow(&mut self, css: &str) -> &Page {
        let page = self.page().clone();
        let target = page.one(css).attribute("href").to_owned();
        let url = page.url.join(&target).expect("a link leads somewhere");
        let from = page.url.origin();
        let walked = self.walk(Method::GET, url, Body::None, Some(from), None).await;
        walked.unwrap_or_else(|gone| panic!("{gone}"))
    }

    /// The form of a button, to be looked at or filled.
    #[must_use]
    pub fn form(&self, button: &str) -> Form {
        Form::of(self.page(), button)
    }

    /// Fills fields and presses a button of the same form.
    pub async fn press(&mut self, button: &str, fields: &[(&str, &str)]) -> &Page {
        let mut form = self.form(button);
        for (name, value) in fields {
            form.set(name, value);
        }
        self.send(form).await
    }

    /// Sends a form.
    ///
    /// # Panics
    /// If the page's policy forbids its target, as browsers would, or if nobody answers.
    pub async fn send(&mut self, form: Form) -> &Page {
        self.try_send(form).await.unwrap_or_else(|gone| panic!("{gone}"))
    }

    /// As [`Self::send`], where the other side may die in the middle.
    ///
    /// # Errors
    /// [`Gone`] if nobody answers.
    pub async fn try_send(&mut self, form: Form) -> Result<&Page, Gone> {
        let page = self.page().clone();
        let policy = form_action(&page).map(|sources| (sources, page.url.origin()));
        let from = Some(page.url.origin());
        if form.method == "get" {
            let mut url = form.action;
            url.query_pairs_mut().clear().extend_pairs(&form.fields);
            return self.walk(Method::GET, url, Body::None, from, policy).await;
        }
        let body = if form.multipart {
            Body::Multipart(form.fields, form.uploads)
        } else {
            Body::Form(form.fields)
        };
        self.walk(Method::POST, form.action, body, from, policy).await
    }

    fn headers(&self, method: &Method, url: &Url, from: Option<&Origin>, same: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let text = |value: &str| HeaderValue::from_str(value).expect("a header");
        headers.insert(header::ACCEPT_LANGUAGE, text(&self.language));
        headers.insert(header::ACCEPT, text("text/html,application/xhtml+xml,*/*;q=0.8"));
        // All our sites are on localhost: another port is another origin of the same site.
        let site = match from {
            None => "none",
            Some(_) if same => "same-origin",
            Some(_) if url.host_str() == Some("localhost") => "same-site",
            Some(_) => "cross-site",
        };
        headers.insert("sec-fetch-site", text(site));
        headers.insert("sec-fetch-mode", text("navigate"));
        if let Some(from) = from.filter(|_| *method == Method::POST) {
            headers.insert(header::ORIGIN, text(&from.ascii_serialization()));
        }
        headers
    }

    async fn walk(
        &mut self,
        mut method: Method,
        mut url: Url,
        mut body: Body,
        from: Option<Origin>,
        policy: Option<(Vec<String>, Origin)>,
    ) -> Result<&Page, Gone> {
        self.hops.clear();
        // Fetch Metadata §2.2: one foreign hop makes the whole chain foreign.
        let mut same = true;
        for _ in 0..MOST {
            if let Some((sources, own)) = &policy {
                let fine = allowed(sources, own, &url);
                assert!(fine, "form-action {sources:?} of {own:?} forbids {url}");
            }
            self.hops.push(url.clone());
            same &= from.as_ref().is_none_or(|from| *from == url.origin());
            // Nobody listens at these: what would be sent there is what the story looks at.
            if url.host_str().is_some_and(|host| host.ends_with(".example")) {
                let (status, headers) = (200, HeaderMap::new());
                return Ok(self.page.insert(Page { url, status, headers, text: String::new() }));
            }
            let headers = self.headers(&method, &url, from.as_ref(), same);
            let request = self.client.request(method.clone(), url.clone()).headers(headers);
            let answer = body.on(request).send().await;
            let answer = answer.map_err(|cause| Gone(format!("{url}: {cause}")))?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let location = headers.get(header::LOCATION).filter(|_| (300..400).contains(&status));
            let Some(location) = location else {
                let text = answer.text().await;
                let text = text.map_err(|cause| Gone(format!("{url}: {cause}")))?;
                return Ok(self.page.insert(Page { url, status, headers, text }));
            };
            let location = location.to_str().expect("a location is text");
            url = url.join(location).unwrap_or_else(|_| panic!("{location} leads nowhere"));
            // RFC 9110 §15.4: 307 and 308 repeat the method, the others become GET.
            if !matches!(status, 307 | 308) {
                (method, body) = (Method::GET, Body::None);
            }
        }
        panic!("redirects without end: {:?}", self.hops);
    }
}
