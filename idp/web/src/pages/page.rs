//! A request for a page: who asks, in which language, from where, in which flow.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::HeaderValue;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use idp_domain::ambient::Token;
use idp_store::{StoreError, account};

use super::form::Field;
use super::reply::{self, Forms};
use super::shell::Shell;
use super::text::Lang;
use super::view::{FormPage, Link, MessagePage, Notice};
use crate::network::Network;
use crate::session::{self, SignedIn, Who};
use crate::{State, cookie, flow};

/// A request for a page.
pub(crate) struct Page {
    pub(crate) state: State,
    pub(crate) headers: HeaderMap,
    pub(crate) lang: Lang,
    pub(crate) signed_in: Option<SignedIn>,
    /// What tries are counted by.
    pub(crate) network: String,
    uri: Uri,
}

impl FromRequestParts<State> for Page {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Infallible> {
        // A page of a person whose session cannot be read is a stranger's page; what needs the
        // database will say so itself.
        let signed_in = session::current(state, &parts.headers).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "a session cannot be read");
            None
        });
        let mut page = Self {
            state: state.clone(),
            lang: Lang::default(),
            network: Network::of(state, parts).0,
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            signed_in,
        };
        page.lang = page.language().await;
        Ok(page)
    }
}

impl Page {
    /// What was chosen on a page, then the partner's wish (`ui_locales`, OpenID Connect Core
    /// §3.1.2.1), then the account's language, then the browser's.
    async fn language(&self) -> Lang {
        if let Some(kept) = Lang::kept(&self.headers, self.uri.query()) {
            return kept;
        }
        let wished = self.wished().await.unwrap_or_else(|cause| {
            // In which language a page stands is no reason to withhold it.
            tracing::error!(%cause, "the wished language cannot be read");
            None
        });
        wished.unwrap_or_else(|| Lang::read_by(&self.headers))
    }

    async fn wished(&self) -> Result<Option<Lang>, StoreError> {
        if let Some(id) = self.flow()
            && let Some(flow) = flow::load(&self.state, &self.headers, &id).await?
            && let Some(lang) = flow.request.ui_locales.as_deref().and_then(Lang::wished)
        {
            return Ok(Some(lang));
        }
        let who = self.signed_in.as_ref().map(|signed_in| &signed_in.who);
        let Some(Who::Citizen(person)) = who else { return Ok(None) };
        let person = person.clone();
        let read = self.state.db.read::<_, StoreError, _>("language", move |tx| {
            let person = person.clone();
            Box::pin(async move { account::find(tx, &person).await })
        });
        let language = read.await?.and_then(|account| account.language);
        Ok(language.as_deref().and_then(Lang::from_tag))
    }

    /// Milliseconds UTC.
    pub(crate) fn now(&self) -> i64 {
        self.state.ambient.now()
    }

