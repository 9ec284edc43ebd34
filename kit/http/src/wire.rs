//! Hot reads on the wire: a `GET` whose answer is in memory is answered from the bytes of the socket. hyper reads every
//! other request, and never sees the requests that were answered here.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use http::{Method, StatusCode, Version};
use httparse::Status;

use crate::Encoding;
use crate::access_log::Line;
use crate::admission::{Head, admit, is_request_id, pass, show};
use crate::asked::{Asked, LONGEST_NAME};
use crate::authentication::{Recognised, recognise};
use crate::connection::{Carried, Connection};
use crate::edge_state::Edge;
use crate::hot::HotAnswer;
use crate::look_up::look_up;
use crate::routes::MethodIndex;

/// A head with more headers is not for us: browsers send about fifteen.
const HEADERS_MAX: usize = 32;
/// A longer answer is sent without being copied, by hyper.
const COPIED_MAX: usize = 16 * 1024;
/// The longest body that is counted past; hyper reads a longer one, and all that follows it, itself.
const COUNTED_MAX: u64 = 64 * 1024;
/// How long the text of a date is used again.
const DATE_KEPT: Duration = Duration::from_millis(250);

/// The kinds of bytes at the front of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A request of this length, which was answered.
    Answered(usize),
    /// A request of this length, body and all, for hyper.
    Request(usize),
    /// The beginning of a head.
    Part,
    /// Nothing whose end can be told here: hyper reads this and all that follows.
    Unknown,
    /// A request whose end two readers could see at two places: it gets no ordinary answer.
    Ambiguous,
}

/// The state of one connection: the text of the date, which is reused for a short time.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    date: Option<(Instant, String)>,
}

impl Wire {
    /// Looks at the front of the received bytes, and writes the answer into `out` if that is possible and allowed.
    pub(crate) fn look(
        &mut self,
        edge: &Edge,
        connection: &Connection,
        input: &[u8],
        may_answer: bool,
        out: &mut Vec<u8>,
    ) -> Front {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let bytes = match request.parse(input) {
            Ok(Status::Complete(bytes)) => bytes,
            Ok(Status::Partial) => return Front::Part,
            // hyper finds the same fault, or takes what we do not.
            Err(_) => return Front::Unknown,
        };
        let Some((asked, length)) = note(request.headers, connection) else { return Front::Unknown };
        // hyper would ignore the length.
        if may_answer && asked.transfers > 0 && asked.has_length {
            return Front::Ambiguous;
        }
        if request.version != Some(1) || asked.transfers > 0 || asked.of_connection {
            return Front::Unknown;
        }
        let whole = usize::try_from(length).ok().and_then(|length| bytes.checked_add(length));
        let Some(whole) = whole.filter(|_| length <= COUNTED_MAX) else { return Front::Unknown };
        let (Some("GET"), Some(path)) = (request.method, request.path) else { return Front::Request(whole) };
        let plain = may_answer && !asked.has_length && !asked.conditional;
        let client = || {
            let named = |name| {
                let lines = request.headers.iter().filter(move |it| it.name.eq_ignore_ascii_case(name));
                lines.map(|it| it.value)
            };
            edge.proxies.client(connection.peer.ip(), named)
        };
        match plain.then(|| self.answer(edge, connection, path, asked, client, out)).flatten() {
            Some(()) => Front::Answered(bytes),
            None => Front::Request(whole),
        }
    }

