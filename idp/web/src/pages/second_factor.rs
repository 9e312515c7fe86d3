//! `/signin/code`: the second factor of staff, a TOTP (RFC 6238) that serves once a window
//! (attacks row 46).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::ambient::Token;
use idp_store::StoreError;
use idp_store::staff::{self, Pending, Staff};
use totp_rs::{Builder, Secret};

use super::codes::digits;
use super::form::{Field, Fields};
use super::page::{Form, Page};
use super::reply::{see_other, with_cookie, with_cookies};
use super::view::Notice;
use crate::session::{self, NewSession, Who};

const COOKIE: &str = "tongban_code";
const PREFIX: &str = "tbp_";
/// How long the code may take after the password, milliseconds.
const LIFE: i64 = 5 * 60_000;

/// Remembers that the password was right and asks for the code.
pub(crate) async fn begin(page: &Page, staff: &Staff) -> Result<Response, StoreError> {
    let token = page.state.ambient.token(PREFIX);
    let pending = Pending { staff_id: staff.id.clone(), flow: page.flow() };
    let (id, secret, until) = (token.id.clone(), token.stored(), page.now() + LIFE);
    page.state
        .db
        .write::<_, StoreError, _>("begin_second_factor", move |tx| {
            let (id, secret, pending) = (id.clone(), secret.clone(), pending.clone());
            Box::pin(async move { staff::begin(tx, &id, &secret, &pending, until).await })
        })
        .await?;
    let to = Page::address("/signin/code", page.flow().as_deref());
    Ok(with_cookie(see_other(&to), page.cookie(COOKIE, &token.text(), LIFE / 1000)))
}

pub(crate) async fn show(page: Page) -> Response {
    if page.cookie_value(COOKIE).is_none() {
        return page.to_signin();
    }
    form(&page, StatusCode::OK, None)
}

fn form(page: &Page, status: StatusCode, error: Option<String>) -> Response {
    let mut field = Field::text("code", page.t("label-totp")).hint(page.t("hint-totp"));
    field = field.error(error.clone());
    (field.autocomplete, field.mode, field.class) = ("one-time-code", "numeric", "input-code");
    field.longest = 12;
    page.form(
        status,
        Form {
            title: page.t("totp-title"),
            notice: error.map(|_| Notice::error(page.t("correct-below"))),
            action: "/signin/code",
            flow: page.flow(),
            fields: vec![field],
            submit: page.t("signin"),
            ..Form::default()
        },
    )
}

/// What came of a code.
enum Tried {
    /// Right: who, and the flow that it belongs to.
    In(String, Option<String>),
    Wrong,
    /// No tries left, too late, or not ours: the password again.
    Over,
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let Some(token) = page.token(COOKIE, PREFIX) else { return page.to_signin() };
    let code = digits(fields.get("code"));
    match attempt(&page, token, code).await {
        Ok(Tried::In(staff, flow)) => enter(&page, staff, flow).await,
        Ok(Tried::Wrong) => {
            form(&page, StatusCode::UNPROCESSABLE_ENTITY, Some(page.t("totp-wrong")))
        }
        Ok(Tried::Over) => with_cookie(page.to_signin(), page.cookie(COOKIE, "", 0)),
        Err(cause) => page.failed(&cause),
    }
}

async fn attempt(page: &Page, token: Token, code: String) -> Result<Tried, StoreError> {
    let now = page.now();
    page.state
        .db
        .write("second_factor", move |tx| {
            let (token, code) = (token.clone(), code.clone());
            Box::pin(async move {
                let Some((pending, secret)) = staff::pending(tx, &token.id, now).await? else {
                    return Ok(Tried::Over);
                };
                // Counted before it is judged.
                if !token.matches(&secret) || !staff::try_code(tx, &token.id, now).await? {
                    return Ok(Tried::Over);
                }
                let found = staff::find(tx, &pending.staff_id).await?;
                let Some(found) = found.filter(|found| found.active) else {
                    return Ok(Tried::Over);
                };
                let Some(window) = window_of(&found.totp, &code, now) else {
                    return Ok(Tried::Wrong);
                };
                if !staff::use_step(tx, &found.id, window).await? {
                    return Ok(Tried::Wrong);
                }
                staff::end(tx, &token.id).await?;
                Ok(Tried::In(found.id, pending.flow))
            })
        })
        .await
}

/// The window whose code this is: 30 seconds, one window of delay either way (RFC 6238 §5.2).
fn window_of(seed: &[u8], code: &str, now: i64) -> Option<i64> {
    let seed: [u8; 20] = seed.try_into().ok()?;
    let totp = Builder::new().with_secret(Secret::new_stack(seed)).build().ok()?;
    let window = totp.check(code, u64::try_from(now / 1000).ok()?)?;
    i64::try_from(window).ok()
}

async fn enter(page: &Page, staff: String, flow: Option<String>) -> Response {
    let new = NewSession {
        who: Who::Staff(staff),
        auth_level: 2,
        amr: ["pwd", "otp", "mfa"].map(str::to_owned).to_vec(),
    };
    match session::start(&page.state, &page.headers, new).await {
        Ok(cookies) => {
            let answer = with_cookies(Page::onward(flow.as_deref()), cookies);
            with_cookie(answer, page.cookie(COOKIE, "", 0))
        }
        Err(cause) => page.failed(&cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_6238_hold_within_one_window() {
        // RFC 6238 appendix B, SHA-1, the last six of its eight digits.
        let seed = b"12345678901234567890";
        assert_eq!(window_of(seed, "287082", 59_000), Some(1));
        assert_eq!(window_of(seed, "081804", 1_111_111_109_000), Some(37_037_036));
        assert_eq!(window_of(seed, "287082", 89_000), Some(1));
        assert_eq!(window_of(seed, "287082", 91_000), None);
        assert_eq!(window_of(seed, "", 59_000), None);
        assert_eq!(window_of(b"short", "287082", 59_000), None);
    }
}
