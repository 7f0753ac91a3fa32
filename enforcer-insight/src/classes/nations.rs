//! National ids. In: a candidate without separators. Out: whether it is one. Never here: finding candidates.
use super::checks::{digits, hybrid, is_date, verhoeff, weighted};

/// Korea: a date of birth, a digit for sex and century, and a check digit; since October 2020 the last digits are random.
pub(super) fn korea(text: &[u8]) -> bool {
    let all = digits(text);
    let [y1, y2, m1, m2, d1, d2, sex, .., last] = all[..] else { return false };
    if all.len() != 13 || !is_date(m1 * 10 + m2, d1 * 10 + d2) || !(1..=8).contains(&sex) {
        return false;
    }
    let check = (11 - weighted(&all, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    let born = (y1 * 10 + y2) * 100 + m1 * 10 + m2;
    let random = matches!(sex, 3 | 4 | 7 | 8) && (2010..=2611).contains(&born);
    check == last || random
}

/// America: no check digit, but areas, groups and serials that are never given.
pub(super) fn us(text: &[u8]) -> bool {
    let all = digits(text);
    let number = |from: usize, count: usize| all.iter().skip(from).take(count).fold(0, |sum, digit| sum * 10 + digit);
    let area = number(0, 3);
    all.len() == 9
        && !matches!(area, 0 | 666 | 900..)
        && number(3, 2) != 0
        && number(5, 4) != 0
        && number(0, 9) != 78_051_120
}

/// Britain: letters that are never given, six digits, a letter.
pub(super) fn uk(text: &[u8]) -> bool {
    let [first, second, ..] = text else { return false };
    let refused: [&[u8]; 8] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ", b"OO"];
    !b"DFIQUV".contains(first) && !b"DFIQUVO".contains(second) && !refused.iter().any(|begin| text.starts_with(begin))
}

/// Germany: eleven digits, of the first ten one twice or thrice and another missing, and a check digit.
pub(super) fn germany(text: &[u8]) -> bool {
    let all = digits(text);
    let count = |wanted: u32| all.iter().take(10).filter(|digit| **digit == wanted).count();
    let most = (0..10).map(count).max().unwrap_or(0);
    let distinct = (0..10).filter(|digit| count(*digit) > 0).count();
    all.len() == 11
        && all.first() != Some(&0)
        && (most == 2 || most == 3)
        && (distinct == 9 || distinct == 8)
        && hybrid(&all)
}

/// France: sex, year, month, place, and what is left of 97; Corsica has letters.
pub(super) fn france(text: &[u8]) -> bool {
    let (text, corsica) = match text.get(5..7) {
        Some(b"2A") => ([text.get(..5).unwrap_or_default(), b"19", text.get(7..).unwrap_or_default()].concat(), true),
        Some(b"2B") => ([text.get(..5).unwrap_or_default(), b"18", text.get(7..).unwrap_or_default()].concat(), true),
        _ => (text.to_vec(), false),
    };
    let all: Vec<u64> = digits(&text).into_iter().map(u64::from).collect();
    let number = |from: usize, to: usize| all.iter().take(to).skip(from).fold(0, |sum, digit| sum * 10 + digit);
    let month = number(3, 5);
    let known = (1..=12).contains(&month) || (20..=42).contains(&month);
    all.len() == 15
        && matches!(number(0, 1), 1 | 2)
        && known
        && (corsica || number(5, 7) > 0)
        && 97 - number(0, 13) % 97 == number(13, 15)
}

/// Spain: eight digits, or a letter and seven, and the letter that 23 leaves.
pub(super) fn spain(text: &[u8]) -> bool {
    let begin = match text.first() {
        Some(b'X') => Some(0),
        Some(b'Y') => Some(1),
        Some(b'Z') => Some(2),
        _ => None,
    };
    let number = begin.into_iter().chain(digits(text)).fold(0_usize, |sum, digit| sum * 10 + digit as usize);
    text.last() == b"TRWAGMYFPDXBNJZSQVHLCKE".get(number % 23)
}

/// Italy: letters and digits in their places, and the letter that their values leave of 26.
pub(super) fn italy(text: &[u8]) -> bool {
    let odd = |byte: &u8| match byte {
        b'0'..=b'9' => ODD.get(usize::from(byte - b'0')).copied(),
        b'A'..=b'Z' => ODD_LETTERS.get(usize::from(byte - b'A')).copied(),
        _ => None,
    };
    let even = |byte: &u8| {
        if byte.is_ascii_digit() { Some(u32::from(byte - b'0')) } else { byte.checked_sub(b'A').map(u32::from) }
    };
    let Some((last, rest)) = text.split_last() else { return false };
    let sum = rest
        .iter()
        .enumerate()
        .try_fold(0, |sum, (place, byte)| Some(sum + if place % 2 == 0 { odd(byte)? } else { even(byte)? }));
    sum.is_some_and(|sum| even(last) == Some(sum % 26))
}

/// The Netherlands: nine digits whose weighted sum is a multiple of eleven.
pub(super) fn netherlands(text: &[u8]) -> bool {
    let all = digits(text);
    let Some((last, rest)) = all.split_last().filter(|_| all.len() == 9) else { return false };
    let sum = weighted(rest, &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum > 0 && sum % 11 == *last
}

/// Poland: a date whose month tells the century, a check digit.
pub(super) fn poland(text: &[u8]) -> bool {
    let all = digits(text);
    let [_, _, m1, m2, d1, d2, ..] = all[..] else { return false };
    let check = (10 - weighted(&all, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    all.len() == 11 && is_date((m1 * 10 + m2) % 20, d1 * 10 + d2) && all.last() == Some(&check)
}

/// Brazil: eleven digits, the last two of which check the others.
pub(super) fn brazil(text: &[u8]) -> bool {
    let all = digits(text);
    let check = |count: u32| {
        let weights: Vec<u32> = (2..=count + 1).rev().collect();
        weighted(&all, &weights) * 10 % 11 % 10
    };
    let varied = all.iter().any(|digit| Some(digit) != all.first());
    all.len() == 11 && varied && all.get(9) == Some(&check(9)) && all.get(10) == Some(&check(10))
}

/// India: twelve digits, the first no zero or one, and a check digit.
pub(super) fn india(text: &[u8]) -> bool {
    let all = digits(text);
    all.len() == 12 && all.first().is_some_and(|first| *first > 1) && verhoeff(&all)
}

const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
const ODD_LETTERS: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
