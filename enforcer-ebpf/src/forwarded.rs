//! Who really asks: the client address that trusted proxies name. In: the scanned head. Out: an address, when the packet
//! comes from a trusted proxy and its list says one.
//!
//! A list is walked from its right end, which the nearest proxy wrote: trusted proxies are passed over, and the first address
//! that is none is the client. What stands further left was written by the client itself.
use enforcer_common::{Action, Address, Outcome, Rule, SubjectKind, Take, UNTIL_NEVER};

use crate::http::{self, ADDRESSES, TOKENS, Token, Work};
use crate::tc::{Case, case, work};
use crate::{allowlist, request, services, settings, sources};

const FIRST: u32 = Take::ForwardedFor as u32;
const LAST: u32 = Take::Address as u32;

/// Judges every client address that is named for the request: by a PROXY header, or in a list. Inlined into the loop of the
/// reader: the stack has no room for another frame above the source tables.
#[inline(always)]
pub fn judge_clients(case: &mut Case) {
    (case.client, case.walked) = (case.stream.client, 0);
    if is_known(case.client) {
        enforcer_client();
    }
    if !has_lists() {
        return;
    }
    // Several lines are one list, so the last comes first.
    let mut at = 0;
    while at < TOKENS as u32 {
        match enforcer_forwarded(at) {
            NO_MORE => break,
            FOUND => _ = enforcer_client(),
            _ => {}
        }
        at += 1;
    }
}

/// True when the head has a list of addresses, and somebody may be trusted.
#[inline(always)]
fn has_lists() -> bool {
    // SAFETY: this CPU's own scratch space.
    let lists = work().is_some_and(|work| unsafe { (*work).lists } != 0);
    lists && settings::read().is_some_and(|settings| settings.allow != 0)
}

#[inline(always)]
fn is_known(address: Address) -> bool {
    address.high() | address.low() != 0
}

/// Judges the client in the case, if there is one. The source tables keep no ids, so a refusal tells none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_client() -> u32 {
    let (Some(case), Some(settings)) = (case(), settings::read()) else { return 0 };
    if !is_known(case.client) {
        return 0;
    }
    let outcome = sources::judge(case.client.halves(), settings);
    let action = if outcome.has(Outcome::REFUSE) {
        Action::Deny
    } else if outcome.has(Outcome::OBSERVE) {
        Action::Observe
    } else {
        return 0;
    };
    case.refused_client = case.client;
    request::consider(case, Rule::new(action, UNTIL_NEVER, 0), SubjectKind::Ip, 0, 0);
    1
}

/// There are no more values.
const NO_MORE: u32 = 1;
/// A value has named the client that is in the case now.
const FOUND: u32 = 2;

/// Finds the client that the value noted as number `at` from the last names, if it is a list of addresses and the peer a
/// trusted proxy; puts it into the case.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn enforcer_forwarded(at: u32) -> u32 {
    let (Some(case), Some(settings), Some(work)) = (case(), settings::read(), work()) else { return NO_MORE };
    // SAFETY: this CPU's own scratch space.
    let w = unsafe { &mut *work };
    if settings.allow == 0 || at >= w.found {
        return NO_MORE;
    }
    let token = w.tokens[(w.found - 1 - at) as usize & (TOKENS - 1)];
    let Some(take) = form(w, token) else { return 0 };
    let walked = 1 << (take & 31);
    if case.walked & walked == 0 && allowlist::is_proxy(peer(case)) {
        let start = u32::from(token.start);
        http::read_addresses(w, start, start + u32::from(token.length), take);
        if let Some(client) = client(w) {
            case.walked |= walked;
            if is_known(client) {
                case.client = client;
                return FOUND;
            }
        }
    }
    0
}

/// Who opened the connection: as a PROXY header says, or the packet.
#[inline(always)]
fn peer(case: &Case) -> Address {
    if is_known(case.stream.client) { case.stream.client } else { case.segment.network.source }
}

/// How the list is written, when the token is one.
#[inline(always)]
fn form(w: &Work, token: Token) -> Option<u32> {
    if token.kind != Token::VALUE {
        return None;
    }
    let take = services::watchlist(w.side)?.watches.get(usize::from(token.watch))?.take;
    if take >= FIRST && take <= LAST { Some(take) } else { None }
}

/// The first from the right that is no trusted proxy, zero when that one is unknown; nothing when all are trusted.
#[inline(always)]
fn client(w: &Work) -> Option<Address> {
    let mut back = 1;
    while back <= ADDRESSES as u32 && back <= w.address_count {
        let address = w.addresses[(w.address_count - back) as usize & (ADDRESSES - 1)];
        if !is_known(address) || !allowlist::is_proxy(address) {
            return Some(address);
        }
        back += 1;
    }
    None
}
