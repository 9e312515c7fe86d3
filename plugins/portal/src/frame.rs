//! What every page stands in: language, who is signed in, where we are; and the layer that makes
//! it, guards unsafe methods, renders faults and sets the security headers.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::fault::Fault;
use crate::lang::{self, Lang};
use crate::session::{self, Visitor};
use crate::{State, cookies, local, posted};

/// The frame of one request's page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Language of the page.
    pub lang: Lang,
    /// Who is signed in.
    pub visitor: Option<Visitor>,
    /// Path with query, as far as it may be linked to.
    pub here: String,
    issuer: String,
}

/// A link to the same page in another language.
#[derive(Debug)]
pub struct LanguageLink {
    /// Where it leads.
    pub href: String,
    /// BCP 47 tag.
    pub tag: &'static str,
    /// The language's own name.
    pub name: &'static str,
    /// Whether the page is in it.
    pub current: bool,
}

impl Frame {
    /// A sentence in the page's language.
    #[must_use]
    pub fn t(&self, key: &str) -> String {
        self.lang.t(key)
    }

    /// A sentence with a value in it.
    #[must_use]
    pub fn ta(&self, key: &str, name: &str, value: impl ToString) -> String {
        self.lang.with(key, name, value.to_string())
    }

    /// The sentence of a family, such as `state-paid` of `state` and `paid`.
    #[must_use]
    pub fn tk(&self, family: &str, name: impl std::fmt::Display) -> String {
        self.lang.t(&format!("{family}-{name}"))
    }

    /// Whether somebody is signed in.
    #[must_use]
    pub fn signed_in(&self) -> bool {
        self.visitor.is_some()
    }

    /// Whether a member of staff is signed in.
    #[must_use]
    pub fn staff(&self) -> bool {
        self.visitor.as_ref().is_some_and(|visitor| visitor.staff.is_some())
    }

    /// How to greet whoever is signed in.
    #[must_use]
    pub fn who(&self) -> String {
        let Some(visitor) = &self.visitor else { return String::new() };
        match (&visitor.staff, &visitor.name) {
            (Some(staff), _) if !staff.name.is_empty() => staff.name.clone(),
            (_, Some(name)) => name.clone(),
            _ => self.t("nav-signed-in"),
        }
    }

    /// The sign-in that comes back here.
    #[must_use]
    pub fn signin(&self) -> String {
        format!("/hall/signin?next={}", local::query(&self.here))
    }

    /// The same page in each language.
    #[must_use]
    pub fn languages(&self) -> Vec<LanguageLink> {
        let joint = if self.here.contains('?') { '&' } else { '?' };
        lang::ALL
            .into_iter()
            .map(|lang| LanguageLink {
                href: format!("{}{joint}lang={}", self.here, lang.tag()),
                tag: lang.tag(),
                name: lang.name(),
                current: lang == self.lang,
            })
            .collect()
    }

    /// Whether `prefix` is the part of the site that this page belongs to.
    #[must_use]
    pub fn within(&self, prefix: &str) -> bool {
        self.here.split('?').next().is_some_and(|path| path.starts_with(prefix))
    }

    /// The provider's account page.
    #[must_use]
    pub fn account(&self) -> String {
        format!("{}/account", self.issuer)
    }

    /// Renders a page.
    ///
    /// # Errors
    /// [`Fault`] if the template fails, which is a fault of ours.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Result<Response, Fault> {
        let body = template
            .render()
            .map_err(|cause| Fault::caused(StatusCode::INTERNAL_SERVER_ERROR, "internal", cause))?;
        Ok((status, Html(body)).into_response())
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage<'a> {
    shell: &'a Frame,
    status: u16,
    code: &'a str,
    sentence: String,
    hint: Option<String>,
}

/// The layer of every page.
pub async fn layer(Shared(state): Shared<State>, mut request: Request, next: Next) -> Response {
    let lang = Lang::of(request.headers());
    let here = here(request.uri());
    if let Some(answer) = remember_language(&state, &request) {
        return answer;
    }
    let refused = foreign(&state, request.method(), request.headers());
    let (visitor, broken) = match session::current(&state, request.headers()).await {
        Ok(visitor) => (visitor, None),
        Err(cause) => (None, Some(Fault::from(cause))),
    };
    let frame = Arc::new(Frame { lang, visitor, here, issuer: state.settings.issuer.clone() });
    request.extensions_mut().insert(frame.clone());
    let response = match (refused, broken) {
        (Some(fault), _) | (None, Some(fault)) => fault.into_response(),
        (None, None) if !posted::can_be(request.uri()) => Fault::missing().into_response(),
        (None, None) => next.run(request).await,
    };
    finish(&state, &frame, response)
}

