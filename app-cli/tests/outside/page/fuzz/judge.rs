//! Whether what the page said is what it may say, whatever it was sent.

use super::inputs::Input;
use crate::page::access::HEADERS;

/// What came back.
#[derive(Debug)]
pub struct Said {
    pub bytes: Vec<u8>,
    /// Whether the connection broke off: a server that refuses early does not read all that was sent.
    pub is_cut_short: bool,
}

/// What is wrong with an answer, if anything.
pub fn judge(input: &Input, said: &Said, secrets: &[&str]) -> Result<(), String> {
    for secret in secrets {
        if contains(&said.bytes, secret) && !is_echo(&input.bytes, secret) {
            return Err("a secret".to_owned());
        }
    }
    if contains(&said.bytes, "panicked") {
        return Err("a panic".to_owned());
    }
    let is_alert_or_handshake = matches!(said.bytes.first(), None | Some(21 | 22));
    match input.is_raw {
        true if is_alert_or_handshake => Ok(()),
        true => Err("no TLS in the clear".to_owned()),
        false => judge_http(said),
    }
}

/// Names in the certificate are no secret, and are shown again: what was put in among them is, too.
fn is_echo(input: &[u8], secret: &str) -> bool {
    let mut fields = input.split(|byte| *byte == b'&');
    fields.any(|field| {
        let field = String::from_utf8_lossy(field);
        let name = field.find("san=");
        name.is_some_and(|at| field[at..].contains(secret))
    })
}

fn judge_http(said: &Said) -> Result<(), String> {
    let text = String::from_utf8_lossy(&said.bytes);
    let text = text
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(&text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        let is_nothing = text.is_empty() || said.is_cut_short;
        return if is_nothing {
            Ok(())
        } else {
            Err("half an answer".to_owned())
        };
    };
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = match first.split_once(' ') {
        Some(("HTTP/1.0" | "HTTP/1.1", rest)) => rest.split(' ').next().unwrap_or_default(),
        _ => return Err("no status".to_owned()),
    };
    let status: u16 = status.parse().map_err(|_| "no status".to_owned())?;
    let is_health = status == 503 && body.starts_with(r#"{"outcome":"#);
    if !(200..500).contains(&status) && !is_health {
        return Err(format!("status {status}"));
    }
    let headers: Option<Vec<_>> = lines.map(|line| line.split_once(": ")).collect();
    let headers = headers.ok_or("a header that is none")?;
    let all = |name: &str| -> Vec<_> {
        let of_name = headers.iter().filter(|(found, _)| *found == name);
        of_name.map(|(_, value)| *value).collect()
    };
    if let Some((name, _)) = HEADERS.iter().find(|(name, value)| all(name) != [*value]) {
        return Err(format!("{name} is missing, or another"));
    }
    let length = all("content-length");
    let length = length
        .first()
        .and_then(|length| length.parse::<usize>().ok());
    match length.map(|length| body.len().cmp(&length)) {
        Some(std::cmp::Ordering::Less) if said.is_cut_short || body.is_empty() => Ok(()),
        Some(std::cmp::Ordering::Equal) => Ok(()),
        _ => Err(format!("{} bytes of {length:?}", body.len())),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
