//! The TOML form: a table of the pool's settings, each with its line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::problem::shown_name;
use super::super::{Field, Origin, Problem};
use super::loaded::two_urls;
use super::{BESIDES, Secret, Setting, URL_FILE};

/// The table in which a file without names keeps its pool.
pub(super) const TABLE: &str = "pool";

/// The table of tables in which a file keeps pools by name.
pub(super) const TABLES: &str = "pools";

/// Reads the table `[pool]` of a file's text. What its other tables mean is not our business.
pub(super) fn read(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> Vec<Setting> {
    let (document, root) = Document::parse(file, text, problems);
    let root = root.get_ref();
    if let Some((key, _)) = root.get_key_value(TABLES).filter(|_| !root.contains_key(TABLE)) {
        // Silence would look as if one of them had been read.
        let why = "pools by name, where one without a name is read";
        let problem = Problem::invalid(TABLES, "", why, "a table [pool]");
        problems.push(problem.at(document.origin(key.span().start)));
    }
    document.misplaced(root, problems);
    document.pool(root, problems)
}

/// The table of tables in which a file keeps routes by name.
pub(super) const ROUTES: &str = "routes";

/// The one setting of a route.
#[cfg(feature = "manager")]
const POOLS: &str = "pools";

/// What a file says about pools by name.
#[cfg(feature = "manager")]
pub(crate) struct NamedPools {
    /// The table `[pool]`: what goes for all of them.
    pub(crate) general: Vec<Setting>,
    /// The tables `[pools.NAME]`, in their order.
    pub(crate) named: Vec<NamedPool>,
    /// The tables `[routes.NAME]`, in their order.
    pub(crate) routes: Vec<NamedRoute>,
}

/// A table `[pools.NAME]`.
#[cfg(feature = "manager")]
pub(crate) struct NamedPool {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) settings: Vec<Setting>,
}

/// A table `[routes.NAME]`.
#[cfg(feature = "manager")]
pub(crate) struct NamedRoute {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    /// The pools, each with where it is named; `None` if that is not said, which is a problem.
    pub(crate) pools: Option<Vec<(String, Origin)>>,
}

/// Reads the tables `[pool]`, `[pools.NAME]` and `[routes.NAME]` of a file's text.
#[cfg(feature = "manager")]
pub(crate) fn read_named(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> NamedPools {
    let (document, root) = Document::parse(file, text, problems);
    document.misplaced(root.get_ref(), problems);
    let general = document.pool(root.get_ref(), problems);
    let mut named = Vec::new();
    for (key, value) in document.tables(root.get_ref(), TABLES, "[pools.NAME]", problems) {
        let (name, origin) = (key.get_ref().to_string(), document.origin(key.span().start));
        if !document.is_valid && !document.has_header(&name) {
            problems.push(not_named("pool").at(origin));
            continue;
        }
        match value.get_ref() {
            DeValue::Table(table) => {
                let settings = document.settings(table, problems);
                named.push(NamedPool { name, origin, settings });
            }
            other => {
                problems.push(not_a_table(TABLES, &name, "a table, [pools.NAME]", other, origin));
            }
        }
    }
    // What a broken line has become of a route would be blamed on the route.
    let routes = if document.is_valid { document.routes(root.get_ref(), problems) } else { vec![] };
    NamedPools { general, named, routes }
}

/// What is wrong with an entry that should be a table.
#[cfg(feature = "manager")]
fn not_a_table(
    tables: &str,
    name: &str,
    allowed: &str,
    found: &DeValue<'_>,
    origin: Origin,
) -> Problem {
    let field = format!("{tables}.{}", shown_name(name));
    Problem::invalid(field, found.type_str(), "not a table", allowed).at(origin)
}

/// A key and its value.
#[cfg(feature = "manager")]
type Entry<'t, 'a> = (&'t Spanned<std::borrow::Cow<'a, str>>, &'t Spanned<DeValue<'a>>);

#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    pub(super) is_valid: bool,
}

