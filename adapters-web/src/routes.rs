//! Paths, methods, and who may.

use std::net::IpAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Outcome;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use usecases::error::Error;
use usecases::node::Node;
use usecases::report::ErrorReport;
use zeroize::Zeroizing;

use crate::access::{Doorkeeper, Tried};
use crate::answer::{self, Answer};
use crate::desk::{Progress, Task};
use crate::form::Form;
use crate::origin;
use crate::sessions::Session;
use crate::site::Site;
use crate::texts;
use crate::views::{self, View};

mod recovery;
mod wizard;

/// The longest body of a request.
const BODY: usize = 16 << 10;

/// How long a form waits for what it began, before `/progress` is shown: long enough for a password
/// to be checked.
const FIRST_NEWS: Duration = Duration::from_secs(6);

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");

/// Answers a request from this address; `arrived` is called once it is there as a whole.
pub async fn answer(
    site: &Site,
    from: IpAddr,
    request: Request<Incoming>,
    arrived: impl Fn(),
) -> Answer {
    let allowed = match request.uri().path() {
        "/" | "/progress" | "/healthz" | "/style.css" | "/icon.svg" => "GET",
        "/setup" | "/recover" => "GET, POST",
        "/login" | "/logout" => "POST",
        _ => {
            let view = View::new(site, site.language(request.headers()), None);
            return answer::page(StatusCode::NOT_FOUND, views::not_found(&view));
        }
    };
    let method = request.method().clone();
    let is_allowed = allowed
        .split(", ")
        .any(|allowed| method.as_str() == allowed);
    if !is_allowed {
        return answer::wrong_method(allowed);
    }
    if method == Method::GET {
        arrived();
        return get(site, &request).await;
    }
    let (head, body) = request.into_parts();
    let language = site.language(&head.headers);
    if !origin::is_own(&head.headers) {
        return forbidden(&View::new(site, language, None));
    }
    let content_type = head.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|content_type| {
        let essence = content_type.split(';').next().unwrap_or_default();
        essence
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !is_form {
        let what = "this is no form\n";
        return answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, what);
    }
    let body = match Limited::new(body, BODY).collect().await {
        Ok(body) => Zeroizing::new(body.to_bytes().to_vec()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return answer::text(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long\n");
        }
        Err(_) => return answer::text(StatusCode::BAD_REQUEST, "the form did not arrive\n"),
    };
    arrived();
    let form = Form::read(&body);
    let path = head.uri.path();
    if path == "/login" {
        return log_in(site, from, &View::new(site, language, None), &form);
    }
    let Some(session) = site.session(&head.headers) else {
        return answer::see("/");
    };
    let view = View::new(site, language, Some(&session));
    let token = form.field("form_token");
    let sessions = &site.doorkeeper.sessions;
    if !sessions.borrow().is_form_of(&session, token.expose()) {
        return forbidden(&view);
    }
    match path {
        "/setup" => wizard::post(site, &view, &form).await,
        "/recover" => recovery::post(site, &view, &form).await,
        _ => log_out(site, &session),
    }
}

async fn get(site: &Site, request: &Request<Incoming>) -> Answer {
    let headers = request.headers();
    let path = request.uri().path();
    match path {
        "/healthz" => return health(site),
        "/style.css" => return answer::of(StatusCode::OK, "text/css; charset=utf-8", STYLE),
        "/icon.svg" => {
            let icon = answer::of(StatusCode::OK, "image/svg+xml", ICON);
            return answer::and_forget(icon);
        }
        _ => {}
    }
    let session = site.session(headers);
    let view = View::new(site, site.language(headers), session.as_ref());
    match (path, &session) {
        ("/", None) => answer::page(StatusCode::OK, views::login::page(&view, None)),
        ("/", Some(_)) => answer::see(site.next_path()),
        (_, None) => answer::see("/"),
        ("/setup", _) => wizard::get(site, &view).await,
        ("/recover", _) => recovery::get(site, &view).await,
        _ => progress(site, &view),
    }
}

/// For a load balancer: a node that serves this page is not ready.
fn health(site: &Site) -> Answer {
    let body = match site.clerk.seen().report.outcome {
        Some(Outcome::RecoveryRequired) => r#"{"outcome":"recovery_required"}"#,
        _ => r#"{"outcome":"setup_required"}"#,
    };
    answer::of(StatusCode::SERVICE_UNAVAILABLE, "application/json", body)
}

fn forbidden(view: &View<'_>) -> Answer {
    answer::page(StatusCode::FORBIDDEN, views::forbidden(view))
}

fn log_in(site: &Site, from: IpAddr, view: &View<'_>, form: &Form) -> Answer {
    let now = Instant::now();
    let Doorkeeper { door, sessions } = &*site.doorkeeper;
    let tried = door.borrow_mut().try_code(&form.field("code"), now);
    match tried {
        Tried::Right => match sessions.borrow_mut().begin(now) {
            Ok(cookie) => {
                let line = format!("the access code was given on the page, from {from}");
                site.clerk.note(&line);
                answer::with_cookie(answer::see(site.next_path()), &cookie)
            }
            Err(_) => answer::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the system gives no random bytes for a session\n",
            ),
        },
        Tried::Wrong => {
            // Not at the pace of whoever tries: after five of them each waits longer for the next.
            let line = format!("a wrong access code was given on the page, from {from}");
            site.clerk.note(&line);
            let why = view.text(texts::CODE_WRONG).to_owned();
            answer::page(StatusCode::FORBIDDEN, views::login::page(view, Some(&why)))
        }
        Tried::Wait(left) => {
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            let why = view.filled(texts::CODE_WAIT, &[("seconds", &seconds.to_string())]);
            let page = views::login::page(view, Some(&why));
            answer::retry_after(answer::page(StatusCode::TOO_MANY_REQUESTS, page), seconds)
        }
    }
}

