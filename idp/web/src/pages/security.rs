//! Changing the password, and "this was not me".

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::account::AccountState;
use idp_domain::citizen::password;
use idp_domain::citizen::phone::Phone;
use idp_store::StoreError;
use idp_store::account::{self, Account};
use idp_store::audit::{self, Line};
use idp_store::person::{self, PersonClaims};
use idp_store::throttle::{self, Limit};
use serde_json::json;

use super::account::citizen;
use super::devices;
use super::faults::Told as _;
use super::form::{Field, Fields};
use super::page::{Form, Page};
use super::reply::{self, Forms, see_other, with_cookie, with_cookies};
use super::view::{Button, ChoicePage, Link, Notice};
use crate::session::{self, NewSession, Who};

/// Wrong old passwords in a window: a borrowed session must not try them out.
const TRIES: i64 = 10;
const WINDOW: i64 = 15 * 60_000;

pub(crate) async fn show_password(page: Page) -> Response {
    match citizen(&page) {
        Ok(_) => form(&page, None, None),
        Err(answer) => answer,
    }
}

fn form(page: &Page, old: Option<String>, new: Option<String>) -> Response {
    let refused = old.is_some() || new.is_some();
    let fields = vec![
        Field::password("password", page.t("label-old-password"), "current-password").error(old),
        Field::password("new_password", page.t("label-new-password"), "new-password")
            .hint(page.t("hint-new-password"))
            .error(new),
    ];
    page.form(
        if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK },
        Form {
            title: page.t("password-change"),
            lead: Some(page.t("password-change-lead")),
            notice: refused.then(|| Notice::error(page.t("correct-below"))),
            action: "/account/password",
            fields,
            submit: page.t("save"),
            links: vec![Link::new("/account", page.t("back-account"))],
            ..Form::default()
        },
    )
}

pub(crate) async fn submit_password(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    match change(&page, person, fields.get("password"), fields.get("new_password")).await {
        Ok(answer) => answer,
        Err(cause) => page.failed(&cause),
    }
}

async fn look_up(page: &Page, person: &str) -> Result<Option<(Account, PersonClaims)>, StoreError> {
    let (person, now) = (person.to_owned(), page.now());
    page.state
        .db
        .write("password_try", move |tx| {
            let person = person.clone();
            Box::pin(async move {
                let limit = Limit {
                    scope: "password.change",
                    subject: person.clone(),
                    tries: TRIES,
                    window: WINDOW,
                };
                if throttle::count(tx, &[limit], now).await?.is_some() {
                    return Ok(None);
                }
                let account = account::find(tx, &person).await?;
                Ok(account.zip(person::claims(tx, &person).await?))
            })
        })
        .await
}

async fn change(page: &Page, person: String, old: &str, new: &str) -> Result<Response, StoreError> {
    let Some((account, claims)) = look_up(page, &person).await? else {
        return Ok(form(page, Some(page.t("signin-limited")), None));
    };
    let Ok(fits) = page.state.passwords.verify(old, Some(&account.password)).await else {
        return Ok(page.busy());
    };
    if !fits {
        return Ok(form(page, Some(page.t("old-password-wrong")), None));
    }
    let phone = claims.phone.as_deref().and_then(|phone| Phone::parse(phone).ok());
    let phone = phone.map(|phone| phone.national().to_owned()).unwrap_or_default();
    if let Err(fault) = password::check(new, &[&claims.number, &phone]) {
        return Ok(form(page, None, Some(page.t(fault.key()))));
    }
    let Ok(hash) = page.state.passwords.hash(new, page.salt()).await else {
        return Ok(page.busy());
    };
    let (owner, now) = (person.clone(), page.now());
    page.state
        .db
        .write::<_, StoreError, _>("change_password", move |tx| {
            let (owner, hash) = (owner.clone(), hash.clone());
            Box::pin(async move {
                account::set_password(tx, &owner, &hash, now).await?;
                // Whoever knew the old password is out everywhere; this browser comes back in.
                session::end_all_in(tx, &owner, now).await?;
                let (actor, details) = ("self".to_owned(), json!({}));
                let line = Line { at: now, kind: "password_changed", actor, details };
                audit::append(tx, &owner, line).await
            })
        })
        .await?;
    let device = devices::remember(page, &person).await?;
    let new = NewSession { who: Who::Citizen(person), auth_level: 1, amr: vec!["pwd".to_owned()] };
    let cookies = session::start(&page.state, &page.headers, new).await?;
    page.state.outbox_wake.notify_one();
    Ok(with_cookie(with_cookies(see_other("/account?done=password"), cookies), device))
}

pub(crate) async fn show_freeze(page: Page) -> Response {
    if let Err(answer) = citizen(&page) {
        return answer;
    }
    let choice = ChoicePage {
        shell: page.shell(),
        title: page.t("not-me"),
        simulator: None,
        notice: None,
        lead: page.t("freeze-lead"),
        lines: Vec::new(),
        action: "/account/freeze".to_owned(),
        hidden: Vec::new(),
        buttons: vec![
            Button {
                name: "freeze",
                value: "yes",
                label: page.t("freeze-yes"),
                class: "button-danger",
            },
            Button {
                name: "freeze",
                value: "no",
                label: page.t("freeze-no"),
                class: "button-quiet",
            },
        ],
        small: Some(page.t("freeze-small")),
    };
    reply::page(StatusCode::OK, Forms::Ours, &choice)
}

pub(crate) async fn submit_freeze(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let person = match citizen(&page) {
        Ok(person) => person,
        Err(answer) => return answer,
    };
    if fields.get("freeze") != "yes" {
        return see_other("/account");
    }
    match freeze(&page.state.db, person, false, page.now()).await {
        Ok(_) => {
            page.state.outbox_wake.notify_one();
            with_cookies(see_other("/account/frozen"), session::clear(&page.state))
        }
        Err(cause) => page.failed(&cause),
    }
}

/// Freezes an account: every session and grant ends with it, in one unit (attacks row 51). Whom the
/// person froze, recovery opens again; whom the operator stopped, only the operator. False if there
/// was nothing to freeze.
pub(crate) async fn freeze(
    db: &idp_store::Db,
    person: String,
    by_operator: bool,
    now: i64,
) -> Result<bool, StoreError> {
    use AccountState::{Active, Disabled, Frozen};
    let (to, actor) = if by_operator { (Disabled, "operator") } else { (Frozen, "self") };
    db.write("freeze", move |tx| {
        let person = person.clone();
        Box::pin(async move {
            let mut frozen = account::set_state(tx, &person, Active, to).await?;
            if by_operator {
                frozen |= account::set_state(tx, &person, Frozen, to).await?;
            }
            if !frozen {
                return Ok(false);
            }
            session::end_all_in(tx, &person, now).await?;
            let line =
                Line { at: now, kind: "frozen", actor: actor.to_owned(), details: json!({}) };
            audit::append(tx, &person, line).await?;
            Ok(true)
        })
    })
    .await
}

/// After freezing: what happened, and the way back.
pub(crate) async fn show_frozen(page: Page) -> Response {
    let notice = Notice::success(page.t("frozen"))
        .link(Link::new("/recover", page.t("frozen-recover")).action("recover"));
    page.message(StatusCode::OK, page.t("frozen-title"), notice, vec![page.t("frozen-next")])
}
