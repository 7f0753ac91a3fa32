//! Texts from grammars, always the same for the same seed. In: rules, a seed. Out: texts. Never here: what they are for.

use std::fmt::Write as _;

/// Numbers that look random and are the same every time (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Names with what they can stand for: `«name»` in a text is replaced by one of its alternatives.
pub(crate) type Grammar = &'static [(&'static str, &'static [&'static str])];

/// A text from one of the alternatives of `start`; names that the grammar lacks are in [`COMMON`].
pub(crate) fn text(start: &str, grammar: Grammar, random: &mut Random) -> String {
    let mut out = String::new();
    expand(&format!("«{start}»"), grammar, random, &mut out, 0);
    out
}

fn expand(pattern: &str, grammar: Grammar, random: &mut Random, out: &mut String, depth: usize) {
    assert!(depth < 40, "a grammar without end: {pattern}");
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('«') {
        out.push_str(before);
        let (name, behind) = behind.split_once('»').unwrap();
        match name {
            "n" => out.push_str(&random.below(9999).to_string()),
            "d" => out.push_str(&random.below(10).to_string()),
            "hex" => write!(out, "{:x}", random.next()).unwrap(),
            "id" => (0..4 + random.below(4))
                .for_each(|_| out.push(char::from(b'a' + u8::try_from(random.below(26)).unwrap()))),
            _ => {
                let found = grammar.iter().chain(COMMON).find(|(known, _)| *known == name);
                let alternatives = found.unwrap_or_else(|| panic!("no rule {name}")).1;
                expand(random.pick(alternatives), grammar, random, out, depth + 1);
            }
        }
        rest = behind;
    }
    out.push_str(rest);
}

/// Names that all grammars have.
const COMMON: Grammar = &[
    (
        "first",
        &[
            "Ann", "Robert", "Marie", "Zoë", "Null", "Sean", "D'Arcy", "José", "Li", "Minh", "Olga", "Tom", "Ruth",
            "Union", "Ada", "Will", "Mark",
        ],
    ),
    (
        "last",
        &[
            "O'Brien",
            "O'Neil",
            "Smith",
            "D'Angelo",
            "Null",
            "Drop",
            "Müller",
            "van der Berg",
            "Grant",
            "Kim",
            "Selecta",
            "L'Estrange",
            "Case",
            "Table",
            "Ng'ang'a",
            "Wall",
        ],
    ),
    ("city", &["Paris", "Bergen", "L'Aquila", "Seoul", "St. John's", "Köln", "Oslo", "Gent", "Xi'an", "Union City"]),
    (
        "noun",
        &[
            "table",
            "order",
            "group",
            "script",
            "alert",
            "union",
            "invoice",
            "report",
            "cat",
            "kitchen",
            "garden",
            "key",
            "case",
            "office",
            "committee",
            "set",
            "ticket",
            "email",
            "water",
            "price",
            "phone",
            "color",
            "update",
            "list",
            "house",
            "book",
        ],
    ),
    (
        "adj",
        &[
            "red", "old", "select", "new", "like", "small", "distinct", "quick", "open", "null", "lovely", "broken",
            "warm", "wooden",
        ],
    ),
    (
        "verb",
        &[
            "select", "drop", "update", "insert", "delete", "order", "like", "want", "need", "see", "join", "grant",
            "fetch", "sleep", "echo", "find", "cut", "type", "sort", "kill", "touch",
        ],
    ),
    (
        "prep",
        &[
            "from", "where", "into", "like", "between", "and", "or", "with", "for", "in", "before", "after", "on",
            "at", "without", "having",
        ],
    ),
];