fn log_out(site: &Site, session: &Session) -> Answer {
    let cookie = site.doorkeeper.sessions.borrow_mut().end(session);
    answer::with_cookie(answer::see("/"), &cookie)
}

fn progress(site: &Site, view: &View<'_>) -> Answer {
    let progress = site.clerk.progress().borrow().clone();
    let page = match &progress {
        Progress::Idle => return answer::see(site.next_path()),
        Progress::Working(steps) => views::progress::working(view, steps),
        Progress::Done(report) => {
            site.end_was_shown.notify_one();
            views::progress::done(view, report)
        }
        Progress::Failed(failed) => views::progress::failed(view, failed),
    };
    answer::page(StatusCode::OK, page)
}

/// Waits until more is known of what was begun than that it was. Without news by then, `/progress` has
/// them later.
async fn first_news(site: &Site) {
    let has_news =
        |progress: &Progress| !matches!(progress, Progress::Working(steps) if steps.is_empty());
    let mut progress = site.clerk.progress();
    let _ = timeout(FIRST_NEWS, progress.wait_for(has_news)).await;
}

/// Begins a task, and waits for its first news. Whether the password was wrong, and nothing else.
async fn begin(site: &Site, task: Task) -> Result<bool, Answer> {
    match site.clerk.begin(task) {
        Ok(true) => {}
        // Somebody else was faster; `/progress` shows what becomes of that.
        Ok(false) => return Ok(false),
        Err(error) => {
            let line = format!("no thread for what the page was asked: {error}");
            site.clerk.note(&line);
            let what = "the system has no room for this now; try again\n";
            return Err(answer::text(StatusCode::SERVICE_UNAVAILABLE, what));
        }
    }
    first_news(site).await;
    let is_wrong = matches!(
        &*site.clerk.progress().borrow(),
        Progress::Failed(failed) if failed.is_wrong_password
    );
    if is_wrong {
        site.clerk.forget_failure();
    }
    Ok(is_wrong)
}

/// Asks the node on a thread of its own; `refused` answers what it says against it. What somebody else
/// has begun in the meantime has an answer of its own.
async fn ask<T: Send + 'static>(
    site: &Site,
    ask: impl FnOnce(&Node) -> Result<T, Error> + Send + 'static,
    refused: impl FnOnce(&ErrorReport) -> Answer,
) -> Result<T, Answer> {
    let clerk = Arc::clone(&site.clerk);
    let asked = match spawn_blocking(move || clerk.ask(ask)).await {
        Ok(asked) => asked,
        Err(panicked) => resume_unwind(panicked.into_panic()),
    };
    if site.clerk.is_taken() {
        return Err(answer::see("/progress"));
    }
    asked.map_err(|error| refused(&error))
}
