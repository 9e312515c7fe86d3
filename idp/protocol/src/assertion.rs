//! Assertions of clients (RFC 7523 §3): about themselves, `private_key_jwt` (OpenID Connect Core
//! §9), and about a person who is absent, as a grant (RFC 7523 §2.1).

use serde_json::{Value, json};

use crate::ProtocolError;
use crate::client::Client;
use crate::jose::{Algorithm, Unverified};
use crate::metadata::Offer;

/// Longest time that an assertion may live, seconds: a replay table must remember it that long.
const LONGEST: i64 = 3600;
/// Clocks may differ, seconds.
const SKEW: i64 = 60;

/// `typ` that newer clients give their assertions (draft-ietf-oauth-rfc7523bis).
const TYP: &str = "client-authentication+jwt";

/// The only type of assertion.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Name of the grant (RFC 7523 §2.1).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// `typ` of newer assertions that are grants (draft-ietf-oauth-rfc7523bis).
const GRANT_TYP: &str = "authorization-grant+jwt";
/// Longest time that a grant may live, seconds: it is made for the request that it comes with.
const LONGEST_GRANT: i64 = 300;

/// What remains to be done with a believed assertion: use it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Unique for the client (RFC 7523 §3, item 7).
    pub jti: String,
    /// Seconds UTC until when `jti` has to be remembered.
    pub expires: i64,
}

/// The client that an assertion claims to be from, for finding its keys; not believed.
#[must_use]
pub fn unverified_client_id(text: &str) -> Option<String> {
    let token = Unverified::parse(text).ok()?;
    token.unverified_claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

/// A believed grant: for whom it speaks, by the subject that the client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The person.
    pub sub: String,
    /// To be used once.
    pub assertion: Assertion,
}

/// What sets the two kinds apart.
struct Kind {
    typ: &'static str,
    longest: i64,
}

/// Checks an assertion; `keys` are the client's, `audiences` are the issuer, first, and the
/// endpoints that it may name.
///
/// # Errors
/// `invalid_client`.
pub fn check(
    client: &Client,
    keys: &[Value],
    text: &str,
    audiences: &[&str],
    now: i64,
) -> Result<Assertion, ProtocolError> {
    let refuse = ProtocolError::invalid_client;
    let kind = Kind { typ: TYP, longest: LONGEST };
    let spoken = believed(client, keys, text, audiences, (now, &kind)).map_err(refuse)?;
    // RFC 7523 §3, item 2: the subject is the client.
    if spoken.sub != client.client_id {
        return Err(refuse("The assertion's iss and sub must be the client_id."));
    }
    Ok(spoken.assertion)
}

/// Checks an assertion that is a grant (RFC 7523 §2.1): signed by the client itself, about a
/// person. Who that is, and whether they allowed it, is asked elsewhere.
///
/// # Errors
/// `invalid_grant` (RFC 7523 §3.1).
pub fn spoken(
    client: &Client,
    keys: &[Value],
    text: &str,
    audiences: &[&str],
    now: i64,
) -> Result<Spoken, ProtocolError> {
    let kind = Kind { typ: GRANT_TYP, longest: LONGEST_GRANT };
    believed(client, keys, text, audiences, (now, &kind)).map_err(ProtocolError::invalid_grant)
}

