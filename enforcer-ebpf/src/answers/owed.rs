//! What the server owes: requests on their way in, remembered until their answers leave.
use enforcer_common::{ASKED, Asked, Exchange, Phase, Reason};

use crate::http::{self, Work};
use crate::stats;
use crate::tc::Case;

/// True while the answers of the connection are followed.
#[inline(always)]
pub fn is_followed(exchange: &Exchange) -> bool {
    let phase = exchange.phase;
    exchange.overflow == 0 && phase >= Phase::Head as u8 && phase < Phase::Opaque as u8
}

/// Puts what is owed into the case.
#[inline(always)]
pub fn recall(exchange: &Exchange, case: &mut Case) {
    case.passed_count = 0;
    case.socket.pending = exchange.asked.wrapping_sub(exchange.answered);
    let ahead = exchange.next.wrapping_sub(case.socket.send_next).cast_signed();
    // Where the socket says more, something left on another interface.
    let followed = is_followed(exchange) && ahead >= 0;
    case.socket.followed = u32::from(followed);
    // Where it says less, something leaves right now, and the socket does not know yet.
    case.socket.pending += u32::from(followed && ahead > 0);
}

/// One more request goes to the server; its head ends where the stream stands now.
#[inline(always)]
pub fn pass_on(case: &mut Case, work: &Work) {
    let mut asked = case.asked;
    asked.end = case.stream.next;
    asked.flags |= http::method_flags(work);
    if let Some(place) = case.passed.get_mut(case.passed_count as usize) {
        *place = asked;
    }
    case.passed_count += 1;
}

/// Remembers the requests of the segment under judgement.
#[inline(always)]
pub fn note(exchange: &mut Exchange, case: &Case) {
    if case.passed_count == 0 || case.socket.known == 0 {
        return;
    }
    if !is_followed(exchange) && case.segment.acknowledge == case.socket.send_next {
        begin(exchange, case);
    }
    withdraw(exchange, case.passed[0].end);
    let mut at = 0;
    while at < ASKED && at < case.passed_count as usize {
        push(exchange, &case.passed[at]);
        at += 1;
    }
    if case.passed_count as usize > ASKED {
        overflow(exchange);
    }
}

/// More wait than fit.
#[inline(always)]
fn overflow(exchange: &mut Exchange) {
    if exchange.overflow == 0 {
        stats::count(Reason::AnswerLost, 0);
    }
    exchange.overflow = 1;
}

/// The connection is idle: what the server sends next answers the next request.
#[inline(always)]
fn begin(exchange: &mut Exchange, case: &Case) {
    exchange.answered = exchange.asked;
    exchange.next = case.socket.send_next;
    (exchange.left, exchange.first, exchange.sent) = (0, 0, 0);
    (exchange.status, exchange.held, exchange.digits) = (0, 0, 0);
    exchange.overflow = 0;
    exchange.phase = Phase::Head as u8;
}

/// Takes back requests that end at `end` or later: the server did not take them, so they come again, perhaps as others.
#[inline(always)]
fn withdraw(exchange: &mut Exchange, end: u32) {
    let mut turn = 0;
    while turn < ASKED && exchange.asked != exchange.answered {
        let last = exchange.requests[exchange.asked.wrapping_sub(1) as usize & (ASKED - 1)];
        if end.wrapping_sub(last.end).cast_signed() > 0 {
            return;
        }
        exchange.asked = exchange.asked.wrapping_sub(1);
        turn += 1;
    }
}

#[inline(always)]
fn push(exchange: &mut Exchange, asked: &Asked) {
    if exchange.asked.wrapping_sub(exchange.answered) as usize >= ASKED {
        overflow(exchange);
        return;
    }
    exchange.requests[exchange.asked as usize & (ASKED - 1)] = *asked;
    exchange.asked = exchange.asked.wrapping_add(1);
}

const _: () = assert!(ASKED.is_power_of_two());
