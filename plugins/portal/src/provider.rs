//! The OpenID Provider as the hall's relying party sees it, through the `openidconnect` crate like
//! any partner: discovery, the way there, the answer, the way out.
//!
//! Discovery happens at first use and not at start, because the provider may be this very process.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use idp_domain::ambient::Ambient;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AdditionalClaims, AuthenticationContextClass, AuthenticationFlow,
    AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, LanguageTag, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadataWithLogout,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use url::Url;

use crate::Settings;
use crate::lang::Lang;

/// Claims of our provider beside the standard ones (contract.md, Tokens).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HallClaims {
    /// Proofing level 0–5.
    #[serde(default)]
    pub proofing_level: u8,
    /// Authentication level of this session, 0–3.
    #[serde(default)]
    pub auth_level: u8,
    /// Role of a member of staff, such as `officer`; only with the scope `staff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff_role: Option<String>,
    /// Name of a member of staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff_name: Option<String>,
    /// Number of a member of staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff_id: Option<String>,
}

impl AdditionalClaims for HallClaims {}

type Fields = IdTokenFields<
    HallClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type HallClient = Client<
    HallClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// How long discovered metadata and keys are trusted, milliseconds: keys rotate with overlap, so
/// an hour is late enough, and an unknown key asks at once.
const FRESH: i64 = 3_600_000;

/// Why the provider gave no answer. The text is for the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached or did not speak OpenID Connect: try again.
    #[error("the provider does not answer: {0}")]
    Away(String),
    /// It answered, and its answer is not to be believed or is a refusal.
    #[error("the provider refused or its answer does not hold: {0}")]
    Refused(String),
}

/// What the hall asks for at one sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Binds the answer to this browser.
    pub state: &'a str,
    /// Binds the ID token to this sign-in.
    pub nonce: &'a str,
    /// PKCE verifier (RFC 7636 §4.1).
    pub verifier: &'a str,
    /// Proofing level, 0 for whatever is there.
    pub level: u8,
    /// Whether a member of staff is expected.
    pub staff: bool,
    /// Language of the provider's pages.
    pub lang: Lang,
}

/// Who signed in, and what keeps the session.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The hall's pairwise subject.
    pub subject: String,
    /// Name to greet with.
    pub name: Option<String>,
    /// Our own claims.
    pub claims: HallClaims,
    /// For sign-out.
    pub id_token: String,
    /// For the question whether the session lives.
    pub tokens: Kept,
}

/// Tokens that keep a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// Access token.
    pub access: String,
    /// Refresh token, where the provider gave one.
    pub refresh: Option<String>,
}

struct Known {
    metadata: ProviderMetadataWithLogout,
    at: i64,
}

/// The provider. Share it: it holds what was discovered.
pub struct Provider {
    settings: Arc<Settings>,
    ambient: Ambient,
    http: reqwest::Client,
    known: RwLock<Option<Arc<Known>>>,
}

impl Provider {
    /// `http` must not follow redirects (server-side request forgery).
    #[must_use]
    pub fn new(settings: Arc<Settings>, ambient: Ambient, http: reqwest::Client) -> Self {
        Self { settings, ambient, http, known: RwLock::new(None) }
    }

    async fn known(&self, fresher_than: i64) -> Result<Arc<Known>, ProviderError> {
        if let Some(known) = self.known.read().await.as_ref()
            && known.at > fresher_than
        {
            return Ok(known.clone());
        }
        let mut slot = self.known.write().await;
        // Somebody else may have asked while we waited for the lock.
        if let Some(known) = slot.as_ref()
            && known.at > fresher_than
        {
            return Ok(known.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|cause| ProviderError::Refused(cause.to_string()))?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.http)
            .await
            .map_err(|cause| ProviderError::Away(chain(&cause)))?;
        let known = Arc::new(Known { metadata, at: self.ambient.now() });
        *slot = Some(known.clone());
        Ok(known)
    }