fn believed(
    client: &Client,
    keys: &[Value],
    text: &str,
    audiences: &[&str],
    (now, kind): (i64, &Kind),
) -> Result<Spoken, &'static str> {
    let token = Unverified::parse(text).map_err(|_| "The assertion is malformed.")?;
    let pinned = client.token_endpoint_auth_signing_alg.as_deref();
    let rules = client.rules();
    // FAPI 2.0 §5.4.1: not each algorithm that others may use; and the registered one alone.
    let allowed: Vec<Algorithm> = match pinned {
        Some(name) => {
            Algorithm::from_name(name).filter(|named| rules.names(*named)).into_iter().collect()
        }
        None => rules.algorithms().to_vec(),
    };
    // RFC 8725 §3.11: typed as what it is, if it is typed at all.
    let typ = Some(kind.typ).filter(|typ| token.is_typed(typ));
    let claims = token
        .verify(keys, &allowed, typ)
        .map_err(|_| "The assertion is not signed by a registered key.")?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // RFC 7519 §2: a NumericDate may have a fraction.
    let number = |name: &str| {
        let value = claims.get(name)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    };
    // RFC 7523 §3, items 1 and 2: the issuer is the client; and there is a subject.
    let own = text("iss") == Some(&client.client_id);
    let sub = text("sub").filter(|sub| own && !sub.is_empty());
    let sub = sub.ok_or("The assertion's iss and sub must be the client_id.")?.to_owned();
    // RFC 7523 §3, item 3: meant for us.
    let meant = match claims.get("aud") {
        // FAPI 2.0 §5.3.2.1: the issuer as a string, so that an assertion for one endpoint, or for
        // one server among several, is of no use to whoever gets it.
        Some(Value::String(audience)) if rules.issuer_audience => {
            audiences.first() == Some(&audience.as_str())
        }
        _ if rules.issuer_audience => false,
        Some(Value::String(audience)) => audiences.contains(&audience.as_str()),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).any(|audience| audiences.contains(&audience))
        }
        _ => false,
    };
    if !meant {
        return Err("The assertion's aud must be the issuer.");
    }
    // RFC 7523 §3, item 4: it expires, and soon enough to be remembered.
    let expires = number("exp").ok_or("The assertion has no exp.")?;
    if expires <= now - SKEW || expires > now + kind.longest {
        return Err("The assertion is expired or lives too long.");
    }
    // RFC 7523 §3, items 5 and 6.
    if number("nbf").is_some_and(|from| from > now + SKEW)
        || number("iat").is_some_and(|at| at > now + SKEW)
    {
        return Err("The assertion is from the future.");
    }
    // OpenID Connect Core §9: jti is required.
    let jti = text("jti").filter(|jti| (1..=256).contains(&jti.len()));
    let jti = jti.ok_or("The assertion has no jti.")?.to_owned();
    Ok(Spoken { sub, assertion: Assertion { jti, expires: expires + SKEW } })
}

