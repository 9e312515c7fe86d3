//! Makes tokens of a grant.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use idp_protocol::authorize::ResponseType;
use idp_protocol::client::Client;
use idp_protocol::exchange::{self, Actor};
use idp_protocol::jose::Algorithm;
use idp_protocol::scope::Scope;
use idp_protocol::target;
use idp_store::grant::Grant;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reply::Failure;
use super::{id_token, subject};
use crate::State;
use crate::session::Who;

/// An access token's claims (RFC 9068 §2.2).
#[derive(Serialize)]
struct Access<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Binding>,
    /// RFC 8693 §4.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
    /// RFC 8693 §4.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_act: Option<Actor>,
    /// Our own: the tokens that it was exchanged for, whose revocation is its own.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    from: &'a [String],
    /// RFC 9396 §9.1.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    authorization_details: &'a [Value],
}

/// For whom a token is (RFC 9068 §2.2): one text, or a list of several (RFC 7519 §4.1.3).
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(Vec<&'a str>),
}

impl<'a> Audience<'a> {
    fn of(resources: &'a [String], issuer: &'a str) -> Self {
        match resources {
            [] => Self::One(issuer),
            [one] => Self::One(one),
            several => Self::Several(target::audience(several, issuer)),
        }
    }
}

/// The key to which tokens are bound: whoever shows one must prove that they hold it (RFC 7800
/// §3.1). It is the `cnf` claim as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    /// Thumbprint of a DPoP key (RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
    /// Thumbprint of a client certificate (RFC 8705 §3.1).
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub(crate) x5t: Option<String>,
}

impl Binding {
    /// The claim; none for a bearer token.
    pub(crate) fn cnf(&self) -> Option<&Self> {
        (self.jkt.is_some() || self.x5t.is_some()).then_some(self)
    }

    /// RFC 9449 §5: `DPoP` for a token bound so; RFC 8705 §3 leaves it `Bearer`.
    pub(crate) fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }
}

/// A token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Serialize)]
pub(crate) struct Answer {
    access_token: String,
    /// RFC 8693 §2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    /// RFC 9396 §7.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<Value>,
}

impl Answer {
    pub(crate) fn response(self) -> Response {
        let mut response = Json(self).into_response();
        let no_cache = http::HeaderValue::from_static("no-cache");
        // OpenID Connect Core §3.1.3.3; `Cache-Control: no-store` stands on every answer.
        response.headers_mut().insert(http::header::PRAGMA, no_cache);
        response
    }
}

/// What is to be issued of a grant.
pub(crate) struct Issue<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) grant: &'a Grant,
    /// At most the grant's.
    pub(crate) scope: &'a Scope,
    /// Of the authorization request (OpenID Connect Core §3.1.3.6); none at a refresh (§12.2).
    pub(crate) nonce: Option<&'a str>,
    pub(crate) refresh_token: Option<String>,
    /// The key that the client proved, if any.
    pub(crate) binding: &'a Binding,
}

/// Tokens of a grant: an access token, an ID token where `openid` was granted, and the refresh
/// token that the caller made.
pub(crate) async fn of_grant(state: &State, issue: Issue<'_>) -> Result<Answer, Failure> {
    let Issue { client, grant, scope, nonce, refresh_token, binding } = issue;
    let access_token = access_token(state, client, grant, scope, binding).await?;
    let id_token = if scope.has("openid") {
        let about = id_token::About {
            client,
            grant,
            nonce,
            access_token: Some(&access_token),
            code: None,
            scope: None,
        };
        Some(id_token::sign(state, about).await?)
    } else {
        None
    };
    Ok(Answer {
        access_token,
        issued_token_type: None,
        token_type: binding.token_type(),
        expires_in: state.settings.lifetimes.access_ms / 1000,
        refresh_token,
        id_token,
        scope: scope.text(),
        authorization_details: details_of(grant, &state.settings.issuer).to_vec(),
    })
}

/// What an authorization response is to hold.
pub(super) struct Front<'a> {
    pub(super) kind: ResponseType,
    pub(super) scope: &'a Scope,
    pub(super) nonce: Option<&'a str>,
    pub(super) code: Option<&'a str>,
}

/// Tokens of an authorization response (OpenID Connect Core §3.2.2.5, §3.3.2.5), as parameters.
pub(super) async fn from_the_front(
    state: &State,
    client: &Arc<Client>,
    grant: &Grant,
    front: Front<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut fields = Vec::new();
    let access_token = if front.kind.token {
        let binding = Binding::default();
        Some(access_token(state, client, grant, front.scope, &binding).await?)
    } else {
        None
    };
    if front.kind.id_token {
        let about = id_token::About {
            client,
            grant,
            nonce: front.nonce,
            access_token: access_token.as_deref(),
            code: front.code,
            // OpenID Connect Core §5.4: without an access token there is no other place for what
            // the scope asks for.
            scope: (!front.kind.token && !front.kind.code).then_some(front.scope),
        };
        fields.push(("id_token".to_owned(), id_token::sign(state, about).await?));
    }
    if let Some(token) = access_token {
        let seconds = state.settings.lifetimes.access_ms / 1000;
        fields.push(("access_token".to_owned(), token));
        fields.push(("token_type".to_owned(), "Bearer".to_owned()));
        fields.push(("expires_in".to_owned(), seconds.to_string()));
    }
    Ok(fields)
}

