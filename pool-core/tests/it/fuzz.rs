//! Parsers of settings and URLs on any text, and on what is nearly right: nothing panics, and nothing
//! shows a password. `PROPTEST_CASES` says how often each is tried.

use pool_core::url::{Parameter, decode, decode_secret};
use pool_core::{
    ConfigError, FIELDS, PoolConfig, Preset, Sources, may_hold_password, nearest, parse_duration,
    url_scheme,
};
use pool_testkit::hostile::{
    CANARY, any_password, any_text, escaped, escaped_password, expect_silence, mangled, settings,
};
use pool_testkit::{Shown, percent_encoded};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const PARAMETERS: &[Parameter<String>] = &[Parameter {
    name: "cache",
    allowed: "anything",
    write: |options, text| {
        text.clone_into(options);
        Some(())
    },
}];

const UNITS: &[&str] = &["ns", "us", "ms", "s", "m", "h", "days"];

/// What is meant to be a setting: field and value.
fn setting() -> impl Strategy<Value = (&'static str, String)> {
    let values = [
        "1",
        "0",
        "7",
        "2000",
        "off",
        "unlimited",
        "30s",
        "250ms",
        "1h 30m",
        "10%",
        "0.5",
        "testing",
        "high-load",
        "",
    ];
    let value = prop_oneof![3 => select(values.to_vec()).prop_map(str::to_owned), 1 => any_text()];
    let names: Vec<_> = FIELDS.iter().map(|field| field.name).chain(["preset"]).collect();
    (select(names), value)
}

pub(crate) fn url() -> impl Strategy<Value = String> {
    url_with(escaped_password())
}

/// A URL with the password in each place where one may stand.
fn url_with(password: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let parameters = vec(setting(), 0..3);
    let form = select(
        &[
            "fake://app:PASSWORD@db:5432/shop",
            "fake://app:PASSWORD@db/shop?application_name=x",
            "fake://db/shop?user=app&password=PASSWORD",
            "fake:///shop?host=/run/x&password=PASSWORD",
            "fake:app:PASSWORD@db",
        ][..],
    );
    (form, password, parameters).prop_map(|(form, password, parameters)| {
        let text =
            |(name, value): &(&str, String)| format!("pool_{name}={}", percent_encoded(value));
        let parameters: Vec<_> = parameters.iter().map(text).collect();
        let url = form.replace("PASSWORD", &password);
        let sign = if url.contains('?') { '&' } else { '?' };
        if parameters.is_empty() { url } else { format!("{url}{sign}{}", parameters.join("&")) }
    })
}

/// A line of a file of settings, and the value as one of TOML's kinds of text.
fn line() -> impl Strategy<Value = String> {
    let quote = select(&["\"", "'", "", "'''"][..]);
    (setting(), quote)
        .prop_map(|((name, value), quote)| format!("{name} = {quote}{value}{quote}\n"))
}

pub(crate) fn file(header: &'static str) -> impl Strategy<Value = String> {
    let lines = (vec(line(), 0..3), url(), vec(line(), 0..3));
    lines.prop_map(move |(before, url, after)| {
        format!("{header}{}url = {url:?}\n{}", before.concat(), after.concat())
    })
}

pub(crate) fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let variable =
        setting().prop_map(|(name, value)| (format!("POOL_{}", name.to_uppercase()), value));
    let its =
        setting().prop_map(|(name, value)| (format!("POOL_ORDERS_{}", name.to_uppercase()), value));
    let urls = (select(&["POOL_URL", "POOL_ORDERS_URL", "POOL_ORDERS_ULR"][..]), mangled(url()))
        .prop_map(|(name, url)| (name.to_owned(), url));
    vec(prop_oneof![variable, its, urls], 0..4)
}

