//! What is grave about data in calls. In: the classes that were found, by place and field. Out: where each stands, as filters tell it, and
//! whether it has any business there. Never here: values, how classes are told.
use crate::classes::{self, Data, Sensitive};
use crate::content::Place as At;

/// Some values of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// The class.
    pub(super) class: Data,
    /// Where.
    pub(super) place: Place,
    /// How many.
    pub(super) count: u32,
    /// It should not be there at all, as a password in an answer; else it is only counted.
    pub(super) grave: bool,
}

/// Where data can stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Place {
    /// In the body of the answer.
    Answer,
    /// In a header or the body of the request.
    Request,
    /// In the address of the request.
    Url,
}

/// All that was found in a call.
pub(super) fn found_in(call: &Sensitive) -> impl Iterator<Item = Found> {
    let asked =
        call.request.iter().map(|one| found(one, if is_address(one.place) { Place::Url } else { Place::Request }));
    asked.chain(call.answer.iter().map(|one| found(one, Place::Answer)))
}

const fn found(one: &classes::Found, place: Place) -> Found {
    Found { class: one.class, place, count: one.count, grave: is_grave(one.class, place) }
}

const fn is_address(at: At) -> bool {
    matches!(at, At::Path | At::Query)
}

/// What has no business there, whoever asks: secrets in answers; in addresses, which are logged everywhere, what names people. Of
/// secrets in addresses the filter of tokens tells.
const fn is_grave(class: Data, place: Place) -> bool {
    let secret = matches!(class, Data::CloudKey | Data::Password | Data::PrivateKey | Data::Secret);
    match place {
        Place::Answer => secret && !matches!(class, Data::Secret),
        Place::Request => false,
        Place::Url => !secret && !matches!(class, Data::Email | Data::Jwt | Data::Phone),
    }
}
