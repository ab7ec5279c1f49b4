//! The commands of the runbook (`docs/operations.md`), as the tests type them. What stands above a
//! block, as a comment that no reader sees, says on which node it is typed and how that node is
//! afterwards: `<!-- node: token lost; then: ready; in: containers -->`.

/// A block of commands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remedy {
    /// The line that it begins at, for messages.
    pub line: usize,
    /// The state of the node before.
    pub node: String,
    /// The outcome afterwards, where the block brings one about.
    pub then: Option<String>,
    /// `host` or `containers`; both where it is not said.
    pub place: Option<String>,
    /// What is typed.
    pub script: String,
}

/// All of them, in their order.
///
/// # Errors
/// A block of commands that does not say on which node it is typed.
pub fn remedies(text: &str) -> Result<Vec<Remedy>, String> {
    let mut remedies = Vec::new();
    let mut comment = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "```sh" {
            let script: Vec<_> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .collect();
            let said = comment
                .take()
                .ok_or_else(|| format!("line {}: no <!-- node: … --> above it", number + 1))?;
            remedies.push(remedy(number + 1, said, script.join("\n"))?);
        } else {
            comment = line
                .strip_prefix("<!-- ")
                .and_then(|rest| rest.strip_suffix(" -->"));
        }
    }
    Ok(remedies)
}

fn remedy(line: usize, said: &str, script: String) -> Result<Remedy, String> {
    let mut remedy = Remedy {
        line,
        node: String::new(),
        then: None,
        place: None,
        script,
    };
    for part in said.split("; ") {
        match part.split_once(": ") {
            Some(("node", node)) => node.clone_into(&mut remedy.node),
            Some(("then", then)) => remedy.then = Some(then.to_owned()),
            Some(("in", place)) => remedy.place = Some(place.to_owned()),
            _ => return Err(format!("line {line}: {part:?} is not understood")),
        }
    }
    match remedy.node.as_str() {
        "" => Err(format!("line {line}: no node is named")),
        _ => Ok(remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_on_which_node_it_is_typed() {
        let text =
            "<!-- node: token lost; then: ready; in: containers -->\n```sh\na \\\n    b\n```\n";
        let [remedy] = &remedies(text).unwrap()[..] else {
            panic!("not one block in {text}");
        };
        assert_eq!(remedy.line, 2);
        assert_eq!(remedy.node, "token lost");
        assert_eq!(remedy.then.as_deref(), Some("ready"));
        assert_eq!(remedy.place.as_deref(), Some("containers"));
        assert_eq!(remedy.script, "a \\\n    b");
    }

    #[test]
    fn a_block_without_its_node_is_an_error() {
        assert!(remedies("```sh\na\n```\n").is_err());
        assert!(remedies("<!-- then: ready -->\n```sh\na\n```\n").is_err());
        assert!(remedies("<!-- node: ready; when: now -->\n```sh\na\n```\n").is_err());
    }
}