    pub(crate) fn t(&self, key: &str) -> String {
        self.lang.t(key)
    }

    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query()?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let value = pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        // As in a form: none of ours has a NUL.
        value.filter(|value| !value.contains('\0'))
    }

    /// The flow that the page belongs to. Only its form is checked here; whose it is, is checked
    /// where it is used.
    pub(crate) fn flow(&self) -> Option<String> {
        self.query("flow").filter(|flow| is_id(flow))
    }

    /// The surroundings of this page.
    pub(crate) fn shell(&self) -> Shell {
        let kept = ["flow", "before"]
            .into_iter()
            .filter_map(|name| Some((name, self.query(name).filter(|value| is_id(value))?)))
            .collect();
        let here = self.uri.path().to_owned();
        Shell { lang: self.lang, here, kept, signed_in: self.signed_in.is_some() }
    }

    /// Where a page leads when it is done: on with the flow, or to the account.
    pub(crate) fn onward(flow: Option<&str>) -> Response {
        match flow {
            Some(flow) => reply::see_other(&format!("/oauth2/authorize/{flow}")),
            None => reply::see_other("/account"),
        }
    }

    /// An address of ours that keeps the flow.
    pub(crate) fn address(path: &str, flow: Option<&str>) -> String {
        match flow {
            Some(flow) => format!("{path}?flow={flow}"),
            None => path.to_owned(),
        }
    }

    /// To the sign-in page.
    pub(crate) fn to_signin(&self) -> Response {
        reply::see_other(&Self::address("/signin", self.flow().as_deref()))
    }

    /// `Set-Cookie` of one of the pages' own secrets.
    pub(crate) fn cookie(&self, stem: &str, value: &str, seconds: i64) -> HeaderValue {
        cookie::set(&self.state, &cookie::name(&self.state, stem), value, Some(seconds))
    }

    /// The value of one of the pages' own cookies.
    pub(crate) fn cookie_value(&self, stem: &str) -> Option<String> {
        cookie::get(&self.headers, &cookie::name(&self.state, stem)).map(str::to_owned)
    }

    /// A fresh salt for a password.
    pub(crate) fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.state.ambient.random.fill(&mut salt);
        salt
    }

    /// The secret in one of the pages' own cookies.
    pub(crate) fn token(&self, stem: &str, prefix: &'static str) -> Option<Token> {
        Token::parse(prefix, &self.cookie_value(stem)?)
    }

    /// A form page.
    pub(crate) fn form(&self, status: StatusCode, form: Form) -> Response {
        let forms = if form.flow.is_some() { Forms::Onward } else { Forms::Ours };
        let flow = form.flow.as_deref();
        let (second, second_action) = match form.second {
            Some((label, path)) => (label, Self::address(path, flow)),
            None => (String::new(), String::new()),
        };
        let page = FormPage {
            shell: self.shell(),
            title: form.title,
            lead: form.lead,
            steps: form.steps,
            notice: form.notice,
            partner: form.partner,
            action: Self::address(form.action, flow),
            fields: form.fields,
            submit: form.submit,
            second,
            second_action,
            others: form.others,
            links: form.links,
        };
        reply::page(status, forms, &page)
    }

    /// A page that says one thing and shows ways on.
    pub(crate) fn message(
        &self,
        status: StatusCode,
        title: String,
        notice: Notice,
        paragraphs: Vec<String>,
    ) -> Response {
        let page =
            MessagePage { shell: self.shell(), title, notice, code: String::new(), paragraphs };
        reply::page(status, Forms::Ours, &page)
    }

    /// The page of a failure of ours; the cause is for the log.
    pub(crate) fn failed(&self, cause: &StoreError) -> Response {
        tracing::error!(%cause, path = self.uri.path(), "a page failed");
        self.status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The page of a status.
    pub(crate) fn status(&self, status: StatusCode) -> Response {
        super::missing::status_page(self.shell(), status)
    }

    /// The page of overload.
    pub(crate) fn busy(&self) -> Response {
        self.status(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// What makes a form page beside its surroundings.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) title: String,
    pub(crate) lead: Option<String>,
    pub(crate) steps: Vec<super::view::Step>,
    pub(crate) notice: Option<Notice>,
    /// Whose sign-in it is.
    pub(crate) partner: Option<super::partner_card::PartnerCard>,
    pub(crate) action: &'static str,
    pub(crate) flow: Option<String>,
    pub(crate) fields: Vec<Field>,
    pub(crate) submit: String,
    /// A second, smaller button: its label and where it posts.
    pub(crate) second: Option<(String, &'static str)>,
    pub(crate) others: Vec<Link>,
    pub(crate) links: Vec<Link>,
}

/// Whether a text can be an id of ours.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_18_only_ids_stand_for_flows() {
        assert!(is_id("0190a1b2-c3d4-7e5f"));
        for text in ["", "//evil.example", "a/b", "a?b", "a%2fb", &"x".repeat(65)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
