//! A protocol error is its code; the code decides the status; the description is public ASCII, the
//! detail is for the log.

use serde::Serialize;

/// Error codes of RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 6750 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A parameter is missing, repeated, unknown in value or malformed (RFC 6749 §5.2).
    InvalidRequest,
    /// Client authentication failed (RFC 6749 §5.2).
    InvalidClient,
    /// The grant is invalid, expired, revoked or another client's (RFC 6749 §5.2).
    InvalidGrant,
    /// The client may not use this grant or response type (RFC 6749 §5.2).
    UnauthorizedClient,
    /// The grant type is not supported (RFC 6749 §5.2).
    UnsupportedGrantType,
    /// The scope is malformed, unknown or wider than granted (RFC 6749 §5.2).
    InvalidScope,
    /// The person or the server refused (RFC 6749 §4.1.2.1).
    AccessDenied,
    /// The response type is not supported (RFC 6749 §4.1.2.1).
    UnsupportedResponseType,
    /// The server met something that it did not expect (RFC 6749 §4.1.2.1).
    ServerError,
    /// The server cannot answer now (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable,
    /// `prompt=none` and nobody is signed in (OpenID Connect Core §3.1.2.6).
    LoginRequired,
    /// `prompt=none` and a page is needed (OpenID Connect Core §3.1.2.6).
    InteractionRequired,
    /// `prompt=none` and consent is needed (OpenID Connect Core §3.1.2.6).
    ConsentRequired,
    /// `request` is not supported (OpenID Connect Core §3.1.2.6).
    RequestNotSupported,
    /// `request_uri` is not supported (OpenID Connect Core §3.1.2.6).
    RequestUriNotSupported,
    /// `registration` is not supported (OpenID Connect Core §3.1.2.6).
    RegistrationNotSupported,
    /// The assurance asked for cannot be reached (OpenID Connect Unmet Authentication
    /// Requirements 1.0 §2).
    UnmetAuthenticationRequirements,
    /// The access token is expired, revoked, malformed or for something else (RFC 6750 §3.1).
    InvalidToken,
    /// The access token does not carry the scope (RFC 6750 §3.1).
    InsufficientScope,
    /// A token type that cannot be revoked here (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// `prompt=none` and the person has to choose an account (OpenID Connect Core §3.1.2.6).
    AccountSelectionRequired,
    /// The object behind `request_uri` cannot be had or is invalid (RFC 9101 §7, OpenID Connect Core §3.1.2.6).
    InvalidRequestUri,
    /// The request object is invalid (RFC 9101 §7, OpenID Connect Core §3.1.2.6).
    InvalidRequestObject,
    /// The resource is unknown, malformed or not this client's (RFC 8707 §2).
    InvalidTarget,
    /// The authorization details are of an unknown type or malformed (RFC 9396 §5).
    InvalidAuthorizationDetails,
    /// The DPoP proof is missing or wrong (RFC 9449 §5).
    InvalidDpopProof,
    /// The DPoP proof must hold the nonce that comes with the answer (RFC 9449 §8).
    UseDpopNonce,
    /// The person has not answered yet (RFC 8628 §3.5, CIBA Core §11).
    AuthorizationPending,
    /// The client asks too often (RFC 8628 §3.5, CIBA Core §11).
    SlowDown,
    /// The device code or `auth_req_id` has expired (RFC 8628 §3.5, CIBA Core §11).
    ExpiredToken,
    /// A field of a registration cannot be used (RFC 7591 §3.2.2).
    InvalidClientMetadata,
    /// A redirect URI of a registration cannot be used (RFC 7591 §3.2.2).
    InvalidRedirectUri,
    /// The hint names nobody (CIBA Core §13).
    UnknownUserId,
    /// The `login_hint_token` has expired (CIBA Core §13).
    ExpiredLoginHintToken,
    /// The person's secret code is required (CIBA Core §13).
    MissingUserCode,
    /// The person's secret code is wrong (CIBA Core §13).
    InvalidUserCode,
    /// The binding message cannot be shown (CIBA Core §13).
    InvalidBindingMessage,
    /// The person could not be reached (CIBA Core §12).
    TransactionFailed,
}

impl ErrorCode {
    /// The registered text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::UnknownUserId => "unknown_user_id",
            Self::ExpiredLoginHintToken => "expired_login_hint_token",
            Self::MissingUserCode => "missing_user_code",
            Self::InvalidUserCode => "invalid_user_code",
            Self::InvalidBindingMessage => "invalid_binding_message",
            Self::TransactionFailed => "transaction_failed",
        }
    }

    /// The status of a direct answer (RFC 6749 §5.2, RFC 6750 §3.1).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A failure that a client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct ProtocolError {
    /// What the program acts on.
    pub code: ErrorCode,
    /// What the engineer reads: ASCII without quotes (RFC 6749 §5.2), nothing that the client sent.
    pub description: &'static str,
}

impl ProtocolError {
    /// A code with its description.
    #[must_use]
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }
}

macro_rules! shorthand {
    ($($name:ident => $code:ident;)*) => {
        impl ProtocolError {$(
            /// The code of this name.
            #[must_use]
            pub const fn $name(description: &'static str) -> Self {
                Self::new(ErrorCode::$code, description)
            }
        )*}
    };
}

shorthand! {
    invalid_request => InvalidRequest;
    invalid_client => InvalidClient;
    invalid_grant => InvalidGrant;
    invalid_scope => InvalidScope;
    invalid_token => InvalidToken;
    unauthorized_client => UnauthorizedClient;
}
