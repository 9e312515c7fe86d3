//! Forms as requests bring them, and as pages show them.

use axum::RequestExt as _;
use axum::body::to_bytes;
use axum::extract::Request;
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// Largest body of a form of these pages; the longest is far below.
const LARGEST: usize = 16 * 1024;
/// Most fields of a form.
const MOST_FIELDS: usize = 48;

/// The fields of a posted form.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a request's body (attacks row 42: bounded before it is parsed).
    ///
    /// # Errors
    /// 415 for another media type, 413 for too large a body, 400 for too many fields, a NUL, or a
    /// body that broke off.
    pub async fn read(request: Request) -> Result<Self, StatusCode> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = match to_bytes(request.with_limited_body().into_body(), LARGEST).await {
            Ok(body) => body,
            Err(cause) if is_length(&cause) => return Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => return Err(StatusCode::BAD_REQUEST),
        };
        let fields: Vec<_> =
            url::form_urlencoded::parse(&body).into_owned().take(MOST_FIELDS + 1).collect();
        if fields.len() > MOST_FIELDS {
            return Err(StatusCode::BAD_REQUEST);
        }
        // Nobody types it, and PostgreSQL has no text with it.
        if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(StatusCode::BAD_REQUEST);
        }
        Ok(Self(fields))
    }

    /// A field's value; empty if absent. Of two, the first.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

fn is_length(cause: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(cause);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// A field as a page shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// `text`, `tel`, `password` or `select`.
    pub(crate) kind: &'static str,
    pub(crate) label: String,
    pub(crate) hint: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) value: String,
    /// The `autocomplete` token (HTML §4.10.18.7).
    pub(crate) autocomplete: &'static str,
    /// The `inputmode`; empty for none.
    pub(crate) mode: &'static str,
    pub(crate) longest: u32,
    pub(crate) class: &'static str,
    /// Options of a select: value and label.
    pub(crate) options: Vec<(&'static str, String)>,
}

impl Field {
    /// A text input.
    pub(crate) fn text(name: &'static str, label: String) -> Self {
        Self { name, kind: "text", label, autocomplete: "off", longest: 200, ..Self::default() }
    }

    /// A password input: its value is never written into a page.
    pub(crate) fn password(name: &'static str, label: String, autocomplete: &'static str) -> Self {
        Self { kind: "password", autocomplete, longest: 512, ..Self::text(name, label) }
    }

    pub(crate) fn hint(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    pub(crate) fn value(mut self, value: &str) -> Self {
        // A refused form comes back filled, but not with a megabyte.
        self.value = value.chars().take(200).collect();
        self
    }

    /// Ids of the sentences that describe the field.
    pub(crate) fn described_by(&self) -> String {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }
}
