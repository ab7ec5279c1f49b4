//! A server whose disk is full.

use super::{URL, assert_says, fresh};
use crate::server::Server;

/// Takes all the room that there is.
const FILL: &str = "CREATE TABLE IF NOT EXISTS public.filler (bytes text); \
    DO $$ BEGIN LOOP INSERT INTO public.filler SELECT repeat('x', 1000) FROM generate_series(1, 8); \
    END LOOP; EXCEPTION WHEN disk_full THEN NULL; END $$";

#[test]
fn a_full_disk_of_the_server_is_said_as_one_and_nothing_is_half_done() {
    let server = Server::with_small_disk("2m");
    let tables = server.directory().join("small/tables");
    let create = format!("CREATE TABLESPACE small LOCATION '{}'", tables.display());
    server.sql("postgres", &create);
    server.sql(
        "postgres",
        "ALTER ROLE tests SET default_tablespace = small",
    );
    let mut node = fresh();
    node.set(URL, &server.url("tests", "postgres"));

    server.sql("postgres", FILL);
    let said = node.fails_unchanged(&["startup"], 74, "io");
    assert_says(&said, &["No space left on device", "53100", "server"]);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sandbox%'";
    assert_eq!(server.sql("postgres", schemas), "0");

    server.sql("postgres", "DROP TABLE public.filler");
    node.run(&["setup", "--storage", "software"]).expect(0);
    node.run(&["startup", "--require-ready"]).expect(0);

    server.sql("postgres", FILL);
    let schema = server.sql(
        "postgres",
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sandbox%'",
    );
    let credentials = format!("SELECT count(*) FROM {schema}.credential");
    let mut before = (String::new(), node.picture());
    // The pages that there are have room for some more rows.
    let failed = (0..40).find_map(|_| {
        before = (server.sql("postgres", &credentials), node.picture());
        Some(node.run(&["tls", "renew"])).filter(|run| run.code != 0)
    });
    let said = failed.unwrap().expect_error(74, "io");
    assert_says(&said, &["No space left on device", "53100", "server"]);
    assert_eq!(
        before,
        (server.sql("postgres", &credentials), node.picture())
    );
    node.run(&["status"]).expect(0);
    server.sql("postgres", "DROP TABLE public.filler");
    node.run(&["tls", "renew"]).expect(0);
}
