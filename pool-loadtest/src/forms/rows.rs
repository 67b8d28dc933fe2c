//! Rows of figures for spreadsheets: CSV (RFC 4180) with a header, lines ended by a line feed.

use super::escape::csv;

/// Rows under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn under<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Self { header: header.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    pub(crate) fn text(&self) -> String {
        let line = |fields: &Vec<String>| {
            let fields: Vec<_> = fields.iter().map(|field| csv(field)).collect();
            fields.join(",") + "\n"
        };
        [&self.header].into_iter().chain(&self.rows).map(line).collect()
    }
}

/// A figure that may be missing: an empty field then.
pub(crate) fn field<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_their_header() {
        let mut rows = Rows::under(["a", "b,c"]);
        rows.rows.push(vec!["1".to_owned(), field(None::<f64>)]);
        assert_eq!(rows.text(), "a,\"b,c\"\n1,\n");
    }
}