    fn client(&self, known: &Known) -> Result<HallClient, ProviderError> {
        let redirect = RedirectUrl::new(self.settings.redirect_uri.clone())
            .map_err(|cause| ProviderError::Refused(cause.to_string()))?;
        let client = Client::from_provider_metadata(
            known.metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(self.settings.client_secret.clone())),
        );
        Ok(client.set_redirect_uri(redirect))
    }

    /// Where to send the browser to sign in (OpenID Connect Core §3.1.2.1).
    ///
    /// # Errors
    /// [`ProviderError::Away`] while discovery fails.
    pub async fn authorize(&self, wish: &Wish<'_>) -> Result<Url, ProviderError> {
        let known = self.known(self.ambient.now() - FRESH).await?;
        let client = self.client(&known)?;
        let (state, nonce) = (wish.state.to_owned(), wish.nonce.to_owned());
        let verifier = PkceCodeVerifier::new(wish.verifier.to_owned());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_ui_locale(LanguageTag::new(wish.lang.tag().to_owned()));
        let citizen = ["profile", "phone", "address", "identity"];
        for scope in if wish.staff { &["profile", "staff"][..] } else { &citizen[..] } {
            request = request.add_scope(Scope::new((*scope).to_owned()));
        }
        if wish.level > 0 {
            let level = format!("urn:tongban:proofing:{}", wish.level);
            request = request.add_auth_context_value(AuthenticationContextClass::new(level));
        }
        Ok(request.url().0)
    }

    /// Redeems a code and checks the ID token (OpenID Connect Core §3.1.3.7).
    ///
    /// # Errors
    /// [`ProviderError::Refused`] for a refused code or a token that does not hold.
    pub async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
    ) -> Result<Identity, ProviderError> {
        let known = self.known(self.ambient.now() - FRESH).await?;
        let client = self.client(&known)?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|cause| ProviderError::Refused(cause.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&self.http)
            .await
            .map_err(refusal)?;
        match self.identity(&client, &answer, nonce) {
            Err(_) if self.ambient.now() - known.at > 60_000 => {
                // A key that we have not seen yet: ask once, not at each forged token.
                let known = self.known(known.at).await?;
                self.identity(&self.client(&known)?, &answer, nonce)
            }
            other => other,
        }
    }

    fn identity(
        &self,
        client: &HallClient,
        answer: &Tokens,
        nonce: &str,
    ) -> Result<Identity, ProviderError> {
        let refused = |cause: &dyn std::error::Error| ProviderError::Refused(chain(cause));
        let token =
            answer.id_token().ok_or_else(|| ProviderError::Refused("no ID token".to_owned()))?;
        let now = self.ambient.now();
        let verifier = client
            .id_token_verifier()
            // Pinned, so that neither `none` nor a symmetric algorithm keyed by something public
            // can ever pass (attacks row 11).
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                CoreJwsSigningAlgorithm::EdDsa,
            ])
            .set_time_fn(move || DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default());
        let claims = token
            .claims(&verifier, &Nonce::new(nonce.to_owned()))
            .map_err(|cause| refused(&cause))?;
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        Ok(Identity {
            subject: claims.subject().to_string(),
            name,
            claims: claims.additional_claims().clone(),
            id_token: token.to_string(),
            tokens: Kept {
                access: answer.access_token().secret().clone(),
                refresh: answer.refresh_token().map(|token| token.secret().clone()),
            },
        })
    }

    /// Whether the provider still stands by a session. `Some(true)` and `Some(false)` are its
    /// word, none means that it gave no word.
    pub async fn stands_by(&self, subject: &str, tokens: &Kept) -> Option<bool> {
        let known = self.known(self.ambient.now() - FRESH).await.ok()?;
        let endpoint = known.metadata.userinfo_endpoint()?.url().clone();
        let answer = self.http.get(endpoint).bearer_auth(&tokens.access).send().await.ok()?;
        match answer.status().as_u16() {
            // Another subject than the session's must never be believed (OIDC Core §5.3.2).
            200 => {
                let body: serde_json::Value = answer.json().await.ok()?;
                Some(body.get("sub").and_then(serde_json::Value::as_str) == Some(subject))
            }
            401 | 403 => Some(false),
            _ => None,
        }
    }

    /// New tokens for a session whose access token ran out.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] when the session is over, [`ProviderError::Away`] when nobody
    /// knows.
    pub async fn refresh(&self, tokens: &Kept) -> Result<Kept, ProviderError> {
        let Some(refresh) = tokens.refresh.clone() else {
            return Err(ProviderError::Refused("no refresh token".to_owned()));
        };
        let known = self.known(self.ambient.now() - FRESH).await?;
        let client = self.client(&known)?;
        let old = RefreshToken::new(refresh.clone());
        let answer = client
            .exchange_refresh_token(&old)
            .map_err(|cause| ProviderError::Refused(cause.to_string()))?
            .request_async(&self.http)
            .await
            .map_err(refusal)?;
        let access: &AccessToken = answer.access_token();
        Ok(Kept {
            access: access.secret().clone(),
            refresh: answer.refresh_token().map(|token| token.secret().clone()).or(Some(refresh)),
        })
    }

    /// Where to send the browser to sign out everywhere (RP-Initiated Logout 1.0 §2).
    pub async fn end_session(&self, id_token: &str, lang: Lang) -> Option<Url> {
        let known = self.known(self.ambient.now() - FRESH).await.ok()?;
        let endpoint = known.metadata.additional_metadata().end_session_endpoint.clone()?;
        let mut url = endpoint.url().clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.settings.post_logout_redirect_uri)
            .append_pair("ui_locales", lang.tag());
        Some(url)
    }
}

fn refusal<RE: std::error::Error + 'static>(
    cause: RequestTokenError<RE, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderError {
    match cause {
        RequestTokenError::ServerResponse(answer) => {
            ProviderError::Refused(answer.error().as_ref().to_owned())
        }
        RequestTokenError::Request(cause) => ProviderError::Away(chain(&cause)),
        RequestTokenError::Parse(..) => ProviderError::Away("an answer that is none".to_owned()),
        RequestTokenError::Other(cause) => ProviderError::Away(cause),
    }
}

/// An error with its sources in one line.
fn chain(cause: &dyn std::error::Error) -> String {
    let mut line = cause.to_string();
    let mut next = cause.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}
