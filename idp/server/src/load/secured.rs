//! What a FAPI partner sends: proofs of possession and pushed requests.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};

use super::scenario::told;
use super::target::Target;

/// Seconds UTC of the machine, and a text that no other step of this run has.
#[allow(clippy::disallowed_methods)] // A driver of another process: its clock is the world's.
pub(super) fn moment(turn: usize) -> Result<(u64, String), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(told)?;
    Ok((now.as_secs(), format!("{turn}.{}", now.as_nanos())))
}

impl Target {
    /// A token bound to a key by a fresh proof (RFC 9449 §5).
    pub(super) async fn bound(&self, http: &Client, turn: usize) -> Result<(), String> {
        let signer = &self.signs()?.signer;
        let (now, jti) = moment(turn)?;
        let mut jwk = signer.jwk().clone();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        }
        let header = json!({"typ": "dpop+jwt", "alg": signer.algorithm().name(), "jwk": jwk});
        let claims = json!({"jti": jti, "htm": "POST", "iat": now,
            "htu": self.places.token.as_str()});
        let proof = signer.sign_with_header(&header, &claims).map_err(told)?;
        let request = http.post(self.places.token.clone());
        let request = request.basic_auth(&self.client.0, Some(&self.client.1));
        let request = request.header("dpop", proof).form(&[("grant_type", "client_credentials")]);
        let body: Value = request.send().await.map_err(told)?.json().await.map_err(told)?;
        if body["token_type"] == "DPoP" && body["access_token"].is_string() {
            return Ok(());
        }
        Err(format!("no bound token: {}", body["error"].as_str().unwrap_or_default()))
    }

    /// A token for who is known by its certificate (RFC 8705 §2, §3).
    pub(super) async fn certified(&self, http: &Client) -> Result<(), String> {
        let client = self.certified.as_deref().ok_or("it has no client with a certificate")?;
        let form = [("grant_type", "client_credentials"), ("client_id", client)];
        let request = http.post(self.places.token_with_certificate.clone()).form(&form);
        let body: Value = request.send().await.map_err(told)?.json().await.map_err(told)?;
        if body["access_token"].is_string() {
            return Ok(());
        }
        Err(format!("no token: {}", body["error"].as_str().unwrap_or_default()))
    }

    /// A request pushed ahead of the browser (RFC 9126 §2).
    pub(super) async fn pushed(&self, http: &Client) -> Result<(), String> {
        let place = self.places.pushed.as_ref().ok_or("it takes no pushed requests")?;
        let request = http.post(place.clone());
        let request = request.basic_auth(&self.client.0, Some(&self.client.1));
        let form = self.authorization();
        let answer = request.form(&form).send().await.map_err(told)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(told)?;
        if status.as_u16() == 201 && body["request_uri"].is_string() {
            return Ok(());
        }
        Err(format!("pushing answered {status} {}", body["error"].as_str().unwrap_or_default()))
    }
}