/// What shows all that can be seen of sources and of what they come to.
fn expect_silent(sources: &Sources) -> Result<PoolConfig, ConfigError> {
    let loaded = sources.load();
    let read = loaded.clone().resolve();
    let shown = Shown::start();
    shown.note(&(sources, loaded));
    if let Ok(read) = &read {
        shown.note_text(&read.explain().to_string());
    }
    shown.expect_no(CANARY);
    expect_silence(&read);
    read.map(|read| read.config().clone())
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn what_was_escaped_is_read_again((text, escaped) in escaped(any_text())) {
        prop_assert_eq!(decode("f", &escaped), Ok(text.clone()));
        prop_assert_eq!(decode_secret("f", &escaped), Ok(text.clone()));
        prop_assert_eq!(decode("f", &percent_encoded(&text)), Ok(text));
    }

    #[test]
    fn parameters_are_read_again_in_their_order(
        (one, cache) in escaped(any_text()),
        (two, other) in escaped(any_text()),
    ) {
        let mut problems = Vec::new();
        let query = format!("cache={cache}&other={other}");
        let read = Parameter::read(PARAMETERS, &query, &mut problems);
        prop_assert_eq!(&read, &[("cache".to_owned(), one.clone()), ("other".to_owned(), two)]);
        prop_assert_eq!(problems, []);
        let mut options = String::new();
        let set = Parameter::named(PARAMETERS, "cache").and_then(|it| it.set(&mut options, &read[0].1));
        prop_assert_eq!((set, options), (Ok(()), one));
    }

    #[test]
    fn no_text_makes_a_parser_panic(
        text in prop_oneof![any_text(), any::<String>(), mangled(url())],
    ) {
        let mut problems = Vec::new();
        let read = Parameter::read(PARAMETERS, &text, &mut problems);
        prop_assert!(read.len() + problems.len() <= text.split('&').count());
        let decoded = decode("f", &text);
        prop_assert_eq!(decoded.is_ok(), decode_secret("f", &text).is_ok());
        let scheme = url_scheme(&text);
        prop_assert!(scheme.is_none_or(|scheme| text.starts_with(scheme)));
        prop_assert!(!text.contains('@') || may_hold_password(&text));
        let names = ["max_open", "max_idle"];
        prop_assert!(nearest(&text, names.into_iter()).is_none_or(|name| names.contains(&name)));
        prop_assert_eq!(text.parse::<Preset>().is_ok(), Preset::ALL.iter().any(|preset| {
            preset.name() == text.replace('-', "_")
        }));
    }

    #[test]
    fn a_duration_is_the_sum_of_its_parts(
        parts in vec((0..1_000_000_u64, select(UNITS)), 1..5),
        space in " ?",
    ) {
        let text = |(count, unit): &(u64, &str)| format!("{count}{space}{unit}");
        let texts: Vec<_> = parts.iter().map(text).collect();
        let sum = texts.iter().map(|text| parse_duration(text).expect("a part")).sum();
        prop_assert_eq!(parse_duration(&texts.concat()), Some(sum));
        prop_assert_eq!(parse_duration(&texts.join(" ")), Some(sum));
    }

    #[test]
    fn what_a_field_took_it_says_and_takes_again(
        (name, value) in setting(),
        number in any::<u64>(),
    ) {
        let field = FIELDS.iter().find(|field| field.name == name);
        for value in [value, number.to_string(), format!("{number}s"), format!("{number}ns")] {
            let mut config = PoolConfig::default();
            let set = config.set(name, &value);
            let (Some(field), Ok(())) = (field, set) else { continue };
            let mut again = PoolConfig::default();
            prop_assert_eq!(again.set(name, &field.text(&config)), Ok(()));
            prop_assert_eq!(again, config, "{} = {}", name, value);
        }
    }

    #[test]
    fn no_source_shows_a_password_that_is_not_escaped(url in url_with(any_password())) {
        let _read = expect_silent(&Sources::default().url(&url));
        let _read = expect_silent(&Sources::default().environment([("POOL_URL", &url)]));
        let _read = expect_silent(&Sources::default().code("--url", "ulr", &url));
    }

    #[test]
    fn no_source_shows_a_password_however_it_is_mangled(
        file in mangled(file("[pool]\n")),
        url in mangled(url()),
        variables in variables(),
        which in 1..8_u8,
    ) {
        let mut sources = Sources::default();
        if which & 1 != 0 {
            sources = sources.toml("pool.toml", &file);
        }
        if which & 2 != 0 {
            sources = sources.url(&url);
        }
        if which & 4 != 0 {
            sources = sources.environment(variables);
        }
        if let Ok(config) = expect_silent(&sources) {
            prop_assert_eq!(config.validate(), Ok(()));
        }
    }

    #[test]
    fn no_text_of_a_file_or_variable_makes_sources_panic(
        text in prop_oneof![any_text(), any::<String>(), mangled(file("[pool]\n"))],
        name in prop_oneof![any_text(), Just(String::new())],
        at in any::<Index>(),
    ) {
        let cut: String = text.chars().take(at.index(text.len() + 1)).collect();
        let sources = Sources::default().toml("p.toml", &text).toml(&name, &cut);
        let sources = sources.environment([(format!("POOL_{name}"), &text)]).code(&name, &name, &text);
        if let Ok(resolved) = sources.load().resolve() {
            prop_assert_eq!(resolved.config().validate(), Ok(()));
        }
    }
}
