//! Whether a form was sent by a page of this server.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Whether what the browser says of where a request comes from is this very server. A client that says
/// nothing is no browser that another page could make send a form.
///
/// A form of ours has the origin `null`, since no page of ours sends a `Referer`: it counts where
/// `Sec-Fetch-Site` says that it is ours.
pub fn is_own(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin") {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN).map(|origin| origin.as_bytes()) else {
        return true;
    };
    if origin == b"null" {
        return site.is_some();
    }
    let host = headers.get(HOST).map(|host| host.as_bytes());
    let (Some(own), Some(host)) = (origin.strip_prefix(b"https://"), host) else {
        return false;
    };
    without_default_port(own).eq_ignore_ascii_case(without_default_port(host))
        && headers.get_all(ORIGIN).iter().count() == 1
}

/// A browser leaves the port of HTTPS out; another client may not.
fn without_default_port(host: &[u8]) -> &[u8] {
    host.strip_suffix(b":443").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_is_judged() {
        for (site, origin, is_own) in [
            (None, None, true),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("null"), true),
            (Some("same-origin"), Some("https://node:8443"), true),
            (None, Some("https://node:8443"), true),
            (None, Some("null"), false),
            (None, Some("http://node:8443"), false),
            (None, Some("https://node"), false),
            (None, Some("https://evil.example"), false),
            (Some("same-origin"), Some("https://evil.example"), false),
            (Some("same-site"), None, false),
            (Some("cross-site"), Some("null"), false),
            (Some("none"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "node:8443".parse().unwrap());
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(super::is_own(&headers), is_own, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn the_default_port_and_capital_letters_make_no_other_origin() {
        for (host, origin) in [
            ("node:443", "https://node"),
            ("node", "https://node:443"),
            ("Node:8443", "https://node:8443"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            headers.insert(ORIGIN, origin.parse().unwrap());
            assert!(is_own(&headers), "{host} {origin}");
        }
    }

    #[test]
    fn without_a_host_no_origin_is_ours() {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, "https://".parse().unwrap());
        assert!(!is_own(&headers));
    }
}
