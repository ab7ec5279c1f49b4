//! `/recover`: what is known, what recovery does, and the backup password.

use maud::{Markup, html};
use usecases::report::{ErrorReport, Summary};

use super::words::{of_fault, of_storage};
use super::{Field, View, name_of_password, secret};
use crate::texts;

/// The form; what is wrong with the last password.
pub fn page(view: &View<'_>, problem: Option<&str>) -> Markup {
    let field = Field {
        name: "password",
        hint: Some(view.text(texts::PASSWORD_HINT)),
        problem,
    };
    let main = html! {
        h1 { (view.text(texts::RECOVER)) }
        p { (view.text(texts::RECOVER_INTRO)) }
        (known(view))
        section {
            h2 { (view.text(texts::WILL)) }
            ol {
                @for will in [texts::WILL_UNWRAP, texts::WILL_WRAP, texts::WILL_TLS, texts::WILL_START] {
                    li { (view.text(will)) }
                }
            }
        }
        (view.form("/recover", &html! {
            (name_of_password(view))
            (secret(&field, view.text(texts::PASSWORD), "current-password", true))
            button type="submit" { (view.text(texts::DO_RECOVER)) }
        }))
        (look_again(view, texts::TOKEN_BACK_HINT, Some("quiet")))
    };
    view.page(texts::RECOVER, None, &main)
}

/// No password can help; what can.
pub fn no_way(view: &View<'_>, error: &ErrorReport) -> Markup {
    let about = match &view.report().summary {
        Some(summary) if !summary.has_backup_password => texts::NO_WAY_UNSET,
        _ => of_fault(error.kind),
    };
    let main = html! {
        h1 { (view.text(texts::RECOVER)) }
        (view.problem(Some(texts::NO_WAY), about, error))
        (known(view))
        (look_again(view, texts::TOKEN_BACK_ALONE, None))
    };
    view.page(texts::RECOVER, None, &main)
}

/// For a token that is back by now; quiet beside what else there is to do.
fn look_again(view: &View<'_>, hint: &'static str, class: Option<&str>) -> Markup {
    html! {
        section {
            h2 { (view.text(texts::TOKEN_BACK)) }
            p { (view.text(hint)) }
            (view.form("/recover", &html! {
                button class=[class] type="submit" name="look_again" value="yes" { (view.text(texts::LOOK_AGAIN)) }
            }))
        }
    }
}

/// What was seen last.
fn known(view: &View<'_>) -> Markup {
    let when = ("when", view.seen.when.as_str());
    let token = match &view.report().token {
        Some(token) => {
            let device = format!("{} {}", token.device.manufacturer, token.device.model);
            let places = [
                ("label", token.label.as_str()),
                ("serial", &token.device.serial),
                ("device", &device),
                when,
            ];
            view.filled(texts::TOKEN_SHOWN, &places)
        }
        None => view.filled(texts::TOKEN_MISSING, &[when]),
    };
    let summary = view.report().summary.as_ref();
    html! {
        section {
            h2 { (view.text(texts::KNOWN)) }
            @if view.seen.is_unchanged {
                p role="status" { (view.filled(texts::UNCHANGED, &[when])) }
            }
            dl {
                @if let Some(storage) = summary.and_then(|summary| summary.storage) {
                    dt { (view.text(texts::STORED_KIND)) }
                    dd { (view.text(of_storage(storage).0)) }
                }
                dt { (view.text(texts::TOKEN)) }
                dd { (token) }
                dt { (view.text(texts::PASSWORD_SET)) }
                dd { (password_set(view, summary)) }
            }
        }
    }
}

fn password_set(view: &View<'_>, summary: Option<&Summary>) -> String {
    match summary {
        Some(summary) if summary.has_backup_password => match summary.backup_password_set_at {
            Some(at) => {
                let when = at.date().to_string();
                view.filled(texts::PASSWORD_SET_AT, &[("when", &when)])
            }
            None => view.text(texts::PASSWORD_SET_SOMETIME).to_owned(),
        },
        _ => view.text(texts::PASSWORD_NEVER_SET).to_owned(),
    }
}