/// Members of the metadata (RFC 8414 §2).
pub(crate) fn metadata(_: &Offer) -> Value {
    json!({"grant_types_supported": [GRANT]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Algorithm, Signer, generate};

    const NOW: i64 = 1_800_000_000;
    const ISSUER: &str = "https://id.example";

    fn parts() -> (Signer, Client) {
        let signer = Signer::new(Algorithm::Es256, &generate(Algorithm::Es256).unwrap()).unwrap();
        let client =
            Client::from_json(json!({"client_id": "a", "redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk()]}}))
            .unwrap();
        (signer, client)
    }

    fn checked(
        client: &Client,
        text: &str,
        audiences: &[&str],
        now: i64,
    ) -> Result<Assertion, ProtocolError> {
        let keys = client.jwks.as_ref().and_then(|jwks| jwks["keys"].as_array());
        check(client, keys.map_or(&[], Vec::as_slice), text, audiences, now)
    }

    #[test]
    fn rfc_7523_2_1_a_grant_is_about_a_person_and_shortlived() {
        let (signer, client) = parts();
        let keys = client.jwks.as_ref().unwrap()["keys"].as_array().unwrap().clone();
        let spoken = |typ: &str, extra: &[(&str, Value)]| {
            let mut claims = good();
            claims["sub"] = json!("p");
            for (name, value) in extra {
                claims[*name] = value.clone();
            }
            spoken(&client, &keys, &signer.sign(typ, &claims).unwrap(), &[ISSUER], NOW)
        };
        assert_eq!(spoken("JWT", &[]).unwrap().sub, "p");
        assert_eq!(spoken(GRANT_TYP, &[]).unwrap().assertion.jti, "1");
        // RFC 8725 §3.11: the other kind is not taken for it.
        assert!(spoken(TYP, &[]).is_err());
        for (name, value) in [
            ("iss", json!("other")),
            ("sub", json!("")),
            ("sub", Value::Null),
            ("aud", json!("https://other.example")),
            ("exp", json!(NOW + 301)),
            ("exp", json!(NOW - 61)),
            ("jti", Value::Null),
        ] {
            let error = spoken("JWT", &[(name, value.clone())]).unwrap_err();
            assert_eq!(error.code.as_str(), "invalid_grant", "{name} {value}");
        }
        // Nor the other way round.
        let mut claims = good();
        claims["sub"] = json!("p");
        let text = signer.sign("JWT", &claims).unwrap();
        assert!(check(&client, &keys, &text, &[ISSUER], NOW).is_err());
        let text = signer.sign(GRANT_TYP, &good()).unwrap();
        assert!(check(&client, &keys, &text, &[ISSUER], NOW).is_err());
    }

    fn good() -> Value {
        json!({"iss": "a", "sub": "a", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "1"})
    }

    #[test]
    fn rfc_7523_3_a_good_assertion_is_believed_with_either_audience_form() {
        let (signer, client) = parts();
        for audience in
            [json!(ISSUER), json!([ISSUER, "x"]), json!("https://id.example/oauth2/token")]
        {
            let mut claims = good();
            claims["aud"] = audience;
            let token = signer.sign("JWT", &claims).unwrap();
            let audiences = [ISSUER, "https://id.example/oauth2/token"];
            assert_eq!(checked(&client, &token, &audiences, NOW).unwrap().jti, "1");
        }
    }

    #[test]
    fn attack_16_another_clients_key_does_not_speak_for_this_one() {
        let (signer, _) = parts();
        let (_, client) = parts();
        let token = signer.sign("JWT", &good()).unwrap();
        assert!(checked(&client, &token, &[ISSUER], NOW).is_err());
        assert_eq!(unverified_client_id(&token).as_deref(), Some("a"));
        let mut keyless = client;
        keyless.jwks = None;
        assert!(checked(&keyless, &token, &[ISSUER], NOW).is_err());
    }

    #[test]
    fn rfc_7519_2_a_date_may_have_a_fraction() {
        let (signer, client) = parts();
        let mut claims = good();
        claims["exp"] = json!(NOW as f64 + 59.5);
        let token = signer.sign("JWT", &claims).unwrap();
        assert_eq!(checked(&client, &token, &[ISSUER], NOW).unwrap().expires, NOW + 59 + SKEW);
        claims["exp"] = json!(f64::MAX);
        let token = signer.sign("JWT", &claims).unwrap();
        assert!(checked(&client, &token, &[ISSUER], NOW).is_err());
    }

    #[test]
    fn attack_16_fapi2_5_3_2_1_the_audience_is_the_issuer_as_a_string() {
        let (signer, mut client) = parts();
        client.policy = crate::client::Policy::Fapi2;
        let endpoint = "https://id.example/oauth2/token";
        let believed = |client: &Client, claims: &Value| {
            let token = signer.sign("JWT", claims).unwrap();
            checked(client, &token, &[ISSUER, endpoint], NOW).is_ok()
        };
        assert!(believed(&client, &good()));
        for audience in [json!(endpoint), json!([ISSUER]), json!([ISSUER, endpoint]), json!(null)] {
            let mut claims = good();
            claims["aud"] = audience;
            assert!(!believed(&client, &claims), "{}", claims["aud"]);
        }
        for (ahead, fine) in [(8, true), (60, true), (61, false)] {
            let mut claims = good();
            claims["nbf"] = json!(NOW + ahead);
            assert_eq!(believed(&client, &claims), fine, "nbf {ahead} s ahead");
        }
    }

    #[test]
    fn attack_16_fapi2_5_4_1_the_algorithm_is_one_of_three() {
        for (algorithm, fine) in [
            (Algorithm::Es256, true),
            (Algorithm::Ps256, true),
            (Algorithm::EdDsa, true),
            (Algorithm::Rs256, false),
        ] {
            let signer = Signer::new(algorithm, &generate(algorithm).unwrap()).unwrap();
            let (_, mut client) = parts();
            client.jwks = Some(json!({"keys": [signer.jwk()]}));
            let token = signer.sign("JWT", &good()).unwrap();
            assert!(checked(&client, &token, &[ISSUER], NOW).is_ok(), "{algorithm:?}");
            client.policy = crate::client::Policy::Fapi2;
            assert_eq!(checked(&client, &token, &[ISSUER], NOW).is_ok(), fine, "{algorithm:?}");
        }
    }

    #[test]
    fn attack_16_bad_assertions_are_refused() {
        let (signer, mut client) = parts();
        for (name, value) in [
            ("iss", json!("b")),
            ("sub", json!("b")),
            ("aud", json!("https://other.example")),
            ("aud", json!(null)),
            ("exp", json!(NOW - 61)),
            ("exp", json!(NOW + 3601)),
            ("exp", json!(null)),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
            ("jti", json!(null)),
        ] {
            let mut claims = good();
            claims[name] = value.clone();
            let token = signer.sign("JWT", &claims).unwrap();
            assert!(checked(&client, &token, &[ISSUER], NOW).is_err(), "{name} {value}");
        }
        for typ in ["at+jwt", "dpop+jwt", "application/at+jwt", "logout+jwt"] {
            let token = signer.sign(typ, &good()).unwrap();
            assert!(checked(&client, &token, &[ISSUER], NOW).is_err(), "{typ}");
        }
        for typ in ["JWT", "jwt", "client-authentication+jwt"] {
            let token = signer.sign(typ, &good()).unwrap();
            assert!(checked(&client, &token, &[ISSUER], NOW).is_ok(), "{typ}");
        }
        let token = signer.sign("JWT", &good()).unwrap();
        client.token_endpoint_auth_signing_alg = Some("PS256".to_owned());
        assert!(checked(&client, &token, &[ISSUER], NOW).is_err(), "the algorithm is pinned");
    }
}
