//! Images through the real binary: uploads, refusals, files, and where they are kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use pando_images::{Format, ImageLimits, Picture};
use pando_servers::{S3, until};
use serde_json::{Value, json};

use crate::harness::Running;

const PATIENCE: Duration = Duration::from_secs(120);

/// An answer whose body need not be text.
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.head))
    }
}

/// Sends a request on a connection of its own; None when the server went away.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "transfer-encoding") {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    // A server that refuses need not take all of it.
    let _refused = stream.write_all(body);
    let mut answer = Vec::new();
    let broke = stream.read_to_end(&mut answer).is_err();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut reply =
        Reply { status: head.split(' ').nth(1)?.parse().ok()?, head, body: answer[end + 4..].to_vec() };
    if reply.header("transfer-encoding").is_some() {
        reply.body = unchunked(&reply.body);
    }
    // An answer is whole, or it is none.
    let told = reply.header("content-length").and_then(|length| length.parse().ok());
    let whole = method == "HEAD" || told.is_none_or(|length: usize| length == reply.body.len());
    (whole || !broke && reply.status >= 400).then_some(reply)
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[(end + 4 + size).min(rest.len())..];
    }
    whole
}

pub(crate) fn get(running: &Running, target: &str, headers: &[(&str, &str)]) -> Reply {
    send(running.address, "GET", target, headers, b"").unwrap()
}

/// Makes a profile; where its images are.
pub(crate) fn person(running: &Running, name: &str) -> String {
    let body = json!({"name": name, "email": format!("{name}@example.org")}).to_string();
    let made = running.ask("POST", "/api/v1/profiles", &body);
    assert_eq!(made.status, 201, "{made:?}");
    format!("/api/v1/profiles/{}/images", made.json()["id"].as_str().unwrap())
}

fn upload(running: &Running, images: &str, media: &str, content: &[u8]) -> Reply {
    send(running.address, "POST", images, &[("content-type", media)], content).unwrap()
}

pub(crate) fn png(picture: &Picture) -> Vec<u8> {
    picture.encode(Format::Png).unwrap().content.to_vec()
}

fn form(field: &str, content: &[u8]) -> (String, Vec<u8>) {
    let head = format!(
        "--limit\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--limit\r\ncontent-disposition: \
         form-data; name=\"{field}\"; filename=\"../../etc/passwd.svg\"\r\ncontent-type: text/html\r\n\r\n"
    );
    (
        "multipart/form-data; boundary=limit".to_owned(),
        [head.as_bytes(), content, b"\r\n--limit--\r\n"].concat(),
    )
}

/// Twelve megapixels as a phone takes them: lying on their side, with the place beside the picture.
fn photograph() -> Vec<u8> {
    let picture = Picture::paint(4_000, 3_000, |x, y| {
        let [shade, ..] = ((x / 16 + y / 16) % 40).to_le_bytes();
        if x < 2_000 { [200, shade, shade] } else { [shade, shade, 200] }
    });
    let plain = picture.encode(Format::Jpeg).unwrap().content;
    // TIFF, big end first: orientation 6, and the place at 38: north.
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    tiff.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    tiff.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x26");
    tiff.extend(b"\0\0\0\0");
    tiff.extend(b"\0\x02\0\x01\0\x02\0\0\0\x02N\0\0\0\0\x02\0\x05\0\0\0\x03\0\0\0\x44\0\0\0\0");
    tiff.extend(b"\0\0\0\x34\0\0\0\x01\0\0\0\x1e\0\0\0\x01\0\0\0\x0f\0\0\0\x01");
    let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, b"Exif\0\0", &tiff, &plain[2..]].concat()
}

