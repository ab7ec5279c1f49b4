//! `docs/screens.md`, the page that shows the pictures.

use super::Document;
use crate::screens::story::{SCENES, Scene};
use crate::screens::{FOLDER, file};

const INTRODUCTION: &str = "\
# Screens

The program at a terminal of 80 columns: one node, from its first start to a refusal, each picture
after the one above it. They were taken by `cargo xtask screens` from real runs on a SoftHSM token,
with `TRUSTPOINT_ROOT=/dev/shm/node`; the last part shows the same without colour (`NO_COLOR=1`).
";

/// The page.
pub fn document() -> Document {
    let mut text = INTRODUCTION.to_owned();
    for scene in &SCENES {
        let (title, sentence) = (scene.title, scene.sentence);
        text.push_str(&format!("\n## {title}\n\n{sentence}\n"));
        text.push_str(&image(scene, false));
    }
    text.push_str("\n## Without colour\n");
    for scene in &SCENES {
        text.push_str(&format!("\n{}:\n", scene.title));
        text.push_str(&image(scene, true));
    }
    Document {
        path: "docs/screens.md".to_owned(),
        text,
    }
}

fn image(scene: &Scene, is_plain: bool) -> String {
    let folder = FOLDER.trim_start_matches("docs/");
    let kind = if is_plain { ", without colour" } else { "" };
    format!(
        "\n![The screen of `{}`{kind}]({folder}/{})\n",
        scene.typed,
        file(scene, is_plain)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_of_the_page_was_taken() {
        let root = crate::run::root().unwrap();
        for scene in &SCENES {
            for is_plain in [false, true] {
                let path = root.join(FOLDER).join(file(scene, is_plain));
                assert!(
                    path.is_file(),
                    "{}: run `cargo xtask screens`",
                    path.display()
                );
            }
        }
    }
}
