//! Sessions that the server ends while a node takes the lock or holds it.

use super::{URL, assert_says};
use crate::sandbox::Sandbox;
use crate::server::{Server, new_name};

/// Ends the sessions of the user once the first tables are there: they are made under the lock, and a
/// first start has more to write after that.
fn end_sessions_once_there_are_tables(user: &str) {
    let wait = "WHILE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n \
                ON n.oid = c.relnamespace WHERE relname = 'installation' AND nspowner = to_regrole";
    let end = "PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename";
    Server::shared().sql(
        "postgres",
        &format!(
            "DO $$ BEGIN {wait}('{user}')) LOOP PERFORM pg_sleep(0.0005); END LOOP; \
             {end} = '{user}'; END $$"
        ),
    );
}

#[test]
fn a_lock_that_is_lost_in_the_middle_says_that_what_was_written_stays() {
    let (server, user) = (Server::shared(), new_name("ended"));
    let role = format!("CREATE ROLE {user} LOGIN; GRANT CREATE ON DATABASE postgres TO {user}");
    server.sql("postgres", &role);
    let mut node = Sandbox::on_server();
    node.set(URL, &server.url(&user, "postgres"));
    let run = std::thread::scope(|scope| {
        scope.spawn(|| end_sessions_once_there_are_tables(&user));
        node.run(&["startup"])
    });
    let said = run.expect_error(69, "database_unavailable");
    assert_says(
        &said,
        &["lock", "was lost: what was written before stays", "goes on"],
    );
    // It was no empty promise.
    let count = node.sql("SELECT count(*) > 0 FROM refinery_schema_history");
    assert_eq!(count.trim(), "t");
    node.run(&["startup"]).expect(0);
}
