//! What is sent: requests as a browser sends them, and what chance makes of them.

use super::random::Random;
use crate::page::tls::hello;

/// What an operator knows, which the requests carry.
pub struct Known {
    pub session: String,
    pub token: String,
    pub code: String,
    pub password: String,
}

/// Bytes for a connection.
#[derive(Debug, Eq, PartialEq)]
pub struct Input {
    pub bytes: Vec<u8>,
    /// Whether they are sent before TLS, or in the place of it.
    pub is_raw: bool,
    /// Where they are cut in two.
    pub cut: usize,
}

const METHODS: [&str; 8] = ["GET", "POST", "HEAD", "PUT", "CONNECT", "get", "", "P\0ST"];

/// Without `/logout`, which with the right token would end the session of all that follows.
const TARGETS: [&str; 14] = [
    "/",
    "/login",
    "/setup",
    "/recover",
    "/progress",
    "/healthz",
    "*",
    "",
    "//evil.example/",
    "https://evil.example/setup",
    "evil.example:443",
    "/%00",
    "/setup?password=a#b",
    "/\u{e4}",
];

const VERSIONS: [&str; 7] = [
    "HTTP/1.0",
    "HTTP/0.9",
    "HTTP/2.0",
    "HTTP/1.11",
    "http/1.1",
    "",
    "HTTP/1.1 x",
];

const HEADERS: [&str; 24] = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\tgzip, chunked",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: 18446744073709551616",
    "Content-Length: -1",
    "Host: evil.example",
    "Host:",
    "Expect: 100-continue",
    "Connection: keep-alive, upgrade",
    "Upgrade: h2c",
    "Origin: null",
    "Origin: https://evil.example",
    "Sec-Fetch-Site: cross-site",
    "Cookie: __Host-session=0; __Host-session=0",
    "Cookie: ;=;=;;",
    "Content-Type: multipart/form-data; boundary=a",
    "Accept-Language: de;q=1.5,*;q=,,;;q=0,\u{fc}",
    " folded: yes",
    "X\0: nul",
    ": nameless",
    "no colon",
];

const BYTES: &[u8] = b"\0\r\n\t \x0b\x7f\x80\xff:;=&%+/,\"'<>#?@[";

fn request(line: &str, headers: &str, body: Option<&str>) -> Vec<u8> {
    let body = body.map_or_else(
        || "\r\n".to_owned(),
        |body| {
            let length = body.len();
            format!(
                "Content-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
        },
    );
    format!("{line} HTTP/1.1\r\nHost: node:8443\r\n{headers}{body}").into_bytes()
}

/// Requests that are right, though none that would set the node up or end the session.
fn right(known: &Known) -> Vec<Vec<u8>> {
    let Known {
        session,
        token,
        code,
        password,
    } = known;
    let cookie = format!("Cookie: a=b; __Host-session={session}\r\n");
    let browser = format!(
        "{cookie}Accept-Language: de-AT,en;q=0.5\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n"
    );
    let setup = format!(
        "form_token={token}&storage=tpm&san=pki.example.org%0D%0A192.0.2.7&password={password}\
         &password_again={password}&no_backup_password=yes"
    );
    let recovery = format!("form_token={token}&password={password}");
    let logout = format!("form_token={}", "0".repeat(token.len()));
    vec![
        request("GET /", "", None),
        request("GET /", &cookie, None),
        request("GET /setup", &browser, None),
        request("GET /recover", &browser, None),
        request("GET /progress", &cookie, None),
        request("GET /healthz", "Accept: */*\r\n", None),
        request("GET /style.css", "", None),
        request(
            "POST /login",
            "",
            Some("code=aaaaaaa-aaaaaaa-aaaaaaa-aaaaa"),
        ),
        request("POST /login", "", Some(&format!("code={code}"))),
        request("POST /setup", &browser, Some(&setup)),
        request("POST /setup", "", Some(&setup)),
        request("POST /recover", &browser, Some(&recovery)),
        request("POST /logout", &cookie, Some(&logout)),
    ]
}

/// The input of this number in the run of this seed.
pub fn input(seed: u64, number: u64, known: &Known) -> Input {
    let mut random = Random::new(seed, number);
    let is_raw = random.below(8) == 0;
    let requests = right(known);
    let mut bytes = if is_raw && random.below(4) > 0 {
        hello([3, 3], &[0], &[])
    } else {
        requests[random.below(requests.len())].clone()
    };
    for _ in 0..random.below(7) {
        if is_raw || random.below(3) == 0 {
            change_bytes(&mut bytes, &mut random);
        } else {
            change_request(&mut bytes, &mut random, &requests);
        }
    }
    let cut = random.below(bytes.len());
    Input { bytes, is_raw, cut }
}

fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let to = (at + 1 + random.below(48)).min(bytes.len());
    let odd = BYTES[random.below(BYTES.len())];
    match random.below(8) {
        0 if at < to => bytes[at] ^= 1 << random.below(8),
        1 if at < to => bytes[at] = odd,
        2 if at < to => bytes[at] = random.byte(),
        3 => bytes.insert(at, odd),
        4 => drop(bytes.drain(at.min(to)..to)),
        5 => {
            let again = bytes[at.min(to)..to].to_vec();
            bytes.splice(at..at, again);
        }
        6 => bytes.truncate(at),
        _ => {
            let many = vec![odd; random.below(40)];
            bytes.splice(at..at, many);
        }
    }
}

