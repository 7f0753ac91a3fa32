//! What else can drop a list: nftables at the netdev ingress hook, ipset in the raw table.
//!
//! In: a list file, the namespace, an interface. Out: a rival that is in place until [`remove`](Rival::remove). Never here:
//! a rival that is missing without a word; why it is left out is printed.

use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use enforcer_tests::{ATTACKER, Namespace};

use crate::{lists::Reader, samples::Samples};

/// A rival in place.
pub(crate) struct Rival<'a> {
    space: &'a Namespace,
    reader: Reader,
    /// How long its list took to load.
    pub(crate) loaded: Duration,
}

impl<'a> Rival<'a> {
    /// Loads a list and drops what is on it. The error is the reason to go without.
    pub(crate) fn place(space: &'a Namespace, reader: Reader, list: &Path) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut command = match reader {
            Reader::Ipset => space.command("ipset"),
            Reader::Enforcer | Reader::Nft => space.command("nft"),
        };
        if reader == Reader::Ipset {
            command.arg("restore");
        }
        finish(command.arg(if reader == Reader::Ipset { "-file" } else { "-f" }).arg(list), PATIENCE)?;
        let rival = Self { space, reader, loaded: started.elapsed() };
        rival.rules(true)?;
        Ok(rival)
    }

    /// How long one more entry takes, in microseconds: a command each.
    pub(crate) fn add(&self, entries: &[String]) -> anyhow::Result<Samples> {
        let mut times = Vec::new();
        for entry in entries {
            let started = Instant::now();
            match self.reader {
                Reader::Ipset => self.run(&format!("ipset add bench {entry}"), PATIENCE)?,
                Reader::Enforcer | Reader::Nft => {
                    self.run(&format!("nft add element netdev bench blocked {{ {entry} }}"), PATIENCE)?;
                }
            }
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
        Ok(Samples::new(times))
    }

    /// Takes it away again.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        self.rules(false)?;
        match self.reader {
            Reader::Ipset => self.run("ipset destroy bench", PATIENCE),
            Reader::Enforcer | Reader::Nft => Ok(()),
        }
    }

    fn rules(&self, add: bool) -> anyhow::Result<()> {
        let interface = ATTACKER.interface;
        match (self.reader, add) {
            (Reader::Ipset, _) => {
                let (verb, program) = (if add { "-A" } else { "-D" }, iptables());
                let rule = format!("-i {interface} -m set --match-set bench src -j DROP");
                self.run(&format!("{program} -w -t raw {verb} PREROUTING {rule}"), PATIENCE)
            }
            (Reader::Enforcer | Reader::Nft, false) => self.run("nft delete table netdev bench", PATIENCE),
            (Reader::Enforcer | Reader::Nft, true) => {
                let hook = format!("type filter hook ingress device {interface} priority 0 ;");
                self.run(&format!("nft add chain netdev bench filter {{ {hook} policy accept ; }}"), PATIENCE)?;
                self.run("nft add rule netdev bench filter ip saddr @blocked drop", PATIENCE)
            }
        }
    }

    fn run(&self, line: &str, patience: Duration) -> anyhow::Result<()> {
        let mut words = line.split(' ');
        finish(self.space.command(words.next().unwrap_or_default()).args(words), patience)
    }
}

/// Runs a command that may take so long.
fn finish(command: &mut Command, patience: Duration) -> anyhow::Result<()> {
    let (started, shown) = (Instant::now(), format!("{command:?}"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().with_context(|| shown.clone())?;
    let status = wait(&mut child, started, patience).with_context(|| shown.clone())?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

fn wait(child: &mut Child, started: Instant, patience: Duration) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            bail!("not within {} s", patience.as_secs());
        }
        // Short: single additions are timed with it.
        thread::sleep(Duration::from_micros(200));
    }
}

/// ipset's match belongs to the old tables; without their program the new ones' translation is tried.
fn iptables() -> &'static str {
    if Path::new("/usr/sbin/iptables-legacy").exists() { "iptables-legacy" } else { "iptables" }
}

/// A list that takes longer is left out.
const PATIENCE: Duration = Duration::from_mins(1);