/// An access token of a grant (RFC 9068 §2.2).
async fn access_token(
    state: &State,
    client: &Client,
    grant: &Grant,
    scope: &Scope,
    binding: &Binding,
) -> Result<String, Failure> {
    let (now, detail) = (state.now() / 1000, &grant.detail);
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let issuer = &state.settings.issuer;
    let claims = Access {
        iss: issuer,
        sub: &subject::of(state, client, &who),
        aud: Audience::of(&detail.resources, issuer),
        exp: now + state.settings.lifetimes.access_ms / 1000,
        iat: now,
        jti: state.ambient.id(),
        client_id: &client.client_id,
        scope: &scope.text(),
        gid: Some(&grant.id),
        // RFC 9068 §2.2.1: of the sign-in, where there was one (RFC 7523 §2.1 has none).
        auth_time: (detail.auth > 0).then_some(detail.auth_time),
        acr: (detail.auth > 0).then_some(detail.acr.as_str()),
        cnf: binding.cnf(),
        act: None,
        may_act: exchange::may_act(client),
        from: &[],
        authorization_details: details_of(grant, issuer),
    };
    let ring = state.keys.ring(state).await?;
    Ok(ring.signer(Algorithm::Es256)?.sign("at+jwt", &claims)?)
}

/// The details of a grant that a token tells (RFC 9396 §9.1): all are about our own API, and nobody
/// else is told of them (RFC 9396 §7).
fn details_of<'a>(grant: &'a Grant, issuer: &str) -> &'a [Value] {
    let ours = target::audience(&grant.detail.resources, issuer).contains(&issuer);
    if ours { &grant.detail.authorization_details } else { &[] }
}

/// What an exchange made of another token.
pub(crate) struct Exchanged<'a> {
    pub(crate) client: &'a Client,
    /// The grant of the other token, with what is left of it.
    pub(crate) grant: &'a Grant,
    pub(crate) scope: &'a Scope,
    pub(crate) act: Option<&'a Actor>,
    /// `jti` of the other token, after those that it came from.
    pub(crate) from: &'a [String],
    /// Seconds UTC; not after the other token's.
    pub(crate) until: i64,
    pub(crate) binding: &'a Binding,
}

/// An access token for another (RFC 8693 §2.2): nothing that is written hangs on it.
pub(crate) async fn exchanged(state: &State, made: Exchanged<'_>) -> Result<Answer, Failure> {
    let Exchanged { client, grant, scope, act, from, until, binding } = made;
    let (now, issuer) = (state.now() / 1000, &state.settings.issuer);
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let details = details_of(grant, issuer);
    let claims = Access {
        iss: issuer,
        // By the name under which the acting client knows the person.
        sub: &subject::of(state, client, &who),
        aud: Audience::of(&grant.detail.resources, issuer),
        exp: until.min(now + state.settings.lifetimes.access_ms / 1000),
        iat: now,
        jti: state.ambient.id(),
        client_id: &client.client_id,
        scope: &scope.text(),
        gid: Some(&grant.id),
        auth_time: (grant.detail.auth > 0).then_some(grant.detail.auth_time),
        acr: (grant.detail.auth > 0).then_some(grant.detail.acr.as_str()),
        cnf: binding.cnf(),
        act,
        may_act: exchange::may_act(client),
        from,
        authorization_details: details,
    };
    let ring = state.keys.ring(state).await?;
    Ok(Answer {
        access_token: ring.signer(Algorithm::Es256)?.sign("at+jwt", &claims)?,
        issued_token_type: Some(exchange::ACCESS_TOKEN),
        token_type: binding.token_type(),
        expires_in: claims.exp - now,
        refresh_token: None,
        id_token: None,
        scope: scope.text(),
        authorization_details: details.to_vec(),
    })
}

/// A token for the client itself (RFC 6749 §4.4.3): nothing is written, no refresh token.
pub(crate) async fn of_client(
    state: &State,
    client: &Client,
    scope: &Scope,
    resources: &[String],
    binding: &Binding,
) -> Result<Answer, Failure> {
    let (now, text) = (state.now() / 1000, scope.text());
    let ring = state.keys.ring(state).await?;
    let lifetime = state.settings.lifetimes.access_ms / 1000;
    let access_token = ring.signer(Algorithm::Es256)?.sign(
        "at+jwt",
        &Access {
            iss: &state.settings.issuer,
            // RFC 9068 §2.2: the client, where no resource owner is involved.
            sub: &client.client_id,
            aud: Audience::of(resources, &state.settings.issuer),
            exp: now + lifetime,
            iat: now,
            jti: state.ambient.id(),
            client_id: &client.client_id,
            scope: &text,
            gid: None,
            auth_time: None,
            acr: None,
            cnf: binding.cnf(),
            act: None,
            may_act: None,
            from: &[],
            authorization_details: &[],
        },
    )?;
    Ok(Answer {
        access_token,
        issued_token_type: None,
        token_type: binding.token_type(),
        expires_in: lifetime,
        refresh_token: None,
        id_token: None,
        scope: text,
        authorization_details: Vec::new(),
    })
}
