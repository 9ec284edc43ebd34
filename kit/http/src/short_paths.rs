//! Other names of paths: published clients write `/v1/…` or `/api/v1/…`, `/api/catalog/products` or
//! `/api/products`, and ask each part of a shop for its health.

use http::{Request, Uri};

/// How a path may begin, and how it begins then.
const NAMES: [(&str, &str); 7] = [
    ("/v1/", "/api/v1/"),
    ("/api/catalog/products", "/api/products"),
    ("/actuator/prometheus", "/metrics"),
    ("/api/products/actuator/health", "/actuator/health"),
    ("/api/cart/actuator/health", "/actuator/health"),
    ("/api/orders/actuator/health", "/actuator/health"),
    ("/api/payments/actuator/health", "/actuator/health"),
];

/// The request with the path that its route has.
pub(crate) fn at_its_path<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let named = NAMES.iter().find(|(other, _)| path.starts_with(other));
    if let Some((other, own)) = named
        && let Some(renamed) = renamed(request.uri(), other, own)
    {
        *request.uri_mut() = renamed;
    }
    request
}

fn renamed(uri: &Uri, other: &str, own: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let path = format!("{own}{}", parts.path_and_query?.as_str().strip_prefix(other)?);
    parts.path_and_query = Some(path.try_into().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_of_a_path_becomes_its_own_and_keeps_its_query() {
        for (short, path) in [
            ("/v1/assess?limit=1&x=%2F", "/api/v1/assess?limit=1&x=%2F"),
            ("http://localhost:8080/v1/webhooks", "http://localhost:8080/api/v1/webhooks"),
            ("/api/catalog/products?size=1", "/api/products?size=1"),
            ("/api/catalog/products/7", "/api/products/7"),
            ("/actuator/prometheus", "/metrics"),
            ("/api/orders/actuator/health", "/actuator/health"),
            ("/api/products/actuator/health/liveness", "/actuator/health/liveness"),
            ("/api/catalog", "/api/catalog"),
            ("/v1", "/v1"),
            ("/v10/assess", "/v10/assess"),
            ("/api/v1/assess", "/api/v1/assess"),
        ] {
            let request = Request::builder().uri(short).body(()).unwrap();
            assert_eq!(at_its_path(request).uri().to_string(), path);
        }
    }
}
