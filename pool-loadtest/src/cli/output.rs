//! Where a result goes, and in which forms: found out before the load, as a place that nobody can
//! write to is no news to have after an hour.

use std::fs::{self, Permissions};
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use pool_core::Problem;
use tempfile::{Builder, NamedTempFile};

use crate::forms::{Form, Printable, printed};

const FILE: &str = "Also write the report to this file, in the form of its extension";
const FILE_LONG: &str = "\
Also write the report to this file; may be given several times. The extension says in which form:
.txt, .json, .ndjson, .csv, .md, .xml (JUnit), .html, .hlog (HdrHistogram) or .svg. A file that is
there is replaced, all at once";
const SAVE: &str = "Keep the report as JSON in this file, whatever its extension, for `compare`";

/// How a result is printed.
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArguments {
    /// How to print the report.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) output: Form,
    #[arg(long, value_name = "PATH", help = FILE, long_help = FILE_LONG)]
    pub(crate) output_file: Vec<PathBuf>,
    #[arg(long, value_name = "PATH", help = SAVE)]
    pub(crate) save: Option<PathBuf>,
}

/// Where a result will go; each place was tried.
#[derive(Clone, Debug)]
pub(crate) struct Outputs {
    /// The form on standard output.
    form: Form,
    files: Vec<(PathBuf, Form)>,
}

impl OutputArguments {
    /// Tries every place for a result that has these `forms`.
    pub(crate) fn open(&self, forms: &[Form]) -> (Outputs, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut outputs = Outputs { form: self.output, files: Vec::new() };
        if !forms.contains(&self.output) {
            let given = clap::ValueEnum::to_possible_value(&self.output);
            let given = given.as_ref().map_or("", |given| given.get_name());
            let why = "this command's result has no such form";
            problems.push(Problem::invalid("--output", given, why, names(forms)));
        }
        let save = self.save.iter().map(|path| ("--save", path));
        let files = self.output_file.iter().map(|path| ("--output-file", path));
        for (argument, path) in files.chain(save) {
            let found = if argument == "--save" { Ok(Form::Json) } else { form(path, forms) };
            match found.and_then(|form| Ok((writable(path)?, form))) {
                Ok((path, _)) if outputs.files.iter().any(|(other, _)| *other == path) => {
                    let (path, allowed) = (path.display().to_string(), "each file once");
                    problems.push(Problem::invalid(argument, &path, "given twice", allowed));
                }
                Ok(file) => outputs.files.push(file),
                Err((why, allowed)) => {
                    let path = path.display().to_string();
                    problems.push(Problem::invalid(argument, &path, why, allowed));
                }
            }
        }
        (outputs, problems)
    }
}

impl Outputs {
    /// The file that comes first, if there is one: one of JSON before others.
    pub(crate) fn first_file(&self) -> Option<&Path> {
        let json = self.files.iter().find(|(_, form)| *form == Form::Json);
        json.or(self.files.first()).map(|(path, _)| &**path)
    }

    /// Writes the files, then prints the result, whatever became of the files: it may have taken an
    /// hour.
    ///
    /// # Errors
    ///
    /// Something could not be written; all else was. Nothing is half written.
    pub(crate) fn write(&self, result: &impl Printable) -> anyhow::Result<()> {
        let ((_, written), printed) = (self.write_files(result), self.print(result));
        written.and(printed)
    }

    /// Writes the files: those that were written, and why others were not. Nothing is half written.
    pub(crate) fn write_files(&self, result: &impl Printable) -> (Vec<&Path>, anyhow::Result<()>) {
        let (mut written, mut problems) = (Vec::new(), Vec::new());
        for (path, form) in &self.files {
            match printed(result, *form).and_then(|text| replace(path, &text)) {
                Ok(()) => written.push(&**path),
                Err(error) => {
                    let path = path.display();
                    problems.push(format!("cannot write the report to {path}: {error:#}"));
                }
            }
        }
        let all =
            if problems.is_empty() { Ok(()) } else { Err(anyhow!("{}", problems.join("; "))) };
        (written, all)
    }

    /// Prints the result.
    ///
    /// # Errors
    ///
    /// Standard output takes nothing.
    pub(crate) fn print(&self, result: &impl Printable) -> anyhow::Result<()> {
        let text = printed(result, self.form).context("cannot print the report")?;
        let mut out = stdout();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.context("cannot print the report")
    }
}

/// Replaces a file, or makes it, all at once: who reads it finds the old text or the new one.
///
/// # Errors
///
/// The directory cannot be written to.
pub(crate) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    file.persist(path)?;
    Ok(())
}

/// A file beside `path`, with the permissions of any new file.
fn temporary(path: &Path) -> std::io::Result<NamedTempFile> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut builder = Builder::new();
    builder.prefix(".pool-loadtest-");
    #[cfg(unix)]
    let new_file: Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(new_file);
    builder.tempfile_in(directory.unwrap_or(Path::new(".")))
}

/// Why a file cannot be written, and what would be allowed.
type Refusal = (String, String);

/// The path of the file itself, if it can be written: a link is followed, as its name is to stay one.
fn writable(path: &Path) -> Result<PathBuf, Refusal> {
    let file = "the path of a file, new or to be replaced, in a directory that can be written to";
    let refused = |why: String| (why, file.to_owned());
    let path = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(refused("is a directory".to_owned())),
        Ok(there) if !there.is_file() => return Err(refused("is no file".to_owned())),
        Ok(_) => fs::canonicalize(path).map_err(|error| refused(error.to_string()))?,
        Err(_) => match (path.parent().map(fs::canonicalize), path.file_name()) {
            (Some(Ok(parent)), Some(name)) => parent.join(name),
            _ if path.parent() == Some(Path::new("")) => Path::new(".").join(path),
            (Some(Err(error)), _) => return Err(refused(format!("no such directory: {error}"))),
            _ => return Err(refused("names no file".to_owned())),
        },
    };
    temporary(&path).map_err(|error| refused(format!("cannot be written: {error}")))?;
    Ok(path)
}

/// The form of a file.
fn form(path: &Path, forms: &[Form]) -> Result<Form, Refusal> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let why = match extension.map(Form::of_extension) {
        Some(Some(form)) if forms.contains(&form) => return Ok(form),
        Some(Some(_)) => "this command's result has no such form",
        Some(None) => "unknown extension",
        None => "no extension that says in which form",
    };
    Err((why.to_owned(), Form::extensions(forms)))
}

/// What the forms are called on the command line.
fn names(forms: &[Form]) -> String {
    let values = forms.iter().filter_map(clap::ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::compare::Comparison;
    use crate::forms::ComparedRuns;
    use crate::samples;

    #[test]
    fn a_file_that_cannot_be_written_keeps_no_other_from_being_written() {
        let directory = TempDir::new().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let (gone, there) = (at("gone/a.json"), at("b.md"));
        let (lost, nowhere) = ((at("lost/c.csv"), Form::Csv), (gone, Form::Json));
        let files = vec![nowhere, (there.clone(), Form::Markdown), lost];
        let report = samples::report();
        let (comparison, before, after) = (&Comparison::of(&report, &report), &report, &report);
        let compared = ComparedRuns { comparison, before, after };
        let outputs = Outputs { form: Form::Text, files };
        let (written, outcome) = outputs.write_files(&compared);
        assert_eq!(written, [&*there]);
        let why = outcome.expect_err("no such directory").to_string();
        for name in ["gone/a.json: ", "lost/c.csv: "] {
            assert!(why.contains("cannot write the report to ") && why.contains(name), "{why}");
        }
        assert!(fs::read_to_string(there).expect("written").contains("response"));
    }
}