impl<'a> Document<'a> {
    pub(super) fn parse(
        file: &'a Arc<str>,
        text: &'a str,
        problems: &mut Vec<Problem>,
    ) -> (Self, Spanned<DeTable<'a>>) {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self { file, text, is_valid: errors.is_empty() };
        for error in errors {
            // Its own words only: it could show the line, and with that a password.
            let start = error.span().map_or(0, |span| span.start);
            let problem = Problem::invalid("TOML", "", error.message(), "valid TOML");
            problems.push(problem.at(document.origin(start)));
        }
        (document, root)
    }

    /// The settings of `[pool]`.
    fn pool(self, root: &DeTable<'a>, problems: &mut Vec<Problem>) -> Vec<Setting> {
        let table = self.table(root, TABLE, "[pool]", problems);
        table.map_or_else(Vec::new, |table| self.settings(table, problems))
    }

    /// The table `name`, if there is one.
    pub(super) fn table<'t>(
        self,
        root: &'t DeTable<'a>,
        name: &str,
        form: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<&'t DeTable<'a>> {
        let (key, value) = root.get_key_value(name)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let found = value.get_ref().type_str();
        let problem = Problem::invalid(name, found, "not a table", format!("a table, {form}"));
        problems.push(problem.at(self.origin(key.span().start)));
        None
    }

    /// The entries of the table `name`, in their order.
    #[cfg(feature = "manager")]
    fn tables<'t>(
        self,
        root: &'t DeTable<'a>,
        name: &str,
        form: &str,
        problems: &mut Vec<Problem>,
    ) -> Vec<Entry<'t, 'a>> {
        let tables = self.table(root, name, form, problems);
        let mut entries: Vec<_> = tables.into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
    }

    /// The tables `[routes.NAME]`.
    #[cfg(feature = "manager")]
    fn routes(self, root: &DeTable<'a>, problems: &mut Vec<Problem>) -> Vec<NamedRoute> {
        let mut routes = Vec::new();
        for (key, value) in self.tables(root, ROUTES, "[routes.NAME]", problems) {
            let (name, origin) = (key.get_ref().to_string(), self.origin(key.span().start));
            match value.get_ref() {
                DeValue::Table(table) => {
                    let pools = self.pools_of_route(&name, table, &origin, problems);
                    routes.push(NamedRoute { name, origin, pools });
                }
                other => {
                    let allowed = "a table, [routes.NAME]";
                    problems.push(not_a_table(ROUTES, &name, allowed, other, origin));
                }
            }
        }
        routes
    }

    #[cfg(feature = "manager")]
    fn pools_of_route(
        self,
        name: &str,
        table: &DeTable<'a>,
        origin: &Origin,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<(String, Origin)>> {
        let field = format!("{ROUTES}.{}", shown_name(name));
        let mut others: Vec<_> = table.keys().filter(|key| key.get_ref() != POOLS).collect();
        others.sort_by_key(|key| key.span().start);
        for key in others {
            let (key, origin) = (key.get_ref().to_string(), self.origin(key.span().start));
            problems.push(Problem::unknown(&*field, key, [POOLS].into_iter()).at(origin));
        }
        let allowed = "names of pools such as [\"orders\", \"orders-replica\"]";
        let problem = |value: &str, why: &str, origin: Origin| {
            Problem::invalid(format!("{field}.{POOLS}"), value, why, allowed).at(origin)
        };
        let Some((key, value)) = table.get_key_value(POOLS) else {
            problems.push(problem("", "a route without pools", origin.clone()));
            return None;
        };
        let DeValue::Array(values) = value.get_ref() else {
            let found = value.get_ref().type_str();
            problems.push(problem(found, "not a list", self.origin(key.span().start)));
            return None;
        };
        let mut pools = Vec::new();
        for value in values {
            let origin = self.origin(value.span().start);
            match value.get_ref() {
                DeValue::String(pool) => pools.push((pool.to_string(), origin)),
                other => problems.push(problem(other.type_str(), "not a name", origin)),
            }
        }
        // That one of them is no name is said already; that none is left is no second mistake.
        (pools.len() == values.len()).then_some(pools)
    }

    /// Whether a line begins with `[pools.NAME]`.
    #[cfg(feature = "manager")]
    fn has_header(self, name: &str) -> bool {
        let header = format!("[{TABLES}.{name}]");
        self.text.lines().any(|line| line.trim_start().starts_with(&header))
    }

    /// Where the byte at `start` is.
    pub(super) fn origin(self, start: usize) -> Origin {
        let before = self.text.get(..start).unwrap_or(self.text);
        let line = 1 + before.matches('\n').count();
        Origin::File { file: Arc::clone(self.file), line }
    }

    fn settings(self, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Vec<Setting> {
        let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut settings = Vec::new();
        for (key, value) in entries {
            let (field, origin) = (key.get_ref().to_string(), self.origin(key.span().start));
            if !self.is_valid && !is_setting(&field) {
                problems.push(not_named("setting").at(origin));
                continue;
            }
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Table(_) => {
                    let field = shown_name(&field);
                    let why = "a table, where settings are";
                    let allowed = "pools by name as tables [pools.NAME]";
                    problems.push(Problem::invalid(field, "", why, allowed).at(origin));
                    continue;
                }
                other => {
                    let field = shown_name(&field);
                    let why = "neither text nor a whole number";
                    let allowed = "text such as \"30s\" or \"off\", or a whole number";
                    let problem = Problem::invalid(field, other.type_str(), why, allowed);
                    problems.push(problem.at(origin));
                    continue;
                }
            };
            settings.push(Setting { field, value: Secret::new(value), origin });
        }
        problems.extend(two_urls(&settings));
        settings
    }

    /// What stands at the top of a file and was meant to stand in one of our tables.
    fn misplaced(self, root: &DeTable<'a>, problems: &mut Vec<Problem>) {
        for (key, _) in root {
            let (name, origin) = (key.get_ref(), self.origin(key.span().start));
            let meant =
                [TABLE, TABLES, ROUTES].into_iter().find(|it| it.eq_ignore_ascii_case(name));
            if let Some(meant) = meant.filter(|meant| meant != name) {
                let names = [meant].into_iter();
                problems.push(Problem::unknown("table", name.to_string(), names).at(origin));
            } else if Field::find(name).is_some() {
                let why = "a setting outside of a table";
                let allowed = "settings in [pool] or [pools.NAME]";
                problems.push(Problem::invalid(&**name, "", why, allowed).at(origin));
            }
        }
    }
}

