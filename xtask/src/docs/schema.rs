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
