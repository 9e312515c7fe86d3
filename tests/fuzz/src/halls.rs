//! What a browser sends to the hall: cookies, forms with and without files, where to go next.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use futures_util::FutureExt as _;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use plugins_portal::fault::Fault;
use plugins_portal::upload::{self, Sent};
use plugins_portal::{cookies, lang, local, posted};
use url::{Url, form_urlencoded};

use crate::browsers::headers;
use crate::{ISSUER, text};

/// What is taken of a form with files, and of one without.
const MOST_TEXTS: usize = 120;
const MOST_FILES: usize = 8;
const MOST_FIELDS: usize = 100;
/// Bytes of a text and of a name.
const LONGEST_TEXT: usize = 16 * 1024;
const LONGEST_NAME: usize = 120;

/// Cookies: both halves read the same ones the same, and what the hall writes is one line and reads
/// as it was written.
pub(crate) fn cookies(bytes: &[u8]) {
    let headers = headers(&COOKIE, bytes);
    let mut named: Vec<_> = idp_web::cookie::all(&headers).collect();
    named.push(("tongban_hall_8080", ""));
    for (name, value) in named {
        let read = cookies::get(&headers, name);
        assert_eq!(read, idp_web::cookie::get(&headers, name), "the halves differ");
        let line = cookies::set(name, value, "/hall", 60, true);
        let Ok(line) = line.to_str() else { continue };
        assert!(!line.contains(['\r', '\n', '\0']), "two headers");
        let shown = line.split(';').next().unwrap_or_default();
        if let Ok(shown) = HeaderValue::from_str(shown) {
            let again = HeaderMap::from_iter([(COOKIE, shown)]);
            let refused = line == "refused=";
            assert!(refused || cookies::get(&again, name) == Some(value), "written otherwise");
        }
    }
    let chosen = cookies::get(&headers, lang::COOKIE).and_then(lang::Lang::parse);
    assert_eq!(lang::Lang::of(&headers), chosen.unwrap_or_default());
}

fn posted_with(kind: &HeaderValue, body: Vec<u8>) -> Result<Sent, Fault> {
    let request = Request::builder().header(CONTENT_TYPE, kind).body(Body::from(body));
    let read = upload::read(request.expect("a request")).now_or_never();
    read.expect("its body is there already")
}

/// The same form once more, if its names need no escapes.
fn written(sent: &Sent) -> Option<Vec<u8>> {
    let boundary = "tongban-fuzz-boundary";
    let mut body = Vec::new();
    let mut part = |name: &str, file: Option<&str>, content: &[u8]| {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("Content-Disposition: form-data; name=\"{name}\"{file}");
        body.extend(format!("--{boundary}\r\n{head}\r\n\r\n").bytes());
        body.extend(content);
        body.extend(b"\r\n");
    };
    for (name, value) in &sent.values {
        part(name, None, value.as_bytes());
    }
    for file in &sent.files {
        part(&format!("materials.{}", file.material), Some(&file.file_name), &file.content);
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let names = sent.values.keys().chain(sent.files.iter().map(|file| &file.material));
    let files = sent.files.iter().map(|file| &file.file_name);
    let inside = |content: &[u8]| !content.windows(8).any(|part| part == b"tongban-");
    let contents = sent.values.values().map(String::as_bytes);
    let contents = contents.chain(sent.files.iter().map(|file| &*file.content));
    let usual = names.chain(files).all(|text| !text.is_empty() && plain(text));
    (usual && contents.clone().all(inside)).then_some(body)
}

/// A form with files: the first line is its media type, the rest its body. What is taken is bounded,
/// was sent, and has names that change neither a page nor a folder.
pub(crate) fn upload(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (kind, body) = bytes.split_at(end);
    let body = body.strip_prefix(b"\n").unwrap_or_default();
    let Ok(kind) = HeaderValue::from_bytes(kind) else { return };
    let multipart = "multipart/form-data";
    let usual = kind.to_str().is_ok_and(|kind| kind.trim_start().starts_with(multipart));
    let sent = match posted_with(&kind, body.to_vec()) {
        Ok(sent) => sent,
        Err(fault) => {
            let known = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE];
            let other = fault.status == StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return assert!(other && !usual || known.contains(&fault.status), "{fault:?}");
        }
    };
    assert!(usual, "another kind");
    assert!(sent.values.len() <= MOST_TEXTS && sent.files.len() <= MOST_FILES, "without bound");
    let held = |part: &[u8]| part.is_empty() || body.windows(part.len()).any(|one| one == part);
    for (name, value) in &sent.values {
        assert!(name.len() <= LONGEST_NAME && value.len() <= LONGEST_TEXT, "without bound");
        assert!(!name.contains('\0') && !value.contains('\0'), "a NUL");
        assert!(held(value.as_bytes()), "nobody sent it");
    }
    for file in &sent.files {
        assert!(!file.material.contains('\0') && !file.content.is_empty());
        assert!(held(&file.content), "nobody sent it");
        let name = &file.file_name;
        assert!(name.chars().count() <= 80 && !name.contains(['/', '\\', '"']), "{name:?}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    if let Some(body) = written(&sent) {
        let kind = HeaderValue::from_static("multipart/form-data; boundary=tongban-fuzz-boundary");
        let again = posted_with(&kind, body).expect("what was taken is taken again");
        assert_eq!(again.values, sent.values);
        let files = |sent: &Sent| -> Vec<_> {
            let parts = |file: &upload::Arrived| (file.material.clone(), file.content.clone());
            sent.files.iter().map(parts).collect()
        };
        assert_eq!(files(&again), files(&sent));
    }
}

/// Where a request wants to go next: what passes is a page of this site, as browsers read it
/// (attacks row 18).
pub(crate) fn address(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let here = Url::parse(ISSUER).expect("an address");
    if let Some(next) = local::path(text) {
        assert_eq!(next, text);
        let there = here.join(next).expect("an address");
        assert_eq!(there.origin(), here.origin(), "leads to {there}");
        assert!(!text.starts_with("/hall/") && HeaderValue::from_str(next).is_ok());
    }
    let query = format!("next={}", local::query(text));
    let read: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    assert_eq!((read.len(), read["next"].as_ref()), (1, text), "more than a value");
    if let Ok(uri) = text.parse::<Uri>()
        && posted::can_be(&uri)
    {
        let path = percent_decoded(uri.path());
        assert!(!path.contains(&0), "PostgreSQL has no text with a NUL");
    }
}

fn percent_decoded(path: &str) -> Vec<u8> {
    let escaped = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let decoded = form_urlencoded::parse(escaped.as_bytes());
    decoded.flat_map(|(name, _)| name.into_owned().into_bytes()).collect()
}

/// A form without files: bounded, without a NUL, and read as any reader of forms would.
pub(crate) fn form(bytes: &[u8]) {
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(bytes).into_owned().take(MOST_FIELDS).collect();
    let nul = pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0'));
    match posted::fields(bytes) {
        Ok(fields) => assert!(!nul && fields == pairs, "read otherwise"),
        Err(fault) => assert!(nul && fault.status == StatusCode::BAD_REQUEST, "{fault:?}"),
    }
}
