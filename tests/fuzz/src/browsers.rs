//! What a browser sends beside a protocol's parameters: cookies, forms, its languages, its origin.

use axum::body::Body;
use axum::extract::Request;
use futures_util::FutureExt as _;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use idp_domain::ambient::Token;
use idp_web::pages::{Fields, Lang};
use idp_web::{cookie, ours};
use url::form_urlencoded;

use crate::{ISSUER, text};

/// Bytes and fields of the longest form that is taken.
const LARGEST: usize = 16 * 1024;
const MOST_FIELDS: usize = 48;
/// Languages of a header that are looked at.
const MOST_LANGUAGES: usize = 16;

/// Headers of one name, a line each; what no connection would carry is left out.
pub(crate) fn headers(name: &HeaderName, lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    headers
}

/// Cookies: of two of one name the first, none of a neighbour's name, and written again as they
/// were read.
pub(crate) fn cookies(bytes: &[u8]) {
    let headers = headers(&COOKIE, bytes);
    let read: Vec<_> = cookie::all(&headers).collect();
    for (name, value) in &read {
        assert!(!name.contains([';', '=']) && !value.contains(';'), "a pair within a pair");
        let first = read.iter().find(|(other, _)| other == name).expect("itself").1;
        assert_eq!(cookie::get(&headers, name), Some(first));
        if let Some(token) = Token::parse("tbs_", first) {
            assert!(token.text() == first && token.id.len() == 22 && token.secret.len() == 43);
        }
    }
    for name in ["__Host-tongban_8080", "tongban_lang"] {
        let known = read.iter().any(|(read, _)| *read == name);
        assert_eq!(cookie::get(&headers, name).is_some(), known, "{name}");
    }
    let line: Vec<_> = read.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let again = self::headers(&COOKIE, line.join("; ").as_bytes());
    assert_eq!(cookie::all(&again).collect::<Vec<_>>(), read);
}

fn posted(kind: &[u8], body: &[u8]) -> Option<Result<Fields, StatusCode>> {
    let kind = HeaderValue::from_bytes(kind).ok()?;
    let request = Request::builder().header(CONTENT_TYPE, kind).body(Body::from(body.to_vec()));
    Fields::read(request.expect("a request")).now_or_never()
}

/// A form of a page: the first line is its media type, the rest its body. Nothing beyond the limits
/// is taken, and what is taken reads the same when it is written again.
pub(crate) fn form(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (kind, body) = bytes.split_at(end);
    let body = body.strip_prefix(b"\n").unwrap_or_default();
    let usual = "application/x-www-form-urlencoded";
    let pairs: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    let fields = match posted(kind, body) {
        None => return,
        Some(Ok(fields)) => fields,
        Some(Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)) => {
            assert!(kind != usual.as_bytes(), "refused what browsers send");
            return;
        }
        Some(Err(StatusCode::PAYLOAD_TOO_LARGE)) => return assert!(body.len() > LARGEST),
        Some(Err(other)) => {
            assert_eq!(other, StatusCode::BAD_REQUEST);
            let nul = pairs.iter().any(|(name, value)| (name.clone() + value).contains('\0'));
            return assert!(nul || pairs.len() > MOST_FIELDS);
        }
    };
    assert!(kind.to_ascii_lowercase().trim_ascii().starts_with(usual.as_bytes()), "another kind");
    assert!(body.len() <= LARGEST && pairs.len() <= MOST_FIELDS, "beyond the limits");
    assert!(pairs.iter().all(|(name, value)| !(name.clone() + value).contains('\0')), "a NUL");
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, _) in &pairs {
        let first = pairs.iter().find(|(other, _)| other == name).expect("itself");
        assert_eq!(fields.get(name), first.1, "of two not the first");
        written.append_pair(name, fields.get(name));
    }
    // Written out, it can be longer than a form may be.
    if let Some(Ok(again)) = posted(usual.as_bytes(), written.finish().as_bytes()) {
        assert!(pairs.iter().all(|(name, _)| again.get(name) == fields.get(name)));
    }
}

/// `Accept-Language`, the cookies and the query, a line each: the query goes before the cookie, the
/// cookie before the header, and a long header is not read to its end.
pub(crate) fn language(bytes: &[u8]) {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let [accept, cookies, query] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let value = |bytes| HeaderValue::from_bytes(bytes).ok();
    let (Some(accept), Some(cookies)) = (value(accept), value(cookies)) else { return };
    let Some(query) = text(query) else { return };
    let mut headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, accept.clone())]);
    let told = Lang::of(&headers, None);
    assert_eq!(Lang::from_tag(told.tag()), Some(told));
    let accept = accept.to_str().unwrap_or_default().to_ascii_lowercase();
    assert!(told == Lang::default() || accept.contains(told.tag()), "nobody asked for it");
    let parts: Vec<_> = accept.split(',').take(MOST_LANGUAGES).collect();
    let cut = parts.join(",").parse().expect("it was a header");
    assert_eq!(Lang::of(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, cut)]), None), told, "too far");
    headers.insert(COOKIE, cookies);
    for lang in Lang::ALL {
        let chosen = format!("lang={}&{query}", lang.tag());
        assert_eq!(Lang::of(&headers, Some(&chosen)), lang);
    }
    let kept = cookie::get(&headers, "tongban_lang").and_then(Lang::from_tag);
    assert_eq!(Lang::of(&headers, None), kept.unwrap_or(told));
    let _ = Lang::of(&headers, Some(query));
}

/// `Sec-Fetch-Site` and `Origin`, a line each, an empty one where there is none: another site's form
/// is never ours.
pub(crate) fn origin(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let [site, origin] = [(); 2].map(|()| lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, line) in [(HeaderName::from_static("sec-fetch-site"), site), (ORIGIN, origin)] {
        if let Some(value) = HeaderValue::from_bytes(line).ok().filter(|line| !line.is_empty()) {
            headers.insert(name, value);
        }
    }
    if ours(&headers, ISSUER) {
        match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
            (Some(site), _) => assert!(site == "same-origin" || site == "none", "{site:?}"),
            (None, origin) => assert!(origin.is_none_or(|origin| origin == ISSUER), "{origin:?}"),
        }
    }
}
