//! What the page says, in the language of its reader.
//!
//! The texts are English here; a `.po` file has each of them in another language. What use cases and
//! their errors say in detail stays English, and is marked as such, beside a text for what it is about.

use std::collections::BTreeMap;

/// The languages beside English: its tag, and its catalogue as a `.po` file.
pub const CATALOGUES: [(&str, &str); 1] = [(
    "de",
    include_str!("../locale/de/LC_MESSAGES/trustpointctl.po"),
)];

/// A catalogue as its parser reads it: English, and what that is in its language.
pub type Catalogue = BTreeMap<String, String>;

macro_rules! texts {
    ($($name:ident = $text:literal;)*) => {
        $(pub(crate) const $name: &str = $text;)*
        /// Every text, as a catalogue has to have it.
        pub const TEXTS: &[&str] = &[$($name),*];
    };
}

texts! {
    SETUP_WANTED = "This node is not set up yet";
    RECOVERY_WANTED = "This node waits for its backup password";
    VERSION = "Version {version}";
    FINGERPRINT = "SHA-256 fingerprint of this server's certificate";
    COMPARE = "Compare it with the one that your browser shows for this connection, and that with the one in \
               the log of the node; what a page says of itself proves nothing. Where they differ, somebody \
               stands between you and the node: give nothing here.";
    CODE = "Access code";
    CODE_HINT = "It stands in the log of the node beside the fingerprint, and in the file page-code of the \
                 runtime directory.";
    CODE_WRONG = "This is not the access code of this start.";
    CODE_WAIT = "Too many wrong codes. Try again in {seconds} s.";
    LOG_IN = "Go on";
    LOG_OUT = "Log out";
    SETUP = "Set up this node";
    SETUP_INTRO = "Three answers, and the node is set up. Nothing is changed before you send them.";
    STORAGE = "Where does this node keep its secrets?";
    SOFTWARE = "In the database, in the clear";
    SOFTWARE_HINT = "Whoever reads the database has the private keys.";
    SOFTHSM = "Sealed under a key on a SoftHSM token";
    SOFTHSM_HINT = "The database holds them sealed; the key stands on the token alone.";
    PHYSICAL_HSM = "Sealed under a key on a hardware security module";
    PHYSICAL_HSM_HINT = "On a token of the device that its security officer has initialised.";
    STORAGE_MISSING = "Choose one of them.";
    NAMES = "Names and addresses of this node";
    NAMES_HINT = "What clients type to reach it, one a line: they stand in its certificate. Left empty: \
                  {names}.";
    NAME_WRONG = "A certificate cannot have “{name}”. Write a DNS name (letters, digits and hyphens between dots; \
                  other letters as xn--…; * in place of the whole first label) or an IP address.";
    PASSWORD_NEW = "Backup password";
    PASSWORD_NEW_HINT = "It brings the secrets back where the token is lost. At least {least} characters; \
                         keep it away from this machine.";
    PASSWORD_AGAIN = "Backup password again";
    PASSWORD_SHORT = "It has at least {least} characters.";
    PASSWORD_DIFFERS = "The two are not the same.";
    PASSWORD_NONE = "Go without a backup password: a lost token then means lost secrets";
    PASSWORD_AND_NONE = "Give a password, or tick the box below, not both.";
    PASSWORD_MISSING = "Give a password, or tick the box below.";
    PASSWORD_UNUSED = "With secrets in the clear there is nothing that it could bring back: leave it empty.";
    PASSWORD_FOR_HSM = "For sealed secrets alone; leave it empty for secrets in the clear.";
    SET_UP = "Set up";
    RECOVER = "Bring the secrets back";
    RECOVER_INTRO = "The key that opens the secrets of this node was not found on its token. The backup \
                     password brings them back.";
    KNOWN = "What is known";
    TOKEN = "Token";
    TOKEN_SHOWN = "{label}, serial number {serial}, {device}; seen {when}";
    TOKEN_MISSING = "none was found; looked for {when}";
    STORED_KIND = "Storage";
    PASSWORD_SET = "Backup password";
    PASSWORD_SET_AT = "set {when}";
    PASSWORD_SET_SOMETIME = "set";
    PASSWORD_NEVER_SET = "none is set";
    WILL = "What this does";
    WILL_UNWRAP = "The password opens the sealed key. A wrong one changes nothing.";
    WILL_WRAP = "A key on the token seals it again: one that is made anew, where there is none.";
    WILL_TLS = "The web server gets the certificate of this node back.";
    WILL_START = "The node starts.";
    PASSWORD = "Backup password";
    PASSWORD_HINT = "The one that was set last, in setup or since; it is not the PIN of the token.";
    PASSWORD_WRONG = "This password does not open the secrets. Nothing was changed.";
    PASSWORD_EMPTY = "Type the backup password.";
    DO_RECOVER = "Recover";
    TOKEN_BACK = "Is the old token back?";
    TOKEN_BACK_HINT = "Where it was merely away (a volume that was not mounted, a daemon that was down), no \
                       password is needed. Bring it back, and have the node look again.";
    TOKEN_BACK_ALONE = "Bring it back (mount its volume, start its daemon), and have the node look again; the \
                        container need not be started again.";
    LOOK_AGAIN = "Look again";
    UNCHANGED = "The node has looked again ({when}). Nothing has changed: it still waits.";
    NO_WAY = "Here no password helps";
    NO_WAY_UNSET = "No backup password was ever set: the old token alone opens the secrets, or a backup brings them \
                    back that has a password.";
    CANNOT = "This cannot be done now";
    FAILED = "It failed";
    SAYS = "The node says:";
    NEXT = "What to do next:";
    KIND = "Kind of failure:";
    AGAIN_HINT = "When that is done, go back to the form and send it again; the same is meant where it says to \
                  start again or to run this again. Only another configuration (its file, or a variable of \
                  the container) needs a new start.";
    AGAIN = "Back to the form";
    PROBLEMS = "Nothing was changed. Look at what is marked.";
    PROGRESS = "At work";
    PROGRESS_HINT = "This page looks again by itself. It may be left and come back to.";
    STEPS = "Steps";
    STEP_DONE = "done";
    STEP_OK = "in order";
    STEP_SKIPPED = "left out";
    STEP_FAILED = "failed";
    FAULT_USAGE = "What was sent does not fit this node.";
    FAULT_VERSION = "What is stored was written by a later version of this program.";
    FAULT_STORAGE = "This node may not keep its secrets there.";
    FAULT_DATA = "What is stored does not fit together, or something that has to be there is missing.";
    FAULT_HSM = "The token is away or does not answer, or the program in between does not.";
    FAULT_DATABASE = "The database does not answer, or somebody else holds it.";
    FAULT_INTERNAL = "This is a defect of the program.";
    FAULT_IO = "Something could not be read or written: a disk may be full, away or read-only.";
    FAULT_BUSY = "Another process is at work on this node.";
    FAULT_DENIED = "A PIN or a password is missing or wrong, or the node lacks a permission.";
    FAULT_CONFIG = "The node is not prepared for this: its configuration, its token, or what was set up until now.";
    STEP_CACHE_DEK = "The key of the secrets, for the application";
    STEP_DATABASE = "The database";
    STEP_DESTROY_KEK = "A key on the token that nothing needs";
    STEP_KEK = "The key on the token";
    STEP_PASSWORD = "The backup password";
    STEP_RELOAD = "The web server reads it anew, where it runs";
    STEP_SAVE_TLS = "The certificate in the database";
    STEP_SCRUB = "What stood in the clear is wiped";
    STEP_SEAL = "The private keys are sealed";
    STEP_SNAPSHOT = "A copy of the database";
    STEP_STORAGE = "Where the secrets are kept";
    STEP_TLS = "The certificate for the web server";
    STEP_TOKEN = "The token";
    STEP_UNWRAP = "The key of the secrets is opened";
    STEP_WIZARD = "How far the node is";
    STEP_WRAP = "The key of the secrets is sealed";
    DONE = "Done";
    DONE_HINT = "The node starts now, and this page ends. Go on at the address of the application; give it \
                 a moment.";
    THERE_HINT = "What the node waited for is there. It starts now, and this page ends. Go on at the address of \
                  the application; give it a moment.";
    DONE_CERTIFICATE = "From now on the node shows the certificate with this SHA-256 fingerprint:";
    DONE_LINK = "Go to the start page of this address";
    WARNINGS = "To be dealt with";
    NOT_FOUND = "There is no such page";
    FIRST_PAGE = "To the first page";
    FORBIDDEN = "This request was not taken";
    FORBIDDEN_HINT = "It did not come from a form of this page, or the form is older than your session. Go \
                      back, load the page again, and send it once more.";
}

