//! `/recover`.

use hyper::StatusCode;
use ports::FaultKind;
use usecases::recover::{self, Request};
use usecases::report::ErrorReport;

use super::{ask, begin, first_news};
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
    let refused = |error: &_| refused(view, StatusCode::OK, error);
    match ask(site, recover::may_recover, refused).await {
        Ok(()) => answer::page(StatusCode::OK, recovery::page(view, None)),
        Err(answer) => answer,
    }
}

/// Recovers the node, or says what is wrong with the password; or looks for the token again.
pub async fn post(site: &Site, view: &View<'_>, form: &Form) -> Answer {
    if form.is_ticked("look_again") {
        // Where something is being done already, `/progress` shows that.
        return match begin(site, Task::LookAgain).await {
            // Which leads back here where nothing has changed.
            Ok(_) => answer::see("/progress"),
            Err(answer) => answer,
        };
    }
    let wrong = |text: &'static str| {
        let page = recovery::page(view, Some(view.text(text)));
        answer::page(StatusCode::UNPROCESSABLE_ENTITY, page)
    };
    let password = form.field("password");
    if password.is_empty() {
        return wrong(texts::PASSWORD_EMPTY);
    }
    let _turn = site.password_turn.lock().await;
    // That of before may still be at work.
    first_news(site).await;
    if site.clerk.is_taken() {
        return answer::see("/progress");
    }
    let refused = |error: &_| refused(view, StatusCode::CONFLICT, error);
    if let Err(answer) = ask(site, recover::may_recover, refused).await {
        return answer;
    }
    let request = Request {
        password,
        lock_wait: site.lock_wait,
    };
    match begin(site, Task::Recover(request)).await {
        Ok(true) => wrong(texts::PASSWORD_WRONG),
        Ok(false) => answer::see("/progress"),
        Err(answer) => answer,
    }
}

/// No password can help; or nobody can say so now, as where the database is busy.
fn refused(view: &View<'_>, status: StatusCode, error: &ErrorReport) -> Answer {
    let page = match error.kind {
        FaultKind::Config | FaultKind::DataCorrupt => recovery::no_way(view, error),
        _ => view.cannot(texts::RECOVER, "/recover", error),
    };
    answer::page(status, page)
}
