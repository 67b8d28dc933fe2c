//! The documents that say which test holds what name only tests that there are, and name every test
//! of the museum.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::tokens::{Token, tokens};

/// A function that a test program runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Test<'a> {
    name: &'a str,
    /// The folders and the file it is in, and the modules within that.
    modules: Vec<&'a str>,
}

/// The tests in the file `path`, which holds `source`: functions below an attribute that ends in `test`,
/// which those in a `proptest!` have, too, and the claims that the `conformance!` macro makes one each
/// of.
pub(super) fn tests<'a>(path: &'a Path, source: &'a str) -> Vec<Test<'a>> {
    let tokens = tokens(source);
    let (mut tests, mut modules) = (Vec::new(), folders_and_file(path));
    // Where braces that have not been closed yet were opened: whether as a module's.
    let mut open = Vec::new();
    let (mut at, mut is_test) = (0, false);
    while let Some(token) = tokens.get(at) {
        let follows = |offset: usize| tokens.get(at + offset).map_or("", |token| token.text);
        let test = |name| Test { name, modules: modules.clone() };
        match token.text {
            "#" => {
                let attribute = group(&tokens[at..], "[", "]");
                is_test |= is_test_attribute(attribute);
                at += attribute.len();
            }
            "fn" => {
                if is_test && is_name(follows(1)) {
                    tests.push(test(follows(1)));
                }
                is_test = false;
            }
            "conformance" if (follows(1), follows(2)) == ("!", "{") => {
                let claims = claims(group(&tokens[at + 2..], "{", "}"));
                tests.extend(claims.map(test));
            }
            "mod" if follows(2) == "{" => {
                modules.push(follows(1));
                open.push(true);
                at += 2;
            }
            "{" => open.push(false),
            "}" if open.pop() == Some(true) => drop(modules.pop()),
            _ => {}
        }
        at += 1;
    }
    tests
}

fn folders_and_file(path: &Path) -> Vec<&str> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let folders = folders.filter_map(|folder| match folder {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    folders.chain(path.file_stem().and_then(|stem| stem.to_str())).collect()
}

/// From the first token to the one that closes what the first `opening` opens.
fn group<'t, 'a>(tokens: &'t [Token<'a>], opening: &str, closing: &str) -> &'t [Token<'a>] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        depth += usize::from(token.text == opening);
        let is_closing = token.text == closing;
        depth = depth.saturating_sub(usize::from(is_closing));
        is_closing && depth == 0
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

/// `#[test`, `#[tokio::test`, `#[tokio::test(...)`: without the last bracket.
fn is_test_attribute(attribute: &[Token<'_>]) -> bool {
    let path = attribute.iter().map(|token| token.text).take_while(|text| *text != "(");
    let path: Vec<_> = path.collect();
    matches!(path[..], ["#", "[", "test"] | ["#", "[", .., ":", ":", "test"])
}

/// What follows the last colon of `conformance! { @claims ...: claim claim }`.
fn claims<'a>(call: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    let colon = call.iter().rposition(|token| token.text == ":").unwrap_or(call.len());
    call.iter().skip(colon + 1).map(|token| token.text).filter(|text| is_name(text))
}

