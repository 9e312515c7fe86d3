//! The console's pages: registering a client, its settings, and what it did.

use axum::extract::{Path, Request};
use axum::response::Response;
use http::StatusCode;
use idp_domain::ambient::Token;
use idp_protocol::client::{AuthMethod, Client};
use idp_store::client::Registered;
use idp_store::{StoreError, Tx, sandbox};
use serde_json::{Value, json};

use super::programs;
use super::recorder::{Event, Line, Signature};
use super::trying::{self, address, home};
use super::view::{
    ClientLink, ClientPage, EventView, HomePage, LineView, PersonView, RegisterView, TokenView,
};
use super::{DAYS, LIFETIME, PREFIX, STEM, Sandbox, clients, project, wrong};
use crate::oidc::register;
use crate::pages::form::Fields;
use crate::pages::page::Page;
use crate::pages::reply::{self, Forms};
use crate::pages::{text::Lang, times};

/// Methods that a form can register; the others need certificates.
const METHODS: [&str; 4] = ["client_secret_basic", "none", "client_secret_post", "private_key_jwt"];
const POLICIES: [&str; 2] = ["openid", "fapi2"];

/// The first page.
pub(crate) async fn show(page: Page) -> Response {
    let form =
        RegisterView { redirect: "http://localhost:3000/callback".into(), ..Default::default() };
    home_page(&page, StatusCode::OK, None, form).await
}

async fn home_page(
    page: &Page,
    status: StatusCode,
    fault: Option<String>,
    mut form: RegisterView,
) -> Response {
    let own = match clients(page).await {
        Ok(own) => own,
        Err(cause) => return page.failed(&cause),
    };
    let mut links = Vec::new();
    for id in own {
        let found = page.state.clients.find(&page.state, &id).await.unwrap_or_default();
        links.extend(found.map(|known| ClientLink {
            name: known.client.client_name.clone(),
            href: home(&id),
            id,
        }));
    }
    form.methods = METHODS.to_vec();
    form.policies = POLICIES.to_vec();
    let people = page.state.sandbox.as_ref().and_then(|sandbox| sandbox.people.get());
    let people = people.into_iter().flatten().map(|person| PersonView {
        name: person.name.clone(),
        phone: person.phone.clone(),
        number: person.number.clone(),
        password: person.password.clone(),
        proofing: person.proofing,
    });
    let view = HomePage {
        lead: page.lang.with("sandbox-lead", &[("day", &DAYS.to_string())]),
        shell: page.shell(),
        fault,
        form,
        clients: links,
        people: people.collect(),
    };
    reply::page(status, Forms::Ours, &view)
}

/// What the form says, as a registration (RFC 7591 §2).
fn sent(form: &RegisterView) -> Value {
    let uris: Vec<&str> = form.redirect.split_whitespace().collect();
    let mut sent = json!({
        "client_name": form.name,
        "redirect_uris": uris,
        "token_endpoint_auth_method": form.method,
        "policy": form.policy,
        "grant_types": ["authorization_code", "refresh_token"],
    });
    if form.method == "private_key_jwt"
        && let Ok(keys) = wrong::keys(&form.jwk)
    {
        sent["jwks"] = keys;
    }
    sent
}

/// Takes the form.
pub(crate) async fn register(page: Page, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(status) => return page.status(status),
    };
    let text = |name: &str| fields.get(name).trim().to_owned();
    let form = RegisterView {
        name: text("name"),
        redirect: text("redirect_uris"),
        policy: text("policy"),
        method: text("method"),
        jwk: text("jwk"),
        ..RegisterView::default()
    };
    let checked = match wrong::of(page.lang, &form) {
        // Attacks row 38: read and limited as any registration that nobody vouches for.
        None => register::by_form(&page.state, &page.network, &sent(&form)).await,
        Some(fault) => Err(fault),
    };
    let made = match checked {
        Ok(client) => keep(&page, client).await,
        Err(fault) => return home_page(&page, StatusCode::BAD_REQUEST, Some(fault), form).await,
    };
    match made {
        Ok(Some((id, token))) => {
            let cookie = page.cookie(STEM, &token.text(), 30 * 86_400);
            reply::with_cookie(reply::see_other(&home(&id)), cookie)
        }
        Ok(None) => {
            let fault = Some(page.t("sandbox-full"));
            home_page(&page, StatusCode::CONFLICT, fault, form).await
        }
        Err(cause) => page.failed(&cause),
    }
}