/// A language to answer in.
#[derive(Clone, Copy)]
pub struct Language<'a> {
    /// As in `lang`.
    pub tag: &'static str,
    catalogue: Option<&'a Catalogue>,
}

impl<'a> Language<'a> {
    /// A text.
    pub fn text(&self, text: &'static str) -> &'a str {
        let found = self.catalogue.and_then(|catalogue| catalogue.get(text));
        found.map_or(text, String::as_str)
    }

    /// A text with what goes into its places.
    pub fn filled(&self, text: &'static str, places: &[(&str, &str)]) -> String {
        let mut parts = self.text(text).split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (place, rest) = part.split_once('}').unwrap_or_default();
            let value = places.iter().find(|(name, _)| *name == place);
            filled.push_str(value.map_or("", |(_, value)| value));
            filled.push_str(rest);
        }
        filled
    }
}

/// The languages that there are.
pub struct Languages(Vec<(&'static str, Catalogue)>);

impl Languages {
    /// English and these.
    pub fn new(others: Vec<(&'static str, Catalogue)>) -> Self {
        Self(others)
    }

    /// The one that a reader wants most, by `Accept-Language`.
    pub fn wanted(&self, accepted: &str) -> Language<'_> {
        let mut best = None;
        for range in accepted.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = weight.trim().to_ascii_lowercase();
            let weight = weight.strip_prefix("q=").unwrap_or_default();
            let weight = weight.parse::<f32>().unwrap_or_default();
            let tag = tag.trim().to_ascii_lowercase();
            let primary = tag.split('-').next().unwrap_or_default();
            let language = match primary {
                "en" | "*" => Some(ENGLISH),
                other => self.of(other),
            };
            let beats = best.is_none_or(|(other, _)| weight > other);
            if let Some(language) = language
                && weight > 0.0
                && beats
            {
                best = Some((weight, language));
            }
        }
        best.map_or(ENGLISH, |(_, language)| language)
    }

    fn of(&self, tag: &str) -> Option<Language<'_>> {
        let found = self.0.iter().find(|(other, _)| *other == tag);
        found.map(|(tag, catalogue)| Language {
            tag,
            catalogue: Some(catalogue),
        })
    }
}