/// What is wrong with the documents, each given with its name.
pub(super) fn problems(documents: &[(&str, &str)], tests: &[Test<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut in_entries = BTreeSet::new();
    for (document, text) in documents {
        for (number, line) in text.lines().enumerate() {
            let named = named(line);
            let unknown = named.iter().filter(|path| !is_there(path, tests));
            let mut found: Vec<_> =
                unknown.map(|path| format!("there is no test `{path}`")).collect();
            let own = entry(line).map(|entry| format!("m{entry}_"));
            if own.is_some_and(|own| !named.iter().any(|path| path.starts_with(&own))) {
                found.push("the entry has no test with its number".to_owned());
            }
            let located = |problem| format!("{document}:{}: {problem}", number + 1);
            problems.extend(found.into_iter().map(located));
            if entry(line).is_some() {
                in_entries.extend(named.iter().filter_map(|path| path.rsplit("::").next()));
            }
        }
    }
    // A model holds once more what a test of its number does, which the entry names.
    let of_the_museum =
        |test: &&Test<'_>| is_numbered(test.name) && !test.modules.contains(&"models");
    let unnamed = tests.iter().filter(of_the_museum);
    let unnamed = unnamed.filter(|test| !in_entries.contains(test.name));
    problems.extend(unnamed.map(|test| format!("no entry names the test `{}`", test.name)));
    problems
}

/// What a line names in backticks: paths such as `module::test`, and in an entry of the museum tests
/// without one.
fn named(line: &str) -> Vec<&str> {
    let is_entry = entry(line).is_some();
    let quoted = line.split('`').skip(1).step_by(2);
    let is_path = |path: &&str| path.split("::").all(is_name);
    quoted.filter(is_path).filter(|path| is_entry || path.contains("::")).collect()
}

/// The number of an entry of the museum: `07` of `| M07 | ... |`.
fn entry(line: &str) -> Option<&str> {
    let number = line.strip_prefix("| M")?.split(' ').next()?;
    number.parse::<u32>().is_ok().then_some(number)
}

/// `m07_...`
fn is_numbered(test: &str) -> bool {
    let number = test.strip_prefix('m').and_then(|rest| rest.split('_').next());
    number.is_some_and(|number| number.len() == 2 && number.parse::<u32>().is_ok())
}

/// Whether there is such a test, in the module that is named last, if any is.
fn is_there(path: &str, tests: &[Test<'_>]) -> bool {
    let mut parts = path.rsplit("::");
    let (name, module) = (parts.next().unwrap_or(path), parts.next());
    tests
        .iter()
        .any(|test| test.name == name && module.is_none_or(|module| test.modules.contains(&module)))
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests_in(source: &str) -> Vec<String> {
        let tests = tests(Path::new("a/tests/it/b.rs"), source);
        tests.iter().map(|test| [&test.modules[3..], &[test.name]].concat().join("::")).collect()
    }

    #[test]
    fn tests_are_functions_below_an_attribute_that_says_so() {
        let source = "#[test]\nfn one() {}\n#[tokio::test(flavor = \"x\")]\n#[expect(x)]\n\
                      pub(crate) async fn two_2<T>() { fn inner() {} }\n\
                      fn no_test() {}\n// #[test] fn told() {}\nlet said = \"#[test] fn x()\";\n\
                      #[cfg(test)]\nfn for_tests() {}\n#[derive(A)] struct B; #[my_test] fn c() {}";
        assert_eq!(tests_in(source), ["b::one", "b::two_2"]);
    }

    #[test]
    fn tests_are_in_modules() {
        let source = "#[cfg(test)] mod c { use x::{y, z}; mod d { #[test] fn one() { if x {} } } \
                      #[test] fn two() {} } #[test] fn three() {} mod e;";
        assert_eq!(tests_in(source), ["b::c::d::one", "b::c::two", "b::three"]);
    }

    #[test]
    fn macros_make_tests_too() {
        let source = "proptest! {\n#![config(x())]\n#[test]\nfn one((a, b) in c()) {} }\n\
                      $crate::conformance! { @claims $runtime $fixture:\n  two\n  three\n}\n\
                      conformance! { @all tokio $f } $(#[test] fn $claim() {})* fn no_test() {}";
        assert_eq!(tests_in(source), ["b::one", "b::two", "b::three"]);
    }

    #[test]
    fn a_document_names_only_tests_that_there_are_where_they_are() {
        let tests =
            tests(Path::new("x/a/b.rs"), "#[test] fn one() {} mod c { #[test] fn two() {} }");
        let document = "| x | `a::one`, `b::one`, `b::c::two` |\n`cargo run` `one` `a::three`\n\
                        `c::one`\n`no`\n";
        assert_eq!(
            problems(&[("docs/x.md", document)], &tests),
            ["docs/x.md:2: there is no test `a::three`", "docs/x.md:3: there is no test `c::one`"]
        );
    }

    #[test]
    fn an_entry_of_the_museum_has_a_test_of_its_number_and_such_a_test_an_entry() {
        let source = "#[test] fn m01_a() {} #[test] fn m02_b() {} #[test] fn m03_c() {} \
                      #[test] fn d() {} #[test] fn mob_e() {}";
        let tests = tests(Path::new("a.rs"), source);
        let museum = "| M01 | x | `m01_a`, `d` |\n| M02 | x | `d`, `e` |\n";
        let documents = [("docs/museum.md", museum), ("docs/x.md", "`a::m02_b`")];
        assert_eq!(
            problems(&documents, &tests),
            [
                "docs/museum.md:2: there is no test `e`",
                "docs/museum.md:2: the entry has no test with its number",
                "no entry names the test `m02_b`",
                "no entry names the test `m03_c`",
            ]
        );
    }
}
