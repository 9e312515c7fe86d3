//! The pages of the first two steps, for all ways: `input[name=phone]`, then `input[name=code]`.

use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::journey::State as At;
use idp_domain::citizen::phone::Phone;
use idp_store::StoreError;
use idp_store::journey::Journey;
use idp_store::otp::Redeemed;

use super::codes::{self, Again, Asked, STEP};
use super::faults::Told as _;
use super::form::{Field, Fields};
use super::page::{Form, Page};
use super::reply::{see_other, with_cookie};
use super::view::{Link, Notice};
use super::ways::Way;

/// Seconds that the browser keeps a journey's secret.
pub(crate) const COOKIE_LIFE: i64 = 45 * 60;

/// The page that asks for the phone.
pub(crate) fn phone_page(
    page: &Page,
    way: &Way,
    status: StatusCode,
    typed: &str,
    error: Option<String>,
    notice: Option<Notice>,
) -> Response {
    let flow = page.flow();
    let mut field = Field::text("phone", page.t("label-phone")).hint(page.t("hint-phone"));
    field = field.value(typed).error(error);
    (field.kind, field.autocomplete, field.mode) = ("tel", "tel-national", "tel");
    let signin = Page::address("/signin", flow.as_deref());
    page.form(
        status,
        Form {
            title: page.t(way.title),
            lead: Some(page.t(way.lead)),
            steps: way.steps(page.lang, 0),
            notice,
            action: way.start,
            flow,
            fields: vec![field],
            submit: page.t("send-code"),
            links: vec![Link::new(signin, page.t("to-signin"))],
            ..Form::default()
        },
    )
}

/// Takes the phone and sends a code.
pub(crate) async fn take_phone(page: &Page, way: &Way, fields: &Fields) -> Response {
    let typed = fields.get("phone");
    let phone = match Phone::parse(typed) {
        Ok(phone) => phone,
        Err(fault) => {
            let error = Some(page.t(fault.key()));
            let notice = Some(Notice::error(page.t("correct-below")));
            return phone_page(page, way, StatusCode::UNPROCESSABLE_ENTITY, typed, error, notice);
        }
    };
    match codes::begin(page, way, &phone, page.flow()).await {
        Ok(Asked::Begun(secret)) => {
            let to = Page::address(way.code, page.flow().as_deref());
            with_cookie(see_other(&to), page.cookie(STEP, &secret, COOKIE_LIFE))
        }
        Ok(Asked::Limited) => {
            let notice = Some(Notice::error(page.t("codes-limited")));
            phone_page(page, way, StatusCode::TOO_MANY_REQUESTS, typed, None, notice)
        }
        Err(cause) => page.failed(&cause),
    }
}

/// The page that asks for the code.
pub(crate) fn code_page(
    page: &Page,
    way: &Way,
    journey: &Journey,
    status: StatusCode,
    error: Option<String>,
    notice: Option<Notice>,
) -> Response {
    let shown = Phone::parse(&journey.phone).map(|phone| phone.masked()).unwrap_or_default();
    let mut field = Field::text("code", page.t("label-code")).hint(page.t("hint-code"));
    field = field.error(error);
    (field.autocomplete, field.mode, field.class) = ("one-time-code", "numeric", "input-code");
    field.longest = 12;
    let other = Page::address(way.start, page.flow().as_deref());
    page.form(
        status,
        Form {
            title: page.t(way.title),
            lead: Some(page.lang.with("code-lead", &[("phone", &shown)])),
            steps: way.steps(page.lang, 1),
            notice,
            action: way.code,
            flow: page.flow(),
            fields: vec![field],
            submit: page.t("continue"),
            second: Some((page.t("resend-code"), way.resend)),
            links: vec![Link::new(other, page.t("other-phone"))],
            ..Form::default()
        },
    )
}

/// The journey of a way, where a page needs it to stand; else the answer that leads to where it
/// does stand (a second tab, the back button, somebody who skips: attacks row 23).
pub(crate) async fn at(page: &Page, way: &Way, wanted: At) -> Result<Journey, Response> {
    match codes::current(page, way).await {
        Ok(Some(journey)) if journey.state == wanted => Ok(journey),
        Ok(Some(journey)) => {
            Err(see_other(&Page::address(way.page_of(journey.state), page.flow().as_deref())))
        }
        Ok(None) => Err(see_other(&Page::address(way.start, page.flow().as_deref()))),
        Err(cause) => Err(page.failed(&cause)),
    }
}

/// Shows the page that asks for the code.
pub(crate) async fn show_code(page: &Page, way: &Way) -> Response {
    match at(page, way, At::CodeSent).await {
        Ok(journey) => {
            let sent = page.query("sent").map(|_| Notice::success(page.t("code-sent-again")));
            let wait = page.query("wait").map(|_| Notice::error(page.t("codes-wait")));
            code_page(page, way, &journey, StatusCode::OK, None, wait.or(sent))
        }
        Err(answer) => answer,
    }
}

/// Takes a code; `Ok` is the journey whose code was right.
pub(crate) async fn take_code(
    page: &Page,
    way: &Way,
    fields: &Fields,
) -> Result<Journey, Response> {
    let journey = at(page, way, At::CodeSent).await?;
    let code = codes::digits(fields.get("code"));
    let refused = |key: &str| {
        let error = Some(page.t(key));
        let notice = Some(Notice::error(page.t("correct-below")));
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Err(code_page(page, way, &journey, status, error, notice))
    };
    if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
        // What cannot be a code is no try.
        return refused("code-form");
    }
    match codes::redeem(page, &journey, &code).await {
        Ok(Redeemed::Accepted) => Ok(journey),
        Ok(Redeemed::Wrong) => refused("code-wrong"),
        Ok(Redeemed::Dead) => refused("code-dead"),
        Err(cause) => Err(page.failed(&cause)),
    }
}

/// Sends a further code.
pub(crate) async fn resend(page: &Page, way: &Way) -> Response {
    let sent = async {
        let journey = match at(page, way, At::CodeSent).await {
            Ok(journey) => journey,
            Err(answer) => return Ok::<_, StoreError>(Err(answer)),
        };
        codes::again(page, way, &journey).await.map(Ok)
    };
    let mark = match sent.await {
        Ok(Ok(Again::Sent)) => "sent=1",
        Ok(Ok(Again::Wait)) => "wait=1",
        Ok(Err(answer)) => return answer,
        Err(cause) => return page.failed(&cause),
    };
    let to = match page.flow() {
        Some(flow) => format!("{}?flow={flow}&{mark}", way.code),
        None => format!("{}?{mark}", way.code),
    };
    see_other(&to)
}
