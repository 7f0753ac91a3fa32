//! A thread that writes the kernel's tables while another one decides. In: map operations, a group at a time. Out: those that
//! failed. Never here: decisions, or what follows from a failure.
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

use enforcer_common::Prefix;
use enforcer_policy::MapOp;

use crate::apply::apply_one;
use crate::kernel::{Kernel, KernelError};

/// Operations whose places in the tables are read ahead.
pub(super) const GROUP: usize = 64;

/// An operation, by the number it was given, and why it could not be carried out.
pub(super) type Failed = (u32, KernelError);

/// Where operations go.
pub(super) struct Tables(Sender<Vec<(u32, MapOp)>>);

impl Tables {
    /// Has a group carried out, soon.
    pub(super) fn write(&self, group: Vec<(u32, MapOp)>) {
        // Only a panic there closes the other end, and `writing` passes that on.
        let _ = self.0.send(group);
    }
}

/// Runs `decide`; gives what failed once all that it had written is in the tables. Where no thread can be had, that is done
/// afterwards.
pub(super) fn writing(kernel: &mut Kernel, decide: impl FnOnce(&Tables)) -> Vec<Failed> {
    let (sender, groups) = channel();
    let (groups, tables) = (Mutex::new(groups), Tables(sender));
    let written = thread::scope(|scope| {
        let writer = Builder::new().spawn_scoped(scope, || carry_out(kernel, &groups)).ok();
        decide(&tables);
        drop(tables);
        writer.map(|writer| writer.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    written.unwrap_or_else(|| carry_out(kernel, &groups))
}

fn carry_out(kernel: &mut Kernel, groups: &Mutex<Receiver<Vec<(u32, MapOp)>>>) -> Vec<Failed> {
    let mut failed = Vec::new();
    // Nobody else takes the lock while this thread has it: it is there because a receiver cannot be shared.
    for group in groups.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let prefixes: Vec<Prefix> = group.iter().filter_map(|(_, op)| network(op)).collect();
        kernel.warm_sources(&prefixes);
        for (number, op) in group {
            if let Err(error) = apply_one(kernel, &op) {
                failed.push((number, error));
            }
        }
    }
    failed
}

fn network(op: &MapOp) -> Option<Prefix> {
    if let MapOp::PutSource { prefix, .. } = op { Some(*prefix) } else { None }
}