/// Writes the client for this browser's project; none if there is no room.
async fn keep(page: &Page, mut client: Client) -> Result<Option<(String, Token)>, StoreError> {
    let (state, now) = (&page.state, page.now());
    let Some(sandbox) = &state.sandbox else { return Ok(None) };
    let token = page.token(STEM, PREFIX).unwrap_or_else(|| state.ambient.token(PREFIX));
    client.client_id = state.ambient.id();
    // Each knows people by its own pseudonyms, whatever host it names (OpenID Connect Core §8.1).
    client.sector = Some(format!("client:{}", client.client_id));
    if trying::can(&client) {
        client.redirect_uris.push(address(state));
    }
    let uses_secret = matches!(
        client.token_endpoint_auth_method,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost
    );
    let (id, project) = (client.client_id.clone(), token.stored());
    let secret = uses_secret.then(|| sandbox.secret(&id));
    let kept: bool = state
        .db
        .write("sandbox_register", move |tx: &mut Tx| {
            let (client, secret, project) = (client.clone(), secret.clone(), project.clone());
            Box::pin(async move {
                let secret_hash =
                    secret.as_deref().map(|secret| idp_store::client::secret_hash(tx, secret));
                let new = Registered { client, secret_hash, disabled: false, document: None };
                sandbox::create(tx, &new, &project, now, now + LIFETIME).await
            })
        })
        .await?;
    if !kept {
        return Ok(None);
    }
    sandbox.recorder().registered(&id);
    Ok(Some((id, token)))
}

/// A client of this browser's.
///
/// # Errors
/// The page to answer with: of somebody else's client as of one that there is not.
async fn own<'p>(page: &'p Page, id: &str) -> Result<&'p Sandbox, Response> {
    let own = clients(page).await.map_err(|cause| page.failed(&cause))?;
    let sandbox = page.state.sandbox.as_ref().filter(|_| own.iter().any(|known| known == id));
    sandbox.ok_or_else(|| page.status(StatusCode::NOT_FOUND))
}

/// A client: settings, trying, timeline.
pub(crate) async fn client(page: Page, Path(id): Path<String>) -> Response {
    let sandbox = match own(&page, &id).await {
        Ok(sandbox) => sandbox,
        Err(answer) => return answer,
    };
    let known = match page.state.clients.find(&page.state, &id).await {
        Ok(Some(known)) => known,
        Ok(None) => return page.status(StatusCode::NOT_FOUND),
        Err(cause) => return page.failed(&cause),
    };
    let (first, events) = {
        let mut recorder = sandbox.recorder();
        recorder.watch(&id);
        (recorder.first_look(&id), recorder.events(&id))
    };
    let client = &known.client;
    let issuer = &page.state.settings.issuer;
    let mut shell = page.shell();
    shell.here = home(&id);
    let secret = known.secret_hash.as_ref();
    let secret = secret.map(|_| if first { sandbox.secret(&id) } else { String::new() });
    let view = ClientPage {
        name: client.client_name.clone(),
        settings: settings(client, issuer),
        environment: environment(client, issuer, secret.as_deref()),
        programs: programs::fit(client).then(|| programs::filled(client, issuer)),
        elsewhere: (!programs::answer(client)).then_some(programs::PLACE),
        secret,
        can_try: trying::can(client),
        scope: client.scope.clone(),
        home: home(&id),
        events: events.iter().map(|event| shown(page.lang, event)).collect(),
        shell,
    };
    reply::page(StatusCode::OK, Forms::Ours, &view)
}

/// What a developer copies, beside the secret.
fn settings(client: &Client, issuer: &str) -> Vec<(&'static str, String)> {
    let method = serde_json::to_value(client.token_endpoint_auth_method).unwrap_or_default();
    let at = |path: &str| format!("{issuer}{path}");
    vec![
        ("issuer", issuer.to_owned()),
        ("client_id", client.client_id.clone()),
        ("redirect_uri", client.redirect_uris.first().cloned().unwrap_or_default()),
        ("token_endpoint_auth_method", method.as_str().unwrap_or_default().to_owned()),
        ("discovery", at("/.well-known/openid-configuration")),
        ("authorization_endpoint", at("/oauth2/authorize")),
        ("pushed_authorization_request_endpoint", at("/oauth2/par")),
        ("token_endpoint", at("/oauth2/token")),
        ("userinfo_endpoint", at("/oauth2/userinfo")),
        ("jwks_uri", at("/oauth2/jwks")),
    ]
}