    /// The answer from memory, if there is one and every guard lets the request through.
    fn answer(
        &mut self,
        edge: &Edge,
        connection: &Connection,
        path: &str,
        asked: Asked<'_>,
        client: impl Fn() -> IpAddr,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let began = Instant::now();
        // With a query, a request means more than its path says; a fragment is not part of it.
        let found = edge.routes.find(path).filter(|_| path.starts_with('/') && !path.contains(['?', '#']))?;
        let route = edge.routes.entry(Some(found.index));
        let find = route.hot.as_ref()?;
        let get = MethodIndex::of(&Method::GET);
        let head = Head {
            asked,
            method: &Method::GET,
            version: Version::HTTP_11,
            target_bytes: path.len(),
            foreign_authority: false,
            body: None,
        };
        admit(edge, Some(route), get, &head).ok()?;
        // A credential that is not known yet is verified behind hyper.
        let Recognised::Caller(caller) =
            recognise((edge, connection), (route, get), &head.asked, &client).ok()?
        else {
            return None;
        };
        let gate = if edge.gate.is_some() { pass(edge, route, client()) } else { None };
        let refused = matches!(gate, Some(Err(_)));
        let mut answer =
            if refused { None } else { look_up(edge, find, (&caller.tenant, found.name), &head.asked) };
        let Some(answer) = answer.take_if(|answer| answer.body.len() <= COPIED_MAX) else {
            connection.carry(Carried { gate, answer });
            return None;
        };
        let bytes = answer.body.len();
        let number = connection.answered_at_once();
        let mut buffer = [0; 36];
        let request_id = match head.asked.request_id.filter(|id| is_request_id(id)) {
            Some(id) => std::str::from_utf8(id).unwrap_or_default(),
            None => connection.request_id(number).hyphenated().encode_lower(&mut buffer),
        };
        self.write(edge, &answer, request_id, began, out);
        let now = Instant::now();
        let took = now.saturating_duration_since(began);
        route.record(get, StatusCode::OK, took);
        let line = Line {
            request_id,
            method: get,
            reads: true,
            template: &route.template,
            path,
            status: StatusCode::OK,
            now,
            took,
            bytes: Some(bytes as u64),
            client: client(),
        };
        edge.access_log.write(&line, || Some(show(&answer.cache)));
        Some(())
    }

    fn write(&mut self, edge: &Edge, answer: &HotAnswer, request_id: &str, now: Instant, out: &mut Vec<u8>) {
        let mut digits = [0; 20];
        out.reserve(edge.hot_head.len() + answer.body.len() + 256);
        for part in [
            &edge.hot_head[..],
            b"x-cache: ",
            answer.cache.as_bytes(),
            b"\r\netag: ",
            answer.tag.as_bytes(),
            if answer.encoding == Encoding::Identity { b"" } else { b"\r\ncontent-encoding: " },
            answer.encoding.name().unwrap_or_default().as_bytes(),
            b"\r\nx-request-id: ",
            request_id.as_bytes(),
            b"\r\ncontent-length: ",
            decimal(answer.body.len(), &mut digits),
            b"\r\ndate: ",
            self.date(edge, now).as_bytes(),
            b"\r\n\r\n",
            &answer.body,
        ] {
            out.extend_from_slice(part);
        }
    }

    fn date(&mut self, edge: &Edge, now: Instant) -> &str {
        let kept = self.date.take().filter(|(since, _)| now.saturating_duration_since(*since) < DATE_KEPT);
        let (_, text) = self.date.insert(kept.unwrap_or_else(|| {
            let micros = u64::try_from(edge.clock.now().as_micros()).unwrap_or(0);
            (now, httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_micros(micros)))
        }));
        text
    }
}

/// The content of the headers and the length of the body that they announce; `None` if the length cannot be determined.
fn note<'h>(headers: &[httparse::Header<'h>], connection: &Connection) -> Option<(Asked<'h>, u64)> {
    let (mut asked, mut length) = (Asked::default(), 0);
    for header in headers {
        let mut lower = [0; LONGEST_NAME];
        // No header with a longer name is of interest.
        let name: &[u8] = match lower.get_mut(..header.name.len()) {
            Some(lower) => {
                lower.copy_from_slice(header.name.as_bytes());
                lower.make_ascii_lowercase();
                lower
            }
            None => b"",
        };
        if name == b"content-length" {
            // Twice, signed, empty: hyper knows which of those are an error.
            if asked.has_length || header.value.is_empty() || !header.value.iter().all(u8::is_ascii_digit) {
                return None;
            }
            length = std::str::from_utf8(header.value).ok()?.parse().ok()?;
        }
        asked.note(name, header.value, connection);
    }
    Some((asked, length))
}

/// The number in decimal.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}
