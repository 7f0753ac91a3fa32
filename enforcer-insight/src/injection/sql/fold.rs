//! Folds tokens that mean the same. In: tokens with their places. Out: a short text of kinds. Never here: rules.

/// A kind, and where its token begins and ends.
type Span = (u8, usize, usize);

/// Folds, until the text is as short as it gets.
pub(super) fn fold(tokens: &[Span], text: &[u8]) -> Vec<u8> {
    let mut out: Vec<Span> = Vec::with_capacity(tokens.len());
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map(|next| next.0);
        if is_dropped(&out, *token, next) {
            continue;
        }
        out.push(*token);
        while reduce(&mut out, text) {}
    }
    out.into_iter().map(|(kind, ..)| kind).collect()
}

/// Words without weight, and signs before a value: `not`, `-`, `distinct`.
fn is_dropped(out: &[Span], token: Span, next: Option<u8>) -> bool {
    let last = out.last().map(|last| last.0);
    let opens = last.is_none_or(|last| b"(,;&oc!kEbhUl".contains(&last));
    match token.0 {
        b'_' => true,
        b'a' => last.is_some_and(|last| matches!(last, b'U' | b'E')),
        b'!' => next == Some(b'c') || last.is_some_and(|last| b"&(!".contains(&last)),
        b'o' => opens && next.is_some_and(|next| b"nvVsw$(gtxo!E".contains(&next)) && last != Some(b'E'),
        b'c' => last == Some(b'c'),
        b';' => last == Some(b';'),
        _ => false,
    }
}

/// One step; false when nothing folds.
fn reduce(out: &mut Vec<Span>, text: &[u8]) -> bool {
    let kinds: Vec<u8> = out.iter().rev().take(6).rev().map(|(kind, ..)| *kind).collect();
    let Some((length, kind)) = folded(&kinds, || same(out, text)) else { return false };
    replace(out, length, kind);
    true
}

/// How many of the last tokens fold, and into what.
fn folded(kinds: &[u8], same: impl FnOnce() -> bool) -> Option<(usize, u8)> {
    statement(kinds).or_else(|| match kinds {
        [.., b'G' | b'O', b'B'] => Some((2, b'k')),
        [.., before, b'(', inside @ (b'n' | b'w' | b's' | b'v'), b')'] if !b"gtxwc".contains(before) => {
            Some((3, *inside))
        }
        [b'(', inside @ (b'n' | b'w' | b's' | b'v'), b')'] => Some((3, *inside)),
        [.., b'n', b'o', b'n'] => Some((3, b'n')),
        [.., b'w', b'o', b'n'] | [.., b'n' | b'w', b'o', b'w'] => Some((3, b'w')),
        [.., b'w', b'c', b'w'] if same() => Some((3, b'=')),
        _ => None,
    })
}

/// Words that begin a statement together.
fn statement(kinds: &[u8]) -> Option<(usize, u8)> {
    match kinds {
        [.., b'I', b'J', b'w' | b'm' | b'T' | b'x']
        | [.., b'D' | b'Q', b'f' | b'T', b'w' | b'm']
        | [.., b'C' | b'R' | b'A', b'T', b'w' | b'm' | b'T' | b'i' | b's' | b'n']
        | [.., b'M', b'w' | b'J', b'p' | b'w']
        | [.., b'z', b'w', b'#' | b';'] => Some((3, b'S')),
        [.., b'D', b'w', b'f', b'w' | b'm'] => Some((4, b'S')),
        [.., b'u', b'w' | b'm' | b'T', b'e', b'w' | b'T', b'c'] => Some((5, b'S')),
        [.., b'X', b'P' | b'm' | b'v' | b's' | b'('] | [.., b'd', b'v'] => Some((2, b'Y')),
        [.., b'X', b'w', b's' | b'$'] | [.., b'W', b'y', b's' | b'$' | b'v' | b'n' | b'('] => Some((3, b'Y')),
        [.., b'z', b'#' | b';'] => Some((2, b'S')),
        _ => None,
    }
}

/// A name compared with itself is as good as two numbers.
fn replace(out: &mut Vec<Span>, length: usize, kind: u8) {
    let from = out.len().saturating_sub(length);
    let begin = out.get(from).map_or(0, |first| first.1);
    let end = out.last().map_or(0, |last| last.2);
    out.truncate(from);
    if kind == b'=' {
        out.extend([(b'n', begin, end), (b'c', begin, end), (b'n', begin, end)]);
    } else {
        out.push((kind, begin, end));
    }
}

fn same(out: &[Span], text: &[u8]) -> bool {
    let word = |back: usize| {
        let (_, begin, end) = *out.get(out.len().checked_sub(back)?)?;
        text.get(begin..end)
    };
    word(1) == word(3)
}
