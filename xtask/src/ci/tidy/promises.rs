//! The documents that say which test holds which promise name only tests that there are.

use std::collections::BTreeSet;

/// Names of the functions in a Rust file.
pub(super) fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("fn ").skip(1).map(|after| {
        let end = after.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &after[..end.unwrap_or(after.len())]
    })
}

/// Tests named in `document` that are no function of the project's: what stands in backticks and is
/// a path, such as `module::test`.
pub(super) fn problems(name: &str, document: &str, functions: &BTreeSet<&str>) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in document.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        for path in quoted.filter(|quoted| is_path(quoted)) {
            let test = path.rsplit("::").next().unwrap_or(path);
            if !functions.contains(test) {
                problems.push(format!("{name}:{}: there is no test `{path}`", number + 1));
            }
        }
    }
    problems
}

fn is_path(quoted: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    quoted.contains("::") && quoted.split("::").all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_only_tests_that_there_are() {
        let functions = functions("#[test]\nfn one() {}\n  async fn two_2<T>(").collect();
        let document = "| x | `a::one`, `b::c::two_2` |\n`cargo run` `one` `a::three`\n";
        assert_eq!(
            problems("docs/x.md", document, &functions),
            ["docs/x.md:2: there is no test `a::three`"]
        );
    }
}
