//! From a configuration file to a running agent, and its end. In: a path. Out: an exit code.
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use enforcer_common::SipKey;
use enforcer_policy::revision::{Delta, Replica};
use enforcer_policy::{Ledger, put_allow};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::apis::keep_apis;
use super::core::Core;
use super::crowdsec::ask_crowdsec;
use super::findings::{keep_findings, tend_filters};
use super::hooks::watch_interfaces;
use super::owners::look_for_owners;
use super::samples::read_samples;
use super::{Shared, clock, notify, reload, server};
use crate::apply::{apply, apply_one};
use crate::config::Config;
use crate::kernel::{EventRing, Kernel, Opened, SampleRing, Setup, interfaces, keep_only_needed, prepare};
use crate::metrics;
use crate::spool::Spool;
use crate::store::{Journal, Recovered, Torn, identity_key};
use crate::sync::{Courier, Enrolment, Line, Outbox, Porter, Shelf, SyncError, Teller, spool_id};
use crate::wire::Trouble;

/// What is read of the kernel.
type Rings = (EventRing, SampleRing);

/// Logs to standard error: text for people, JSON where `ENFORCER_LOG_FORMAT=json`; what is logged by `RUST_LOG`.
pub(super) fn tracing() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info"));
    let json = std::env::var("ENFORCER_LOG_FORMAT").is_ok_and(|format| format == "json");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests) leaves the first one's in place.
    let _ = if json { log.json().try_init() } else { log.with_ansi(std::io::stderr().is_terminal()).try_init() };
}

/// Starts, serves, ends.
pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = reload::read(path).map_err(words)?;
    let agent = config.agent.clone();
    let (journal, recovered) = Journal::open(&agent.state_dir).with_context(|| opening(&agent.state_dir))?;
    let key = identity_key(&agent.identity_key)?;
    let socket = server::bind(&agent).with_context(|| format!("binding {}", agent.socket.display()))?;
    let pages = match agent.metrics {
        Some(address) => {
            Some(TcpListener::bind(address).await.with_context(|| format!("binding metrics on {address}"))?)
        }
        None => None,
    };
    prepare(&agent.bpffs)?;
    keep_only_needed()?;
    let member = Member::of(&agent.state_dir);
    let (mut core, rings) = bring_up(config, path, journal, recovered, key, &member)?;
    core.open_apis();
    core.open_filters();
    let line =
        member.and_then(|member| open_line(&mut core, member)).unwrap_or_else(|error| no_line(&mut core, &error));
    let courier = line.as_ref().and_then(|_| open_courier(&mut core));
    let teller = line.as_ref().map(|_| Teller::new(core.config.agent.state_dir.clone()));
    let porter = line.as_ref().map(|_| Porter);
    let core = Shared::new(core);
    notify::tell("READY=1");
    tracing::info!(pid = std::process::id(), "ready");
    let line = line.map(|line| tokio::spawn(line.run(core.clone())));
    let courier = courier.map(|courier| tokio::spawn(courier.run()));
    let teller = teller.map(|teller| tokio::spawn(teller.run(core.clone())));
    let porter = porter.map(|porter| tokio::spawn(porter.run(core.clone())));
    serve(&core, socket, pages, rings, agent.socket_group.is_some()).await?;
    line.iter().chain(&courier).chain(&teller).chain(&porter).for_each(tokio::task::JoinHandle::abort);
    core.lock().end_told();
    core.lock().save_apis();
    core.lock().save_findings();
    notify::tell("STOPPING=1");
    let _ = std::fs::remove_file(&agent.socket);
    tracing::info!("the agent ends; what is attached goes on");
    Ok(ExitCode::SUCCESS)
}

/// What a host that has enrolled knows of the center's policy, before the line is open.
struct Member {
    enrolment: Enrolment,
    replica: Replica,
    shelf: Shelf,
}

impl Member {
    /// Of a state folder, if its host has enrolled.
    fn of(state: &Path) -> Result<Option<Self>, SyncError> {
        let Some(enrolment) = Enrolment::load(state)? else { return Ok(None) };
        let mut replica = Replica::new(enrolment.key);
        let shelf = Shelf::open(state, &mut replica, &enrolment.groups)?;
        Ok(Some(Self { enrolment, replica, shelf }))
    }
}

