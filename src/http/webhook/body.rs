//! From a body to JSON: JSON itself and both kinds of form, within limits of size and time.
//!
//! Nothing of a refused body is kept, and its connection is closed.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Payload};
use serde_json::{Map, Value};

use crate::http::connection::Connection;
use crate::http::secret::Verified;

/// Largest body read.
pub(in crate::http) const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a sender may take to send its body; DoubleTick's are a few hundred bytes.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The first bytes of anything that gzip has compressed. Some senders forget the header.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is wrong with a body. The sentences quote nothing of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum Fault {
    #[error("the body is larger than 64 KiB")]
    TooLarge,
    #[error("the body did not arrive within 10 seconds")]
    TooSlow,
    #[error("the body did not arrive whole")]
    Cut,
    #[error("the body is compressed: send it as it is, without Content-Encoding")]
    Compressed,
    #[error("the body is not UTF-8")]
    NotUtf8,
    #[error("the body is not JSON, or nested too deeply (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the body is neither JSON nor a form")]
    Neither,
    #[error("the form cannot be read")]
    BadForm,
}

/// Reads the body of a request whose secret was right.
pub(in crate::http) async fn read(
    _verified: &Verified,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Bytes, Fault> {
    if request.headers().get_all(CONTENT_ENCODING).any(|coding| !is_identity(coding)) {
        return Err(Fault::Compressed);
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|n: u64| n > BODY_BYTES_MAX as u64)
    {
        return Err(Fault::TooLarge);
    }
    let body = tokio::time::timeout(BODY_TIME_MAX, collect(payload)).await;
    if matches!(body, Ok(Ok(_))) {
        Connection::body_was_read(request);
    }
    body.unwrap_or(Err(Fault::TooSlow))
}

/// Whether a `Content-Encoding` says that the body is not compressed.
fn is_identity(coding: &HeaderValue) -> bool {
    let is_plain = |one: &str| matches!(one.trim(), "" | "identity" | "Identity");
    coding.to_str().is_ok_and(|codings| codings.split(',').all(is_plain))
}

/// Nearly every body comes in one piece, which is passed on without a copy. `BodyStream` is made for
/// answers; here it saves a crate, because it can poll any stream.
async fn collect(payload: Payload) -> Result<Bytes, Fault> {
    let mut pieces = pin!(BodyStream::new(payload.into_inner()));
    let (mut first, mut others) = (Bytes::new(), BytesMut::new());
    while let Some(piece) = poll_fn(|context| pieces.as_mut().poll_next(context)).await {
        let piece = piece.map_err(|_| Fault::Cut)?;
        if first.len() + others.len() + piece.len() > BODY_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        match first.is_empty() {
            true => first = piece,
            false => others.extend_from_slice(&piece),
        }
    }
    if others.is_empty() { Ok(first) } else { Ok([first, others.freeze()].concat().into()) }
}

/// Reads JSON, whatever the content type says; else the kind of form that it names.
pub(in crate::http) async fn parse(request: &HttpRequest, body: Bytes) -> Result<Value, Fault> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if body.starts_with(&GZIP) {
        return Err(Fault::Compressed);
    }
    let text = std::str::from_utf8(&body).map_err(|_| Fault::NotUtf8)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    match essence.as_str() {
        _ if looks_like_json => json(text),
        "application/x-www-form-urlencoded" => urlencoded(text),
        "multipart/form-data" => multipart(content_type, body.clone()).await,
        _ => {
            json(text).map_err(|fault| if text.trim().is_empty() { Fault::Neither } else { fault })
        }
    }
}

fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).or_else(|error| {
        // A sender that tries only once is met half-way before its event is refused.
        serde_json::from_str(&mended(text))
            .map_err(|_| Fault::NotJson { line: error.line(), column: error.column() })
    })
}

/// Mends two mistakes that some senders make: halves of a surrogate pair, which JavaScript leaves when it
/// cuts a text inside an emoji, and raw control characters inside a text.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        mended.extend(before.chars().map(|c| if c.is_control() { ' ' } else { c }));
        let (escape, behind) = match (surrogate(after), after.get(5..).and_then(low_half)) {
            (Some(Half::High), Some(_)) => after.split_at(11),
            (Some(_), _) => ("uFFFD", after.get(5..).unwrap_or_default()),
            (None, _) => {
                let end = after.char_indices().nth(1).map_or(after.len(), |(end, _)| end);
                after.split_at(end)
            }
        };
        mended.push('\\');
        mended.push_str(escape);
        rest = behind;
    }
    mended.extend(rest.chars().map(|c| if c.is_control() { ' ' } else { c }));
    mended
}

/// Half of a character beyond the first 65,536, as an escape of its own.
enum Half {
    High,
    Low,
}

/// Reads `uD83D` and the like at the beginning of a text.
fn surrogate(text: &str) -> Option<Half> {
    let code = u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok()?;
    match code {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}

fn low_half(text: &str) -> Option<Half> {
    surrogate(text.strip_prefix('\\')?).filter(|half| matches!(half, Half::Low))
}

fn urlencoded(text: &str) -> Result<Value, Fault> {
    let fields = form_urlencoded::parse(text.trim().as_bytes());
    form(fields.map(|(name, value)| (name.into_owned(), value.into_owned())))
}

async fn multipart(content_type: &str, body: Bytes) -> Result<Value, Fault> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| Fault::BadForm)?;
    let mut parts = multer::Multipart::with_reader(std::io::Cursor::new(body), boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| Fault::BadForm)? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let bytes = part.bytes().await.map_err(|_| Fault::BadForm)?;
        let value = String::from_utf8(bytes.to_vec()).map_err(|_| Fault::NotUtf8)?;
        fields.push((name, value));
    }
    form(fields)
}

/// A form becomes an object of texts. `contact[name]` becomes an object inside it, one level deep.
fn form(fields: impl IntoIterator<Item = (String, String)>) -> Result<Value, Fault> {
    let mut object = Map::new();
    for (name, value) in fields {
        let value = Value::String(value);
        match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((outer, inner)) => {
                let nested = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(nested) = nested {
                    nested.insert(inner.to_owned(), value);
                }
            }
            None => _ = object.insert(name, value),
        }
    }
    if object.is_empty() { Err(Fault::Neither) } else { Ok(Value::Object(object)) }
}
