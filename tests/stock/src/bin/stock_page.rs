//! The program of docs/partners/rust.md as it stands there (build.rs takes it out), but for the
//! port, and for the authority: the page's `reqwest` reads `SSL_CERT_FILE` by a feature that the
//! workspace's has not.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // A partner's.

include!(concat!(env!("OUT_DIR"), "/partner.rs"));

/// An address of the page's, at the port of this run.
fn at(address: &str) -> String {
    address.replace("3000", &var("STOCK_PAGE_PORT").unwrap())
}

/// What begins a client that trusts the authority of this run.
fn client_builder() -> reqwest::ClientBuilder {
    let authority = std::fs::read(var("SSL_CERT_FILE").unwrap()).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    reqwest::Client::builder().add_root_certificate(authority)
}
