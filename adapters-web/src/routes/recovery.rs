//! `/recover`.

use hyper::StatusCode;
use usecases::recover::{self, Request};

use super::{LOCK_WAIT, ask, begin};
use crate::answer::{self, Answer};
use crate::desk::Task;
use crate::form::Form;
use crate::site::Site;
use crate::texts;
use crate::views::{View, recovery};

/// The form, where a password can bring the secrets back.
pub async fn get(site: &Site, view: &View<'_>) -> Answer {
    if site.clerk.is_taken() {
        return answer::see("/progress");
    }
    let refused = |error: &_| answer::page(StatusCode::OK, recovery::no_way(view, error));
    match ask(site, recover::may_recover, refused).await {
        Ok(()) => answer::page(StatusCode::OK, recovery::page(view, None)),
        Err(answer) => answer,
    }
}

/// Recovers the node, or says what is wrong with the password.
pub async fn post(site: &Site, view: &View<'_>, form: &Form) -> Answer {
    if site.clerk.is_taken() {
        return answer::see("/progress");
    }
    let wrong = |text: &'static str| {
        let page = recovery::page(view, Some(view.text(text)));
        answer::page(StatusCode::UNPROCESSABLE_ENTITY, page)
    };
    let password = form.field("password");
    if password.is_empty() {
        return wrong(texts::PASSWORD_EMPTY);
    }
    let refused = |error: &_| answer::page(StatusCode::CONFLICT, recovery::no_way(view, error));
    if let Err(answer) = ask(site, recover::may_recover, refused).await {
        return answer;
    }
    let request = Request {
        password,
        lock_wait: LOCK_WAIT,
    };
    match begin(site, Task::Recover(request)).await {
        Ok(true) => wrong(texts::PASSWORD_WRONG),
        Ok(false) => answer::see("/progress"),
        Err(answer) => answer,
    }
}
