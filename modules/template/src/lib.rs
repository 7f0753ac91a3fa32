//! Pages that are too large. In: calls. Out: one sign for each caller that asks for such a page, with a limit as a suggestion.
//!
//! A place to begin: what is raised here, and what can be set, stands in `manifest.json`.
use enforcer_filter::{Call, Filter, Key, Out, Parameters, Sign, Steps, Table, number};

enforcer_filter::filter!(Pages, include_str!("../manifest.json"));

/// The filter. It remembers who was told of, and forgets who was not seen for longest.
#[derive(Default)]
struct Pages {
    page: u64,
    lasts: u64,
    told: Option<Table<Key, Steps>>,
}

impl Filter for Pages {
    fn start(&mut self, parameters: &Parameters<'_>) {
        (self.page, self.lasts) = (parameters.count("page"), parameters.count("lasts"));
        // It is started again when parameters change: what it knows stays.
        let callers = usize::try_from(parameters.count("callers")).unwrap_or(16);
        self.told.get_or_insert_with(|| Table::new(callers));
    }

    fn call(&mut self, call: &Call<'_>, out: &mut Out) {
        // What was not served is no burden.
        if call.answer.as_ref().is_none_or(|answer| answer.status >= 400) {
            return;
        }
        let Some(entries) = call.query("limit").and_then(number).filter(|entries| *entries > self.page) else { return };
        let Some(told) = &mut self.told else { return };
        if told.entry(call.consumer).reach(1, 1) {
            let sign = Sign::new("huge_page", 80).by_consumer().at_endpoint();
            let sign = sign.suggest_limit("endpoint", 10, self.lasts);
            out.raise(&sign.count("entries", entries).count("bound", self.page));
        }
    }
}
