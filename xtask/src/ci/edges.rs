//! The step `edges`: our crates depend on each other exactly as the table in ARCHITECTURE.md says.
//!
//! Dependencies on other people's crates are the step `deny`'s affair.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail, ensure};

use super::verdict::{self, Verdict};
use crate::child;
use crate::metadata::{self, Kind, Package};

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Edges";
const COLUMNS: [&str; 4] = ["from", "to", "kind", "why"];

/// One crate's need of another, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: String,
    to: String,
    kind: Kind,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} |", self.from, self.to, self.kind)
    }
}

pub(super) fn check() -> Result<Verdict> {
    let page = fs::read_to_string(child::root().join(PAGE))
        .with_context(|| format!("cannot read {PAGE}, which lists the edges between our crates"))?;
    let listed = table(&page)?;
    let declared = declared(&metadata::members()?);
    println!("{} edges between our crates", declared.len());
    verdict::judge(&differences(&listed, &declared))
}

/// The edges in the manifests of `members`.
fn declared(members: &[Package]) -> Vec<Edge> {
    let is_ours = |name: &str| members.iter().any(|member| member.name == name);
    let edges_of = |member: &Package| {
        let from = member.name.clone();
        let ours = member.dependencies.iter().filter(|dependency| is_ours(&dependency.name));
        ours.map(move |to| Edge { from: from.clone(), to: to.name.clone(), kind: to.kind })
            .collect::<Vec<_>>()
    };
    let mut edges: Vec<_> = members.iter().flat_map(edges_of).collect();
    edges.sort();
    // The same edge for two platforms is one edge.
    edges.dedup();
    edges
}

/// The edges listed under the heading, each with the number of its line.
fn table(page: &str) -> Result<BTreeMap<Edge, usize>> {
    let numbered = page.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    let section = numbered.skip_while(|(_, line)| *line != HEADING).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    let mut lines = section.filter(|(_, line)| line.starts_with('|'));
    let header = lines.next().map(|(_, line)| cells(line));
    ensure!(
        header.as_deref() == Some(&COLUMNS),
        "{PAGE}: `{HEADING}` needs a table with the columns {}",
        COLUMNS.join(", ")
    );
    let mut edges = BTreeMap::new();
    // The first line after the header is a rule.
    for (number, line) in lines.skip(1) {
        let edge = edge(line).with_context(|| format!("{PAGE}:{number}"))?;
        if let Some(first) = edges.insert(edge, number) {
            bail!("{PAGE}:{number}: the edge is listed in line {first} already; remove one");
        }
    }
    Ok(edges)
}

fn edge(line: &str) -> Result<Edge> {
    let [from, to, kind, why] = cells(line)[..] else {
        bail!("expected four cells: {}", COLUMNS.join(", "));
    };
    ensure!(!why.is_empty(), "the edge {from} -> {to} has no reason; say why it is needed");
    let known = Kind::ALL.into_iter().find(|known| known.to_string() == kind);
    let kind = known.with_context(|| {
        let kinds = Kind::ALL.map(|kind| kind.to_string()).join(", ");
        format!("unknown kind `{kind}`; write one of {kinds}")
    })?;
    Ok(Edge { from: from.to_owned(), to: to.to_owned(), kind })
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
}

fn differences(listed: &BTreeMap<Edge, usize>, declared: &[Edge]) -> Vec<String> {
    let missing = declared.iter().filter(|edge| !listed.contains_key(edge)).map(|edge| {
        let manifest = format!("the Cargo.toml of {}", edge.from);
        format!("{PAGE}: no row `{edge} why |` for a dependency in {manifest}; add it or drop that")
    });
    let stale = listed.iter().filter(|(edge, _)| !declared.contains(edge)).map(|(edge, number)| {
        format!("{PAGE}:{number}: no manifest has the edge `{edge}`; remove the row")
    });
    missing.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn edge_of(from: &str, to: &str, kind: Kind) -> Edge {
        Edge { from: from.to_owned(), to: to.to_owned(), kind }
    }

    fn page(rows: &str) -> String {
        format!(
            "# Map\n\n| a | b |\n|---|---|\n\n## Edges\n\nWhy so few.\n\n\
             | from | to | kind | why |\n|---|---|---|---|\n{rows}\n## Next\n\n| x |\n"
        )
    }

    fn fault(page: &str) -> String {
        format!("{:#}", table(page).expect_err("a fault"))
    }

    #[test]
    fn only_the_table_under_the_heading_is_read() {
        let page = page("| a | `b` | normal | needs it |\n| a | c | dev | tests with it |\n");
        let expected = [(edge_of("a", "b", Kind::Normal), 12), (edge_of("a", "c", Kind::Dev), 13)];
        assert_eq!(table(&page).expect("valid"), BTreeMap::from(expected));
    }

    #[test]
    fn a_page_without_the_table_is_refused() {
        let expected =
            "ARCHITECTURE.md: `## Edges` needs a table with the columns from, to, kind, why";
        assert_eq!(fault("# Map\n\n| from | to | kind | why |\n"), expected);
        assert_eq!(fault("## Edges\n\n| from | to |\n|---|---|\n"), expected);
    }

    #[test]
    fn a_row_says_what_is_wrong_with_it_and_where() {
        assert_eq!(
            fault(&page("| a | b | normal |\n")),
            "ARCHITECTURE.md:12: expected four cells: from, to, kind, why"
        );
        assert_eq!(
            fault(&page("| a | b | sometimes | x |\n")),
            "ARCHITECTURE.md:12: unknown kind `sometimes`; \
             write one of normal, optional, dev, build"
        );
        assert_eq!(
            fault(&page("| a | b | normal | |\n")),
            "ARCHITECTURE.md:12: the edge a -> b has no reason; say why it is needed"
        );
        assert_eq!(
            fault(&page("| a | b | dev | x |\n| a | b | dev | y |\n")),
            "ARCHITECTURE.md:13: the edge is listed in line 12 already; remove one"
        );
    }

    #[test]
    fn edges_lead_to_our_own_crates_only() {
        let member = |name: &str, dependencies: &[(&str, Kind)]| Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            licence: None,
            source: None,
            features: Vec::new(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: *kind })
                .collect(),
        };
        let foreign = ("serde", Kind::Normal);
        let members = [
            member("b", &[foreign]),
            member("a", &[("b", Kind::Dev), ("b", Kind::Optional), ("b", Kind::Dev), foreign]),
        ];
        let expected = [edge_of("a", "b", Kind::Optional), edge_of("a", "b", Kind::Dev)];
        assert_eq!(declared(&members), expected);
    }

    #[test]
    fn the_table_is_exact() {
        let (kept, stale) = (edge_of("a", "b", Kind::Normal), edge_of("a", "c", Kind::Dev));
        let new = edge_of("b", "c", Kind::Normal);
        let listed = BTreeMap::from([(kept.clone(), 3), (stale, 4)]);
        let expected = [
            "ARCHITECTURE.md: no row `| b | c | normal | why |` for a dependency in the \
             Cargo.toml of b; add it or drop that",
            "ARCHITECTURE.md:4: no manifest has the edge `| a | c | dev |`; remove the row",
        ];
        assert_eq!(differences(&listed, &[kept, new]), expected);
    }
}
