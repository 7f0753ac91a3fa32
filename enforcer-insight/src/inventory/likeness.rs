//! What somebody saw who looked at an endpoint. In: an endpoint. Out: a number that is another one when its credentials, its fields or the data it
//! bears are others. Never here: counts, which change with every call.
use enforcer_common::{SipKey, siphash};

use super::list::Listed;

impl Listed<'_> {
    /// The same for endpoints that look the same.
    pub fn likeness(&self) -> u64 {
        let usage = self.usage;
        let auth = usage.auth.keys().map(|auth| format!("auth {}", auth.name()));
        let fields = [("query", &usage.query), ("request", &usage.request), ("answer", &usage.answer)];
        let fields =
            fields.into_iter().flat_map(|(place, fields)| fields.names().map(move |name| format!("{place} {name}")));
        let data = usage.classes.iter().map(|(place, field, class, _)| format!("{class} in {} {field}", place.name()));
        let mut all: Vec<String> = auth.chain(fields).chain(data).collect();
        all.sort();
        // No secret: nobody gains by an endpoint that looks like another.
        siphash(SipKey([0, 0]), all.join("\n").as_bytes())
    }
}
