//! What is too large about a request. In: parameters, a call. Out: what, how much, and the bound. Never here: who sent it.
use enforcer_filter::{Call, Parameters, number, pairs};

use crate::fields::{fields, nesting};

/// What may be.
#[derive(Default)]
pub(crate) struct Limits {
    /// Milliseconds.
    pub(crate) busy: u32,
    pub(crate) times: u32,
    page: u64,
    depth: u16,
    batch: u64,
    /// Seconds.
    pub(crate) lasts: u64,
}

/// What is too large.
pub(crate) struct Large {
    pub(crate) kind: &'static str,
    pub(crate) what: &'static str,
    pub(crate) count: u64,
    pub(crate) bound: u64,
}

impl Limits {
    pub(crate) fn of(parameters: &Parameters<'_>) -> Self {
        let busy = u32::try_from(parameters.count("busy") * 1_000).unwrap_or(u32::MAX);
        let times = u32::try_from(parameters.count("times")).unwrap_or(u32::MAX);
        let depth = u16::try_from(parameters.count("depth")).unwrap_or(u16::MAX);
        let (page, batch) = (parameters.count("page"), parameters.count("batch"));
        Self { busy, times, page, depth, batch, lasts: parameters.count("lasts") }
    }
}

/// What is too large about a request that was served.
pub(crate) fn large(call: &Call<'_>, limits: &Limits) -> Option<Large> {
    let asked = pairs(call.query_text()).filter(|(name, _)| is_page(name));
    let page = asked.filter_map(|(_, value)| number(value)).find(|entries| *entries > limits.page);
    if let Some(count) = page {
        return Some(Large { kind: "huge_page", what: "entries", count, bound: limits.page });
    }
    let body = call.body;
    // Each level takes two bytes: a short body is not deep.
    if body.len() < usize::from(limits.depth) * 2 || !matches!(body.first(), Some(b'{' | b'[')) {
        return None;
    }
    let query = fields(body).find(|field| field.name == b"query" && field.value.contains(&b'{'));
    let depth = query.map_or(0, |query| nesting(query.value)).max(nesting(body));
    if depth > limits.depth {
        let (count, bound) = (u64::from(depth), u64::from(limits.depth));
        return Some(Large { kind: "deep_query", what: "levels", count, bound });
    }
    let count = fields(body).filter(|field| field.name == b"query").count() as u64;
    (count > limits.batch).then_some(Large { kind: "large_batch", what: "operations", count, bound: limits.batch })
}

fn is_page(name: &[u8]) -> bool {
    PAGES.iter().any(|page| name.eq_ignore_ascii_case(page.as_bytes()))
}

const PAGES: &[&str] = &[
    "limit",
    "size",
    "page_size",
    "pagesize",
    "per_page",
    "perpage",
    "count",
    "top",
    "$top",
    "first",
    "rows",
    "take",
    "max",
    "max_results",
    "maxresults",
    "length",
];