#[test]
fn a_photograph_comes_back_upright_stripped_and_in_all_sizes() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let images = person(&running, "Zoe");
    let (media, body) = form("file", &photograph());
    let added = upload(&running, &images, &media, &body);
    assert_eq!(added.status, 201, "{}", String::from_utf8_lossy(&added.body));
    assert_eq!(added.header("location").unwrap(), format!("{images}/1"));
    let image = added.json();
    assert_eq!((&image["width"], &image["height"]), (&json!(3_000), &json!(4_000)));

    let url = image["url"].as_str().unwrap();
    let kept = get(&running, url, &[]);
    assert_eq!((kept.status, kept.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(kept.header("x-content-type-options"), Some("nosniff"));
    assert!(!kept.body.windows(4).any(|window| window == b"Exif"));
    let upright = Picture::read(&kept.body, ImageLimits::default()).unwrap().1;
    assert_eq!((upright.width(), upright.height()), (3_000, 4_000));
    assert!(upright.pixel(1_500, 100).unwrap()[0] > 150 && upright.pixel(1_500, 3_900).unwrap()[2] > 150);

    let one = format!("{images}/1");
    until("the variants are made", PATIENCE, || get(&running, &one, &[]).json()["ready"] == true);
    let made = get(&running, &images, &[]).json();
    let variants = made[0]["variants"].as_array().unwrap();
    // A WebP is written without loss: of a photograph it would be larger.
    assert_eq!(variants.len(), 3);
    for variant in variants {
        let file = get(&running, variant["url"].as_str().unwrap(), &[]);
        assert_eq!(file.header("content-type"), variant["media_type"].as_str());
        let pixels = Picture::read(&file.body, ImageLimits::default()).unwrap().1;
        assert_eq!(json!([pixels.width(), pixels.height()]), json!([variant["width"], variant["height"]]));
        assert_eq!(u64::from(pixels.height()), variant["edge"].as_u64().unwrap());
    }
    let profile = get(&running, images.trim_end_matches("/images"), &[]).json();
    assert_eq!(profile["profile"]["image_urls"], json!([url]));

    let gone = send(running.address, "DELETE", &one, &[], b"").unwrap();
    assert_eq!(gone.status, 204);
    assert_eq!(get(&running, &one, &[]).status, 404);
    let profile = get(&running, images.trim_end_matches("/images"), &[]).json();
    assert_eq!(profile["profile"]["image_urls"], json!([]));
}

#[test]
fn files_are_given_out_whole_in_part_and_not_again() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let images = person(&running, "Zoe");
    let image = upload(&running, &images, "image/png", &png(&Picture::paint(30, 20, |_, _| [0; 3]))).json();
    let url = image["url"].as_str().unwrap();
    let whole = get(&running, url, &[]);
    let etag = whole.header("etag").unwrap();
    assert_eq!(get(&running, url, &[("if-none-match", etag)]).status, 304);
    let part = get(&running, url, &[("range", "bytes=1-3")]);
    assert_eq!((part.status, &part.body[..]), (206, &b"PNG"[..]));
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 1-3/{}", whole.body.len()));
    let tail = get(&running, url, &[("range", "bytes=-8"), ("if-range", etag)]);
    assert_eq!((tail.status, &tail.body[..]), (206, &whole.body[whole.body.len() - 8..]));
    assert_eq!(get(&running, url, &[("range", "bytes=-8"), ("if-range", "\"other\"")]).status, 200);
    let beyond = get(&running, url, &[("range", "bytes=99999-")]);
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range").unwrap(), format!("bytes */{}", whole.body.len()));
    let head = send(running.address, "HEAD", url, &[], b"").unwrap();
    assert_eq!(head.header("content-length").unwrap(), whole.body.len().to_string());

    let (_, name) = url.rsplit_once('/').unwrap();
    for path in [
        "/media/",
        "/media/../pando.db",
        "/media/..%2fpando.db",
        "/media/%2e%2e/pando.db",
        "/media/incoming",
        &format!("/media/{}/{name}", &name[..2]),
        &format!("/media/{}", name.replace(".png", "")),
        &format!("/media/{}", name.replace(".png", ".jpg")),
        &format!("/media/{}", name.replace(".png", ".html")),
        &format!("/media/{}", name.to_uppercase()),
        &format!("/media/{name}%00"),
        &format!("/media/{}.png", "0".repeat(64)),
    ] {
        assert_eq!(get(&running, path, &[]).status, 404, "{path}");
    }
}

/// Chunked: nothing says beforehand how long it is.
fn chunked(content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(content.len() + 4_096);
    for piece in content.chunks(1 << 20) {
        body.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        body.extend(piece);
        body.extend(b"\r\n");
    }
    body.extend(b"0\r\n\r\n");
    body
}

/// A PNG of 64 megapixels in a few kilobytes.
fn easily_compressed() -> Vec<u8> {
    png(&Picture::paint(8_000, 8_000, |_, _| [0; 3]))
}

/// A PNG whose head claims so many pixels.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut content = png(&Picture::paint(8, 8, |_, _| [0; 3]));
    content[16..20].copy_from_slice(&width.to_be_bytes());
    content[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc(&content[12..29]).to_be_bytes();
    content[29..33].copy_from_slice(&sum);
    content
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn what_is_no_bearable_image_is_refused_and_takes_no_memory() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let images = person(&running, "Zoe");
    let good = png(&Picture::paint(300, 200, |_, _| [0; 3]));
    assert_eq!(upload(&running, &images, "image/png", &good).status, 201);
    let (huge, compressed) = (vec![b'x'; 100_000_000], easily_compressed());
    assert!(compressed.len() < 1_000_000);
    let before = running.memory_peak_kib();

    let svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let page = [&good[..], b"<html><script>alert(1)</script></html>"].concat();
    let archive = [&good[..], b"PK\x05\x06", &[0; 18]].concat();
    let (media, no_image) = form("other", &good);
    for (what, media, content, status) in [
        ("more pixels than may be, claimed", "image/png", &claiming(50_000, 50_000)[..], 422),
        ("a side longer than may be", "image/png", &claiming(50_000_000, 1), 422),
        ("more pixels than may be, compressed", "image/png", &compressed, 422),
        ("an SVG", "image/svg+xml", svg, 415),
        ("an SVG under another name", "image/png", svg, 415),
        ("a page behind an image", "image/png", &page, 415),
        ("an archive behind an image", "image/png", &archive, 415),
        ("an image behind something", "image/png", &[b"GIF", &good[..]].concat(), 415),
        ("half an image", "image/png", &good[..good.len() / 2], 422),
        ("a JSON body", "application/json", b"{}", 415),
        ("a form without an image", &media, &no_image, 422),
        ("a form that is none", "multipart/form-data; boundary=limit", b"hello", 400),
        ("a form without a boundary", "multipart/form-data", b"hello", 400),
        ("nothing", "image/png", b"", 415),
        ("100 MB", "image/png", &huge, 413),
    ] {
        let reply = upload(&running, &images, media, content);
        assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    }
    for media in ["image/png", "multipart/form-data; boundary=limit"] {
        let (_, form) = form("image", &huge);
        let content = if media == "image/png" { chunked(&huge) } else { chunked(&form) };
        let headers = [("content-type", media), ("transfer-encoding", "chunked")];
        let reply = send(running.address, "POST", &images, &headers, &content).unwrap();
        assert_eq!(reply.status, 413, "{media} in pieces");
    }
    let grown = running.memory_peak_kib() - before;
    assert!(grown < 64 * 1024, "the refusals took {grown} KiB");
    assert_eq!(
        upload(&running, &images, "image/png", &png(&Picture::paint(20, 20, |_, _| [0; 3]))).status,
        201
    );
    let unnamed = png(&Picture::paint(21, 20, |_, _| [0; 3]));
    assert_eq!(upload(&running, &images, "application/octet-stream", &unnamed).status, 201);
    assert_eq!(get(&running, "/health/live", &[]).status, 200);
    let missing = "/api/v1/profiles/019aa1d2-0000-7000-8000-000000000000/images";
    assert_eq!(upload(&running, missing, "image/png", &good).status, 404);
    assert_eq!(get(&running, missing, &[]).status, 404);
}

