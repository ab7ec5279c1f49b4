//! A browser that is driven over WebDriver (<https://www.w3.org/TR/webdriver2/>): JSON over HTTP on
//! loopback, so no library is needed for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::network::Network;
use crate::sandbox::is_root;
use crate::server::free_port;

pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const DOWN: &str = "\u{e015}";

/// Chromium with a fresh profile; it ends with this.
pub struct Browser {
    driver: Child,
    // The driver writes there as long as it lives.
    _said: BufReader<ChildStdout>,
    port: u16,
    session: String,
    _network: Network,
}

impl Browser {
    /// One whose reader wants this language. It reaches the pages that this thread starts after it.
    pub fn start(language: &str) -> Self {
        Self::start_in(Network::own(), language)
    }

    /// The same in this network.
    pub fn start_in(network: Network, language: &str) -> Self {
        // Without IPv6, as in a container's network, the driver does not know which port it chose itself.
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut driver = driver.unwrap_or_else(|error| {
            panic!("chromedriver cannot be run ({error}); `cargo xtask test` installs it")
        });
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("started successfully") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "chromedriver ended");
        }
        let mut browser = Self {
            driver,
            _said: said,
            port,
            session: String::new(),
            _network: network,
        };
        let mut arguments = vec!["--headless=new", "--disable-gpu", "--hide-scrollbars"];
        if is_root() {
            arguments.push("--no-sandbox");
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "intl.accept_languages": language },
            },
        } } });
        let begun = browser.ask("POST", "/session", &wanted).unwrap();
        browser.session = begun["sessionId"].as_str().unwrap().to_owned();
        // Its window has no desktop that could give it the focus.
        browser.devtools(
            "Emulation.setFocusEmulationEnabled",
            &json!({ "enabled": true }),
        );
        browser
    }

    /// Goes to an address and waits until it is loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.command("POST", "url", &json!({ "url": url }));
        let instead = self
            .text("return location.protocol === 'chrome-error:' ? document.body.innerText : ''");
        assert!(instead.is_empty(), "{url}: {instead}");
    }

    /// Back in the history.
    #[track_caller]
    pub fn back(&self) {
        self.command("POST", "back", &json!({}));
    }

    /// The path of the page that is shown.
    #[track_caller]
    pub fn path(&self) -> String {
        self.text("return location.pathname")
    }

    /// What a function body gives back.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.try_run(script).unwrap()
    }

    /// The same, where the page may just be leaving.
    pub fn try_run(&self, script: &str) -> Result<Value, String> {
        self.try_command(
            "POST",
            "execute/sync",
            &json!({ "script": script, "args": [] }),
        )
    }

    /// The text that a function body gives back; empty where it is none.
    #[track_caller]
    pub fn text(&self, script: &str) -> String {
        self.run(script).as_str().unwrap_or_default().to_owned()
    }

    /// The id of what has the focus.
    #[track_caller]
    pub fn focused(&self) -> String {
        self.text("return document.activeElement.id")
    }

    /// Presses keys one after the other, wherever the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<_> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.command("POST", "actions", &json!({ "actions": [keyboard] }));
    }

    /// Does what leads to another page, and waits until that is loaded.
    #[track_caller]
    pub fn leave_by(&self, act: impl FnOnce()) {
        self.run("window.isLeft = true");
        act();
        until("another page", || {
            let is_new =
                self.try_run("return !window.isLeft && document.readyState === 'complete'");
            (is_new == Ok(Value::Bool(true))).then_some(())
        });
    }

    /// Presses Tab until this has the focus; that it shows is for the audit to see.
    #[track_caller]
    pub fn tab_to(&self, selector: &str) {
        for _ in 0..30 {
            let is_there = self.run(&format!(
                "return document.activeElement.matches({selector:?})"
            ));
            if is_there == true {
                return;
            }
            self.press(TAB);
        }
        panic!("Tab does not lead to {selector}");
    }

    /// Looks through a window of this width, at a page in light or dark.
    #[track_caller]
    pub fn look_through(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [feature] }),
        );
    }

    /// What the window shows, as a PNG in Base64.
    #[track_caller]
    pub fn picture(&self) -> String {
        // Not before what has changed is painted.
        self.run(
            "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
        let png = self.command("GET", "screenshot", &Value::Null);
        png.as_str().unwrap().to_owned()
    }

    /// A cookie, with its properties.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> Value {
        self.command("GET", &format!("cookie/{name}"), &Value::Null)
    }

    /// Puts a cookie (back) into the browser.
    #[track_caller]
    pub fn put_cookie(&self, cookie: &Value) {
        self.command("POST", "cookie", &json!({ "cookie": cookie }));
    }

    /// The errors and warnings that the browser's log has since it was last asked, without the
    /// answers that a page may give to what is wrong.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.command("POST", "se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap();
        let is_loud = |entry: &&Value| entry["level"] == "SEVERE" || entry["level"] == "WARNING";
        let loud = entries.iter().filter(is_loud);
        let messages = loud.map(|entry| entry["message"].to_string());
        messages
            .filter(|message| {
                let expected = ["403 (Forbidden)", "422 (Unprocessable"];
                !expected.iter().any(|status| message.contains(status))
            })
            .collect()
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("POST", "goog/cdp/execute", &body);
    }

    #[track_caller]
    fn command(&self, method: &str, command: &str, body: &Value) -> Value {
        self.try_command(method, command, body).unwrap()
    }

    fn try_command(&self, method: &str, command: &str, body: &Value) -> Result<Value, String> {
        self.ask(
            method,
            &format!("/session/{}/{command}", self.session),
            body,
        )
    }

    /// One request to the driver: its value, or its error.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let answer: Value = String::from_utf8(body).unwrap().parse().unwrap();
        match &answer["value"]["error"] {
            Value::Null => Ok(answer["value"].clone()),
            error => Err(format!("{path}: {error}: {}", answer["value"]["message"])),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask(
                "DELETE",
                &format!("/session/{}", self.session),
                &Value::Null,
            );
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Waits for something that takes a moment.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        sleep(Duration::from_millis(50));
    }
}