const ENGLISH: Language<'static> = Language {
    tag: "en",
    catalogue: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_wanted_most_is_taken() {
        let german = Catalogue::from([(SETUP.to_owned(), "Einrichten".to_owned())]);
        let languages = Languages::new(vec![("de", german)]);
        for (accepted, tag) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,en;q=0.5", "de"),
            ("en-GB,en;q=0.9,de;q=0.8", "en"),
            ("fr, de;q=0.4, en;q=0.3", "de"),
            ("fr,*;q=0.1", "en"),
            ("de;q=0", "en"),
            ("DE;q=1.0", "de"),
            ("en;q=x,de;q=0.1", "de"),
            ("en; q=0.1, de ; Q=0.9", "de"),
            ("ß;;,=", "en"),
        ] {
            assert_eq!(languages.wanted(accepted).tag, tag, "{accepted}");
        }
        assert_eq!(languages.wanted("de").text(SETUP), "Einrichten");
        // What a catalogue does not have is English.
        assert_eq!(languages.wanted("de").text(DONE), "Done");
    }

    #[test]
    fn places_are_filled() {
        let filled = ENGLISH.filled(CODE_WAIT, &[("seconds", "7")]);
        assert_eq!(filled, "Too many wrong codes. Try again in 7 s.");
        // What is filled in has no places of its own, however a token is named.
        let places = [
            ("label", "{serial}"),
            ("serial", "1"),
            ("device", "{"),
            ("when", "now"),
        ];
        let filled = ENGLISH.filled(TOKEN_SHOWN, &places);
        assert_eq!(filled, "{serial}, serial number 1, {; seen now");
    }
}
