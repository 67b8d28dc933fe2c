//! What the shipped manifest says. No more of YAML is read than it uses: keys, and lists of what has a name.

use std::collections::BTreeMap;
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../shipped/kubernetes.yml");

/// Values by their paths: `spec.replicas`; what is in a list by its name, `containers.visits.image`.
pub(crate) struct Manifest {
    values: BTreeMap<String, String>,
}

impl Manifest {
    /// The shipped one's document of this kind.
    pub(crate) fn shipped(kind: &str) -> Self {
        let mut documents = MANIFEST.split("---\n").map(Self::read);
        documents.find(|document| document.text("kind") == kind).expect("a document of that kind")
    }

    fn read(document: &str) -> Self {
        let mut values = BTreeMap::<String, String>::new();
        // Keys that lead to the line, and how far each is indented.
        let mut above: Vec<(usize, String)> = Vec::new();
        let mut block: Option<(usize, String)> = None;
        for line in document.lines() {
            let text = line.trim_start();
            let indented = line.len() - text.len();
            if let Some((outside, path)) = &block {
                if indented > *outside {
                    let value = values.entry(path.clone()).or_default();
                    value.push_str(text);
                    value.push('\n');
                    continue;
                }
                block = None;
            }
            if text.starts_with('#') {
                continue;
            }
            above.retain(|(outside, _)| *outside < indented);
            if let Some(name) = text.strip_prefix("- name: ") {
                above.push((indented, name.to_owned()));
                continue;
            }
            let (key, value) = text.split_once(':').expect("a key");
            above.push((indented, key.to_owned()));
            let path = above.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
            match value.trim() {
                "" => {}
                "|" => block = Some((indented, path)),
                value => drop(values.insert(path, value.trim_matches('"').to_owned())),
            }
        }
        Self { values }
    }

    #[track_caller]
    pub(crate) fn text(&self, path: &str) -> &str {
        self.values.get(path).unwrap_or_else(|| panic!("the manifest has no {path}"))
    }

    #[track_caller]
    pub(crate) fn number(&self, path: &str) -> u32 {
        self.text(path).parse().expect("a number")
    }

    #[track_caller]
    pub(crate) fn seconds(&self, path: &str) -> Duration {
        Duration::from_secs(self.number(path).into())
    }
}
