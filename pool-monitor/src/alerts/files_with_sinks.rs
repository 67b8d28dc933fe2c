//! Files of alerts with sinks, and the secrets of these.

use std::io::Write as _;
use std::time::Duration;

use pool_testkit::Shown;
use pool_testkit::hostile::{CANARY, any_text, cut_off, expect_silence, settings};
use proptest::prelude::*;

use super::file::read;
use super::files::{environment, expect, problems};
use super::options::AlertOptions;
use super::rule::Severity;

const SINKS: &str = "\
    [alerts.sinks.team]\n\
    type = \"slack\"\n\
    url_env = \"SLACK_URL\"\n\
    minimum_severity = \"info\"\n\
    [alerts.sinks.hook]\n\
    type = \"webhook\"\n\
    url = \"https://example.com/canary7Qd3\"\n\
    secret = \"whsec_Y2FuYXJ5N1FkM2NhbmFyeTdRZDNjYW5hcnk3UWQz\"\n\
    [alerts.sinks.prometheus]\n\
    type = \"alertmanager\"\n\
    url = \"http://127.0.0.1:9093\"\n\
    token = \"canary7Qd3\"\n\
    repeat = \"30s\"\n\
    [alerts.sinks.duty]\n\
    type = \"mail\"\n\
    server = \"smtp.example.com\"\n\
    user = \"alerts\"\n\
    password = \"canary7Qd3\"\n\
    from = \"Pools <pools@example.com>\"\n\
    to = [\"duty@example.com\"]\n\
    send_resolved = false\n";

fn options(text: &str) -> AlertOptions {
    read("alerts.toml", text, &environment).expect("a file")
}

#[test]
fn each_type_of_sink_is_read_with_the_habits_of_its_kind() {
    let options = options(SINKS);
    let sinks: Vec<_> = options
        .sinks
        .iter()
        .map(|it| (&*it.name, it.minimum_severity, it.group_wait.as_secs(), it.repeat.as_secs()))
        .collect();
    let hours = 4 * 3600;
    assert_eq!(
        sinks,
        [
            ("team", Severity::Info, 10, hours),
            ("hook", Severity::Warning, 10, hours),
            ("prometheus", Severity::Info, 0, 30),
            ("duty", Severity::Critical, 10, hours),
        ]
    );
    assert!(options.sinks[2].send_resolved && !options.sinks[3].send_resolved);
    assert_eq!(options.validate(), Ok(()));
}

#[test]
fn the_example_is_right_but_for_the_secrets_of_others() {
    let example = include_str!("example.toml");
    // Every key of a file is in it.
    for key in ["shipped_rules", "labels", "clear", "keep_firing", "minimum_traffic", "repeat"] {
        assert!(example.contains(key), "{key}");
    }
    let others = problems_but_for_secrets(example);
    let [certificates] = &*others else { panic!("{others:#?}") };
    assert!(certificates.contains("root_certificates = \"/etc/ssl/own.pem\""), "{certificates}");
}

#[test]
fn what_the_guide_shows_is_right_but_for_the_secrets_of_others() {
    let guide = include_str!("../../../docs/monitoring.md");
    let shown = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("a file");
    assert!(shown.contains("[alerts.sinks."), "{shown}");
    assert_eq!(problems_but_for_secrets(shown), [""; 0]);
}

fn problems_but_for_secrets(text: &str) -> Vec<String> {
    let is_secret =
        |it: &String| it.contains("url_env") || it.contains("_file") || it.contains("token_env");
    problems(text).into_iter().filter(|it| !is_secret(it)).collect()
}

#[test]
fn what_is_shown_of_options_holds_no_secret() {
    let shown = Shown::start();
    shown.note(&options(SINKS));
    shown.expect(&["prometheus", "duty"]);
    shown.expect_no(CANARY);
}

