//! Tables for pull requests and wikis, in the Markdown that GitHub and GitLab both read.

use std::fmt::Write as _;

use super::document::{Cell, Document, Finding, Section, Table};
use super::escape::markdown as escaped;

/// The whole text.
pub(crate) fn text(document: &Document) -> String {
    let Document { title, subtitle, notices, finding, key_figures, sections, footer } = document;
    let mut text = format!("## {}\n\n{}\n", escaped(title), escaped(subtitle));
    for notice in notices {
        let _ = writeln!(text, "\n> **Note:** {}", escaped(notice));
    }
    text.extend(finding.iter().map(finding_of));
    if !key_figures.is_empty() {
        text += "\n| figure | value | |\n| :-- | --: | :-- |\n";
        for figure in key_figures {
            let (label, note) = (escaped(figure.label), escaped(&figure.note));
            let _ = writeln!(text, "| {label} | {} | {note} |", cell(&figure.value));
        }
    }
    text.extend(sections.iter().map(section));
    let _ = writeln!(text, "\n{}", escaped(footer));
    text
}

fn finding_of(finding: &Finding) -> String {
    let Finding { label, summary, advice, .. } = finding;
    let mut text = format!("\n**{}**: {}\n", escaped(label), escaped(summary));
    if let Some(advice) = advice {
        let words = escaped(&advice.words);
        let _ = match &*advice.code {
            "" => writeln!(text, "\n**Recommended:** {words}"),
            code => writeln!(text, "\n**Recommended:** {} {words}", quoted(code)),
        };
    }
    text
}

/// A section whose only content is plots has nothing to say here.
fn section(section: &Section) -> String {
    let Section { title, paragraphs, tables, .. } = section;
    if paragraphs.is_empty() && tables.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {}\n", escaped(title));
    for paragraph in paragraphs {
        let _ = writeln!(text, "\n{}", escaped(paragraph));
    }
    text.extend(tables.iter().map(table_of));
    text
}

fn table_of(table: &Table) -> String {
    let Table { caption, head, rows, is_folded } = table;
    let mut text = if *is_folded {
        format!("\n<details><summary>{}</summary>\n\n", escaped(caption))
    } else {
        format!("\n{}:\n\n", escaped(caption))
    };
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text += &line(head.iter().map(|title| escaped(title)).collect());
    let rule = |column| if table.is_of_numbers(column) { "--:" } else { ":--" }.to_owned();
    text += &line((0..head.len()).map(rule).collect());
    for row in rows {
        text += &line(row.iter().map(cell).collect());
    }
    if *is_folded {
        text += "\n</details>\n";
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Code(code) => quoted(code),
        Cell::Text(_) | Cell::Number(_) => escaped(cell.shown()),
    }
}

/// Code in a line, which is a table's row perhaps: several lines of it are one with breaks.
fn quoted(code: &str) -> String {
    let line = |line: &str| {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.contains(['`', '|', '<']) { escaped(&line) } else { format!("`{line}`") }
    };
    code.lines().map(line).collect::<Vec<_>>().join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_a_row_whatever_is_in_it() {
        let mut table = Table::new("errors", &["kind", "count"]);
        let cells = ["a|b\nc", "`x|y`"].map(|text| {
            vec![Cell::code(text), Cell::number("errors", 1.0, |count| format!("{count}"))]
        });
        table.rows.extend(cells);
        let text = table_of(&table);
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows[..2], ["| kind | count |", "| :-- | --: |"]);
        assert_eq!(rows[2..], ["| a\\|b<br>`c` | 1 |", "| \\`x\\|y\\` | 1 |"]);
    }
}
