//! ID tokens (OpenID Connect Core §2).

use std::sync::Arc;

use idp_protocol::claims::{ClaimsRequest, for_id_token, for_userinfo};
use idp_protocol::client::Client;
use idp_protocol::jose::{self, Algorithm};
use idp_protocol::scope::Scope;
use idp_store::grant::Grant;
use serde::Serialize;
use serde_json::{Map, Value};

use super::reply::Failure;
use super::sealed::{self, Wish};
use super::{claims, subject};
use crate::State;
use crate::session::Who;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    proofing_level: u8,
    auth_level: u8,
    #[serde(flatten)]
    asked: Map<String, Value>,
}

/// What an ID token is about, and what it stands beside.
pub(super) struct About<'a> {
    pub(super) client: &'a Arc<Client>,
    pub(super) grant: &'a Grant,
    pub(super) nonce: Option<&'a str>,
    pub(super) access_token: Option<&'a str>,
    pub(super) code: Option<&'a str>,
    /// The scope whose claims it holds, where no userinfo can be asked for (§5.4).
    pub(super) scope: Option<&'a Scope>,
}

/// Signs it with the algorithm that the client registered (OpenID Connect Registration §2), RS256
/// by default.
pub(super) async fn sign(state: &State, about: About<'_>) -> Result<String, Failure> {
    let (client, grant, detail) = (about.client, about.grant, &about.grant.detail);
    let now = state.now() / 1000;
    let who = Who::read(&grant.kind, grant.person_id.clone());
    let algorithm =
        Algorithm::from_name(&client.id_token_signed_response_alg).unwrap_or(Algorithm::Rs256);
    let hash = |text: &str| jose::half_hash(algorithm, text);
    let claims = Id {
        iss: &state.settings.issuer,
        sub: &subject::of(state, client, &who),
        aud: &client.client_id,
        exp: now + state.settings.lifetimes.id_ms / 1000,
        iat: now,
        auth_time: detail.auth_time,
        nonce: about.nonce,
        acr: &detail.acr,
        amr: &detail.amr,
        sid: grant.session_id.as_deref().map(|id| subject::sid(state, client, id)),
        at_hash: about.access_token.map(hash),
        c_hash: about.code.map(hash),
        proofing_level: detail.proofing,
        auth_level: detail.auth,
        asked: asked(state, &about, &who).await?,
    };
    sealed::token(state, client, Wish::id_token(client), "JWT", &claims).await
}

/// Claims that the `claims` parameter asked for in the ID token (OpenID Connect Core §5.5); what
/// a scope asks for stands in the userinfo answer only (§5.4). An officer's role is the exception:
/// it is why the hall signs officers in, and belongs to this very sign-in.
async fn asked(state: &State, about: &About<'_>, who: &Who) -> Result<Map<String, Value>, Failure> {
    let grant = about.grant;
    let mut names = for_id_token(&grant.detail.claims);
    if let Some(scope) = about.scope {
        names.extend(for_userinfo(scope, &ClaimsRequest::default()));
    }
    if matches!(who, Who::Staff(_)) {
        let scope = Scope::parse(&grant.detail.scope)?.only(&Scope::parse("staff")?);
        names.extend(for_userinfo(&scope, &ClaimsRequest::default()));
    }
    let proven = grant.detail.claims.id_token_verified.clone();
    if names.is_empty() && proven.is_empty() {
        return Ok(Map::new());
    }
    let found = match who {
        Who::Staff(id) => {
            claims::staff(state, id).await?.map(|staff| claims::of_staff(&names, &staff))
        }
        Who::Citizen(id) => idp_store::person::claims_of(&state.db, id)
            .await?
            .map(|person| claims::of_person(&names, &proven, &person, state.now())),
    };
    Ok(found.unwrap_or_default())
}
