//! What is wrong, where, and what to do: the one shape of every answer about a file.

use serde::Serialize;
use std::borrow::Cow;
use std::fmt;

/// A position in a file of the estate or of a customer's repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Path from the root of its repository, with `/`.
    pub path: String,
    /// 1-based line; 0 for the whole file.
    pub line: usize,
    /// 1-based column in characters; 0 for the whole line.
    pub column: usize,
}

impl Place {
    /// The whole file.
    pub fn file(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            column: 0,
        }
    }
    /// One position, both parts 1-based.
    pub fn at(path: &str, line: usize, column: usize) -> Self {
        Self {
            path: path.to_owned(),
            line,
            column,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.path),
            (l, 0) => write!(f, "{}:{l}", self.path),
            (l, c) => write!(f, "{}:{l}:{c}", self.path),
        }
    }
}

/// Whether a finding stops the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is planned or applied.
    Error,
    /// Said, but does not stop anything.
    Warning,
}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// How bad.
    pub level: Level,
    /// What and what to write instead; one line, foreign text escaped.
    pub message: String,
    /// Rule id, such as `schema` or `yaml-duplicate-key`.
    pub rule: Cow<'static, str>,
}

impl Finding {
    /// An error at `place`.
    pub fn error(place: Place, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            place,
            level: Level::Error,
            message: message.into(),
            rule: rule.into(),
        }
    }
    /// A warning at `place`.
    pub fn warning(place: Place, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            place,
            level: Level::Warning,
            message: message.into(),
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Error => "",
            Level::Warning => "warning: ",
        };
        write!(f, "{}: {word}{} [{}]", self.place, self.message, self.rule)
    }
}

/// Many findings, as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Findings(pub Vec<Finding>);

/// Most findings that an error says; `validate` shows all.
const SAID: usize = 50;

impl std::error::Error for Findings {}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.0.iter().take(SAID).enumerate() {
            let between = if i == 0 { "" } else { "\n" };
            write!(f, "{between}{finding}")?;
        }
        match self.0.len().saturating_sub(SAID) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more; `tenantry validate` shows them all"),
        }
    }
}

impl Findings {
    /// One error.
    pub fn one(finding: Finding) -> Self {
        Self(vec![finding])
    }
    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|f| f.level == Level::Error)
    }
    /// Sorted by place, without repetitions.
    pub fn tidy(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self::one(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_the_first_of_many_findings() {
        let many = |count: usize| {
            let all = (1..=count).map(|i| Finding::error(Place::at("a.yml", i, 1), "rule", "no"));
            Findings(all.collect()).to_string()
        };
        assert_eq!(many(1), "a.yml:1:1: no [rule]");
        assert_eq!(many(SAID).lines().count(), SAID);
        let said = many(SAID + 9_000);
        assert_eq!(said.lines().count(), SAID + 1);
        assert!(
            said.ends_with("and 9000 more; `tenantry validate` shows them all"),
            "{said}"
        );
    }
}
