//! What a browser or a program sends as a form, and addresses that can be ours.

use http::Uri;

use crate::fault::Fault;

/// Fields that are looked at (attacks row 42).
const MOST: usize = 100;

/// The fields of a form, as they came.
///
/// # Errors
/// 400 for a NUL: nobody types it, and PostgreSQL has no text with it, so that it would be a
/// failure of ours.
pub fn fields(body: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(body).into_owned().take(MOST).collect();
    if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Fault::garbled());
    }
    Ok(fields)
}

/// Whether an address can name anything: none of ours has a NUL.
pub fn can_be(uri: &Uri) -> bool {
    !uri.path_and_query().is_some_and(|whole| whole.as_str().contains("%00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_42_a_form_is_bounded_and_has_no_nul() {
        let read = fields(b"comment=a%20b&rating=5&rating=1").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("comment", "a b"), pair("rating", "5"), pair("rating", "1")]);
        assert_eq!(fields("a=1&".repeat(1_000).as_bytes()).unwrap().len(), MOST);
        for body in [&b"comment=a%00"[..], b"a%00=b", b"a=\0"] {
            assert_eq!(fields(body).unwrap_err().status, http::StatusCode::BAD_REQUEST);
        }
    }

    #[test]
    fn an_address_with_a_nul_is_nobodys() {
        for (address, may) in [("/cases/%00", false), ("/items?q=%00", false), ("/cases/0", true)] {
            assert_eq!(can_be(&address.parse().unwrap()), may, "{address}");
        }
    }
}
