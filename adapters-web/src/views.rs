//! The pages as HTML. Every text that comes from elsewhere is escaped by the template.

use std::sync::Arc;

use domain::Outcome;
use maud::{DOCTYPE, Markup, html};
use usecases::report::{ErrorReport, Report, StepReport};

use crate::desk::Seen;
use crate::sessions::Session;
use crate::site::Site;
use crate::texts::{self, Language};
use words::{of_fault, of_result, of_step};

pub mod login;
pub mod progress;
pub mod recovery;
pub mod wizard;
mod words;

/// Who reads a page, and what it says of the node.
pub struct View<'a> {
    language: Language<'a>,
    session: Option<&'a Session>,
    /// What was seen of the node last.
    seen: Arc<Seen>,
}

impl<'a> View<'a> {
    /// For a reader.
    pub fn new(site: &'a Site, language: Language<'a>, session: Option<&'a Session>) -> Self {
        Self {
            language,
            session,
            seen: site.clerk.seen(),
        }
    }

    /// The same, where there is nothing more to do: nobody needs to log out.
    fn at_the_end(&self) -> Self {
        Self {
            language: self.language,
            session: None,
            seen: Arc::clone(&self.seen),
        }
    }

    /// What was seen of the node last.
    fn report(&self) -> &Report {
        &self.seen.report
    }

