//! Who has given the access code: sessions, and the tokens of their forms, in memory alone.

use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use ring::hmac;
use ring::rand::SystemRandom;

use crate::random::{self, NoRandom};

/// How long a session lasts in which nothing is asked for.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// How many there are at most; the one that was idle longest goes first.
const MOST: usize = 16;

/// The name of the cookie. A browser takes it over TLS alone, for this host and every path.
const COOKIE: &str = "__Host-session";

/// The sessions.
pub struct Sessions {
    random: SystemRandom,
    key: hmac::Key,
    open: Vec<Open>,
}

/// A session by the HMAC of its id: how long it takes to find one says nothing of the id.
struct Open {
    name: hmac::Tag,
    last: Instant,
}

/// A session that a request has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    id: String,
    form_token: String,
}

impl Session {
    /// The token that its forms carry.
    pub fn form_token(&self) -> &str {
        &self.form_token
    }
}

impl Sessions {
    /// None yet.
    pub fn new() -> Result<Self, NoRandom> {
        let random = SystemRandom::new();
        Ok(Self {
            key: random::key(&random)?,
            random,
            open: Vec::new(),
        })
    }

    /// Begins one, and gives back the value of `Set-Cookie`.
    pub fn begin(&mut self, now: Instant) -> Result<String, NoRandom> {
        let id = HEXLOWER.encode(&random::bytes::<32>(&self.random)?);
        self.forget_idle(now);
        while self.open.len() >= MOST {
            let longest = self
                .open
                .iter()
                .enumerate()
                .min_by_key(|(_, open)| open.last);
            let Some((longest, _)) = longest else { break };
            self.open.remove(longest);
        }
        self.open.push(Open {
            name: self.name_of(&id),
            last: now,
        });
        Ok(format!(
            "{COOKIE}={id}; Path=/; Secure; HttpOnly; SameSite=Strict"
        ))
    }

    /// The session of these cookies, which counts as used now.
    pub fn find(&mut self, cookies: &str, now: Instant) -> Option<Session> {
        self.forget_idle(now);
        let mut pairs = cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let id = pairs.find(|(name, _)| *name == COOKIE)?.1;
        let key = &self.key;
        let of_id = |open: &&mut Open| hmac::verify(key, &named(id), open.name.as_ref()).is_ok();
        let open = self.open.iter_mut().find(of_id)?;
        open.last = now;
        let token = hmac::sign(&self.key, &form_of(id));
        Some(Session {
            id: id.to_owned(),
            form_token: HEXLOWER.encode(token.as_ref()),
        })
    }

    /// Whether a form carried the token of this session.
    pub fn is_form_of(&self, session: &Session, token: &[u8]) -> bool {
        let tag = HEXLOWER.decode(token).unwrap_or_default();
        hmac::verify(&self.key, &form_of(&session.id), &tag).is_ok()
    }

    /// Ends one, and gives back the value of `Set-Cookie`.
    pub fn end(&mut self, session: &Session) -> String {
        let name = self.name_of(&session.id);
        self.open.retain(|open| open.name.as_ref() != name.as_ref());
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    fn name_of(&self, id: &str) -> hmac::Tag {
        hmac::sign(&self.key, &named(id))
    }

    fn forget_idle(&mut self, now: Instant) {
        let is_alive = |open: &Open| now.saturating_duration_since(open.last) < IDLE;
        self.open.retain(is_alive);
    }
}

// What is signed says what it is for: a name is no token of a form.
fn named(id: &str) -> Vec<u8> {
    [b"session ", id.as_bytes()].concat()
}

fn form_of(id: &str) -> Vec<u8> {
    [b"form ", id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(set: &str) -> String {
        set.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_session_is_found_by_its_cookie_among_others() {
        let mut sessions = Sessions::new().unwrap();
        let now = Instant::now();
        let set = sessions.begin(now).unwrap();
        assert!(
            set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"),
            "{set}"
        );
        let cookie = cookie(&set);
        assert!(sessions.find(&format!("a=b; {cookie}; c=d"), now).is_some());
        assert!(sessions.find(&format!("{cookie}0"), now).is_none());
        assert!(sessions.find("__Host-session=", now).is_none());
        assert!(sessions.find("", now).is_none());
    }

    #[test]
    fn a_session_ends_after_15_idle_minutes_and_at_logout() {
        let mut sessions = Sessions::new().unwrap();
        let mut now = Instant::now();
        let cookie = cookie(&sessions.begin(now).unwrap());
        for _ in 0..3 {
            now += IDLE - Duration::from_secs(1);
            assert!(sessions.find(&cookie, now).is_some());
        }
        now += IDLE;
        assert!(sessions.find(&cookie, now).is_none());

        let cookie = self::cookie(&sessions.begin(now).unwrap());
        let session = sessions.find(&cookie, now).unwrap();
        assert!(sessions.end(&session).contains("Max-Age=0"));
        assert!(sessions.find(&cookie, now).is_none());
    }

    #[test]
    fn a_token_is_good_in_its_own_session_alone() {
        let mut sessions = Sessions::new().unwrap();
        let now = Instant::now();
        let cookies: Vec<_> = (0..2)
            .map(|_| cookie(&sessions.begin(now).unwrap()))
            .collect();
        let both: Vec<_> = cookies
            .iter()
            .map(|cookie| sessions.find(cookie, now).unwrap())
            .collect();
        let token = both[0].form_token().as_bytes();
        assert!(sessions.is_form_of(&both[0], token));
        assert!(!sessions.is_form_of(&both[1], token));
        assert!(!sessions.is_form_of(&both[0], b""));
        assert!(!sessions.is_form_of(&both[0], &token[..62]));
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let mut sessions = Sessions::new().unwrap();
        let now = Instant::now();
        let at = |number: usize| now + Duration::from_secs(number as u64);
        let cookies: Vec<_> = (0..=MOST)
            .map(|number| cookie(&sessions.begin(at(number)).unwrap()))
            .collect();
        assert!(sessions.find(&cookies[0], at(MOST)).is_none());
        assert!(
            cookies[1..]
                .iter()
                .all(|cookie| sessions.find(cookie, at(MOST)).is_some())
        );
    }
}
