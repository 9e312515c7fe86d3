//! Reading a multipart form within bounds: so many fields, so many files, so many bytes.

use std::collections::BTreeMap;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::fault::Fault;

/// Largest request, bytes.
const LARGEST: usize = 12 * 1024 * 1024;
/// Largest file, bytes; an item may ask for less.
const LARGEST_FILE: usize = 5 * 1024 * 1024;
/// Largest text field, bytes.
const LARGEST_TEXT: usize = 16 * 1024;
const MOST_FIELDS: usize = 120;
const MOST_FILES: usize = 8;

/// A file as it arrived, believed in nothing.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The material's name: the input's name without `materials.`.
    pub material: String,
    /// The name that it had on the person's device, last part only.
    pub file_name: String,
    /// What it is.
    pub content: Bytes,
}

/// What a form sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Texts by name.
    pub values: BTreeMap<String, String>,
    /// Files that were chosen.
    pub files: Vec<Arrived>,
    /// Materials whose file is larger than any may be; the rest of the form is kept.
    pub oversized: Vec<String>,
}

impl Sent {
    /// A text, empty if it is absent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

/// Reads the form.
///
/// # Errors
/// 415 for another content type, 413 for too much, 400 for what is no multipart body.
pub async fn read(mut request: Request) -> Result<Sent, Fault> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with("multipart/form-data")) {
        return Err(Fault::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    DefaultBodyLimit::max(LARGEST).apply(&mut request);
    let mut body = Multipart::from_request(request, &()).await.map_err(|_| Fault::garbled())?;
    let mut sent = Sent::default();
    while let Some(field) = body.next_field().await.map_err(refused)? {
        let name = field.name().unwrap_or_default().to_owned();
        // Bounded in number, or a body of empty fields would cost a map of any size (row 42).
        if sent.values.len() >= MOST_FIELDS || sent.files.len() >= MOST_FILES {
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "too-many"));
        }
        if name.len() > 120 || name.contains('\0') {
            return Err(Fault::garbled());
        }
        match name.strip_prefix("materials.") {
            Some(material) if field.file_name().is_some() => {
                let material = material.to_owned();
                file(field, material, &mut sent).await?;
            }
            _ => {
                let Some(content) = bounded(field, LARGEST_TEXT).await? else {
                    return Err(Fault::of_status(StatusCode::PAYLOAD_TOO_LARGE));
                };
                let text = String::from_utf8(content.to_vec()).map_err(|_| Fault::garbled())?;
                // PostgreSQL has no text with a NUL.
                if text.contains('\0') {
                    return Err(Fault::garbled());
                }
                sent.values.insert(name, text);
            }
        }
    }
    Ok(sent)
}

async fn file(field: Field<'_>, material: String, sent: &mut Sent) -> Result<(), Fault> {
    let file_name = last_part(field.file_name().unwrap_or_default());
    match bounded(field, LARGEST_FILE).await? {
        // A browser sends an input without a file as an empty one.
        Some(content) if content.is_empty() => {}
        Some(content) => sent.files.push(Arrived { material, file_name, content }),
        None => sent.oversized.push(material),
    }
    Ok(())
}

/// The name without folders and without what could change a page or a header.
fn last_part(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control() && *c != '"').take(80).collect()
}

/// The content, or none if it is longer than `most`; the rest is read and thrown away, so that the
/// other fields of the form survive.
async fn bounded(mut field: Field<'_>, most: usize) -> Result<Option<Bytes>, Fault> {
    let mut content = BytesMut::new();
    let mut over = false;
    while let Some(chunk) = field.chunk().await.map_err(refused)? {
        over |= content.len() + chunk.len() > most;
        if !over {
            content.extend_from_slice(&chunk);
        }
    }
    Ok((!over).then(|| content.freeze()))
}

fn refused(cause: MultipartError) -> Fault {
    let status = cause.status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Fault::of_status(status)
    } else {
        Fault::garbled()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(parts: &[(&str, Option<&str>, Vec<u8>)]) -> Request {
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n");
            body.extend(head.bytes());
            body.extend(b"\r\n");
            body.extend(content);
            body.extend(b"\r\n");
        }
        body.extend(b"--x--\r\n");
        Request::builder()
            .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
            .body(Body::from(body))
            .unwrap()
    }

    #[tokio::test]
    async fn texts_and_files_arrive_and_an_empty_file_input_is_none() {
        let sent = read(request(&[
            ("reason", None, b"full".to_vec()),
            ("materials.photo", Some("C:\\x\\me.jpg"), b"jpeg".to_vec()),
            ("materials.form", Some(""), vec![]),
        ]));
        let sent = sent.await.unwrap();
        assert_eq!(sent.text("reason"), "full");
        assert_eq!(sent.files.len(), 1);
        assert_eq!(sent.files[0].file_name, "me.jpg");
    }

    #[tokio::test]
    async fn attack_42_a_file_too_large_loses_itself_only_and_endless_fields_are_refused() {
        let sent = read(request(&[
            ("materials.photo", Some("a.jpg"), vec![1; LARGEST_FILE + 1]),
            ("reason", None, b"full".to_vec()),
        ]));
        let sent = sent.await.unwrap();
        assert_eq!(
            (sent.oversized.as_slice(), sent.text("reason")),
            (&["photo".to_owned()][..], "full")
        );
        let names: Vec<String> = (0..200).map(|n| format!("f{n}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), None, vec![])).collect();
        assert_eq!(read(request(&many)).await.unwrap_err().code, "too-many");
        let long = read(request(&[("reason", None, vec![b'a'; LARGEST_TEXT + 1])])).await;
        assert_eq!(long.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn another_content_type_gets_415_and_a_broken_body_400() {
        let plain = Request::builder().header(CONTENT_TYPE, "text/plain").body(Body::from("a=b"));
        let fault = read(plain.unwrap()).await.unwrap_err();
        assert_eq!(fault.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let broken = Request::builder()
            .header(CONTENT_TYPE, "multipart/form-data; boundary=x")
            .body(Body::from("--x\r\nnonsense"));
        assert_eq!(read(broken.unwrap()).await.unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