/// The same as a shell takes it, for programs that read their settings from the environment.
fn environment(client: &Client, issuer: &str, secret: Option<&str>) -> String {
    let mut text = format!("export ISSUER='{issuer}'\nexport CLIENT_ID='{}'", client.client_id);
    if let Some(secret) = secret {
        let secret = if secret.is_empty() { "…" } else { secret };
        text.push_str(&format!("\nexport CLIENT_SECRET='{secret}'"));
    }
    text
}

/// Empties a client's timeline.
pub(crate) async fn clear(page: Page, Path(id): Path<String>) -> Response {
    match own(&page, &id).await {
        Ok(sandbox) => {
            sandbox.recorder().clear(&id);
            reply::see_other(&home(&id))
        }
        Err(answer) => answer,
    }
}

/// Removes a client and ends what it holds.
pub(crate) async fn delete(page: Page, Path(id): Path<String>) -> Response {
    let sandbox = match own(&page, &id).await {
        Ok(sandbox) => sandbox,
        Err(answer) => return answer,
    };
    let (gone, project, now) = (id.clone(), project(&page).unwrap_or_default(), page.now());
    let removed = page.state.db.write::<_, StoreError, _>("sandbox_remove", move |tx: &mut Tx| {
        let (gone, project) = (gone.clone(), project.clone());
        Box::pin(async move { sandbox::remove(tx, &gone, &project, now).await })
    });
    if let Err(cause) = removed.await {
        return page.failed(&cause);
    }
    sandbox.recorder().forget(&id);
    reply::see_other("/sandbox")
}

/// What a parameter means.
fn about(name: &str) -> Option<&'static str> {
    Some(match name {
        "response_type" => "sandbox-about-response-type",
        "client_id" => "sandbox-about-client-id",
        "redirect_uri" => "sandbox-about-redirect-uri",
        "scope" => "sandbox-about-scope",
        "state" => "sandbox-about-state",
        "nonce" => "sandbox-about-nonce",
        "code_challenge" => "sandbox-about-challenge",
        "code_challenge_method" => "sandbox-about-challenge-method",
        "code_verifier" => "sandbox-about-verifier",
        "prompt" => "sandbox-about-prompt",
        "acr_values" => "sandbox-about-acr",
        "request_uri" => "sandbox-about-request-uri",
        "grant_type" => "sandbox-about-grant-type",
        "code" => "sandbox-about-code",
        "iss" => "sandbox-about-iss",
        "Authorization" => "sandbox-about-authorization",
        "client_secret" => "sandbox-about-secret",
        "client_assertion" => "sandbox-about-assertion",
        "access_token" => "sandbox-about-access",
        "id_token" => "sandbox-about-id",
        "refresh_token" => "sandbox-about-refresh",
        "expires_in" => "sandbox-about-expires",
        "sub" => "sandbox-about-sub",
        _ => return None,
    })
}

fn shown(lang: Lang, event: &Event) -> EventView {
    let lines = |lines: &[Line]| {
        let line = |line: &Line| LineView {
            name: line.name.clone(),
            value: line.value.clone(),
            about: about(&line.name).map(|key| lang.t(key)).unwrap_or_default(),
        };
        lines.iter().map(line).collect()
    };
    let tokens = event.tokens.iter().map(|token| TokenView {
        name: token.name.clone(),
        header: token.header.clone(),
        claims: token.claims.clone(),
        good: token.signature == Signature::Good,
        state: lang.t(match token.signature {
            Signature::Good => "sandbox-signature-good",
            Signature::Bad => "sandbox-signature-bad",
            Signature::Sealed => "sandbox-signature-sealed",
        }),
    });
    let cause = event.cause.as_ref().map(|cause| {
        let args: Vec<_> = cause.args.iter().map(|(name, text)| (*name, text.as_str())).collect();
        lang.with(cause.key, &args)
    });
    let refused = event.answered.iter().any(|line| line.name == "error");
    EventView {
        datetime: times::iso(event.at),
        time: times::second(event.at),
        title: lang.t(event.title),
        kind: event.title.trim_start_matches("sandbox-event-"),
        request: event.request.clone(),
        status: event.status,
        failed: event.status >= 400 || refused,
        sent: lines(&event.sent),
        answered: lines(&event.answered),
        tokens: tokens.collect(),
        cause,
    }
}
