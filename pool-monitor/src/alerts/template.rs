//! Sentences with `{pool}` and `{value}`.

const PLACES: [&str; 2] = ["pool", "value"];

/// Longer ones are no sentences.
const LONGEST: usize = 500;

/// Why `text` cannot be filled in.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("empty".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let place = rest[at..].strip_prefix('{').and_then(|place| place.split_once('}'));
        let Some((place, behind)) = place else {
            return Err("a brace without its other".to_owned());
        };
        if !PLACES.contains(&place) {
            let is_word = place.len() < 20 && place.chars().all(|c| c.is_ascii_alphanumeric());
            let place = if is_word { place } else { "..." };
            return Err(format!("unknown {{{place}}}"));
        }
        rest = behind;
    }
    Ok(())
}

/// `text` with its places filled in, each once: what a pool's name looks like does not matter.
pub(crate) fn fill(text: &str, pool: &str, value: &str) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, place)) = rest.split_once('{') {
        filled.push_str(before);
        let (place, behind) = place.split_once('}').unwrap_or((place, ""));
        filled.push_str(if place == "pool" { pool } else { value });
        rest = behind;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_once() {
        let text = "the pool {pool} is at {value}";
        assert_eq!(check(text), Ok(()));
        assert_eq!(fill(text, "{value}", "90 %"), "the pool {value} is at 90 %");
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        for (text, why) in [
            ("", "empty"),
            ("{pool", "a brace"),
            ("pool}", "a brace"),
            ("{{pool}}", "unknown {...}"),
            ("{pools}", "unknown {pools}"),
        ] {
            assert!(check(text).expect_err(text).starts_with(why), "{text}");
        }
    }
}
