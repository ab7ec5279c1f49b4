//! A PostgreSQL server of the tests' own, from the system's packages: on a socket and on loopback, in
//! a directory that goes with it, as a user without rights.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Makes the server, or copies another one to be its standby, runs it until the end of its input, and
/// leaves nothing of it.
const SCRIPT: &str = r#"
bin=$1 dir=$2 port=$3 primary=$4 small=$5
as_user=
[ "$(id -u)" != 0 ] || as_user='setpriv --reuid=nobody --regid=nogroup --clear-groups'
cd "$dir"
exec >"$dir/log" 2>&1
if [ -n "$primary" ]; then
  $as_user "$bin/pg_basebackup" -d "$primary" -D "$dir/data" -R -c fast || exit 1
else
  $as_user "$bin/initdb" -D "$dir/data" -U tests -A trust -E UTF8 --no-sync || exit 1
  { echo 'local all,replication all trust'
    echo 'hostnossl all with_tls all reject'
    echo 'hostssl all with_certificate all cert'
    echo 'host all with_password,bound_password all scram-sha-256'
    echo 'host all all all trust'; } >"$dir/data/pg_hba.conf"
  $as_user openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=db.example.org -addext subjectAltName=DNS:db.example.org \
    -addext basicConstraints=critical,CA:FALSE \
    -keyout "$dir/data/server.key" -out "$dir/data/server.crt"
  chmod 600 "$dir/data/server.key"
  $as_user openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=with_certificate -keyout "$dir/data/client.key" -out "$dir/data/client.crt"
fi
cp "$dir/data/server.crt" "$dir/data/client.crt" "$dir/data/client.key" "$dir"
if [ -n "$small" ]; then
  mkdir -m 777 "$dir/small" && mount -t tmpfs -o "size=$small,mode=777" small "$dir/small" || exit 1
  $as_user mkdir "$dir/small/tables"
fi
$as_user "$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 \
  -c ssl=on -c ssl_ca_file=client.crt -c fsync=off -c max_connections=300 -c autovacuum=off &
server=$!
cat >/dev/null
# What runs in the background ignores INT until it has set up its own way to end.
kill -TERM "$server"
kill -INT "$server"
wait "$server"
[ -z "$small" ] || umount -l "$dir/small"
rm -rf "$dir"
"#;

/// A running server.
pub struct Server {
    directory: PathBuf,
    port: u16,
    programs: PathBuf,
    _script: Child,
    // Its end is the end of the server.
    _input: ChildStdin,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static NAMES: AtomicUsize = AtomicUsize::new(0);

impl Server {
    /// The one of this test program.
    pub fn shared() -> &'static Self {
        SERVER.get_or_init(Self::start)
    }

    /// One more, which ends when it is dropped.
    pub fn start() -> Self {
        Self::start_as("", "")
    }

    /// One with a small disk for tables, at `small/tables` in its directory, which it alone sees.
    pub fn with_small_disk(size: &str) -> Self {
        Self::start_as("", size)
    }

    /// A standby of this one, which may be read.
    pub fn standby(&self) -> Self {
        Self::start_as(&self.url("tests", "postgres"), "")
    }

    /// Makes a standby a server of its own. Whoever waits for that in one query can be thrown out of it, as
    /// a reader of rows that its primary has removed.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote(wait => false)");
        let end = Instant::now() + Duration::from_secs(60);
        while self.sql("postgres", "SELECT pg_is_in_recovery()") != "f" {
            assert!(Instant::now() < end, "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn start_as(primary: &str, small_disk: &str) -> Self {
        let (programs, directory) = (newest_programs(), new_directory());
        let port = free_port();
        let mut script = script(&programs, &directory, port, primary, small_disk)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let server = Self {
            _input: script.stdin.take().unwrap(),
            _script: script,
            directory,
            port,
            programs,
        };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready
            .arg("-q")
            .arg("-h")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()]);
        while !ready.status().unwrap().success() {
            assert!(Instant::now() < end, "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let log = std::fs::File::open(self.directory.join("log"));
        log.unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// A URL of this database, as this user, through the socket.
    pub fn url(&self, user: &str, database: &str) -> String {
        let directory = self.directory.to_str().unwrap().replace('/', "%2F");
        format!("postgresql://{user}@{directory}:{}/{database}", self.port)
    }

    /// Ends it at once, as a machine does that loses its power.
    pub fn kill(&self) {
        let lines = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap();
        let process = lines.lines().next().unwrap();
        let killed = Command::new("kill").args(["-KILL", process]).status();
        assert!(killed.unwrap().success());
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the server: its socket, and `data`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What an administrator types: its output, a line a row.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// A program of PostgreSQL, as this server's administrator.
    pub fn program(&self, name: &str, database: &str) -> Command {
        let mut program = Command::new(self.programs.join(name));
        program
            .args(["-U", "tests", "-d", database, "-h"])
            .arg(&self.directory)
            .args(["-p", &self.port.to_string()]);
        program
    }
}

/// A name that nothing else in this test program has.
pub fn new_name(prefix: &str) -> String {
    format!("{prefix}_{}", NAMES.fetch_add(1, Ordering::SeqCst))
}

/// A port that is free, and that nobody is given who asks the system for one: it is bound later.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_240;
    const COUNT: u32 = 9_760;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::SeqCst);
        let number = std::process::id().wrapping_mul(61).wrapping_add(next) % COUNT;
        let port = u16::try_from(FIRST + number).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub fn new_directory() -> PathBuf {
    let directory = tempfile::Builder::new().prefix("tpct-pg-").tempdir();
    let directory = directory.unwrap().keep();
    // Another user makes its files here.
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    directory
}

pub fn script(
    programs: &Path,
    directory: &Path,
    port: u16,
    primary: &str,
    small_disk: &str,
) -> Command {
    let mut script = Command::new("unshare");
    if !small_disk.is_empty() {
        script.arg("--mount");
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            script.args(["--user", "--map-current-user", "--keep-caps"]);
        }
    }
    script
        .args(["sh", "-c", SCRIPT, "server"])
        .args([programs, directory])
        .args([&port.to_string(), primary, small_disk])
        // What ends the tests, Ctrl-C or a kill of their whole group, must not end what tidies up.
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    script
}

pub fn newest_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("these tests need the programs of PostgreSQL (postgresql)");
    let newest = versions
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok())
        .max();
    PathBuf::from(format!("/usr/lib/postgresql/{}/bin", newest.unwrap()))
}
