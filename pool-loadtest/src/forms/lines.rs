//! JSON, one object a line, each with its `type`: a reader need not hold all of it at once.

use serde::Serialize;

/// Objects in the order in which they are printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(String);

#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'a str,
    #[serde(flatten)]
    object: &'a T,
}

impl Lines {
    /// Adds an object of this type.
    ///
    /// # Errors
    ///
    /// It cannot be written as a JSON object.
    pub(crate) fn add(&mut self, name: &str, object: &impl Serialize) -> serde_json::Result<()> {
        self.0 += &serde_json::to_string(&Line { r#type: name, object })?;
        self.0.push('\n');
        Ok(())
    }

    pub(crate) fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_line_that_begins_with_its_type() {
        #[derive(Serialize)]
        struct Point {
            at: f64,
            word: &'static str,
        }
        let mut lines = Lines::default();
        lines.add("point", &Point { at: 1.5, word: "a\nb" }).expect("an object");
        lines.add("run", &Point { at: 2.0, word: "" }).expect("an object");
        let expected = "{\"type\":\"point\",\"at\":1.5,\"word\":\"a\\nb\"}\n\
                        {\"type\":\"run\",\"at\":2.0,\"word\":\"\"}\n";
        assert_eq!(lines.text(), expected);
    }
}