    /// A text in the reader's language.
    pub fn text(&self, text: &'static str) -> &'a str {
        self.language.text(text)
    }

    /// A text with what goes into its places.
    pub fn filled(&self, text: &'static str, places: &[(&str, &str)]) -> String {
        self.language.filled(text, places)
    }

    /// That what a form is for cannot be done now, and what to do before it is asked for again.
    pub fn cannot(&self, title: &'static str, form: &str, error: &ErrorReport) -> Markup {
        let main = html! {
            h1 { (self.text(title)) }
            (self.problem(Some(texts::CANNOT), of_fault(error.kind), error))
            (self.again(form, error))
        };
        self.page(title, None, &main)
    }

    /// A whole page.
    fn page(&self, title: &'static str, refresh: Option<u8>, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(self.language.tag) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(seconds) = refresh {
                        meta http-equiv="refresh" content=(seconds);
                    }
                    title { (self.text(title)) " · Trustpoint" }
                    link rel="stylesheet" href="/style.css";
                    link rel="icon" href="/icon.svg" type="image/svg+xml";
                }
                body {
                    header {
                        img src="/icon.svg" alt="" width="28" height="28";
                        p { strong { "Trustpoint" } " " span { (self.version()) } }
                        @if let Some(session) = self.session {
                            form method="post" action="/logout" {
                                (token(session))
                                button.quiet type="submit" { (self.text(texts::LOG_OUT)) }
                            }
                        }
                    }
                    main { (main) }
                }
            }
        }
    }

    fn version(&self) -> String {
        let version = self.report().version.current.as_deref().unwrap_or_default();
        self.filled(texts::VERSION, &[("version", version)])
    }

    /// A form of this session.
    fn form(&self, action: &str, fields: &Markup) -> Markup {
        html! {
            form method="post" action=(action) {
                @if let Some(session) = self.session { (token(session)) }
                (fields)
            }
        }
    }

    /// An error: what it is about, and in English, as the commands say it, what failed and what to do next.
    /// The page's own title may do.
    fn problem(
        &self,
        title: Option<&'static str>,
        about: &'static str,
        error: &ErrorReport,
    ) -> Markup {
        html! {
            section.problem role="alert" {
                @if let Some(title) = title { h2 { (self.text(title)) } }
                p { (self.text(about)) }
                p { (self.text(texts::SAYS)) " " span lang="en" { (error.message) } }
                @if !error.causes.is_empty() {
                    ul lang="en" { @for cause in &error.causes { li { (cause) } } }
                }
                @if !error.hint.is_empty() {
                    p { strong { (self.text(texts::NEXT)) } " " span lang="en" { (error.hint) } }
                }
            }
        }
    }

    /// What the documents and the logs call such a failure, and the way back to the form.
    fn again(&self, form: &str, error: &ErrorReport) -> Markup {
        html! {
            p { (self.text(texts::KIND)) " " code { (error.kind.name()) } }
            p { (self.text(texts::AGAIN_HINT)) }
            p { a href=(form) { (self.text(texts::AGAIN)) } }
        }
    }

    /// The steps that ended.
    fn steps(&self, steps: &[StepReport], is_open: bool) -> Markup {
        html! {
            @if !steps.is_empty() {
                details open[is_open] {
                    summary { (self.text(texts::STEPS)) }
                    ol.steps {
                        @for step in steps {
                            li {
                                @if let Some(label) = of_step(&step.step) { strong { (self.text(label)) } " " }
                                em { (self.text(of_result(step.result))) } " "
                                code { (step.step) }
                                p lang="en" { (step.detail) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the node waits for.
    fn wanted(&self) -> &'static str {
        match self.report().outcome {
            Some(Outcome::RecoveryRequired) => texts::RECOVERY_WANTED,
            _ => texts::SETUP_WANTED,
        }
    }
}

fn token(session: &Session) -> Markup {
    html! { input type="hidden" name="form_token" value=(session.form_token()); }
}

/// A fingerprint, in one piece: how it is broken says the style sheet.
fn fingerprint(fingerprint: &str) -> Markup {
    html! { p.fingerprint { code { (fingerprint) } } }
}

/// What stands beside a field: a hint, and what is wrong with it.
struct Field<'a> {
    name: &'a str,
    hint: Option<&'a str>,
    problem: Option<&'a str>,
}

impl Field<'_> {
    /// What a screen reader reads after the label.
    fn described_by(&self) -> Option<String> {
        let hint = self.hint.map(|_| format!("{}-hint", self.name));
        let problem = self.problem.map(|_| format!("{}-problem", self.name));
        let ids: Vec<String> = problem.into_iter().chain(hint).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn is_wrong(&self) -> Option<&'static str> {
        self.problem.map(|_| "true")
    }

    fn beside(&self) -> Markup {
        html! {
            @if let Some(problem) = self.problem {
                p.wrong id={ (self.name) "-problem" } { (problem) }
            }
            @if let Some(hint) = self.hint {
                p.hint id={ (self.name) "-hint" } { (hint) }
            }
        }
    }
}

/// A field for a secret, which is never filled in.
fn secret(field: &Field<'_>, label: &str, autocomplete: &str, has_focus: bool) -> Markup {
    html! {
        div.field {
            label for=(field.name) { (label) }
            (field.beside())
            input type="password" id=(field.name) name=(field.name) autocomplete=(autocomplete)
                aria-describedby=[field.described_by()] aria-invalid=[field.is_wrong()]
                autofocus[has_focus];
        }
    }
}

/// The name under which a browser keeps the backup password. Nobody sees it, and it is not sent.
fn name_of_password(view: &View<'_>) -> Markup {
    html! {
        label hidden {
            (view.text(texts::PASSWORD))
            input type="text" value="Trustpoint backup password" autocomplete="username" readonly;
        }
    }
}

/// That there is nothing at a path, and the way on.
pub fn not_found(view: &View<'_>) -> Markup {
    let main = html! {
        h1 { (view.text(texts::NOT_FOUND)) }
        p { a href="/" { (view.text(texts::FIRST_PAGE)) } }
    };
    view.page(texts::NOT_FOUND, None, &main)
}

/// That a request was not taken.
pub fn forbidden(view: &View<'_>) -> Markup {
    let main = html! {
        h1 { (view.text(texts::FORBIDDEN)) }
        p { (view.text(texts::FORBIDDEN_HINT)) }
    };
    view.page(texts::FORBIDDEN, None, &main)
}
