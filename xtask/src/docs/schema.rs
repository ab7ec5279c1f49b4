//! The JSON Schema of every report, and of a line of the log.

use super::Document;
use crate::run::Result;

/// All of them.
pub fn documents() -> Result<Vec<Document>> {
    app_cli::schema::all()
        .into_iter()
        .map(|published| {
            let path = format!("docs/schema/{}.json", published.name);
            let text = serde_json::to_string_pretty(&published.schema)
                .map_err(|error| format!("{path}: {error}"))?;
            Ok(Document {
                path,
                text: format!("{text}\n"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_it_is_of_and_allows_no_other_field() {
        let documents = documents().unwrap();
        assert!(
            documents
                .iter()
                .any(|found| found.path.ends_with("/keys-show.json"))
        );
        for document in documents {
            let schema: serde_json::Value = serde_json::from_str(&document.text).unwrap();
            for keyword in ["$id", "$schema", "title", "description"] {
                assert!(schema[keyword].is_string(), "{}: {keyword}", document.path);
            }
            let is_closed = |keyword| schema[keyword] == false;
            assert!(
                is_closed("additionalProperties") || is_closed("unevaluatedProperties"),
                "{}",
                document.path
            );
            // Each stands for itself.
            assert!(!document.text.contains("$ref"), "{}", document.path);
        }
    }
}
