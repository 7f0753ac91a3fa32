//! Help with words that are nearly right.
//!
//! In: what was written, and the words that are known. Out: the one that was probably meant. Never here: the file.

/// The known word that differs least from `written`, when it differs little.
pub fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    if written.len() > LONGEST {
        return None;
    }
    let written: Vec<char> = written.chars().map(plain).collect();
    let ranked = known.iter().map(|word| (distance(&written, word), *word));
    let (distance, word) = ranked.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.len().div_ceil(4).max(1)).then_some(word)
}

/// A piece of the file for a message: in quotes, escaped, at most 40 characters.
pub fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(40).is_some() { "..." } else { "" };
    format!("`{short}{more}`")
}

/// The least number of characters to insert, remove or replace.
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (above, letter) in to.chars().map(plain).enumerate() {
        let mut diagonal = above;
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
        for at in 0..from.len() {
            let replaced = diagonal + usize::from(from[at] != letter);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// `Listen-On` and `listen_on` are the same slip.
fn plain(letter: char) -> char {
    if letter == '-' { '_' } else { letter.to_ascii_lowercase() }
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_probably_meant() {
        let known = ["agent", "fastpath", "limits", "service", "allow"];
        for (written, meant) in
            [("services", "service"), ("limit", "limits"), ("Agent", "agent"), ("fast-path", "fastpath")]
        {
            assert_eq!(nearest(written, &known), Some(meant), "{written}");
        }
        assert_eq!(nearest("state-dir", &["state_dir"]), Some("state_dir"));
    }

    #[test]
    fn stays_silent_when_nothing_is_near() {
        assert_eq!(nearest("colour", &["agent", "limits"]), None);
        assert_eq!(nearest("", &["as"]), None);
        assert_eq!(nearest(&"x".repeat(1000), &["agent"]), None);
    }

    #[test]
    fn a_piece_of_the_file_is_short_and_on_one_line() {
        assert_eq!(shown("a\nb"), "`a\\nb`");
        assert_eq!(shown(&"x".repeat(50)).len(), 45);
    }
}
