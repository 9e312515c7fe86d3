//! Uploads: bounded, and really decoded before anything is kept (attacks: a picture that is none).

use std::io::Cursor;

use idp_store::Tx;
use image::{ImageFormat, ImageReader, Limits};
use plugins_hall::call::Problem;
use plugins_hall::catalogue::{Item, Material as Wanted};
use plugins_hall::text::text;
use plugins_store::material::{self, About, Material};

use crate::error::EngineError;
use crate::unit::Halt;
use crate::view::Upload;
use crate::{Engine, Shared};

/// Pixels on a side: beyond it a small file becomes a large picture in memory.
const SIDE: u32 = 8_000;
/// Bytes that decoding may use.
const DECODED: u64 = 128 * 1024 * 1024;

/// An upload that has been decoded.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    name: String,
    about: About,
    bytes: Vec<u8>,
}

fn problem(name: &str, code: &str, zh: String, en: String) -> Problem {
    Problem {
        code: format!("material.{code}"),
        field: Some(format!("materials.{name}")),
        detail: text(zh, en),
        retryable: false,
    }
}

/// Decodes one upload.
fn check(wanted: &[Wanted], upload: Upload) -> Result<Checked, Problem> {
    let name = upload.name.clone();
    let fault = |code: &str, zh: &str, en: &str| problem(&name, code, zh.into(), en.into());
    let wanted = wanted
        .iter()
        .find(|one| one.name == upload.name)
        .ok_or_else(|| fault("unknown", "此项不需要上传。", "This material is not asked for."))?;
    let size = upload.bytes.len() as u64;
    if size > wanted.max_bytes {
        let most = wanted.max_bytes / 1024;
        return Err(problem(
            &upload.name,
            "size",
            format!("文件太大，最大 {most} KB。"),
            format!("The file is too large; at most {most} KB."),
        ));
    }
    let undecodable = || {
        fault(
            "image",
            "无法识别这张图片，请上传 JPEG 或 PNG 照片。",
            "This picture cannot be read; please upload a JPEG or PNG photograph.",
        )
    };
    let mut reader = ImageReader::new(Cursor::new(&upload.bytes))
        .with_guessed_format()
        .map_err(|_| undecodable())?;
    let media_type = match reader.format() {
        Some(ImageFormat::Jpeg) => "image/jpeg",
        Some(ImageFormat::Png) => "image/png",
        _ => return Err(undecodable()),
    };
    if !wanted.types.iter().any(|known| known == media_type) {
        return Err(undecodable());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(DECODED);
    reader.limits(limits);
    let picture = reader.decode().map_err(|_| undecodable())?;
    if picture.width() < wanted.min_width || picture.height() < wanted.min_height {
        let (w, h) = (wanted.min_width, wanted.min_height);
        return Err(problem(
            &upload.name,
            "pixels",
            format!("照片太小，至少 {w}×{h} 像素。"),
            format!("The picture is too small; at least {w} × {h} pixels."),
        ));
    }
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&upload.bytes));
    let file_name: String =
        upload.file_name.chars().filter(|c| !c.is_control()).take(120).collect();
    let about = About { file_name, media_type: media_type.to_owned(), sha256 };
    Ok(Checked { name: upload.name, about, bytes: upload.bytes })
}

impl Engine {
    /// Decodes uploads away from the threads that serve; gives the good ones and the faults.
    pub(crate) async fn decode(
        &self,
        item: &Item,
        uploads: Vec<Upload>,
    ) -> Result<(Vec<Checked>, Vec<Problem>), EngineError> {
        let wanted = item.materials.clone();
        // One of each name; a browser that sends none sends an empty file.
        let uploads: Vec<Upload> =
            uploads.into_iter().filter(|one| !one.bytes.is_empty()).take(16).collect();
        tokio::task::spawn_blocking(move || {
            let (mut good, mut faults) = (Vec::new(), Vec::new());
            for upload in uploads {
                match check(&wanted, upload) {
                    Ok(checked) => good.push(checked),
                    Err(problem) => faults.push(problem),
                }
            }
            (good, faults)
        })
        .await
        .map_err(|cause| EngineError::Unavailable(cause.to_string()))
    }
}

impl Shared {
    /// Keeps decoded uploads, in the draft or in the case.
    pub(crate) async fn keep(
        &self,
        tx: &mut Tx,
        owner: (&str, &str, Option<&str>),
        uploads: &[Checked],
        now: i64,
    ) -> Result<(), Halt> {
        let (subject, item, number) = owner;
        for upload in uploads {
            let kept = Material {
                id: self.parts.ambient.id(),
                subject: subject.to_owned(),
                item: item.to_owned(),
                number: number.map(str::to_owned),
                name: upload.name.clone(),
                about: upload.about.clone(),
                size: i64::try_from(upload.bytes.len()).unwrap_or(i64::MAX),
            };
            material::put(tx, &kept, &upload.bytes, now).await?;
        }
        Ok(())
    }
}

/// Required materials that are neither kept nor sent now.
pub(crate) fn missing(item: &Item, kept: &[Material], sent: &[Checked]) -> Vec<Problem> {
    let there = |name: &str| {
        kept.iter().any(|one| one.name == name) || sent.iter().any(|one| one.name == name)
    };
    item.materials
        .iter()
        .filter(|wanted| wanted.required && wanted.source == "uploaded" && !there(&wanted.name))
        .map(|wanted| {
            let (zh, en) = ("请上传此项材料。", "Please upload this material.");
            problem(&wanted.name, "missing", zh.to_owned(), en.to_owned())
        })
        .collect()
}