/// The path with query if pages may link to it, else the entrance.
fn here(uri: &Uri) -> String {
    let text = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    local::path(text).unwrap_or("/").to_owned()
}

/// `?lang=` is remembered and leaves the address (BRIEF: languages; contract.md).
fn remember_language(state: &State, request: &Request) -> Option<Response> {
    if request.method() != Method::GET {
        return None;
    }
    let query = request.uri().query()?;
    let mut chosen = None;
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(50) {
        if name == "lang" {
            chosen = Lang::parse(&value);
        } else {
            rest.append_pair(&name, &value);
        }
    }
    let rest = rest.finish();
    let path = request.uri().path();
    let to = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
    let to = local::path(&to).unwrap_or("/");
    let year = 365 * 86_400;
    let cookie = cookies::set(lang::COOKIE, chosen?.tag(), "/", year, state.settings.secure);
    Some(([(SET_COOKIE, cookie)], Redirect::to(to)).into_response())
}

/// Refuses unsafe requests that another site's page made (attacks row 20). Browsers say so in
/// `Sec-Fetch-Site`; older ones in `Origin`; a program without a browser has no ambient cookie.
fn foreign(state: &State, method: &Method, headers: &HeaderMap) -> Option<Fault> {
    if method.is_safe() {
        return None;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin != state.settings.origin,
        (None, None) => false,
    };
    foreign.then(|| Fault::new(StatusCode::FORBIDDEN, "cross-site"))
}

/// Renders what the handlers and the router left as a bare status, and sets the headers.
fn finish(state: &State, frame: &Frame, response: Response) -> Response {
    let mut response = rendered(frame, response);
    let headers = response.headers_mut();
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy(state, &[]));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // No page's address may reach another site (attacks row 36), no page may be framed (row 35).
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn rendered(frame: &Frame, mut response: Response) -> Response {
    let status = response.status();
    let fault = response.extensions_mut().remove::<Fault>();
    let html = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let fault = match fault {
        Some(fault) => fault,
        None if html || !(status.is_client_error() || status.is_server_error()) => return response,
        None => Fault::of_status(status),
    };
    log(&frame.here, &fault);
    let page = FaultPage {
        shell: frame,
        status: fault.status.as_u16(),
        code: fault.code,
        sentence: match &fault.detail {
            Some(detail) => frame.lang.pick(detail).into_owned(),
            None => frame.t(&format!("fault-{}", fault.code)),
        },
        hint: frame.lang.find(&format!("fault-{}-hint", fault.code)),
    };
    let mut rendered =
        frame.page(fault.status, &page).unwrap_or_else(|_| fault.status.into_response());
    for name in [http::header::ALLOW, http::header::RETRY_AFTER, SET_COOKIE] {
        for value in response.headers().get_all(&name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

/// The one line about a failure. The path without its query: a query may hold what a person typed.
pub(crate) fn log(here: &str, fault: &Fault) {
    let path = here.split('?').next().unwrap_or_default();
    let cause = fault.cause.as_deref().unwrap_or_default();
    if fault.status.is_server_error() {
        tracing::error!(path, status = fault.status.as_u16(), code = fault.code, cause, "failed");
    } else if !cause.is_empty() {
        tracing::warn!(path, status = fault.status.as_u16(), code = fault.code, cause, "refused");
    }
}

/// The content security policy; `forms` are further origins that a form may post to.
#[must_use]
pub fn policy(state: &State, forms: &[&str]) -> HeaderValue {
    // A browser holds form-action against every redirect after a form, so the provider stands
    // there too: signing out and stepping up lead to it.
    let issuer = url::Url::parse(&state.settings.issuer)
        .map(|url| url.origin().ascii_serialization())
        .unwrap_or_default();
    let forms = forms.join(" ");
    let text = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {issuer} \
         {forms}; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}
