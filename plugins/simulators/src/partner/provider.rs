//! The provider as a partner's engineer meets it: discovery, code flow with PKCE, state and nonce,
//! a verified ID token, userinfo, RP-initiated logout.

use std::time::{Duration, Instant};

use openidconnect::core::{CoreClient, CoreGenderClaim, CoreIdToken, CoreResponseType};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, IssuerUrl, LanguageTag, LogoutRequest, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse as _, UserInfoClaims, reqwest,
};
use serde::{Deserialize, Serialize};

use super::Settings;

/// How long a partner waits for somebody to come back: as long as the provider does.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Claims of this provider beside the standard ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Extra {
    number_masked: Option<String>,
    region: Option<String>,
    age_over_18: Option<bool>,
}

impl AdditionalClaims for Extra {}

/// A sign-in under way.
pub(super) struct Pending {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    begun: Instant,
}

impl Pending {
    /// Whether somebody may still come back from it.
    pub(super) fn open(&self) -> bool {
        self.begun.elapsed() < PATIENCE
    }
}

/// Who signed in, as this partner learnt it.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Name and value of each claim, for the page.
    pub claims: Vec<(String, String)>,
    id_token: String,
}

/// A random name for a cookie.
pub(super) fn random() -> String {
    CsrfToken::new_random_len(32).secret().clone()
}

pub(super) struct Provider {
    settings: Settings,
    http: reqwest::Client,
}

/// An error and its causes in one line.
fn line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Provider {
    pub(super) fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        // A provider that redirects its own endpoints is not followed.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(10))
            .build()?;
        Ok(Self { settings, http })
    }

    async fn metadata(&self) -> Result<ProviderMetadataWithLogout, String> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(|e| line(&e))?;
        ProviderMetadataWithLogout::discover_async(issuer, &self.http).await.map_err(|e| line(&e))
    }

    fn redirect(&self) -> Result<RedirectUrl, String> {
        RedirectUrl::new(format!("{}/callback", self.settings.address)).map_err(|e| line(&e))
    }

    pub(super) async fn begin(&self, english: bool) -> Result<(String, String, Pending), String> {
        let client = CoreClient::from_provider_metadata(
            self.metadata().await?,
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(self.settings.client_secret.clone())),
        )
        .set_redirect_uri(self.redirect()?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let locale = LanguageTag::new(if english { "en" } else { "zh-CN" }.to_owned());
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge)
            .add_ui_locale(locale);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (address, state, nonce) = request.url();
        Ok((
            address.to_string(),
            state.secret().clone(),
            Pending { nonce, verifier, begun: Instant::now() },
        ))
    }

    pub(super) async fn finish(
        &self,
        pending: Pending,
        code: String,
        issuer: Option<&str>,
    ) -> Result<Visitor, String> {
        // RFC 9207 §2.4: an answer of another issuer is not this sign-in's, and this provider names
        // itself in every answer.
        if issuer != Some(self.settings.issuer.as_str()) {
            return Err("iss: the answer comes from another issuer".to_owned());
        }
        let client = CoreClient::from_provider_metadata(
            self.metadata().await?,
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(self.settings.client_secret.clone())),
        )
        .set_redirect_uri(self.redirect()?);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| line(&e))?
            .set_pkce_verifier(pending.verifier)
            .request_async(&self.http)
            .await
            .map_err(|e| line(&e))?;
        let id_token: &CoreIdToken = tokens.id_token().ok_or("the provider gave no ID token")?;
        let verifier = client.id_token_verifier();
        let claims = id_token.claims(&verifier, &pending.nonce).map_err(|e| line(&e))?;
        if let Some(expected) = claims.access_token_hash() {
            let actual = AccessTokenHash::from_token(
                tokens.access_token(),
                id_token.signing_alg().map_err(|e| line(&e))?,
                id_token.signing_key(&verifier).map_err(|e| line(&e))?,
            )
            .map_err(|e| line(&e))?;
            if actual != *expected {
                return Err("at_hash: the access token is another one".to_owned());
            }
        }
        let userinfo: UserInfoClaims<Extra, CoreGenderClaim> = client
            .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
            .map_err(|e| line(&e))?
            .request_async(&self.http)
            .await
            .map_err(|e| line(&e))?;
        let mut shown = vec![("sub".to_owned(), claims.subject().to_string())];
        if let Some(acr) = claims.auth_context_ref() {
            shown.push(("acr".to_owned(), acr.to_string()));
        }
        shown.extend(learnt(&userinfo));
        Ok(Visitor { claims: shown, id_token: id_token.to_string() })
    }

    pub(super) async fn way_out(&self, visitor: &Visitor) -> String {
        self.logout(visitor).await.unwrap_or_else(|_| "/".to_owned())
    }

    async fn logout(&self, visitor: &Visitor) -> Result<String, String> {
        let metadata = self.metadata().await?;
        let endpoint = metadata
            .additional_metadata()
            .end_session_endpoint
            .clone()
            .ok_or("the provider has no sign-out")?;
        let hint: CoreIdToken = visitor.id_token.parse().map_err(|_| "id_token")?;
        let home = PostLogoutRedirectUrl::new(format!("{}/", self.settings.address));
        let address = LogoutRequest::from(endpoint)
            .set_id_token_hint(&hint)
            .set_post_logout_redirect_uri(home.map_err(|e| line(&e))?)
            .http_get_url();
        Ok(address.to_string())
    }
}

/// Shown masked: a demo page should not teach people to print whole phone numbers.
fn masked(text: &str) -> String {
    let count = text.chars().count();
    text.chars()
        .enumerate()
        .map(|(at, c)| if at >= 3 && at + 4 < count { '*' } else { c })
        .collect()
}

fn learnt(userinfo: &UserInfoClaims<Extra, CoreGenderClaim>) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    let mut show = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            shown.push((name.to_owned(), value));
        }
    };
    let name = userinfo.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    show("name", name);
    show("gender", userinfo.gender().map(|gender| gender.to_string()));
    show("birthdate", userinfo.birthdate().map(|date| date.to_string()));
    show("phone_number", userinfo.phone_number().map(|phone| masked(phone.as_str())));
    let extra = userinfo.additional_claims();
    show("number_masked", extra.number_masked.clone());
    show("region", extra.region.clone());
    show("age_over_18", extra.age_over_18.map(|yes| yes.to_string()));
    shown
}
