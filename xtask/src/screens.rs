//! `cargo xtask screens`: pictures of the program at a terminal of 80 columns, from real runs on a
//! real token. They hold times and fingerprints, so nothing compares them; the page that shows them
//! is compared like every other generated document.
//!
//! `cargo xtask screens --page`: pictures of the setup page in a browser.

mod host;
mod page;
mod picture;
mod pty;
pub mod story;

use std::path::Path;

use crate::files;
use crate::run::{self, Result};
use crate::sandbox::{self, Sandbox};
use pty::Terminal;
use story::{SCENES, Scene};

/// Where the pictures stand, from the workspace's folder.
pub const FOLDER: &str = "docs/pictures/screens";

/// Short and neutral: it stands in the messages of every picture.
const NODE: &str = "node";

/// Plays the story twice, with colours and without, and writes a picture of every scene.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => {
            for program in ["setsid", "unshare", "softhsm2-util"] {
                if !run::has_program(program) {
                    return Err(format!(
                        "{program} is missing: `cargo xtask test` installs it"
                    ));
                }
            }
            host::enter(&sandbox::build()?)
        }
        [inside, program] if inside == host::INSIDE => {
            play(Path::new(program), false)?;
            play(Path::new(program), true)
        }
        [flag] if flag == "--page" => page::run(),
        _ => Err("there is no argument but --page".to_owned()),
    }
}

fn play(program: &Path, is_plain: bool) -> Result<()> {
    let node = Sandbox::in_memory_as(NODE)?;
    story::configure(&node)?;
    for scene in &SCENES {
        let shown = show(program, &node, scene, is_plain)
            .map_err(|error| format!("{}: {error}", scene.name))?;
        let path = format!("{FOLDER}/{}", file(scene, is_plain));
        let text = picture::of(scene, &shown);
        files::put(&run::root()?.join(&path), &text).map_err(|error| format!("{path}: {error}"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// The name of a scene's picture.
pub fn file(scene: &Scene, is_plain: bool) -> String {
    let kind = if is_plain { "-plain" } else { "" };
    format!("{}{kind}.svg", scene.name)
}

/// What the terminal shows of a scene, without the line that was typed.
fn show(program: &Path, node: &Sandbox, scene: &Scene, is_plain: bool) -> Result<String> {
    (scene.before)(node)?;
    let mut command = std::process::Command::new(program);
    node.environment(&mut command)?;
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    if is_plain {
        command.env("NO_COLOR", "1");
    }
    // Whoever is asked has given nothing beforehand.
    if !scene.answers.is_empty() {
        command.env_remove("HSM_PIN").env_remove("HSM_SO_PIN");
    }
    let (variables, arguments) = scene.words();
    command.envs(variables).args(arguments);
    let mut terminal = Terminal::run(&command)?;
    for (question, answer) in scene.answers {
        terminal.answer(question, answer)?;
    }
    let ended = terminal.end()?;
    if ended.code != Some(scene.code) {
        return Err(format!(
            "it ended with {:?}, not with {}:\n{}",
            ended.code, scene.code, ended.shown
        ));
    }
    Ok(ended.shown)
}
