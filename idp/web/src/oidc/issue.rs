//! Makes tokens of a grant.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use idp_protocol::claims::{ClaimsRequest, for_id_token, for_userinfo};
use idp_protocol::client::Client;
use idp_protocol::jose::{self, Algorithm};
use idp_protocol::scope::Scope;
use idp_store::Tx;
use idp_store::grant::Grant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reply::Failure;
use super::{claims, subject};
use crate::State;
use crate::session::Who;

/// An access token's claims (RFC 9068 §2.2).
#[derive(Serialize)]
struct Access<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
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

/// An ID token's claims (OpenID Connect Core §2, §3.1.3.6).
#[derive(Serialize)]
struct Id<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    acr: &'a str,
    amr: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    at_hash: String,
    proofing_level: u8,
    auth_level: u8,
    #[serde(flatten)]
    asked: Map<String, Value>,
}

/// A token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Serialize)]
pub(crate) struct Answer {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
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
    let (now, detail) = (state.now() / 1000, &grant.detail);
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let sub = subject::of(state, client, &who);
    let text = scope.text();
    let ring = state.keys.ring(state).await?;
    let issuer = &state.settings.issuer;
    let lifetime = state.settings.lifetimes.access_ms / 1000;
    let access_token = ring.signer(Algorithm::Es256)?.sign(
        "at+jwt",
        &Access {
            iss: issuer,
            sub: &sub,
            aud: issuer,
            exp: now + lifetime,
            iat: now,
            jti: state.ambient.id(),
            client_id: &client.client_id,
            scope: &text,
            gid: Some(&grant.id),
            auth_time: Some(detail.auth_time),
            acr: Some(&detail.acr),
            cnf: binding.cnf(),
        },
    )?;
    let id_token = if scope.has("openid") {
        // OpenID Connect Registration §2: as registered, RS256 by default.
        let algorithm =
            Algorithm::from_name(&client.id_token_signed_response_alg).unwrap_or(Algorithm::Rs256);
        let id = Id {
            iss: issuer,
            sub: &sub,
            aud: &client.client_id,
            exp: now + state.settings.lifetimes.id_ms / 1000,
            iat: now,
            auth_time: detail.auth_time,
            nonce,
            acr: &detail.acr,
            amr: &detail.amr,
            sid: grant.session_id.as_deref().map(|id| subject::sid(state, client, id)),
            at_hash: jose::half_hash(algorithm, &access_token),
            proofing_level: detail.proofing,
            auth_level: detail.auth,
            asked: asked(state, grant, &who).await?,
        };
        Some(ring.signer(algorithm)?.sign("JWT", &id)?)
    } else {
        None
    };
    Ok(Answer {
        access_token,
        token_type: binding.token_type(),
        expires_in: lifetime,
        refresh_token,
        id_token,
        scope: text,
    })
}

/// Claims that the `claims` parameter asked for in the ID token (OpenID Connect Core §5.5); what
/// a scope asks for stands in the userinfo answer only (§5.4). An officer's role is the exception:
/// it is why the hall signs officers in, and belongs to this very sign-in.
async fn asked(state: &State, grant: &Grant, who: &Who) -> Result<Map<String, Value>, Failure> {
    let mut names = for_id_token(&grant.detail.claims);
    if matches!(who, Who::Staff(_)) {
        let scope = Scope::parse(&grant.detail.scope)?.only(&Scope::parse("staff")?);
        names.extend(for_userinfo(&scope, &ClaimsRequest::default()));
    }
    if names.is_empty() {
        return Ok(Map::new());
    }
    let (who, now) = (who.clone(), state.now());
    let found: Option<Map<String, Value>> = state
        .db
        .read("id_token_claims", move |tx: &mut Tx| {
            let (who, names) = (who.clone(), names.clone());
            Box::pin(async move {
                Ok::<_, idp_store::StoreError>(match who {
                    Who::Staff(id) => idp_store::staff::find(tx, &id)
                        .await?
                        .map(|staff| claims::of_staff(&names, &staff)),
                    Who::Citizen(id) => idp_store::person::claims(tx, &id)
                        .await?
                        .map(|person| claims::of_person(&names, &person, now)),
                })
            })
        })
        .await?;
    Ok(found.unwrap_or_default())
}

/// A token for the client itself (RFC 6749 §4.4.3): nothing is written, no refresh token.
pub(crate) async fn of_client(
    state: &State,
    client: &Client,
    scope: &Scope,
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
            aud: &state.settings.issuer,
            exp: now + lifetime,
            iat: now,
            jti: state.ambient.id(),
            client_id: &client.client_id,
            scope: &text,
            gid: None,
            auth_time: None,
            acr: None,
            cnf: binding.cnf(),
        },
    )?;
    Ok(Answer {
        access_token,
        token_type: binding.token_type(),
        expires_in: lifetime,
        refresh_token: None,
        id_token: None,
        scope: text,
    })
}
