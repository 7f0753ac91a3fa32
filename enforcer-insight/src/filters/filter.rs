//! What a filter is. In: calls as [`Seen`], answers, the time. Out: signs of something wrong. Never here: which filters there are
//! (`catalogue`), when they run and when they are stopped (`runner`).
use enforcer_policy::Moment;

use super::record::{Asked, Record};
use super::runner::Stopped;
use super::{Parameters, Seen};
use crate::Answer;
use crate::findings::Sign;

/// One security policy module, on one service. It holds its own state and sees calls in the order of their answers.
///
/// It may panic, loop or grow: then it is stopped, and the others go on. A filter that keeps to the rules does none of these, has a
/// bound for all it holds, and raises the same signs for the same calls.
pub trait Filter: Send {
    /// A request that reached the application, whether or not its answer was seen.
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let _ = (seen, out);
    }

    /// Its answer, right after [`Filter::on_request`] of the same call.
    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        let _ = (seen, answer, out);
    }

    /// A request that was refused: nothing may be learned from it about what is usual, and it is no sign by itself.
    fn on_refused(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let _ = (seen, out);
    }

    /// Time went by; about once a second, also without calls.
    fn on_tick(&mut self, now: Moment, out: &mut Out) {
        let _ = (now, out);
    }

    /// Takes other parameters, and keeps what it knows.
    fn retune(&mut self, parameters: &Parameters);

    /// Bytes that it holds, its own size left out. Cheap: it is asked often.
    fn held_bytes(&self) -> usize;

    /// Things it would still know if there were more room.
    fn forgotten(&self) -> u64 {
        0
    }

    /// Why it cannot go on, once it cannot: then it is stopped. Asked after everything it was called for.
    fn halted(&self) -> Option<Stopped> {
        None
    }

    /// What it wrote down of an identity, if it is a filter that writes down.
    fn records(&self, asked: &Asked) -> Vec<Record> {
        let _ = asked;
        Vec::new()
    }
}

/// Takes what a filter has to say about one call or tick.
#[derive(Debug, Default)]
pub struct Out {
    signs: Vec<Sign>,
    lost: u64,
}

impl Out {
    /// Says it. What is too much for one call is counted, and lost.
    pub fn raise(&mut self, sign: Sign) {
        if self.signs.len() < SIGNS {
            self.signs.push(sign);
        } else {
            self.lost += 1;
        }
    }

    /// What was said, and how much more there would have been.
    pub(super) fn take(&mut self) -> (Vec<Sign>, u64) {
        (std::mem::take(&mut self.signs), std::mem::take(&mut self.lost))
    }

    /// True when nothing was said.
    pub(super) const fn is_empty(&self) -> bool {
        self.signs.is_empty() && self.lost == 0
    }
}

/// Signs of one filter about one call.
const SIGNS: usize = 8;
