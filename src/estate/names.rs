//! Names that are made of ids, for places that take one flat name only.

use crate::digest::Digest;

/// The longest name that Kubernetes takes (RFC 1123 label).
pub const MAX_LABEL: usize = 63;

/// A Kubernetes name that no other ids have. Ids may hold `-`, so joining them is not enough:
/// `a-b` with `c` and `a` with `b-c` would meet. A digest of the ids keeps them apart.
pub fn unique(parts: &[&str]) -> String {
    let digest = Digest::of(parts.join("/").as_bytes());
    let joined = parts.join("-");
    // 9 of the characters are `-` and eight digits.
    let kept = joined
        .get(..MAX_LABEL - 9)
        .unwrap_or(&joined)
        .trim_end_matches('-');
    format!("{kept}-{}", digest.hex().get(..8).unwrap_or_default())
}

/// The name that charts, modules and scripts make of the same ids: joined by `-` and cut. Two
/// stacks can meet in it; `lint` says where they do.
pub fn usual(parts: &[&str]) -> String {
    let joined = parts.join("-");
    joined
        .get(..MAX_LABEL)
        .unwrap_or(&joined)
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t19_unique_names_of_two_stacks_never_meet_and_usual_ones_do() {
        assert_ne!(unique(&["a-b", "c"]), unique(&["a", "b-c"]));
        assert_eq!(usual(&["a-b", "c"]), usual(&["a", "b-c"]));
        let long = "a".repeat(40);
        for name in [
            unique(&[&long, &long, "production"]),
            usual(&[&long, &long, "production"]),
        ] {
            assert!(name.len() <= MAX_LABEL, "{name}");
        }
    }
}
