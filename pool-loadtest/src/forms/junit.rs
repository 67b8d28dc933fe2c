//! What held and what did not, as a test suite for continuous integration: `JUnit`'s XML, of which
//! every server reads the same part.

use std::fmt::Write as _;

use super::escape::xml;

/// A test suite.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// Such as `pool-loadtest.run`.
    pub(crate) name: String,
    /// What was tested, in a line.
    pub(crate) about: String,
    pub(crate) seconds: f64,
    pub(crate) began_unix_seconds: u64,
    pub(crate) cases: Vec<Case>,
    /// The report for people, which servers show beside a failure.
    pub(crate) output: String,
}

/// One thing that was to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) outcome: CaseOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaseOutcome {
    Passed,
    /// It did not hold: what there was instead.
    Failed(String),
    /// Nothing can be said of it: why.
    Skipped(String),
}

impl Case {
    pub(crate) fn passed(name: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: CaseOutcome::Passed }
    }

    pub(crate) fn failed(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: CaseOutcome::Failed(why.into()) }
    }

    pub(crate) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: CaseOutcome::Skipped(why.into()) }
    }
}

impl Suite {
    pub(crate) fn text(&self) -> String {
        let Self { name, about, seconds, began_unix_seconds, cases, output } = self;
        let count = |wanted: fn(&CaseOutcome) -> bool| {
            cases.iter().filter(|case| wanted(&case.outcome)).count()
        };
        let failures = count(|outcome| matches!(outcome, CaseOutcome::Failed(_)));
        let skipped = count(|outcome| matches!(outcome, CaseOutcome::Skipped(_)));
        let (name, tests) = (xml(name), cases.len());
        let timestamp = super::utc(*began_unix_seconds);
        let timestamp = timestamp.trim_end_matches('Z');
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"pool-loadtest\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
             time=\"{seconds:.3}\">\n\
             <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
             skipped=\"{skipped}\" time=\"{seconds:.3}\" timestamp=\"{timestamp}\" \
             hostname=\"localhost\">\n\
             <properties><property name=\"load\" value=\"{}\"/></properties>\n",
            xml(about),
        );
        for case in cases {
            let start =
                format!("<testcase name=\"{}\" classname=\"{name}\" time=\"0\"", xml(&case.name));
            let _ = match &case.outcome {
                CaseOutcome::Passed => writeln!(text, "{start}/>"),
                CaseOutcome::Failed(why) => {
                    let why = xml(why);
                    let failure =
                        format!("<failure message=\"{why}\" type=\"missed\">{why}</failure>");
                    writeln!(text, "{start}>{failure}</testcase>")
                }
                CaseOutcome::Skipped(why) => {
                    writeln!(text, "{start}><skipped message=\"{}\"/></testcase>", xml(why))
                }
            };
        }
        let output = xml(output);
        text + &format!("<system-out>{output}</system-out>\n</testsuite>\n</testsuites>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_says_how_it_ended_and_the_suite_how_many_did() {
        let suite = Suite {
            name: "pool-loadtest.run".to_owned(),
            about: "16 tasks".to_owned(),
            seconds: 10.0,
            began_unix_seconds: 0,
            cases: vec![
                Case::passed("a"),
                Case::failed("b \"quoted\"", "p99 is 30 ms\u{1b} & more"),
                Case::skipped("c", "too little was done"),
            ],
            output: "text <of> it".to_owned(),
        };
        let text = suite.text();
        for part in [
            "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"10.000\" \
             timestamp=\"1970-01-01T00:00:00\"",
            "<testcase name=\"a\" classname=\"pool-loadtest.run\" time=\"0\"/>",
            "<testcase name=\"b &quot;quoted&quot;\" classname=\"pool-loadtest.run\" time=\"0\">\
             <failure message=\"p99 is 30 ms\u{fffd} &amp; more\" type=\"missed\">",
            "<skipped message=\"too little was done\"/>",
            "<system-out>text &lt;of&gt; it</system-out>",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }
}
