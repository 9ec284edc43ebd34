//! Reads the body of an upload: a form with one image in it, or the image itself. It never reads more than an image may
//! have.

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, header};
use multer::{Constraints, Multipart, SizeLimit};
use pando_http::{Code, Problem, StreamedBody};
use pando_service::{Fault, Violations};

use crate::images::options::FORM_BYTES_MAX;

/// The fields of a form that are images.
const FIELDS: [&str; 2] = ["image", "file"];

/// The bytes of the image.
pub(super) async fn read(
    headers: &HeaderMap,
    body: StreamedBody,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let told =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > bytes_max.saturating_add(FORM_BYTES_MAX)) {
        return Err(too_large(bytes_max));
    }
    let kind = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "multipart/form-data" {
        let boundary = multer::parse_boundary(media)
            .map_err(|_| Problem::malformed("multipart/form-data needs a boundary"))?;
        read_form(body, boundary, bytes_max).await
    } else if kind.starts_with("image/") || kind == "application/octet-stream" {
        read_raw(body, bytes_max).await
    } else {
        let detail = "send multipart/form-data with the field image or file, or the image itself as image/* or application/octet-stream";
        Err(Problem::new(Code::UnsupportedMedia, detail))
    }
}

async fn read_raw(mut body: StreamedBody, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut content = BytesMut::new();
    while let Some(piece) = body.next().await {
        append(&mut content, &piece?, bytes_max)?;
    }
    Ok(content.freeze())
}

async fn read_form(body: StreamedBody, boundary: String, bytes_max: usize) -> Result<Bytes, Problem> {
    let pieces = stream::unfold(body, |mut body| async {
        let piece = body.next().await?;
        Some((piece.map_err(Broken), body))
    });
    let whole = bytes_max.saturating_add(FORM_BYTES_MAX) as u64;
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole));
    let mut form = Multipart::with_constraints(pieces, boundary, limits);
    let problem = |error| form_problem(error, bytes_max);
    while let Some(mut field) = form.next_field().await.map_err(problem)? {
        if !field.name().is_some_and(|name| FIELDS.contains(&name)) {
            continue;
        }
        let mut content = BytesMut::new();
        while let Some(piece) = field.chunk().await.map_err(problem)? {
            append(&mut content, &piece, bytes_max)?;
        }
        return Ok(content.freeze());
    }
    Err(Fault::from(Violations::one("image", "required", "is required: a field called image or file")).into())
}

fn append(content: &mut BytesMut, piece: &[u8], bytes_max: usize) -> Result<(), Problem> {
    if content.len() + piece.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    content.extend_from_slice(piece);
    Ok(())
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("an image may have at most {bytes_max} bytes"))
}

/// The error of a body, on its way through the reader of forms.
#[derive(Debug)]
struct Broken(Problem);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.detail())
    }
}

impl std::error::Error for Broken {}

fn form_problem(error: multer::Error, bytes_max: usize) -> Problem {
    match error {
        multer::Error::StreamReadFailed(source) => match source.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(_) => Problem::malformed("the form could not be read"),
        },
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            too_large(bytes_max)
        }
        _ => Problem::malformed("the body is not valid multipart/form-data"),
    }
}
