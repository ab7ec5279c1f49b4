//! `/setup`.

use domain::StorageType;
use hyper::StatusCode;
use ports::{Secret, TlsError};
use usecases::backup_password::{MIN_PASSWORD_CHARS, check_password};
use usecases::error::Error;
use usecases::node::Node;
use usecases::report::ErrorReport;
use usecases::setup::{self, Request};

use super::{ask, begin};
use crate::answer::{self, Answer};
use crate::desk::Task;
use crate::form::Form;
use crate::site::Site;
use crate::texts;
use crate::views::View;
use crate::views::wizard::{self, Choices, Entries, Problems};

/// The form, where the node may be set up.
pub async fn get(site: &Site, view: &View<'_>) -> Answer {
    if site.clerk.is_taken() {
        return answer::see("/progress");
    }
    let refused = |error: &_| refused(view, StatusCode::OK, error);
    match ask(site, choices, refused).await {
        Ok(choices) => {
            let page = wizard::page(view, &choices, &Entries::default(), &Problems::default());
            answer::page(StatusCode::OK, page)
        }
        Err(answer) => answer,
    }
}

/// Sets the node up, or says what is wrong with the entries.
pub async fn post(site: &Site, view: &View<'_>, form: &Form) -> Answer {
    if site.clerk.is_taken() {
        return answer::see("/progress");
    }
    let entries = Entries {
        storage: form.text("storage"),
        san: form.text("san"),
        no_backup_password: form.is_ticked("no_backup_password"),
    };
    let names = names_of(&entries.san);
    let checked = {
        let names = names.clone();
        move |node: &Node| Ok((choices(node)?, wrong_name(node, &names)?))
    };
    let refused = |error: &_| refused(view, StatusCode::CONFLICT, error);
    let (choices, wrong_name) = match ask(site, checked, refused).await {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    let storage = choices
        .storages()
        .find(|storage| storage.name() == entries.storage);
    let password = form.field("password");
    let problems = Problems {
        storage: storage
            .is_none()
            .then(|| view.text(texts::STORAGE_MISSING).to_owned()),
        san: wrong_name.map(|name| view.filled(texts::NAME_WRONG, &[("name", &name)])),
        ..problems_of_password(view, form, storage, &password)
    };
    if let (Some(storage), true) = (storage, problems.is_none()) {
        let request = Request {
            storage,
            backup_password: (!password.is_empty()).then_some(password),
            san: names,
            lock_wait: site.lock_wait,
        };
        return match begin(site, Task::SetUp(request)).await {
            Ok(_) => answer::see("/progress"),
            Err(answer) => answer,
        };
    }
    let page = wizard::page(view, &choices, &entries, &problems);
    answer::page(StatusCode::UNPROCESSABLE_ENTITY, page)
}

/// There is nothing to set up, or not now.
fn refused(view: &View<'_>, status: StatusCode, error: &ErrorReport) -> Answer {
    answer::page(status, view.cannot(texts::SETUP, "/setup", error))
}

/// What this node may choose from, where it may be set up at all.
fn choices(node: &Node) -> Result<Choices, Error> {
    setup::may_set_up(node)?;
    Ok(Choices {
        has_physical_hsm: node.settings.physical_hsm,
        san: node.settings.san.clone(),
    })
}

fn names_of(lines: &str) -> Vec<String> {
    let names = lines.lines().map(str::trim).filter(|name| !name.is_empty());
    names.map(ToOwned::to_owned).collect()
}

/// The first of them that no certificate can have. No names at all keep the certificate that there is.
fn wrong_name(node: &Node, names: &[String]) -> Result<Option<String>, Error> {
    if names.is_empty() {
        return Ok(None);
    }
    match setup::check_names(node, names) {
        Err(Error::Tls(TlsError::Name { entry, .. })) => Ok(Some(entry)),
        checked => checked.map(|()| None),
    }
}

fn problems_of_password(
    view: &View<'_>,
    form: &Form,
    storage: Option<StorageType>,
    password: &Secret,
) -> Problems {
    let goes_without = form.is_ticked("no_backup_password");
    let again = form.field("password_again");
    let least = MIN_PASSWORD_CHARS.to_string();
    let is_empty = password.is_empty() && again.is_empty();
    let has_hsm = storage.is_none_or(StorageType::is_hsm);
    let mut problems = Problems::default();
    if is_empty {
        if has_hsm && storage.is_some() && !goes_without {
            problems.password = Some(view.text(texts::PASSWORD_MISSING).to_owned());
        }
    } else if !has_hsm {
        problems.password = Some(view.text(texts::PASSWORD_UNUSED).to_owned());
    } else if goes_without {
        problems.password = Some(view.text(texts::PASSWORD_AND_NONE).to_owned());
    } else if check_password(password).is_err() {
        problems.password = Some(view.filled(texts::PASSWORD_SHORT, &[("least", &least)]));
    } else if *password != again {
        problems.password_again = Some(view.text(texts::PASSWORD_DIFFERS).to_owned());
    }
    problems
}
