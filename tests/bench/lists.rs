//! Lists as files, for every program that reads one.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use bench_ebpf::{Shape, host4, host6, is_network6, network4};

use crate::flood::SEED;

/// Who reads a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reader {
    /// One entry per line.
    Enforcer,
    /// `ipset restore`.
    Ipset,
    /// `nft -f`.
    Nft,
}

/// Writes these entries.
pub(crate) fn write(folder: &Path, shape: Shape, entries: Range<u32>, reader: Reader) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{shape:?}-{}-{}-{reader:?}.txt", entries.start, entries.end));
    fill(&path, shape, entries, reader).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}

fn fill(path: &Path, shape: Shape, entries: Range<u32>, reader: Reader) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let room = entries.len() + ROOM;
    let networks = shape != Shape::Hosts4;
    match reader {
        Reader::Enforcer => {}
        Reader::Ipset => {
            let kind = if networks { "hash:net" } else { "hash:ip" };
            writeln!(file, "create bench {kind} family inet hashsize 524288 maxelem {room}")?;
        }
        Reader::Nft => {
            let kind = if networks { "flags interval;".to_owned() } else { format!("size {room};") };
            writeln!(file, "table netdev bench {{\n set blocked {{\n type ipv4_addr; {kind}\n elements = {{")?;
        }
    }
    for index in entries {
        match reader {
            Reader::Enforcer => writeln!(file, "{}", entry(shape, index))?,
            Reader::Ipset => writeln!(file, "add bench {}", entry(shape, index))?,
            Reader::Nft => writeln!(file, "{},", entry(shape, index))?,
        }
    }
    if reader == Reader::Nft {
        writeln!(file, "}}\n }}\n}}")?;
    }
    file.flush()
}

/// The n-th entry as text.
pub(crate) fn entry(shape: Shape, index: u32) -> String {
    match shape {
        Shape::Hosts4 => Ipv4Addr::from(host4(SEED, index)).to_string(),
        Shape::Mixed6 => {
            let (high, low) = host6(SEED, index);
            let address = Ipv6Addr::from(u128::from(high) << 64 | u128::from(low));
            if is_network6(index) { format!("{address}/64") } else { address.to_string() }
        }
        Shape::Beside4 | Shape::Networks4 => {
            let network = network4(SEED, index);
            let base = Ipv4Addr::from(network.base);
            if network.length == 32 { base.to_string() } else { format!("{base}/{}", network.length) }
        }
    }
}

/// Entries that can be added to a rival's list later.
const ROOM: usize = 100_000;
