//! Each target takes bytes as they come from outside, and stops where a promise is broken: not
//! only by a panic. Keys are made anew in each process, so that no input is signed by them: what is
//! believed is forged. The targets named `signed_` sign it themselves, for what comes after.

#![allow(clippy::panic, clippy::missing_panics_doc, clippy::expect_used)] // That is what they do.

mod browsers;
mod documents;
mod halls;
mod people;
mod proxies;
mod registers;
mod requests;
mod revocation;
mod signed;
mod tokens;

/// Takes one input.
pub type Target = fn(&[u8]);

/// Targets by name; each has a directory of its name in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("address", documents::address),
    ("assertion", tokens::assertion),
    ("authorization", requests::authorization),
    ("authorize", requests::authorize),
    ("certificate", tokens::certificate),
    ("ciba", tokens::ciba),
    ("claims", requests::claims),
    ("client_document", documents::client_document),
    ("cookies", browsers::cookies),
    ("details", requests::details),
    ("dpop", tokens::dpop),
    ("form", browsers::form),
    ("forwarded", proxies::forwarded),
    ("hall_address", halls::address),
    ("hall_cookies", halls::cookies),
    ("hall_form", halls::form),
    ("hall_upload", halls::upload),
    ("hint", tokens::hint),
    ("jwe", tokens::jwe),
    ("jwt", tokens::jwt),
    ("language", browsers::language),
    ("logout", requests::logout),
    ("origin", browsers::origin),
    ("parameters", requests::parameters),
    ("passed_certificate", proxies::certificate),
    ("person", people::person),
    ("published_keys", documents::published_keys),
    ("redirect_uri", requests::redirect_uri),
    ("register", registers::register),
    ("registration", requests::registration),
    ("request_object", tokens::request_object),
    ("revocation", revocation::revocation),
    ("sector", documents::sector),
    ("signed_assertion", signed::assertion),
    ("signed_ciba", signed::ciba),
    ("signed_dpop", signed::dpop),
    ("signed_hint", signed::hint),
    ("signed_request_object", signed::request_object),
    ("token", requests::token),
    ("user_code", people::user_code),
];

/// The issuer of all inputs.
pub const ISSUER: &str = "https://id.example";
/// The moment of all inputs, seconds UTC.
pub const NOW: i64 = 1_800_000_000;

/// Bytes as text, where they are text.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
