//! An operator with a keyboard and no mouse.

use crate::browser::{Browser, ENTER};
use crate::served::Served;

/// What sends the form of a page.
pub const SEND: &str = "main button";

impl Browser {
    /// Types into the field with this id, in the place of what is there.
    #[track_caller]
    pub fn fill(&self, id: &str, text: &str) {
        self.tab_to(&format!("#{id}"));
        self.run("document.activeElement.select()");
        self.press(text);
    }

    /// Sends the form of the page.
    #[track_caller]
    pub fn send(&self) {
        self.tab_to(SEND);
        self.leave_by(|| self.press(ENTER));
    }

    /// Gives the access code, and goes on to the form of the page.
    #[track_caller]
    pub fn log_in(&self, served: &Served<'_>) {
        self.go(&served.url("/"));
        self.give_code(&served.code());
        assert_ne!(self.path(), "/login");
    }

    /// Types an access code where the focus is.
    #[track_caller]
    pub fn give_code(&self, code: &str) {
        assert_eq!(self.focused(), "code");
        self.press(code);
        self.leave_by(|| self.press(ENTER));
    }

    /// The field has the focus, and what is wrong with it can be read beside it and heard.
    #[track_caller]
    pub fn is_told_what_is_wrong_with(&self, id: &str) -> String {
        assert_eq!(self.focused(), id);
        let said = self.text(&format!(
            "return document.getElementById('{id}-problem')?.textContent"
        ));
        assert!(!said.is_empty(), "nothing is wrong with {id}");
        said
    }
}
