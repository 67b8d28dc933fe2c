//! A page for browsers: one file, readable without scripts, without the net and in the dark.
//!
//! Each figure is `<span data-metric="response.p99" data-value="1234.5">`, named as in JSON and in its
//! unit, so that programs can read it from the page.

use std::fmt::Write as _;

use super::document::{Cell, Document, Finding, KeyFigure, Number, Section, Table, Tone};
use super::escape::xml;
use super::svg::{Plot, STYLE as PLOT_STYLE, Size};

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded from anywhere: whatever a name from a database says, it is text.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub(crate) fn page(document: &Document) -> String {
    let Document { title, subtitle, notices, finding, key_figures, sections, footer } = document;
    let title = xml(title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{PLOT_STYLE}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n<p class=\"subtitle\">{}</p>\n</header>\n",
        xml(subtitle),
    );
    for notice in notices {
        let _ = writeln!(text, "<p class=\"notice\" role=\"note\">{}</p>", xml(notice));
    }
    text.extend(finding.iter().map(finding_of));
    if !key_figures.is_empty() {
        text += "<dl class=\"figures\">\n";
        text.extend(key_figures.iter().map(key_figure));
        text += "</dl>\n";
    }
    for (number, part) in sections.iter().enumerate() {
        text += &section(number, part);
    }
    let _ = writeln!(text, "</main>\n<footer>{}</footer>\n</body>\n</html>", xml(footer));
    text
}

fn finding_of(finding: &Finding) -> String {
    let Finding { label, tone, summary, advice } = finding;
    let mut text = format!(
        "<section class=\"finding {}\" aria-label=\"Verdict\">\n\
         <p class=\"label\" data-verdict=\"{label}\">{label}</p>\n<p class=\"summary\">{}</p>\n",
        tone_of(*tone),
        xml(summary),
        label = xml(label),
    );
    if let Some(advice) = advice {
        let code = match &*advice.code {
            "" => String::new(),
            code => format!("<code>{}</code> ", xml(code)),
        };
        let words = xml(&advice.words);
        let _ = writeln!(text, "<p class=\"advice\"><b>Recommended:</b> {code}{words}</p>");
    }
    text + "</section>\n"
}

fn key_figure(figure: &KeyFigure) -> String {
    let KeyFigure { label, value, note, tone } = figure;
    format!(
        "<div class=\"{}\"><dt>{}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>\n",
        tone_of(*tone),
        xml(label),
        cell(value),
        xml(note),
    )
}

fn section(number: usize, section: &Section) -> String {
    let Section { title, paragraphs, plots, tables } = section;
    let mut text = format!(
        "<section aria-labelledby=\"part-{number}\">\n<h2 id=\"part-{number}\">{}</h2>\n",
        xml(title),
    );
    for paragraph in paragraphs {
        let _ = writeln!(text, "<p>{}</p>", xml(paragraph));
    }
    text.extend(plots.iter().map(figure));
    text.extend(tables.iter().map(table_of));
    text + "</section>\n"
}

/// A plot, drawn for both widths of which one is shown.
fn figure(plot: &Plot) -> String {
    let Plot { name, title, .. } = plot;
    let (wide, narrow) = (
        plot.draw(&format!("{name}-wide"), Size::WIDE),
        plot.draw(&format!("{name}-narrow"), Size::NARROW),
    );
    format!(
        "<figure id=\"{name}\">\n<figcaption>{}</figcaption>\n<div class=\"wide\">{wide}</div>\n\
         <div class=\"narrow\">{narrow}</div>\n</figure>\n",
        xml(title),
    )
}

fn table_of(table: &Table) -> String {
    let Table { caption, head, rows, is_folded } = table;
    let class = |column| if table.is_of_numbers(column) { " class=\"number\"" } else { "" };
    let mut text = String::new();
    let caption = xml(caption);
    // Not the element for it, which would be as wide as a table that is too wide.
    let _ = if *is_folded {
        writeln!(text, "<details><summary>{caption}</summary>")
    } else {
        writeln!(text, "<p class=\"caption\">{caption}</p>")
    };
    // It scrolls by itself where it is too wide, so it must be reachable without a mouse.
    let class_of_all = if head.len() == 2 { " class=\"pairs\"" } else { "" };
    let _ = writeln!(
        text,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\
         <table aria-label=\"{caption}\"{class_of_all}>"
    );
    text += "<thead><tr>";
    for (column, title) in head.iter().enumerate() {
        let _ = write!(text, "<th scope=\"col\"{}>{}</th>", class(column), xml(title));
    }
    text += "</tr></thead>\n<tbody>\n";
    for row in rows {
        text += "<tr>";
        for (column, value) in row.iter().enumerate() {
            let _ = if column == 0 {
                write!(text, "<th scope=\"row\"{}>{}</th>", class(column), cell(value))
            } else {
                write!(text, "<td{}>{}</td>", class(column), cell(value))
            };
        }
        text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
    if *is_folded {
        text += "</details>\n";
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => xml(text),
        Cell::Code(text) => format!("<code>{}</code>", xml(text)),
        Cell::Number(Number { shown, metric, value }) => {
            let value = value.map_or_else(String::new, |value| value.to_string());
            let metric = xml(metric);
            format!("<span data-metric=\"{metric}\" data-value=\"{value}\">{}</span>", xml(shown))
        }
    }
}

const fn tone_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Notice => "attention",
        Tone::Bad => "bad",
    }
}
