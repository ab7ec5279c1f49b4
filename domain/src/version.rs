//! Application versions: Semantic Versioning 2.0.0, compared by precedence (section 10 and 11).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version as it was written, compared by precedence.
///
/// `semver::Version` orders build metadata too, to be a total order. Precedence ignores it
/// (SemVer 2.0.0, section 10), and two builds of one release must be a VERSION_MATCH. So this
/// type has no `Ord` of its own, only [`Version::precedence`].
#[derive(Clone, Debug)]
pub struct Version(semver::Version);

/// The text is no Semantic Version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "\"{text}\" is not a version by Semantic Versioning 2.0.0 (like 1.4.0 or 2.0.0-rc.1): {why}"
)]
pub struct VersionError {
    text: String,
    why: String,
}

impl Version {
    /// Compares by precedence: build metadata does not count, a pre-release comes before its
    /// release.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        semver::Version::parse(text)
            .map(Self)
            .map_err(|error| VersionError {
                text: text.to_owned(),
                why: error.to_string(),
            })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: &str, b: &str) -> Ordering {
        a.parse::<Version>()
            .unwrap()
            .precedence(&b.parse().unwrap())
    }

    #[test]
    fn build_metadata_does_not_count() {
        assert_eq!(order("1.0.0+a", "1.0.0+b"), Ordering::Equal);
        assert_eq!(order("1.0.0", "1.0.0+b"), Ordering::Equal);
    }

    #[test]
    fn the_example_of_section_11_is_in_order() {
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.10.0",
            "2.0.0",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_version_says_so() {
        for text in ["banana", "", "1", "1.0", "01.0.0", "1.0.0 "] {
            let message = text.parse::<Version>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{text}\"")), "{message}");
        }
    }
}
