//! Texts without attacks. In: a seed. Out: what people and programs send, and what only looks like an attack. Never here: attacks.
use super::clean_awkward::AWKWARD;
use super::clean_held::{HELD, OTHER};
use super::grammar::{Grammar, Random, text};

/// What shops, banks and boards are sent most.
pub(crate) fn ordinary(random: &mut Random) -> String {
    text("ordinary", ORDINARY, random)
}

/// What looks like an attack to who looks at signs only.
pub(crate) fn awkward(random: &mut Random) -> String {
    if random.below(4) == 0 { text("other", OTHER, random) } else { text("awkward", AWKWARD, random) }
}

/// The same kinds of text, of wordings that no rule was tuned with.
pub(crate) fn held(random: &mut Random) -> String {
    text("held", HELD, random)
}

const ORDINARY: Grammar = &[
    (
        "ordinary",
        &[
            "«first» «last»",
            "«n»",
            "«hex»-«hex»",
            "«id»@example.org",
            "«n».«d»«d» EUR",
            "2026-1«d»-0«d»T12:3«d»:00Z",
            "«sentence»",
            "«sentence» «sentence»",
            "«city», «n» «noun» street",
            "+49 30 «n»«n»",
            "https://shop.example/«noun»/«n»?id=«n»&ref=«id»",
            "«id»_«id»",
            "en-US,en;q=0.9",
            "«noun»-«noun»-«n»",
            "true",
            "«agent»",
            "«noun»s & «noun»s",
            "#«id» #«noun»",
            "v«d».«d».«d»",
            "«d»«d»%",
            "«city» (FR)",
            "Re: «noun» «n»",
            "C:\\Users\\«first»\\«noun».docx",
            "/home/«id»/«noun».txt",
            "{\"«noun»\":«n»}",
            "«noun».«noun».«id»",
            "«d» x «d»",
            "«first»; «first»; «first»",
        ],
    ),
    (
        "sentence",
        &[
            "We «verb» the «adj» «noun» «prep» the «noun».",
            "Please «verb» my «noun» «prep» «city» today.",
            "I'd like a «adj» «noun», please!",
            "Don't «verb» it «prep» «n» o'clock.",
            "Is the «noun» «adj»?",
            "«first» and «first» «verb» «n» «noun»s.",
            "Thanks, that's «adj»: «d»/5.",
            "The «noun» isn't «adj» or «adj».",
            "Order «n» - «noun» missing; «noun» broken.",
            "It's «n» km from «city» to «city».",
            "See you at 5:30 (maybe later).",
        ],
    ),
    (
        "agent",
        &[
            "Mozilla/5.0 (X11; Linux x86_64; rv:14«d».0) Gecko/20100101 Firefox/14«d».0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_«d» like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.«d» Mobile/15E148 Safari/604.1",
            "curl/8.«d».1",
            "python-requests/2.3«d».0",
            "okhttp/4.1«d».0",
            "Dalvik/2.1.0 (Linux; U; Android 14; SM-G99«d»B Build/UP1A)",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "PostmanRuntime/7.4«d».0",
        ],
    ),
];
