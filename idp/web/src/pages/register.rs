//! `/register`: phone, code, password, identity. Each step is an event of the machine in
//! idp-domain; the server holds the state (attacks rows 22, 23).

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use idp_domain::citizen::journey::{Event, Purpose, State as At, step};
use idp_domain::citizen::password;
use idp_domain::citizen::phone::Phone;
use idp_store::StoreError;
use idp_store::journey::{self, Journey};

use super::codes::STEP;
use super::faults::Told as _;
use super::form::{Field, Fields};
use super::identity::{self, Compared, Typed};
use super::page::{Form, Page};
use super::reply::{see_other, with_cookie};
use super::view::{Link, Notice};
use super::ways::{REGISTER, Way};
use super::{code_pages, enrol, signin};

const IDENTITY: (&str, usize) = ("/register/identity", 3);

pub(crate) async fn show(page: Page) -> Response {
    code_pages::phone_page(&page, &REGISTER, StatusCode::OK, "", None, None)
}

pub(crate) async fn submit(page: Page, request: Request) -> Response {
    match Fields::read(request).await {
        Ok(fields) => code_pages::take_phone(&page, &REGISTER, &fields).await,
        Err(status) => page.status(status),
    }
}

pub(crate) async fn show_code(page: Page) -> Response {
    code_pages::show_code(&page, &REGISTER).await
}

pub(crate) async fn resend(page: Page) -> Response {
    code_pages::resend(&page, &REGISTER).await
}

pub(crate) async fn submit_code(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    match code_pages::take_code(&page, &REGISTER, &fields).await {
        Ok(_) => see_other(&Page::address(REGISTER.next, page.flow().as_deref())),
        Err(answer) => answer,
    }
}

pub(crate) async fn show_password(page: Page) -> Response {
    match code_pages::at(&page, &REGISTER, At::PhoneVerified).await {
        Ok(_) => password_form(&page, &REGISTER, ("/register/password", 2), None),
        Err(answer) => answer,
    }
}

/// The page that asks for a new password.
pub(crate) fn password_form(
    page: &Page,
    way: &Way,
    (action, step): (&'static str, usize),
    error: Option<String>,
) -> Response {
    let mut field = Field::password("new_password", page.t("label-new-password"), "new-password");
    field = field.hint(page.t("hint-new-password")).error(error.clone());
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page.form(
        status,
        Form {
            title: page.t(way.title),
            lead: Some(page.t("password-lead")),
            steps: way.steps(page.lang, step),
            notice: error.map(|_| Notice::error(page.t("correct-below"))),
            action,
            flow: page.flow(),
            fields: vec![field],
            submit: page.t("continue"),
            ..Form::default()
        },
    )
}

pub(crate) async fn submit_password(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let journey = match code_pages::at(&page, &REGISTER, At::PhoneVerified).await {
        Ok(journey) => journey,
        Err(answer) => return answer,
    };
    let chosen = fields.get("new_password");
    let phone = Phone::parse(&journey.phone).map(|phone| phone.national().to_owned());
    if let Err(fault) = password::check(chosen, &[phone.as_deref().unwrap_or_default()]) {
        let at = ("/register/password", 2);
        return password_form(&page, &REGISTER, at, Some(page.t(fault.key())));
    }
    let Ok(hash) = page.state.passwords.hash(chosen, page.salt()).await else {
        return page.busy();
    };
    match choose(&page, &journey, hash).await {
        Ok(()) => see_other(&Page::address("/register/identity", page.flow().as_deref())),
        Err(cause) => page.failed(&cause),
    }
}

async fn choose(page: &Page, journey: &Journey, hash: String) -> Result<(), StoreError> {
    let Ok(to) = step(Purpose::Registration, journey.state, Event::PasswordChosen) else {
        return Ok(());
    };
    let (id, from, now) = (journey.id.clone(), journey.state, page.now());
    page.state
        .db
        .write("choose_password", move |tx| {
            let (id, hash) = (id.clone(), hash.clone());
            Box::pin(async move {
                // False if another tab was first: the identity page follows in any case.
                journey::advance(tx, &id, (from, to), Some(&hash), now).await.map(drop)
            })
        })
        .await
}

pub(crate) async fn show_identity(page: Page) -> Response {
    match code_pages::at(&page, &REGISTER, At::PasswordChosen).await {
        Ok(_) => {
            identity::form(&page, &REGISTER, IDENTITY, &Typed::default(), (StatusCode::OK, None))
        }
        Err(answer) => answer,
    }
}

pub(crate) async fn submit_identity(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let journey = match code_pages::at(&page, &REGISTER, At::PasswordChosen).await {
        Ok(journey) => journey,
        Err(answer) => return answer,
    };
    let claimed = match identity::read(&page, &fields) {
        Ok(claimed) => claimed,
        Err(typed) => {
            let notice = Some(Notice::error(page.t("correct-below")));
            let refused = (StatusCode::UNPROCESSABLE_ENTITY, notice);
            return identity::form(&page, &REGISTER, IDENTITY, &typed, refused);
        }
    };
    let facts = match identity::compare(&page, &claimed).await {
        Ok(Compared::Matched(facts)) => facts,
        Ok(other) => {
            let refused = identity::refusal(&page, &other);
            return identity::form(&page, &REGISTER, IDENTITY, &Typed::again(&fields), refused);
        }
        Err(cause) => return page.failed(&cause),
    };
    match enrol::enrol(&page, &journey, &claimed, facts).await {
        Ok(Some(person)) => welcome(&page, &person, &journey).await,
        Ok(None) => see_other(&Page::address("/register/exists", page.flow().as_deref())),
        Err(cause) => page.failed(&cause),
    }
}

async fn welcome(page: &Page, person: &str, journey: &Journey) -> Response {
    // The phone was proven and the password is theirs: two factors, just now.
    let amr = ["pwd", "sms", "mfa"].as_slice();
    match signin::arrive(page, person, 2, amr, journey.flow.as_deref()).await {
        Ok(answer) => with_cookie(answer, page.cookie(STEP, "", 0)),
        Err(cause) => page.failed(&cause),
    }
}

/// Shown only to who has proven the phone and matched all evidence (attacks row 29).
pub(crate) async fn show_exists(page: Page) -> Response {
    if let Err(answer) = code_pages::at(&page, &REGISTER, At::HasAccount).await {
        return answer;
    }
    let flow = page.flow();
    let link = |path: &str, key: &str| Link::new(Page::address(path, flow.as_deref()), page.t(key));
    let notice = Notice::info(page.t("exists"))
        .link(link("/signin", "to-signin").action("signin"))
        .link(link("/recover", "to-recover").action("recover"));
    page.message(StatusCode::OK, page.t("exists-title"), notice, Vec::new())
}
