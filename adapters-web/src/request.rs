//! How a request has to be made, before anybody looks at what it asks for.

use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode, Version};

use crate::answer::{self, Answer};

/// The answer to a request that another server on the way may have read otherwise: with a body that does
/// not say how long it is, for no host or for two, or for a proxy. No browser sends such a one.
pub fn refusal<B>(request: &Request<B>) -> Option<Answer> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        let what = "a request has to say how long it is\n";
        return Some(answer::text(StatusCode::LENGTH_REQUIRED, what));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let is_for_one_host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).is_ok(),
        (None, _) => request.version() == Version::HTTP_10,
        _ => false,
    };
    if is_for_one_host && request.uri().authority().is_none() {
        return None;
    }
    let what = "a request has one Host, and a path alone\n";
    Some(answer::text(StatusCode::BAD_REQUEST, what))
}
