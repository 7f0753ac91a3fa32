//! Carries out map operations. In: [`MapOp`]s, made elsewhere by pure functions. Out: what was done, or what failed and was
//! taken back. The only place policy is written into the kernel. Never here: deciding what to write.
//!
//! Failure contract: operations are carried out in order; the first that fails ends the run, and those before it are undone
//! in reverse. What cannot be undone is named in the error; the next comparison with the kernel mends it.
use enforcer_policy::MapOp;
use thiserror::Error;

use crate::kernel::{Kernel, KernelError};

/// A run that failed.
#[derive(Debug, Error)]
#[error("{source}{}", if *left == 0 { String::new() } else { format!(" ({left} earlier steps could not be undone)") })]
pub struct ApplyError {
    /// What failed.
    #[source]
    pub source: KernelError,
    /// Steps that could not be undone.
    pub left: usize,
}

/// Carries out all of them, or none.
pub fn apply(kernel: &mut Kernel, ops: &[MapOp]) -> Result<usize, ApplyError> {
    let mut undo = Vec::with_capacity(ops.len());
    for op in ops {
        let inverse = inverse(kernel, op);
        if let Err(source) = apply_one(kernel, op) {
            let left = undo.into_iter().rev().flatten().filter(|op| apply_one(kernel, op).is_err()).count();
            return Err(ApplyError { source, left });
        }
        undo.push(inverse);
    }
    Ok(ops.len())
}

/// Carries out one operation. Removing what is not there is done already.
pub fn apply_one(kernel: &mut Kernel, op: &MapOp) -> Result<(), KernelError> {
    match op {
        MapOp::Bypass(on) => kernel.set_bypass(*on),
        MapOp::Lease(nanoseconds) => kernel.set_lease(*nanoseconds),
        MapOp::PutAllow { key, rule } => kernel.put_allow(*key, *rule),
        MapOp::PutFlow { key, rule } => kernel.put_flow(*key, *rule),
        MapOp::PutIdentity { key, rule } => kernel.put_identity(*key, *rule),
        MapOp::PutNotice { index, notice } => kernel.put_notice(*index, notice),
        MapOp::PutPlace { index, place } => kernel.put_place(*index, place),
        MapOp::PutService { key, rule } => kernel.put_service(*key, *rule),
        MapOp::PutSource { prefix, rule } => kernel.put_source(*prefix, *rule),
        MapOp::PutWatchlist { index, watchlist } => kernel.put_watchlist(*index, watchlist),
        MapOp::RemoveAllow { key } => kernel.remove_allow(*key).map(drop),
        MapOp::RemoveFlow { key } => kernel.remove_flow(key).map(drop),
        MapOp::RemoveIdentity { key } => kernel.remove_identity(key).map(drop),
        MapOp::RemoveService { key } => kernel.remove_service(key).map(drop),
        MapOp::RemoveSource { prefix } => kernel.remove_source(*prefix).map(drop),
    }
}

/// What takes `op` back, as the kernel is now. Refusals, watchlists and places are written to the side not in use, and need
/// nothing.
fn inverse(kernel: &Kernel, op: &MapOp) -> Option<MapOp> {
    match op {
        MapOp::Bypass(_) => kernel.bypass().ok().map(MapOp::Bypass),
        MapOp::Lease(_) => kernel.lease().ok().map(MapOp::Lease),
        MapOp::PutAllow { key, .. } | MapOp::RemoveAllow { key } => {
            let rule = kernel.allowed(*key);
            Some(rule.map_or(MapOp::RemoveAllow { key: *key }, |rule| MapOp::PutAllow { key: *key, rule }))
        }
        MapOp::PutFlow { key, .. } | MapOp::RemoveFlow { key } => {
            let rule = kernel.flow(key).ok()?;
            Some(rule.map_or(MapOp::RemoveFlow { key: *key }, |rule| MapOp::PutFlow { key: *key, rule }))
        }
        MapOp::PutIdentity { key, .. } | MapOp::RemoveIdentity { key } => {
            let rule = kernel.identity(key).ok()?;
            Some(rule.map_or(MapOp::RemoveIdentity { key: *key }, |rule| MapOp::PutIdentity { key: *key, rule }))
        }
        MapOp::PutService { key, .. } | MapOp::RemoveService { key } => {
            let rule = kernel.service(key).ok()?;
            Some(rule.map_or(MapOp::RemoveService { key: *key }, |rule| MapOp::PutService { key: *key, rule }))
        }
        MapOp::PutSource { prefix, .. } | MapOp::RemoveSource { prefix } => {
            let (prefix, rule) = (*prefix, kernel.source(*prefix));
            Some(rule.map_or(MapOp::RemoveSource { prefix }, |rule| MapOp::PutSource { prefix, rule }))
        }
        MapOp::PutNotice { .. } | MapOp::PutPlace { .. } | MapOp::PutWatchlist { .. } => None,
    }
}
