//! `/setup`: storage, names, backup password.

use domain::StorageType;
use maud::{Markup, html};
use usecases::backup_password::MIN_PASSWORD_CHARS;

use super::words::of_storage;
use super::{Field, View, name_of_password, secret};
use crate::texts;

/// What this node may choose from.
pub struct Choices {
    /// Whether somebody opted in to physical HSMs.
    pub has_physical_hsm: bool,
    /// The names that a certificate gets where none are typed.
    pub san: Vec<String>,
}

impl Choices {
    /// The storages.
    pub fn storages(&self) -> impl Iterator<Item = StorageType> {
        let has_physical_hsm = self.has_physical_hsm;
        let is_offered = move |storage: &StorageType| match storage {
            StorageType::Software | StorageType::SoftHsm => true,
            StorageType::PhysicalHsm => has_physical_hsm,
        };
        StorageType::ALL.into_iter().filter(is_offered)
    }
}

/// What was entered and may be shown again: no password.
#[derive(Default)]
pub struct Entries {
    /// The storage.
    pub storage: String,
    /// Names, one a line.
    pub san: String,
    /// Whether there is to be no backup password.
    pub no_backup_password: bool,
}

/// What is wrong with each field.
#[derive(Default)]
pub struct Problems {
    /// The storage.
    pub storage: Option<String>,
    /// The names.
    pub san: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The password again.
    pub password_again: Option<String>,
}

impl Problems {
    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        self.first().is_none()
    }

    /// The first field that something is wrong with, which gets the focus.
    fn first(&self) -> Option<&'static str> {
        let fields = [
            ("storage", &self.storage),
            ("san", &self.san),
            ("password", &self.password),
            ("password_again", &self.password_again),
        ];
        let mut wrong = fields.into_iter().filter(|(_, problem)| problem.is_some());
        wrong.next().map(|(name, _)| name)
    }
}

/// The form.
pub fn page(view: &View<'_>, choices: &Choices, entries: &Entries, problems: &Problems) -> Markup {
    let focus = problems.first();
    let main = html! {
        h1 { (view.text(texts::SETUP)) }
        @if focus.is_some() {
            p.problem role="alert" { (view.text(texts::PROBLEMS)) }
        } @else {
            p { (view.text(texts::SETUP_INTRO)) }
        }
        (view.form("/setup", &html! {
            (storage(view, choices, entries, problems))
            (names(view, choices, entries, problems))
            (password(view, entries, problems))
            button type="submit" { (view.text(texts::SET_UP)) }
        }))
    };
    view.page(texts::SETUP, None, &main)
}

fn storage(view: &View<'_>, choices: &Choices, entries: &Entries, problems: &Problems) -> Markup {
    let field = Field {
        name: "storage",
        hint: None,
        problem: problems.storage.as_deref(),
    };
    html! {
        fieldset {
            legend { (view.text(texts::STORAGE)) }
            (field.beside())
            @for (number, storage) in choices.storages().enumerate() {
                @let (label, hint) = of_storage(storage);
                @let name = storage.name();
                @let is_chosen = entries.storage == name;
                @let own = format!("{name}-hint");
                @let described = field.described_by().map_or(own.clone(), |of_all| format!("{of_all} {own}"));
                div.choice {
                    input type="radio" id=(name) name="storage" value=(name) required
                        checked[is_chosen] aria-describedby=(described) aria-invalid=[field.is_wrong()]
                        autofocus[number == 0 && problems.first() == Some("storage")];
                    label for=(name) { (view.text(label)) }
                    p.hint id={ (name) "-hint" } { (view.text(hint)) }
                }
            }
        }
    }
}

fn names(view: &View<'_>, choices: &Choices, entries: &Entries, problems: &Problems) -> Markup {
    let hint = view.filled(texts::NAMES_HINT, &[("names", &choices.san.join(", "))]);
    let field = Field {
        name: "san",
        hint: Some(&hint),
        problem: problems.san.as_deref(),
    };
    html! {
        div.field {
            label for="san" { (view.text(texts::NAMES)) }
            (field.beside())
            textarea id="san" name="san" rows="3" spellcheck="false" autocapitalize="none"
                autocomplete="off" aria-describedby=[field.described_by()]
                aria-invalid=[field.is_wrong()] autofocus[problems.first() == Some("san")] {
                (entries.san)
            }
        }
    }
}

fn password(view: &View<'_>, entries: &Entries, problems: &Problems) -> Markup {
    let least = MIN_PASSWORD_CHARS.to_string();
    let hint = format!(
        "{} {}",
        view.filled(texts::PASSWORD_NEW_HINT, &[("least", &least)]),
        view.text(texts::PASSWORD_FOR_HSM)
    );
    let first = Field {
        name: "password",
        hint: Some(&hint),
        problem: problems.password.as_deref(),
    };
    let again = Field {
        name: "password_again",
        hint: None,
        problem: problems.password_again.as_deref(),
    };
    let focus = problems.first();
    html! {
        (name_of_password(view))
        (secret(&first, view.text(texts::PASSWORD_NEW), "new-password", focus == Some("password")))
        (secret(&again, view.text(texts::PASSWORD_AGAIN), "new-password", focus == Some("password_again")))
        div.choice {
            input type="checkbox" id="no_backup_password" name="no_backup_password" value="yes"
                checked[entries.no_backup_password];
            label for="no_backup_password" { (view.text(texts::PASSWORD_NONE)) }
        }
    }
}
