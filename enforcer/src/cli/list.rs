//! `list`: decisions, page by page, so that a million of them need no memory.
//!
//! In: a filter. Out: one table or one JSON document, written as the pages come. Never here: how a decision looks.
use super::args::{Format, Globals, ListArgs};
use super::client::Client;
use super::decisions;
use super::failure::Failure;
use super::out::Out;
use super::table::grouped;
use crate::wire::{Exit, ListReport, ListRequest, Request};

/// Decisions asked for at a time.
const PAGE: u32 = 5000;

/// `list`.
pub(super) fn list(args: ListArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let mut client = Client::open(globals)?;
    let left = if args.limit == 0 { u64::MAX } else { args.limit };
    let mut request = ListRequest { kind: args.kind, scope: args.scope.or(args.service), after: None, limit: PAGE };
    let mut pages = Pages { left, shown: 0 };
    loop {
        request.limit = u32::try_from(pages.left).unwrap_or(PAGE).min(PAGE);
        let page = client.call(&Request::List(request.clone()))?;
        let last = pages.show(&page, out)?;
        request.after = page.next;
        if last {
            return Ok(Exit::Done);
        }
    }
}

/// What was shown so far.
struct Pages {
    left: u64,
    shown: u64,
}

impl Pages {
    /// Writes one page; true when it was the last.
    fn show(&mut self, page: &ListReport, out: &mut Out) -> Result<bool, Failure> {
        let first = self.shown == 0;
        self.shown += page.decisions.len() as u64;
        self.left = self.left.saturating_sub(page.decisions.len() as u64);
        let last = page.next.is_none() || self.left == 0 || page.decisions.is_empty();
        match out.format {
            Format::Json => json(page, first, last, out)?,
            Format::Table => self.table(page, first, last, out)?,
        }
        Ok(last)
    }

    fn table(&self, page: &ListReport, first: bool, last: bool, out: &mut Out) -> Result<(), Failure> {
        if self.shown == 0 {
            out.note("no decisions");
            return Ok(());
        }
        out.text(&decisions::table(&page.decisions, super::now(), first, out.colour))?;
        if last && page.next.is_some() {
            let total = page.total.map(|total| format!(" of {}", grouped(total))).unwrap_or_default();
            out.note(format_args!("{} shown{total}; --limit 0 shows all", grouped(self.shown)));
        }
        Ok(())
    }
}

/// The pages as one document, the same as one large [`ListReport`] would be.
fn json(page: &ListReport, first: bool, last: bool, out: &mut Out) -> Result<(), Failure> {
    let failed = |error: serde_json::Error| Failure::Output(error.into());
    if first {
        out.bytes(b"{\"decisions\":[")?;
    }
    let mut comma = !first;
    for decision in &page.decisions {
        if comma {
            out.bytes(b",")?;
        }
        comma = true;
        out.bytes(&serde_json::to_vec(decision).map_err(failed)?)?;
    }
    if last {
        let next = serde_json::to_string(&page.next).map_err(failed)?;
        let total = serde_json::to_string(&page.total).map_err(failed)?;
        out.text(&format!("],\"next\":{next},\"total\":{total}}}"))?;
    }
    Ok(())
}
