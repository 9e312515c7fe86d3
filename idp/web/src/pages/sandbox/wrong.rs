//! What is wrong with a filled-in form, in the reader's language and with the address that is meant.
//! It decides nothing: registration reads everything again, and says the rest in English.

use idp_protocol::jose::{self, KeyFault};
use idp_protocol::redirect_uri::{self, Fault};
use serde_json::Value;

use super::view::RegisterView;
use crate::pages::text::Lang;

/// The first fault of a form.
pub(super) fn of(lang: Lang, form: &RegisterView) -> Option<String> {
    let addresses: Vec<&str> = form.redirect.split_whitespace().collect();
    if addresses.is_empty() {
        return Some(lang.t("sandbox-wrong-redirect-none"));
    }
    let fault = |uri| Some((uri, redirect_uri::registrable(uri).err()?));
    if let Some((uri, fault)) = addresses.into_iter().find_map(fault) {
        // An address may be as long as the body of a form.
        let uri: String = str::chars(uri).take(200).collect();
        return Some(lang.with(address(fault), &[("uri", &uri)]));
    }
    if form.policy == "fapi2" && form.method != "private_key_jwt" {
        return Some(lang.t("sandbox-wrong-method"));
    }
    let key = (form.method == "private_key_jwt").then(|| keys(&form.jwk));
    key?.err().map(|key| lang.t(key))
}

/// A key, or a set of keys, as a set (RFC 7517 §5).
///
/// # Errors
/// The text for what cannot be registered.
pub(super) fn keys(sent: &str) -> Result<Value, &'static str> {
    let key: Value = serde_json::from_str(sent).map_err(|_| "sandbox-jwk-unreadable")?;
    let keys = if key.get("keys").is_some() { key } else { serde_json::json!({"keys": [key]}) };
    jose::registrable(&keys).map_err(|fault| match fault {
        KeyFault::Private => "sandbox-wrong-jwk-private",
        KeyFault::Shape => "sandbox-wrong-jwk-shape",
        KeyFault::Twice => "sandbox-wrong-jwk-twice",
        KeyFault::Unusable => "sandbox-wrong-jwk-unusable",
    })?;
    Ok(keys)
}

fn address(fault: Fault) -> &'static str {
    match fault {
        Fault::NotAbsolute => "sandbox-wrong-redirect-absolute",
        Fault::Fragment => "sandbox-wrong-redirect-fragment",
        Fault::Scheme => "sandbox-wrong-redirect-scheme",
        Fault::Misleading => "sandbox-wrong-redirect-misleading",
        Fault::NotPlain => "sandbox-wrong-redirect-plain",
        Fault::Reserved => "sandbox-wrong-redirect-reserved",
        Fault::TooLong => "sandbox-wrong-redirect-long",
    }
}