#[test]
fn everything_wrong_with_sinks_is_said_at_once_without_a_secret() {
    expect(
        "[alerts.sinks.a]\n\
         type = \"slak\"\n\
         [alerts.sinks.b]\n\
         type = \"slack\"\n\
         url = \"http://example.com/canary7Qd3\"\n\
         url_env = \"SLACK_URL\"\n\
         repeat = \"1s\"\n\
         [alerts.sinks.c]\n\
         type = \"webhook\"\n\
         url_env = \"canary7Qd3\"\n\
         root_certificates = \"/nowhere\"\n\
         [alerts.sinks.d]\n\
         type = \"mail\"\n\
         pasword = \"canary7Qd3\"\n\
         user = \"alerts\"\n\
         tls = \"off\"\n\
         server = \"smtp.example.com\"\n\
         port = 70000\n\
         from = \"nobody\"\n\
         [alerts.sinks.e]\n\
         type = \"alertmanager\"\n\
         url_file = \"/nowhere/canary7Qd3\"\n\
         token_env = \"EMPTY\"\n\
         [alerts.sinks.f]\n",
        &[
            "alerts.toml:2: alerts.sinks.a.type = \"slak\": unknown; allowed: slack, webhook, \
             alertmanager, mail; did you mean \"slack\"?",
            "alerts.toml:5: alerts.sinks.b.url = \"(not shown)\": not encrypted, and not on \
             loopback; allowed: an https:// URL",
            "alerts.toml:6: alerts.sinks.b.url_env = \"(not shown)\": a second value; allowed: \
             one of url, url_file, url_env",
            "alerts.toml:8: alerts.sinks.c.secret = \"(not shown)\": missing; allowed: whsec_",
            "alerts.toml:10: alerts.sinks.c.url_env = \"(not shown)\": not set; allowed: the \
             name of an environment variable",
            "alerts.toml:11: alerts.sinks.c.root_certificates = \"/nowhere\": the file cannot \
             be read: entity not found",
            "alerts.toml:12: alerts.sinks.d.to = \"\": nobody; allowed: a list of addresses",
            "alerts.toml:12: alerts.sinks.d.password = \"(not shown)\": missing",
            "alerts.toml:14: alerts.sinks.d = \"pasword\": unknown; ",
            "alerts.toml:16: alerts.sinks.d.tls = \"off\": a server that is not on loopback",
            "alerts.toml:18: alerts.sinks.d.port = \"70000\": not understood; allowed: a port",
            "alerts.toml:19: alerts.sinks.d.from = \"nobody\": not an address",
            "alerts.toml:22: alerts.sinks.e.url_file = \"(not shown)\": the file cannot be \
             read: entity not found",
            "alerts.toml:23: alerts.sinks.e.token_env = \"(not shown)\": in the variable: empty",
            "alerts.toml:24: alerts.sinks.f.type = \"\": missing; allowed: slack, webhook",
        ],
    );
}

#[test]
fn a_secret_may_be_kept_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("url");
    let mut file = std::fs::File::create(&path).expect("created");
    writeln!(file, "https://example.com/canary7Qd3").expect("written");
    let text = |path: &str| format!("[alerts.sinks.a]\ntype = \"slack\"\nurl_file = \"{path}\"\n");
    assert_eq!(options(&text(&path.display().to_string())).sinks.len(), 1);
    writeln!(file, "https://example.com/other").expect("written");
    let problems = problems(&text(&path.display().to_string()));
    assert!(problems[0].contains("in the file: it holds control characters"), "{problems:?}");
}

#[test]
fn options_made_by_a_program_are_looked_at_as_those_of_a_file() {
    let mut options = options(SINKS);
    options.sinks[1].name = "team".to_owned();
    options.sinks[2].repeat = Duration::ZERO;
    options.labels.insert("a b".to_owned(), String::new());
    let error = options.validate().expect_err("wrong").to_string();
    for part in [
        "alerts.sinks = \"team\": two sinks of one name",
        "alerts.sinks.prometheus.repeat = \"0s\": too short; allowed: at least 10s",
        "alerts.labels = \"(not shown)\": not a name of a label",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn no_file_shows_the_secret_of_a_sink(text in broken()) {
        expect_silence(&read("alerts.toml", &text, &|_| None));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any_text()) {
        let _read = read("alerts.toml", &text, &|_| None);
    }
}

/// The file with secrets, cut off somewhere or with something put into it.
fn broken() -> impl Strategy<Value = String> {
    let file = Just(SINKS.replace("url_env = \"SLACK_URL\"", "url = \"https://x/canary7Qd3\""));
    let inserted = (file.clone(), any_text(), any::<prop::sample::Index>());
    prop_oneof![
        cut_off(file),
        inserted.prop_map(|(file, text, at)| {
            let lines: Vec<_> = file.lines().collect();
            let (before, behind) = lines.split_at(at.index(lines.len()));
            format!("{}\n{text}\n{}", before.join("\n"), behind.join("\n"))
        }),
    ]
}
