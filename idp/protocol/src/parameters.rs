//! Parameters of a query or a form.

use crate::ProtocolError;

/// Parameters that one request may carry.
const MOST: usize = 64;
/// Bytes of one value; state and nonce of several hundred characters are legal, a megabyte is not.
const LONGEST: usize = 8 * 1024;

/// Bytes of a whole request as it was sent.
const LARGEST: usize = 64 * 1024;

/// The parameters that may stand more than once (RFC 8707 §2, RFC 8693 §2.1).
const RESOURCE: &str = "resource";
const AUDIENCE: &str = "audience";

/// What says where an error goes, and how.
const ANSWERABLE: [&str; 5] =
    ["client_id", "redirect_uri", "response_type", "response_mode", "state"];

/// Decoded parameters in the order of their arrival, each name once but `resource` and `audience`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// Names only: values are codes, secrets and tokens, which no log may hold.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Parameters {
    /// Parses `application/x-www-form-urlencoded` bytes.
    ///
    /// # Errors
    /// `invalid_request` for a repeated name (RFC 6749 §3.1), too many, or too long values
    /// (attacks row 42), or bytes that are not UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > LARGEST {
            return Err(ProtocolError::invalid_request("The request is too large."));
        }
        Self::from_pairs(
            url::form_urlencoded::parse(bytes)
                .map(|(name, value)| (name.into_owned(), value.into_owned())),
        )
    }

    /// Takes parameters that were read elsewhere, under the same bounds.
    ///
    /// # Errors
    /// As [`Parameters::parse`].
    pub fn from_pairs(
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ProtocolError> {
        let mut found: Vec<(String, String)> = Vec::with_capacity(8);
        for (name, value) in pairs {
            if value.contains('\u{fffd}') || name.contains('\u{fffd}') || value.contains('\0') {
                return Err(ProtocolError::invalid_request("A parameter is not UTF-8 text."));
            }
            // A request object is a parameter that holds all the others.
            let longest = if name == "request" { LARGEST } else { LONGEST };
            if value.len() > longest || name.len() > 256 || found.len() == MOST {
                return Err(ProtocolError::invalid_request("The request is too large."));
            }
            // RFC 6749 §3.1: parameters must not be included more than once; RFC 8707 §2: but
            // resources; RFC 8693 §2.1: and audiences.
            let many = [RESOURCE, AUDIENCE].contains(&name.as_str());
            if !many && found.iter().any(|(known, _)| *known == name) {
                return Err(ProtocolError::invalid_request("A parameter is repeated."));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// What a request that cannot be read says of where its error goes (RFC 6749 §4.1.2.1): of the
    /// parameters that matter for that, those that stand there once and can be read. None if it does
    /// not say once which client it is and where it is answered.
    #[must_use]
    pub fn answerable(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LARGEST {
            return None;
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            if ANSWERABLE.contains(&&*name) {
                found.push((name.into_owned(), value.into_owned()));
            }
        }
        let once = |wanted: &str| found.iter().filter(|(name, _)| name == wanted).count() == 1;
        let kept = ANSWERABLE.iter().filter(|name| once(name));
        let kept = kept.filter_map(|wanted| found.iter().find(|(name, _)| name == wanted));
        // Each alone: a state that cannot be read takes nothing else with it.
        let kept = kept.filter(|&pair| Self::from_pairs([pair.clone()]).is_ok()).cloned();
        let read = Self(kept.collect());
        (read.get("client_id").is_some() && read.get("redirect_uri").is_some()).then_some(read)
    }

    /// The resources that are asked for (RFC 8707 §2), in order.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.every(RESOURCE)
    }

    /// The audiences that are asked for (RFC 8693 §2.1), in order.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.every(AUDIENCE)
    }

    fn every(&self, wanted: &'static str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(name, _)| name == wanted);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value; parameters without a value are treated as if they were omitted (RFC 6749 §3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    ///
    /// # Errors
    /// `invalid_request` with `missing`.
    pub fn required(&self, name: &str, missing: &'static str) -> Result<&str, ProtocolError> {
        self.get(name).ok_or(ProtocolError::invalid_request(missing))
    }

    /// The parameters as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Encodes them again.
    #[must_use]
    pub fn encode(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_6749_3_1_a_repeated_parameter_is_refused_and_an_empty_one_is_absent() {
        assert!(Parameters::parse(b"a=1&a=2").is_err());
        let parameters = Parameters::parse(b"a=&b=x+y").unwrap();
        assert_eq!(parameters.get("a"), None);
        assert_eq!(parameters.get("b"), Some("x y"));
    }

    #[test]
    fn rfc_6749_4_1_2_1_what_cannot_be_read_may_still_say_where_its_error_goes() {
        let read = |text: &str| Parameters::answerable(text.as_bytes());
        let whole = read("client_id=a&redirect_uri=https://a/&state=x&nonce=1&nonce=2").unwrap();
        assert_eq!(whole.get("state"), Some("x"));
        let state = |text: &str| read(text).unwrap().get("state").map(str::to_owned);
        assert_eq!(state("client_id=a&redirect_uri=b&state=x&state=x"), None);
        assert_eq!(state("client_id=a&redirect_uri=b&state=%ff"), None);
        assert_eq!(state(&format!("client_id=a&redirect_uri=b&state={}", "x".repeat(9000))), None);
        for nowhere in [
            "client_id=a&client_id=a&redirect_uri=b",
            "client_id=a&redirect_uri=b&redirect_uri=b",
            "client_id=a&redirect_uri=b&redirect_uri=",
            "client_id=a&state=x",
            "client_id=a&redirect_uri=",
            "client_id=a&redirect_uri=%00",
            "",
        ] {
            assert_eq!(read(nowhere), None, "{nowhere}");
        }
        let large = format!("client_id=a&redirect_uri=b&x={}", "x".repeat(70_000));
        assert_eq!(read(&large), None);
    }

    #[test]
    fn rfc_8707_2_resources_may_be_repeated() {
        let parameters = Parameters::parse(b"resource=a&resource=b&resource=").unwrap();
        assert_eq!(parameters.resources().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn attack_42_requests_are_bounded() {
        let many: String = (0..65).map(|n| format!("p{n}=1&")).collect();
        assert!(Parameters::parse(many.as_bytes()).is_err());
        assert!(Parameters::parse(format!("a={}", "x".repeat(9000)).as_bytes()).is_err());
        let large: String = (0..10).map(|n| format!("p{n}={}&", "x".repeat(7000))).collect();
        assert!(Parameters::parse(large.as_bytes()).is_err());
        assert!(Parameters::parse(b"a=%ff").is_err());
        assert!(Parameters::parse(b"a=%00").is_err());
    }

    #[test]
    fn attack_43_values_are_not_printed() {
        let parameters = Parameters::parse(b"client_secret=hush&code=tbc_x").unwrap();
        assert_eq!(format!("{parameters:?}"), r#"{"client_secret", "code"}"#);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(
            pairs in proptest::collection::btree_map("[^\u{0}\u{fffd}]{1,20}", "[^\u{0}\u{fffd}]{0,40}", 0..20),
        ) {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let parameters = Parameters::parse(text.as_bytes()).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(parameters.get(name).unwrap_or_default(), value);
            }
            prop_assert_eq!(parameters.encode(), text);
        }

        #[test]
        fn outside_bytes_never_panic_and_printing_parses_back(bytes: Vec<u8>) {
            if let Ok(parameters) = Parameters::parse(&bytes) {
                prop_assert_eq!(Parameters::parse(parameters.encode().as_bytes()).unwrap(), parameters);
            }
        }
    }
}