/// Of a key in a broken file: what is left of a broken line reads like one, and may be a part of a
/// password.
fn not_named(what: &str) -> Problem {
    let why = "unknown, or what is left of a broken line";
    Problem::not_shown(what, why, "valid TOML")
}

fn is_setting(name: &str) -> bool {
    BESIDES.contains(&name) || Field::find(name).is_some()
}

/// More than any file of settings holds, and little enough to read.
const LONGEST_FILE: u64 = 1 << 20;

/// The name of a TOML file for messages, and its text.
pub(crate) fn read_toml(path: &Path) -> Result<(String, String), Problem> {
    let name = path.display().to_string();
    match read_text(path) {
        Ok(text) => Ok((name, text)),
        Err(why) => Err(Problem::of_file("file", &name, why, "a readable TOML file")),
    }
}

/// The URL that is kept in a file.
pub(super) fn read_url(path: &str) -> Result<Secret, Problem> {
    let allowed = "the path of a file that holds the URL in one line";
    let problem = |why: String| Problem::of_file(URL_FILE, path, why, allowed);
    let text = read_text(Path::new(path)).map_err(problem)?;
    let url = text.trim();
    if url.is_empty() || url.contains(['\n', '\r']) {
        return Err(problem(format!("it holds {} lines", url.lines().count())));
    }
    Ok(Secret::new(url))
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!("longer than {LONGEST_FILE} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