fn change_request(bytes: &mut Vec<u8>, random: &mut Random, requests: &[Vec<u8>]) {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    let end = end.unwrap_or(bytes.len());
    let body = bytes.split_off(end);
    let head = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
    let (mut body, mut end_of_line) = (body, "\r\n");
    match random.below(14) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[other].clone()),
        2 => lines.swap(at, other),
        3 | 4 => lines.insert(at.max(1).min(lines.len()), random.one(&HEADERS).to_owned()),
        5 => change_word(&mut lines, 0, random.one(&METHODS)),
        6 => change_word(&mut lines, 1, random.one(&TARGETS)),
        7 => change_word(&mut lines, 2, random.one(&VERSIONS)),
        8 => end_of_line = random.one(&["\n", "\r", "\r\r\n", "\r\n "]),
        9 => {
            lines.push("Transfer-Encoding: chunked".to_owned());
            body = in_chunks(&body, random);
        }
        10 => body.extend(&requests[random.below(requests.len())]),
        11 => lines.push(format!("X-Long: {}", "a".repeat(random.below(20_000)))),
        12 => lines.extend((0..random.below(120)).map(|number| format!("X-{number}: a"))),
        _ => {
            let long = vec![BYTES[random.below(BYTES.len())]; random.below(20_000)];
            body.extend(long);
        }
    }
    *bytes = lines.join(end_of_line).into_bytes();
    bytes.extend(body);
}

/// Another method, target or version.
fn change_word(lines: &mut [String], number: usize, word: &str) {
    let Some(line) = lines.first_mut() else {
        return;
    };
    let mut words: Vec<_> = line.split(' ').collect();
    if let Some(old) = words.get_mut(number) {
        *old = word;
    }
    *line = words.join(" ");
}

/// A body in chunks, some of which say what is not so.
fn in_chunks(body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut chunks = b"\r\n\r\n".to_vec();
    let content = body.get(4..).unwrap_or_default();
    for part in content.chunks(1 + random.below(40)) {
        let length = part.len() + usize::from(random.below(20) == 0);
        let extension = random.one(&["", "", "", ";a=b", ";\"", " ", "\n"]);
        chunks.extend(format!("{length:x}{extension}\r\n").into_bytes());
        chunks.extend(part);
        chunks.extend(b"\r\n");
    }
    chunks.extend(
        random
            .one(&[
                "0\r\n\r\n",
                "0\r\nX: a\r\n\r\n",
                "0\r\n",
                "00\n\n",
                "fffffffffffffffff\r\n",
            ])
            .bytes(),
    );
    chunks
}
