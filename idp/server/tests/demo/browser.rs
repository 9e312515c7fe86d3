//! A browser without scripts: cookies, redirects, forms by the names of the contract.

use reqwest::Client;
use scraper::{ElementRef, Html, Selector};
use url::Url;

pub(crate) struct Browser {
    http: Client,
    pub(crate) url: Url,
    pub(crate) page: String,
    pub(crate) status: u16,
}

fn select(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = Client::builder().cookie_store(true).no_proxy().build().unwrap();
        let url = Url::parse("http://localhost/").unwrap();
        Self { http, url, page: String::new(), status: 0 }
    }

    async fn take(&mut self, request: reqwest::RequestBuilder) {
        let response = request.send().await.unwrap();
        self.url = response.url().clone();
        self.status = response.status().as_u16();
        self.page = response.text().await.unwrap();
    }

    pub(crate) async fn open(&mut self, address: &str) {
        let address = self.url.join(address).unwrap();
        self.take(self.http.get(address)).await;
    }

    pub(crate) fn has(&self, selector: &str) -> bool {
        Html::parse_document(&self.page).select(&select(selector)).next().is_some()
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let page = Html::parse_document(&self.page);
        let found = page.select(&select(selector)).next();
        found
            .map(|element| element.text().collect::<String>().trim().to_owned())
            .unwrap_or_default()
    }

    /// Fills the form that holds the first of `fields` and sends it.
    pub(crate) async fn submit(&mut self, fields: &[(&str, &str)]) {
        let (name, _) = fields[0];
        let (action, mut all) = {
            let page = Html::parse_document(&self.page);
            let wanted = format!("[name=\"{name}\"]");
            let inside = page
                .select(&select("form"))
                .find(|form| form.select(&select(&wanted)).next().is_some());
            let form = inside
                .unwrap_or_else(|| panic!("no form with {name} on {}:\n{}", self.url, self.page));
            let action = form.attr("action").unwrap_or_default();
            (self.url.join(action).unwrap(), hidden(form))
        };
        all.retain(|(known, _)| !fields.iter().any(|(name, _)| name == known));
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.take(self.http.post(action).form(&all)).await;
    }
}

fn hidden(form: ElementRef<'_>) -> Vec<(String, String)> {
    form.select(&select("input"))
        .filter(|input| {
            !matches!(input.attr("type"), Some("submit" | "checkbox" | "radio" | "file"))
        })
        .filter_map(|input| {
            Some((
                input.attr("name")?.to_owned(),
                input.attr("value").unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}
