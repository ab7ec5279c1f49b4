//! A user of the server without the rights that a start needs.

use super::{URL, assert_says, fresh, ready};
use crate::sandbox::Sandbox;
use crate::server::{Server, new_name};

/// A user who may log in, and what is granted to him.
fn user(grants: &[String]) -> String {
    let user = new_name("user");
    let server = Server::shared();
    server.sql("postgres", &format!("CREATE ROLE {user} LOGIN"));
    for grant in grants {
        server.sql("postgres", &format!("GRANT {grant} TO {user}"));
    }
    user
}

#[track_caller]
fn is_denied(node: &mut Sandbox, grants: &[String]) {
    let user = user(grants);
    node.set(URL, &Server::shared().url(&user, "postgres"));
    let said = node.fails_unchanged(&["startup"], 77, "denied");
    assert_says(
        &said,
        &[&format!("give {user} the right"), "CREATE on the database"],
    );
}

#[test]
fn without_the_right_to_make_the_schema_nothing_is_made() {
    is_denied(&mut fresh(), &[]);
}

#[test]
fn each_right_that_is_missing_is_said_before_anything_is_changed() {
    let mut node = ready();
    let schema = node.sql("SELECT current_schema()");
    let schema = schema.trim();
    let all = |right: &str| format!("{right} ON ALL TABLES IN SCHEMA {schema}");
    let usage = format!("USAGE ON SCHEMA {schema}");
    for grants in [
        vec![],
        vec![all("SELECT, INSERT, UPDATE, DELETE")],
        vec![usage.clone()],
        vec![usage.clone(), all("SELECT")],
        vec![usage.clone(), all("INSERT, UPDATE, DELETE")],
        vec![
            usage,
            all("SELECT"),
            format!("INSERT, UPDATE, DELETE ON {schema}.event, {schema}.credential"),
        ],
    ] {
        is_denied(&mut node, &grants);
    }
}
