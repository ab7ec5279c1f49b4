//! `cargo xtask e2e`: the node in containers against a SoftHSM container, judged by what a client
//! sees on the network, by exit codes and by reports.
//!
//! Each story has its own network, volumes and containers, all under a label of this run: what is
//! cleaned up is what carries that label. The images stay, as a cache.

mod client;
mod confinement;
mod container;
mod engine;
mod fleet;
mod image;
mod pki;
mod project;
mod random;
mod report;
mod stage;
mod story;
mod summary;
mod world;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::run::Result;
use engine::Engine;
use image::Images;
use stage::Stage;
use story::Story;
use summary::Ended;
use world::World;

/// What was asked for.
struct Options {
    engine: Option<String>,
    keep: bool,
    quick: bool,
    /// The images of the last run, as they are.
    no_build: bool,
    seed: u64,
    stories: Vec<&'static Story>,
}

/// Runs the stories.
pub fn run(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "help") {
        print!("{}", Story::list());
        return Ok(());
    }
    let options = parse(arguments)?;
    let begin = Instant::now();
    let engine = Engine::find(options.engine.as_deref())?;
    let images = if options.no_build {
        Images::of_the_last_run()
    } else {
        Images::build(&engine)?
    };
    println!("images: {:.1} s", begin.elapsed().as_secs_f64());
    let stage = Stage {
        engine,
        images,
        run: run_name(),
        quick: options.quick,
        seed: options.seed,
    };
    let ended = play(&stage, &options);
    if !options.keep {
        stage.engine.remove_labelled(engine::LABEL, &stage.run)?;
    }
    print!("{}", summary::table(&ended));
    println!("{:.1} s in all", begin.elapsed().as_secs_f64());
    stage.engine.check_stop()?;
    let failed = ended.iter().filter(|ended| ended.result.is_err()).count();
    println!("{} passed, {failed} failed", ended.len() - failed);
    match failed {
        0 => Ok(()),
        _ if options.keep => Err(format!(
            "{failed} stories failed; what they left has the label {}={}",
            engine::LABEL,
            stage.run
        )),
        _ => Err(format!("{failed} stories failed")),
    }
}

/// Plays the stories, as many side by side as there are cores; in the order of the list.
fn play(stage: &Stage, options: &Options) -> Vec<Ended> {
    let queue: Mutex<VecDeque<_>> = Mutex::new(options.stories.iter().copied().collect());
    let ended = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.clamp(1, 4) {
            scope.spawn(|| {
                while !stage.engine.is_stopped() {
                    let Some(next) = queue.lock().ok().and_then(|mut queue| queue.pop_front())
                    else {
                        break;
                    };
                    let result = play_one(stage, next, options.keep);
                    if let Ok(mut ended) = ended.lock() {
                        ended.push(result);
                    }
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_default();
    ended.sort_by_key(|ended| ended.story.number);
    ended
}

fn play_one(stage: &Stage, story: &'static Story, keep: bool) -> Ended {
    let begin = Instant::now();
    let world = World::new(stage, story.name);
    let result = (story.play)(&world).and_then(|()| world.check_containers());
    let time = begin.elapsed();
    // One piece of text, so that stories side by side do not mix their lines.
    let mut text = format!(
        "{} {:>2} {}  {:.1} s\n",
        if result.is_ok() { "ok  " } else { "FAIL" },
        story.number,
        story.name,
        time.as_secs_f64()
    );
    for note in world.notes() {
        text.push_str(&format!("        {note}\n"));
    }
    if let Err(message) = &result {
        text.push_str(&format!("  {message}\n{}", world.diagnose()));
    }
    if !keep && let Err(message) = world.remove() {
        text.push_str(&format!("  cannot clean up: {message}\n"));
    }
    print!("{text}");
    Ended {
        story,
        result,
        time,
    }
}

fn run_name() -> String {
    format!("tpctl-{:x}-{}", now().as_secs(), std::process::id())
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        engine: None,
        keep: false,
        quick: false,
        no_build: false,
        seed: now().subsec_nanos().into(),
        stories: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--keep" => options.keep = true,
            "--quick" => options.quick = true,
            "--no-build" => options.no_build = true,
            "--engine" => {
                let name = rest.next().ok_or("--engine needs docker or podman")?;
                options.engine = Some(name.clone());
            }
            "--seed" => {
                let seed = rest.next().and_then(|seed| seed.parse().ok());
                options.seed = seed.ok_or("--seed needs a number")?;
            }
            name => match Story::find(name).as_slice() {
                [] => {
                    return Err(format!(
                        "there is no story {name:?}; the stories:\n{}",
                        Story::list()
                    ));
                }
                found => options.stories.extend(found),
            },
        }
    }
    if options.stories.is_empty() {
        options.stories = Story::all().iter().collect();
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        parse(&arguments)
    }

    #[test]
    fn stories_are_named_by_number_or_name() {
        let arguments = [
            "--quick", "12", "fresh", "--engine", "podman", "--seed", "7",
        ];
        let options = parsed(&arguments).unwrap();
        let names: Vec<_> = options.stories.iter().map(|story| story.name).collect();
        assert_eq!(names, ["kill-softhsm", "kill-software", "fresh"]);
        assert!(options.quick && !options.keep);
        assert_eq!(options.engine.as_deref(), Some("podman"));
        assert_eq!(options.seed, 7);
    }

    #[test]
    fn no_story_is_all_of_them_and_an_unknown_one_is_an_error() {
        assert_eq!(parsed(&[]).unwrap().stories.len(), Story::all().len());
        assert!(parsed(&["99"]).is_err());
        assert!(parsed(&["--engine"]).is_err());
        assert!(parsed(&["--seed", "some"]).is_err());
    }
}