/// The line to the center, if this host has one.
fn open_line(core: &mut Core, member: Option<Member>) -> Result<Option<Line>, SyncError> {
    let Some(Member { enrolment, replica, shelf }) = member else { return Ok(None) };
    core.open_center(shelf.lifted(), &Delta::snapshot(replica.content()), &enrolment.name);
    Line::new(enrolment, replica, shelf, core.config.agent.state_dir.clone()).map(Some)
}

/// What is wrong with the line is told, and stops nothing.
fn no_line(core: &mut Core, error: &SyncError) -> Option<Line> {
    tracing::error!(%error, "the line to the center cannot be opened");
    core.problems.insert("center", format!("no policy comes from the center, what is in force stays: {error}"));
    None
}

/// The spool, and who empties it. Without it the center hears of policy only, which is told.
fn open_courier(core: &mut Core) -> Option<Courier> {
    let state = core.config.agent.state_dir.clone();
    match Spool::open(&state.join("spool"), core.config.limits.spool_bytes.into(), &spool_id()) {
        Ok(spool) => {
            let outbox = Outbox::new(spool);
            core.told.open(outbox.clone());
            core.tell_life("started");
            Some(Courier::new(outbox, state))
        }
        Err(error) => {
            tracing::error!(%error, "events cannot be kept for the center");
            core.problems.insert("spool", format!("no event goes to the center: {error}"));
            None
        }
    }
}

/// Opens the kernel, fills or mends the maps, attaches, publishes. In this order nothing that is blocked gets through.
fn bring_up(
    config: Config,
    path: &Path,
    journal: Journal,
    recovered: Recovered,
    key: SipKey,
    member: &Result<Option<Member>, SyncError>,
) -> anyhow::Result<(Core, Rings)> {
    let setup = Setup { bpffs: config.agent.bpffs.clone(), limits: config.limits, identity_key: key };
    let (mut kernel, opened) = Kernel::open(&setup, random_key()?)?;
    let rings = (kernel.event_ring()?, kernel.sample_ring()?);
    let [packets, requests, answers] = kernel.verified_instructions();
    tracing::info!(packets, requests, answers, ?opened, "programs loaded (instructions verified)");
    let mut ledger = Ledger::default();
    ledger.reserve(recovered.decisions.len());
    let (decisions, allowed, bypass, torn) = (recovered.decisions, recovered.allowed, recovered.bypass, recovered.torn);
    for decision in decisions {
        ledger.insert_raw(decision);
    }
    for entry in allowed {
        ledger.allow(entry);
    }
    let mut core = Core::new(config, path.to_owned(), kernel, ledger, journal, key, clock::now());
    if let Some(torn) = torn {
        let text = told_torn(&torn);
        tracing::error!("{text}");
        core.problems.insert("torn journal", text);
    }
    if let Opened::Migrating(why) = &opened {
        let text = format!("the pinned maps were replaced ({why}): counters began again at zero");
        tracing::warn!("{text}");
        core.problems.insert("migrated", text);
    }
    if !matches!(member, Ok(None)) {
        core.open_published();
    }
    match member {
        Ok(None) => {}
        Ok(Some(member)) => {
            core.open_services(Some((member.replica.content().base(), &member.enrolment.groups)));
        }
        // What it was told is not known any more, and stays in force.
        Err(_told) => core.open_services(None),
    }
    fill(&mut core, &opened, bypass)?;
    core.tend_hooks();
    core.kernel.publish()?;
    Ok((core, rings))
}

/// What is said of a journal that could not be read whole.
fn told_torn(torn: &Torn) -> String {
    let Torn { kept_records, inside, lost_bytes, saved_as } = torn;
    let saved_as = saved_as.display();
    if *inside == 0 {
        return format!(
            "the journal ended in {lost_bytes} bytes that could not be read (kept in {saved_as}); {kept_records} records before it are in force"
        );
    }
    format!(
        "the journal is damaged in {inside} places: {lost_bytes} bytes could not be read (kept in {saved_as}); {kept_records} records before, \
         between and behind are in force, but a decision may be missing, or one that was ended may stand again: look through `enforcer list`"
    )
}

