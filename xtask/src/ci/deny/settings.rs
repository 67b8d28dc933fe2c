//! What we need of `deny.toml`: two lists of plain strings.

use anyhow::{Context, Result};
use toml::Table;

/// What is allowed and what is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) licences: Vec<String>,
    pub(super) banned: Vec<String>,
}

impl Settings {
    /// # Errors
    ///
    /// A list is missing, or holds anything but plain strings.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        Ok(Self {
            licences: list(&table, "licenses", "allow")?,
            banned: list(&table, "bans", "deny")?,
        })
    }
}

fn list(table: &Table, section: &str, key: &str) -> Result<Vec<String>> {
    let value = table.get(section).and_then(|section| section.get(key));
    let list = value.with_context(|| format!("no list `{key}` in `[{section}]`"))?;
    let strings = list.as_array().and_then(|list| {
        list.iter().map(|it| it.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    strings.with_context(|| format!("`{key}` in `[{section}]` must be a list of plain strings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_lists_are_found_in_their_sections() {
        let text = "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = []\n[graph]\nallow = [\"GPL\"]";
        let expected = Settings { licences: vec!["MIT".to_owned()], banned: Vec::new() };
        assert_eq!(Settings::parse(text).expect("valid"), expected);
    }

    #[test]
    fn a_list_in_another_section_does_not_count() {
        let error = Settings::parse("[licenses]\n[graph]\nallow = []").expect_err("no list");
        assert_eq!(error.to_string(), "no list `allow` in `[licenses]`");
    }

    #[test]
    fn anything_but_a_list_of_plain_strings_is_refused() {
        for value in ["\"MIT\"", "[{ name = \"MIT\" }]", "[3]"] {
            let error = Settings::parse(&format!("[licenses]\nallow = {value}"));
            assert_eq!(
                error.expect_err(value).to_string(),
                "`allow` in `[licenses]` must be a list of plain strings"
            );
        }
    }
}
