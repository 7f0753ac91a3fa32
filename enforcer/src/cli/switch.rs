//! `bypass` and `reload`: a word to the agent, a word back.
//!
//! In: the switch. Out: one line. Never here: what the agent does about it.
use super::args::{BypassArgs, Globals, Switch};
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use crate::wire::{Exit, Request};

/// `bypass`.
pub(super) fn bypass(args: BypassArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let on = args.state == Switch::On;
    Client::open(globals)?.call::<()>(&Request::Bypass(on))?;
    let message = if on {
        "bypass is on: everything passes, and matches are counted; enforcer bypass off ends it"
    } else {
        "bypass is off: decisions are carried out"
    };
    out.done(message).map(|()| Exit::Done)
}

/// `reload`.
pub(super) fn reload(globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    Client::open(globals)?.call::<()>(&Request::Reload)?;
    out.done("the configuration was read again and is in force").map(|()| Exit::Done)
}
