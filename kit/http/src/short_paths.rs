//! Short paths: `/v1/…` is `/api/v1/…`, which some published clients write as the one and some as the other.

use http::{Request, Uri};

const SHORT: &str = "/v1/";
const WHOLE: &str = "/api";

/// The request with its whole path.
pub(crate) fn at_its_path<B>(mut request: Request<B>) -> Request<B> {
    if request.uri().path().starts_with(SHORT)
        && let Some(whole) = whole(request.uri())
    {
        *request.uri_mut() = whole;
    }
    request
}

fn whole(uri: &Uri) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let path = format!("{WHOLE}{}", parts.path_and_query?);
    parts.path_and_query = Some(path.try_into().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_path_becomes_whole_and_keeps_its_query() {
        for (short, path) in [
            ("/v1/assess?limit=1&x=%2F", "/api/v1/assess?limit=1&x=%2F"),
            ("http://localhost:8080/v1/webhooks", "http://localhost:8080/api/v1/webhooks"),
            ("/v1", "/v1"),
            ("/v10/assess", "/v10/assess"),
            ("/api/v1/assess", "/api/v1/assess"),
        ] {
            let request = Request::builder().uri(short).body(()).unwrap();
            assert_eq!(at_its_path(request).uri().to_string(), path);
        }
    }
}
