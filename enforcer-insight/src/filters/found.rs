//! Classes of data for filters. In: calls. Out: what the rooms `content` and `classes` find in them, with what is grave about it.
//! Never here: values, how classes are told.
use super::Word;
use super::exposure::{Classes, Found, Place};
use crate::classes::{Data, classify};
use crate::content::{self, Contents};
use crate::{Call, content::Place as At};

/// Finds classes of data by decoding requests and answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByContent;

impl Classes for ByContent {
    fn find(&self, call: &Call, found: &mut Vec<Found>) {
        add(&content::request(call), found, |at| if is_address(at) { Place::Url } else { Place::Request });
        if let Some(answer) = &call.answer {
            add(&content::answer(answer), found, |_| Place::Answer);
        }
    }
}

fn add(contents: &Contents, found: &mut Vec<Found>, place: impl Fn(At) -> Place) {
    found.extend(classify(contents).into_iter().map(|one| {
        let place = place(one.place);
        Found { class: Word::Borrowed(one.class.name()), place, count: one.count, grave: is_grave(one.class, place) }
    }));
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
