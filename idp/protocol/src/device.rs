//! The device grant (RFC 8628): user codes, and what a device's request becomes.

use serde_json::{Value, json};

use crate::acr;
use crate::authorize::{AuthorizationRequest, Prompt, ResponseMode, ResponseType};
use crate::claims::ClaimsRequest;
use crate::client::Client;
use crate::metadata::Offer;
use crate::scope::Scope;
use crate::target::Targets;

/// Name of the grant (RFC 8628 §3.4).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Twenty letters without vowels, so that no code is a word, and none that looks like another
/// (RFC 8628 §6.1).
pub const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 20^8 are 34.5 bits.
pub const LENGTH: usize = 8;

/// A code out of random bytes, or none where they are too few; bytes that would make some letters
/// likelier than others are passed over.
#[must_use]
pub fn user_code(random: &[u8]) -> Option<String> {
    let even = random.iter().filter(|byte| **byte < 240);
    let letters = even.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
    let code: String = letters.take(LENGTH).map(|letter| char::from(*letter)).collect();
    (code.len() == LENGTH).then_some(code)
}

/// As a device shows it.
#[must_use]
pub fn shown(code: &str) -> String {
    match code.split_at_checked(LENGTH / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

/// What a person typed: in small letters, with spaces or dashes, or in the full width of a Chinese
/// keyboard (RFC 8628 §6.1). None if it can be no code.
#[must_use]
pub fn typed(text: &str) -> Option<String> {
    let mut code = String::with_capacity(LENGTH);
    for character in text.chars().take(64) {
        // U+FF01 to U+FF5E stand 0xFEE0 above ASCII.
        let character = match u32::from(character) {
            wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0)?,
            _ => character,
        };
        if character.is_whitespace() || "-_.·‐‑‒–—―−".contains(character) {
            continue;
        }
        let letter = character.to_ascii_uppercase();
        if !letter.is_ascii() || !ALPHABET.iter().any(|known| char::from(*known) == letter) {
            return None;
        }
        code.push(letter);
    }
    (code.len() == LENGTH).then_some(code)
}

/// The request that the person decides about at our pages. It has no redirect URI: its answer goes
/// to the device.
#[must_use]
pub fn request(
    client: &Client,
    scope: Scope,
    targets: Targets,
    device: String,
) -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri: String::new(),
        redirect_uri_sent: false,
        scope,
        response_type: ResponseType::CODE,
        state: None,
        nonce: None,
        response_mode: ResponseMode::QUERY,
        // Nothing that was allowed before allows another device (RFC 8628 §5.4; attacks row 31).
        prompt: Prompt { consent: true, ..Prompt::default() },
        max_age: client.default_max_age,
        acr: acr::default(client),
        claims: ClaimsRequest::default(),
        ui_locales: None,
        login_hint: None,
        id_token_hint: None,
        code_challenge: None,
        resources: targets.resources,
        authorization_details: targets.authorization_details,
        dpop_jkt: None,
        device: Some(device),
        pushed: None,
        backchannel: None,
    }
}

/// RFC 8628 §4.
#[must_use]
pub fn metadata(offer: &Offer) -> Value {
    json!({
        "device_authorization_endpoint": offer.at("/oauth2/device_authorization"),
        "grant_types_supported": [GRANT],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_8628_6_1_a_code_is_typed_in_many_ways() {
        for text in
            ["WDJB-MJHT", "wdjbmjht", " w d j b m j h t ", "ＷＤＪＢ－ｍｊｈｔ", "WDJB—MJHT"]
        {
            assert_eq!(typed(text).as_deref(), Some("WDJBMJHT"), "{text}");
        }
        for text in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJHA",
            "WDJB-MJH1",
            "WDJB/MJHT",
            "１２３４５６７８",
        ] {
            assert_eq!(typed(text), None, "{text}");
        }
        assert_eq!(shown("WDJBMJHT"), "WDJB-MJHT");
    }

    #[test]
    fn rfc_8628_6_1_codes_are_no_words_and_evenly_spread() {
        assert!(!ALPHABET.iter().any(|letter| b"AEIOUY01".contains(letter)));
        assert_eq!(user_code(&[0, 1, 240, 255, 2, 3, 4, 5, 6, 19]).unwrap(), "BCDFGHJZ");
        assert_eq!(user_code(&[250; 100]), None);
        let mut seen = [0; 20];
        for byte in 0..240_u8 {
            let code = user_code(&[byte; LENGTH]).unwrap();
            seen[ALPHABET.iter().position(|letter| *letter == code.as_bytes()[0]).unwrap()] += 1;
        }
        assert_eq!(seen, [12; 20]);
    }

    #[test]
    fn registration_2_levels_that_a_client_always_wants_hold_at_a_device() {
        let client = serde_json::json!({"client_id": "a", "grant_types": [GRANT],
            "default_acr_values": ["urn:tongban:proofing:4"]});
        let client = Client::from_json(client).unwrap();
        let asked = request(&client, Scope::default(), Targets::default(), "d".to_owned());
        assert_eq!(asked.acr.proofing, 4);
    }

    proptest! {
        #[test]
        fn outside_text_never_panics_and_codes_type_back(text: String, random: [u8; 32]) {
            let _ = typed(&text);
            let _ = shown(&text);
            if let Some(code) = user_code(&random) {
                prop_assert_eq!(typed(&shown(&code)), Some(code));
            }
        }
    }
}
