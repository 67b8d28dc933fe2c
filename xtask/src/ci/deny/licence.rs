//! Whether a licence expression can be satisfied by licences that are allowed.

use anyhow::Result;
use spdx::{Expression, ParseMode};

/// Whether choosing only among `allowed` satisfies `expression`. The `/` of old manifests means
/// `OR`; a licence with an exception is a licence of its own.
///
/// # Errors
///
/// The expression cannot be understood.
pub(super) fn is_satisfied(expression: &str, allowed: &[String]) -> Result<bool> {
    let expression = Expression::parse_mode(expression, ParseMode::LAX)?;
    Ok(expression.evaluate(|required| allowed.contains(&required.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn satisfied(expression: &str) -> bool {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        is_satisfied(expression, &allowed).expect("valid")
    }

    #[test]
    fn one_side_of_or_is_enough_and_and_needs_both() {
        assert!(satisfied("GPL-3.0 OR MIT"));
        assert!(satisfied("GPL-3.0/MIT"));
        assert!(satisfied("MIT OR ISC AND GPL-3.0"));
        assert!(!satisfied("(MIT OR ISC) AND GPL-3.0"));
    }

    #[test]
    fn an_exception_makes_another_licence() {
        assert!(satisfied("Apache-2.0 WITH LLVM-exception"));
        assert!(!satisfied("Apache-2.0"));
        assert!(!satisfied("MIT WITH LLVM-exception"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert!(
            is_satisfied("MIT AND", &["MIT".to_owned()])
                .is_err_and(|error| { error.to_string().contains("MIT AND") })
        );
    }
}
