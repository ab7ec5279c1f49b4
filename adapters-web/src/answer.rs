//! Answers, with the headers that every one of them has.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use maud::Markup;

/// What a browser gets.
pub type Answer = Response<Full<Bytes>>;

/// What every answer says: nothing of another place, no script, no frame, no copy of it kept.
pub const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

/// An answer of this type.
pub fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A page.
pub fn page(status: StatusCode, page: Markup) -> Answer {
    of(status, "text/html; charset=utf-8", page.into_string())
}

/// A line of text, for what no browser of an operator asks for.
pub fn text(status: StatusCode, text: &'static str) -> Answer {
    of(status, "text/plain; charset=utf-8", text)
}

/// On to another page of this server.
pub fn see(path: &'static str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    let to = HeaderValue::from_static(path);
    answer.headers_mut().insert(LOCATION, to);
    answer
}

/// The same answer with a cookie.
pub fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    // A session id is hexadecimal: there is nothing that a header could not have.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
    answer
}

/// The same answer, at which a browser gives up the pages that it keeps for "back" with what was typed
/// there: `no-store` is not enough. It has to belong to what is asked for once the next page is there.
pub fn and_forget(mut answer: Answer) -> Answer {
    let name = HeaderName::from_static("clear-site-data");
    let headers = answer.headers_mut();
    headers.insert(name, HeaderValue::from_static("\"cache\""));
    answer
}

/// The same answer with how many seconds to wait.
pub fn retry_after(mut answer: Answer, seconds: u64) -> Answer {
    let seconds = HeaderValue::from(seconds);
    answer.headers_mut().insert(RETRY_AFTER, seconds);
    answer
}

/// The path takes other methods.
pub fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = text(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not for this path\n",
    );
    let allowed = HeaderValue::from_static(allowed);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}
