//! The classes room: what kinds of data stand in requests and answers.
//!
//! In: [`Contents`]. Out: for each place and field the classes of data in it with their counts ([`Found`]); masked forms for people. Never
//! here: a value in anything that comes out.
//!
//! What has a check digit must pass it. What other numbers look like too (national ids of plain digits, phones without a sign) counts
//! only under a name that says so: see [`names`]. To add a class: a line in [`Data`], a pattern and a check in `finders`.
#![forbid(unsafe_code)]

mod checks;
mod finders;
mod names;
mod nations;

use std::collections::BTreeMap;

use crate::Call;
use crate::content::{self, Contents, Place, Value, WHOLE_PATH};

/// A class of data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// A number of a payment card.
    Card,
    /// A key of a cloud or a service, by the shape that its owner gave it.
    CloudKey,
    /// An address of mail.
    Email,
    /// An international account number.
    Iban,
    /// A token that carries its claims.
    Jwt,
    /// A Brazilian taxpayer's number.
    NationalBrazil,
    /// A French social security number.
    NationalFrance,
    /// A German tax number.
    NationalGermany,
    /// An Indian resident's number.
    NationalIndia,
    /// An Italian tax code.
    NationalItaly,
    /// A Korean resident registration number.
    NationalKorea,
    /// A Dutch citizen's number.
    NationalNetherlands,
    /// A Polish resident's number.
    NationalPoland,
    /// A Spanish identity number, of citizens or foreigners.
    NationalSpain,
    /// A British insurance number.
    NationalUk,
    /// An American social security number.
    NationalUs,
    /// A password, by the name of its field.
    Password,
    /// A number of a phone.
    Phone,
    /// A private key.
    PrivateKey,
    /// A secret or a token, by the name of its field.
    Secret,
}

impl Data {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::CloudKey => "cloud-key",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Jwt => "jwt",
            Self::NationalBrazil => "national-id-br",
            Self::NationalFrance => "national-id-fr",
            Self::NationalGermany => "national-id-de",
            Self::NationalIndia => "national-id-in",
            Self::NationalItaly => "national-id-it",
            Self::NationalKorea => "national-id-kr",
            Self::NationalNetherlands => "national-id-nl",
            Self::NationalPoland => "national-id-pl",
            Self::NationalSpain => "national-id-es",
            Self::NationalUk => "national-id-gb",
            Self::NationalUs => "national-id-us",
            Self::Password => "password",
            Self::Phone => "phone",
            Self::PrivateKey => "private-key",
            Self::Secret => "secret",
        }
    }
}

/// Data of one class in one field.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Under which name, as [`Value::label`] shows it.
    pub name: Box<str>,
    /// What.
    pub class: Data,
    /// How often; of one value, at most [`MOST_IN_VALUE`] times.
    pub count: u32,
}

/// The classes of data in a call, looked for once for all who want to know.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Sensitive {
    /// In the request.
    pub request: Vec<Found>,
    /// In the answer.
    pub answer: Vec<Found>,
}

impl Sensitive {
    /// Looks for them.
    pub fn of(call: &Call) -> Self {
        let answer = call.answer.as_ref().map(|answer| classify(&content::answer(answer)));
        Self { request: classify(&content::request(call)), answer: answer.unwrap_or_default() }
    }
}

/// Data that are counted in one value, at most.
pub const MOST_IN_VALUE: usize = 64;

/// All classes of data in a request or an answer, by place, name and class.
pub fn classify(contents: &Contents) -> Vec<Found> {
    let mut counts: BTreeMap<(Place, Box<str>, Data), u32> = BTreeMap::new();
    for value in &contents.values {
        for class in classes(value) {
            *counts.entry((value.place, value.label(), class)).or_default() += 1;
        }
    }
    counts.into_iter().map(|((place, name, class), count)| Found { place, name, class, count }).collect()
}

/// The classes in one value: each as often as it stands there, in order.
pub fn classes(value: &Value) -> Vec<Data> {
    let mut found = Vec::new();
    if value.place == Place::Path && &*value.name == WHOLE_PATH {
        return found;
    }
    let text = value.text();
    let hints = names::hints(&value.name);
    finders::find(text, hints, &mut found);
    if found.is_empty() {
        found.extend(names::by_name(hints, text));
    }
    found.truncate(MOST_IN_VALUE);
    found.sort_unstable();
    found
}

/// A datum for people: of cards the last four digits, of mail the first letter and the domain's end, of phones the last two digits;
/// of everything else nothing.
pub fn mask(class: Data, text: &str) -> Box<str> {
    let last = |count: usize| {
        let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        digits.iter().skip(digits.len().saturating_sub(count)).collect::<String>()
    };
    match class {
        Data::Card => format!("•••• {}", last(4)).into(),
        Data::Phone => format!("•••{}", last(2)).into(),
        Data::Email => {
            let end = text.rsplit('.').next().unwrap_or_default();
            let first = text.chars().next().map(String::from).unwrap_or_default();
            format!("{first}•••@•••.{end}").into()
        }
        Data::Iban => format!("{}••••{}", text.get(..2).unwrap_or_default(), last(2)).into(),
        Data::CloudKey
        | Data::Jwt
        | Data::NationalBrazil
        | Data::NationalFrance
        | Data::NationalGermany
        | Data::NationalIndia
        | Data::NationalItaly
        | Data::NationalKorea
        | Data::NationalNetherlands
        | Data::NationalPoland
        | Data::NationalSpain
        | Data::NationalUk
        | Data::NationalUs
        | Data::Password
        | Data::PrivateKey
        | Data::Secret => "••••".into(),
    }
}

#[cfg(test)]
mod tests;