#[test]
fn uploads_that_trickle_keep_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[("PANDO_PROFILES__IMAGES__UPLOADS_MAX", "1")]);
    let images = person(&running, "Zoe");
    let head = format!(
        "POST {images} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n"
    );
    let mut slow: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&[0x89; 1_000]).unwrap();
    }
    // Their handlers have begun to read.
    until("all are at it", PATIENCE, || {
        let metrics = running.ask("GET", "/metrics", "").body;
        metrics.contains("http_active_requests 5")
    });
    let good = png(&Picture::paint(20, 20, |_, _| [0; 3]));
    assert_eq!(upload(&running, &images, "image/png", &good).status, 201);
}

/// Has files kept in an S3, which is given the time that a busy machine takes.
pub(crate) fn in_s3<'a>(s3: &'a S3, endpoint: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("PANDO_OBJECTS__S3__BUCKET", s3.bucket()),
        ("PANDO_OBJECTS__S3__ENDPOINT", endpoint),
        ("PANDO_OBJECTS__S3__ACCESS_KEY", s3.access_key()),
        ("PANDO_OBJECTS__S3__SECRET_KEY", s3.secret_key()),
        ("PANDO_OBJECTS__S3__REQUEST_MS", "60000"),
        ("PANDO_OBJECTS__S3__RETRY_MS", "60000"),
    ]
}

#[test]
fn a_folder_and_an_s3_give_the_same_addresses_and_the_same_files() {
    let s3 = S3::start();
    let endpoint = s3.endpoint();
    let in_s3 = in_s3(&s3, &endpoint);
    let content = png(&Picture::paint(500, 300, |x, y| [x.to_le_bytes()[0], y.to_le_bytes()[0], 9]));
    let told = [&[][..], &in_s3].map(|variables| {
        let data = tempfile::tempdir().unwrap();
        let running = Running::start(data.path(), &[], variables);
        let images = person(&running, "Zoe");
        assert_eq!(upload(&running, &images, "image/png", &content).status, 201);
        until("the variants are made", PATIENCE, || get(&running, &images, &[]).json()[0]["ready"] == true);
        let mut image = get(&running, &images, &[]).json()[0].clone();
        image["created_at"] = Value::Null;
        let variants = image["variants"].as_array().unwrap();
        let urls: Vec<&str> = variants.iter().chain([&image]).map(|it| it["url"].as_str().unwrap()).collect();
        let files: Vec<Vec<u8>> = urls.iter().map(|url| get(&running, url, &[]).body).collect();
        let part = get(&running, urls[0], &[("range", "bytes=4-9")]);
        assert_eq!((part.status, &part.body[..]), (206, &files[0][4..10]));
        let kept_here = data.path().join("objects").exists();
        assert_eq!(kept_here, variables.is_empty(), "an S3 needs no folder");
        let health = get(&running, "/health", &[]).json().to_string();
        assert!(health.contains("\"objects\""), "{health}");
        (image, files)
    });
    assert_eq!(told[0], told[1]);
}

#[test]
fn addresses_begin_as_the_cdn_does() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[("CDN_BASE_URL", "https://cdn.example.org/")]);
    let images = person(&running, "Zoe");
    let image = upload(&running, &images, "image/png", &png(&Picture::paint(9, 9, |_, _| [0; 3]))).json();
    let url = image["url"].as_str().unwrap();
    let name = url.strip_prefix("https://cdn.example.org/").unwrap();
    assert_eq!(get(&running, &format!("/media/{name}"), &[]).status, 200);
}
