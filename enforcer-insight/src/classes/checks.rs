//! Check digits. In: digits and letters without separators. Out: whether they are a number of that kind. Never here: finding them.

/// The digits of a text, one by one; letters and signs are left out.
pub(super) fn digits(text: &[u8]) -> Vec<u32> {
    text.iter().filter_map(|byte| char::from(*byte).to_digit(10)).collect()
}

/// The sum that a payment card's last digit makes a multiple of ten.
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) => double - if double > 9 { 9 } else { 0 },
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A card: a length and a beginning that issuers use, and the check digit.
pub(super) fn card(digits: &[u32]) -> bool {
    let begin = |count: usize| digits.iter().take(count).fold(0, |sum, digit| sum * 10 + digit);
    let length = digits.len();
    let issued = match begin(1) {
        4 => matches!(length, 13 | 16 | 19),
        5 => length == 16 && (51..=55).contains(&begin(2)),
        2 => length == 16 && (2221..=2720).contains(&begin(4)),
        6 => {
            (16..=19).contains(&length)
                && (begin(4) == 6011 || matches!(begin(2), 62 | 65) || (644..=649).contains(&begin(3)))
        }
        3 => {
            let (two, three, four) = (begin(2), begin(3), begin(4));
            (length == 15 && matches!(two, 34 | 37))
                || (length == 14 && ((300..=305).contains(&three) || matches!(two, 36 | 38 | 39)))
                || (length == 16 && (3528..=3589).contains(&four))
        }
        _ => false,
    };
    let varied = digits.iter().any(|digit| Some(digit) != digits.first());
    issued && varied && luhn(digits)
}

/// An international account number: its country's length, and 97.
pub(super) fn iban(text: &[u8]) -> bool {
    let country = text.get(..2).unwrap_or_default();
    let length = IBANS.iter().find(|(code, _)| code.as_bytes() == country).map(|(_, length)| *length);
    let Some((begin, rest)) = text.split_at_checked(4).filter(|_| length == Some(text.len())) else { return false };
    let rest = rest.iter().chain(begin).try_fold(0_u32, |sum, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some((sum * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    rest == Some(1)
}

/// The sum of digits with weights.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// A check with two multiplied tables, which finds every swap of neighbours.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    let check =
        digits.iter().rev().enumerate().fold(0, |check, (place, digit)| dihedral(check, permuted(*digit, place % 8)));
    check == 0
}

/// The product in the symmetry group of a pentagon: numbers below five turn, the others turn and flip.
const fn dihedral(a: u32, b: u32) -> u32 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a - 5 + 10 - b) % 5,
    }
}

/// The digit after a permutation was done so many times.
fn permuted(digit: u32, times: usize) -> u32 {
    let step = |digit: u32| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(digit as usize).copied().unwrap_or_default();
    (0..times).fold(digit, |digit, _| step(digit))
}

/// ISO 7064 with 11 and 10.
pub(super) fn hybrid(digits: &[u32]) -> bool {
    let Some((last, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *last
}

/// True for a month and a day of it.
pub(super) const fn is_date(month: u32, day: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    1 <= month && month <= 12 && 1 <= day && day <= days
}

/// Countries and the lengths of their account numbers.
const IBANS: [(&str, usize); 77] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("XK", 20),
];