/// Makes the maps hold what was decided, before anything hangs on them.
fn fill(core: &mut Core, opened: &Opened, bypass: bool) -> anyhow::Result<()> {
    core.interfaces = interfaces();
    // The programs that run now use the pinned side; the new configuration goes to the other.
    core.side = core.observed_side()?.map_or(0, |side| side ^ 1);
    let endpoints = core.decided_endpoints();
    let compiled = core.compiled(core.side, &endpoints);
    let mut ops = vec![core.lease()];
    ops.extend(core.allowed().iter().map(put_allow));
    if *opened != Opened::Adopted {
        ops.push(enforcer_policy::MapOp::Bypass(bypass));
    }
    apply(&mut core.kernel, &ops)?;
    for op in &compiled.ops {
        apply_one(&mut core.kernel, op)?;
    }
    core.take_places(endpoints, &compiled);
    let ended = core.ledger.expire(clock::now());
    core.forget(&ended);
    core.compare();
    if let Some(text) = core.problems.remove("compare") {
        return Err(anyhow!(text));
    }
    // Filling the maps is no drift.
    core.drift = crate::wire::Drift::default();
    Ok(())
}

/// All tasks, until one ends the agent.
async fn serve(
    core: &Shared,
    socket: UnixListener,
    pages: Option<TcpListener>,
    (events, answers): Rings,
    group: bool,
) -> anyhow::Result<()> {
    let ended = Arc::new(Notify::new());
    let tasks = [
        tokio::spawn(server::serve(socket, core.clone(), group, Arc::clone(&ended))),
        tokio::spawn(read_events(core.clone(), events)),
        tokio::spawn(read_samples(core.clone(), answers)),
        tokio::spawn(tick(core.clone())),
        tokio::spawn(watch_interfaces(core.clone())),
        tokio::spawn(keep_apis(core.clone())),
        tokio::spawn(look_for_owners(core.clone())),
        tokio::spawn(keep_findings(core.clone())),
        tokio::spawn(tend_filters(core.clone())),
        tokio::spawn(ask_crowdsec(core.clone())),
    ];
    let pages = pages.map(|listener| tokio::spawn(metrics::http::serve(listener, Arc::new(core.clone()))));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = ended.notified() => break,
            _ = hangup.recv() => {
                notify::tell("RELOADING=1");
                // Told in the log and in `status`.
                let _ = core.lock().reload();
                notify::tell("READY=1");
            }
        }
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    pages.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

async fn read_events(core: Shared, mut ring: EventRing) {
    loop {
        let drained = ring.drain(|event| core.lock().take_event(&event)).await;
        if let Err(error) = drained {
            tracing::error!(%error, "events can no longer be read");
            return;
        }
    }
}

async fn tick(core: Shared) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        seconds.tick().await;
        core.lock().tick();
        notify::tell("WATCHDOG=1");
    }
}

impl metrics::http::Source for Shared {
    async fn metrics(&self) -> String {
        let snapshot = self.lock().snapshot();
        metrics::render(&snapshot)
    }

    async fn ready(&self) -> Result<(), String> {
        self.lock().ready()
    }
}

impl Core {
    /// Takes everything off; the agent ends after its reply.
    pub(super) fn detach(&mut self) -> Result<(), Trouble> {
        let done = crate::kernel::detach_all(&self.first.0.bpffs);
        let done = done
            .map_err(|error| Trouble::new(crate::wire::Exit::Failed, error.to_string(), "enforcer detach --offline"))?;
        tracing::warn!(?done, "detached");
        self.detached = true;
        Ok(())
    }
}

/// A fresh secret for the source tables.
fn random_key() -> anyhow::Result<SipKey> {
    use std::io::Read as _;
    let mut bytes = [[0; 8]; 2];
    let mut source = std::fs::File::open("/dev/urandom").context("opening /dev/urandom")?;
    bytes.iter_mut().try_for_each(|word| source.read_exact(word)).context("reading /dev/urandom")?;
    Ok(SipKey(bytes.map(u64::from_le_bytes)))
}

fn words(trouble: Trouble) -> anyhow::Error {
    if trouble.hint.is_empty() { anyhow!(trouble.message) } else { anyhow!("{}\n  {}", trouble.message, trouble.hint) }
}

fn opening(state_dir: &Path) -> String {
    format!("opening the decisions in {}", state_dir.display())
}
