//! Where the measuring happens: a network, an agent on one cable, and the other cable for baselines and rivals.
//!
//! Both cables are alike. The agent's program hangs on the client's for good; baselines and rivals take turns on the
//! attacker's. So nothing of the product is taken off or put on between two measurements.

use anyhow::Context as _;
use aya::programs::{ProgramFd, xdp::XdpLink};
use enforcer_tests::{ATTACKER, Agent, CLIENT, Net};

use crate::{
    Effort,
    cables::Cable,
    flood::{Cost, Stream, burst},
    object::{Baseline, Object, product},
};

/// A network with a running agent. The agent goes first.
pub(crate) struct Ground {
    /// The agent.
    pub(crate) agent: Agent,
    /// Its network.
    pub(crate) net: Net,
}

/// Both cables, ready to send on.
pub(crate) struct Arena<'a> {
    object: Object,
    product: Cable<'a>,
    other: Cable<'a>,
    hung: Option<(Baseline, XdpLink)>,
    effort: Effort,
}

impl Ground {
    /// Starts an agent with room for a million entries of a family (and what is added later), on the client's cable only.
    pub(crate) fn new(family: &str) -> Self {
        let net = Net::new();
        let interface = CLIENT.interface;
        let fastpath = format!("[fastpath]\ninterfaces = [{interface:?}]\nmode = \"native\"\n");
        let agent = Agent::start(&net, &format!("\n{fastpath}\n[limits]\n{family} = {ROOM}\n"));
        Self { agent, net }
    }

    /// The agent's packet program.
    pub(crate) fn program(&self) -> anyhow::Result<ProgramFd> {
        Ok(product(&self.agent.pins(), &["enforcer_xdp"])?.fd()?)
    }

    /// Prepares the cables.
    pub(crate) fn arena(&self, effort: Effort) -> anyhow::Result<Arena<'_>> {
        Ok(Arena {
            object: Object::load()?,
            product: Cable::prepare(&self.net, &CLIENT)?,
            other: Cable::prepare(&self.net, &ATTACKER)?,
            hung: None,
            effort,
        })
    }
}

impl Arena<'_> {
    /// What a packet of this stream costs the agent's program.
    pub(crate) fn enforcer(&mut self, stream: Stream) -> anyhow::Result<Cost> {
        burst(&mut self.object, &self.product, stream, self.effort)
    }

    /// What it costs a baseline.
    pub(crate) fn baseline(&mut self, baseline: Baseline, stream: Stream) -> anyhow::Result<Cost> {
        if self.hung.as_ref().is_none_or(|(hung, _)| *hung != baseline) {
            self.hung = None;
            let (object, interface) = (&mut self.object, self.other.link.interface);
            let link = self.other.host.inside(|| object.attach(baseline, interface)).context("the baseline")?;
            self.hung = Some((baseline, link));
        }
        burst(&mut self.object, &self.other, stream, self.effort)
    }

    /// What it costs whatever else is set up on the attacker's cable.
    pub(crate) fn rival(&mut self, stream: Stream) -> anyhow::Result<Cost> {
        self.hung = None;
        burst(&mut self.object, &self.other, stream, self.effort)
    }
}

/// A million, and what the deltas add.
const ROOM: u32 = 1_100_000;
