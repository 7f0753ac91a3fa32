//! The command line of the center: to set it up, run it, and look after it on its own host.
//!
//! In: arguments. Out: tables of text or JSON, an exit code: 0 done, 1 the audit log does not hold, 2 error. Never here: policy; that goes over
//! the API, with a token and a name. Commands open the store beside a running center.
mod args;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, Parser as _};
use enforcer_policy::Moment;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::api::{Center, compared, router, watch_log, watch_rollout, watch_sources, watch_trials};
use crate::authority::Authority;
use crate::desk::Desk;
use crate::folder::Folder;
use crate::log::{self, Log};
use crate::rules::Rules;
use crate::sources::lists;
use crate::store::{Enrolment, Store};
use crate::{clock, export, serve, sources};
use args::{AuditCommand, Cli, Command, Format, HostsCommand, TokenCommand};

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(&cli) {
        Ok(exit) => exit,
        Err(error) => {
            // If nobody reads it, so be it.
            let _ = writeln!(io::stderr(), "enforcer-center: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    let folder = Folder::at(&cli.folder);
    match &cli.command {
        Command::Init { names } => init(cli, &folder, names),
        Command::Run { listen } => run(cli, &folder, *listen),
        Command::Token(command) => token(cli, &mut open(cli, &folder)?, command),
        Command::Hosts(command) => hosts(cli, &folder, command),
        Command::Audit(command) => audit(cli, &open(cli, &folder)?, command),
        Command::Completions { shell } => Ok(completions(*shell)),
        Command::Man { dir } => man(dir),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "enforcer-center", &mut io::stdout());
    ExitCode::SUCCESS
}

fn man(dir: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(|| format!("writing into {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn init(cli: &Cli, folder: &Folder, names: &[String]) -> anyhow::Result<ExitCode> {
    folder.create()?;
    Authority::create(folder, names)?;
    Store::open(&folder.store())?.note(&who(), "initialised", &names.join(", "))?;
    let made = serde_json::json!({
        "folder": cli.folder, "authority": Authority::open(folder)?.fingerprint()?, "signing_key": folder.signer()?.public().to_string()
    });
    show(cli, &made, || {
        format!(
            "{} is a center now.\n  next: enforcer-center token add --name YOU --role operator\n        enforcer-center run",
            cli.folder.display()
        )
    })
}

fn run(cli: &Cli, folder: &Folder, listen: std::net::SocketAddr) -> anyhow::Result<ExitCode> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    let tls = serve::tls(folder)?;
    let (exports, rules) = (export::read(&folder.exports())?, Rules::read(&folder.approvals())?);
    let crowdsec = sources::read(&folder.sources())?;
    let lists = lists::read(&folder.lists())?;
    let followed = lists.iter().map(|list| list.name.clone());
    let configured = crowdsec.iter().map(|_| sources::crowdsec::NAME.to_owned()).chain(followed).collect();
    let (key, digits) = folder.identity_key()?;
    for class in rules.required() {
        tracing::info!(class = class.name(), "such changes need a second person");
    }
    let desk = Desk::open(open(cli, folder)?, folder.signer()?, key)?.with_rules(rules);
    let revision = desk.known().number;
    let center = Center::new(desk, Authority::open(folder)?, digits, folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(WAITING)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
        // Port 0 is whichever is free.
        tracing::info!(listen = %listener.local_addr()?, revision, "ready");
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            () = serve::serve(listener, Arc::clone(&tls), router(center.clone())) => {}
            () = watch_trials(center.clone()) => {}
            () = watch_rollout(center.clone()) => {}
            never = watch_log(center.clone()) => match never {},
            never = watch_sources(center.clone(), configured) => match never {},
            () = sources::crowdsec::run(crowdsec, center.clone()) => {}
            () = lists::run(lists, center.clone()) => {}
            () = export::run(exports, folder.events(), center.event_news(), center.exports()) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn token(cli: &Cli, store: &mut Store, command: &TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Add { name, role, days } => {
            let until = days.map(|days| after_hours(u64::from(days) * 24));
            let text = store.add_token(name, *role, until, &who())?;
            show(cli, &serde_json::json!({ "token": text }), || format!("{text}\n  It is shown this once."))
        }
        TokenCommand::List => {
            let tokens = store.tokens()?;
            show(cli, &tokens, || {
                let line = |token: &crate::store::Token| {
                    let state = if token.revoked { "revoked" } else { "counts" };
                    format!("{}  {:10} {:8} {}", token.id, token.role.name(), state, token.name)
                };
                tokens.iter().map(line).collect::<Vec<_>>().join("\n")
            })
        }
        TokenCommand::Revoke { id } => {
            if !store.revoke_token(id, &who())? {
                bail!("there is no token {id} that counts; see enforcer-center token list");
            }
            show(cli, &serde_json::json!({ "revoked": id }), || format!("{id} no longer counts"))
        }
    }
}

fn hosts(cli: &Cli, folder: &Folder, command: &HostsCommand) -> anyhow::Result<ExitCode> {
    match command {
        HostsCommand::Invite { name, groups, hours } => {
            let invited = Enrolment { host: name.clone(), groups: groups.clone() };
            let until = after_hours(u64::from(*hours));
            let (id, secret) = open(cli, folder)?.invite(&invited, until, &who())?;
            let text = format!("eht_{id}_{secret}_{}", Authority::open(folder)?.fingerprint()?);
            show(cli, &serde_json::json!({ "token": text, "until": until }), || {
                format!("{text}\n  On the host: enforcer enroll --center https://THIS-CENTER --token-file FILE")
            })
        }
        HostsCommand::List => {
            let (key, _) = folder.identity_key()?;
            let mut desk = Desk::read(open(cli, folder)?, folder.signer()?, key)?;
            let (known, digest) = (desk.known(), desk.decisions_digest());
            let hosts = compared(desk.store(), known, digest, "", 10_000)?;
            show(cli, &hosts, || hosts.iter().map(|host| host.line(clock::now())).collect::<Vec<_>>().join("\n"))
        }
        HostsCommand::Revoke { name } => {
            if !open(cli, folder)?.revoke_host(name, &who())? {
                bail!("there is no host {name}; see enforcer-center hosts list");
            }
            show(cli, &serde_json::json!({ "revoked": name }), || {
                format!("{name} gets no more policy; what it enforces, it goes on enforcing")
            })
        }
    }
}

fn audit(cli: &Cli, store: &Store, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Show { after } => {
            let entries = store.audit(*after, 1000)?;
            show(cli, &entries, || {
                let line = |entry: &crate::store::AuditEntry| {
                    let time = enforcer_policy::document::rfc3339(entry.time);
                    format!("{} {time} {}: {}: {}", entry.number, entry.who, entry.what, entry.detail)
                };
                entries.iter().map(line).collect::<Vec<_>>().join("\n")
            })
        }
        AuditCommand::Verify => match store.verify_audit()? {
            Ok((count, hash)) => show(cli, &serde_json::json!({ "entries": count, "hash": hash }), || {
                format!("{count} entries hold; the last hash is {hash}")
            }),
            Err(broken) => {
                show(cli, &broken, || format!("entry {}: {}", broken.number, broken.what))?;
                Ok(ExitCode::from(1))
            }
        },
    }
}

fn open(cli: &Cli, folder: &Folder) -> anyhow::Result<Store> {
    let path = folder.store();
    if !path.exists() {
        bail!("there is no center here ({} is missing): enforcer-center init", path.display());
    }
    let Some(url) = &cli.store else { return Ok(Store::open(&path)?) };
    let settings = log::Settings::parse(url, cli.store_credentials.as_deref(), cli.store_authority.as_deref())?;
    let secrets = folder.shared_secrets()?;
    let secrets: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
    Ok(Store::open_shared(&path, Log::connect(&settings, &secrets)?)?)
}

fn show(cli: &Cli, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<ExitCode> {
    let text = match cli.output {
        Format::Json => serde_json::to_string(value)?,
        Format::Table => text(),
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn after_hours(hours: u64) -> Moment {
    clock::now().plus(std::time::Duration::from_secs(hours.saturating_mul(3600)))
}

/// Who works on this host.
fn who() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_none| std::env::var("USER")).unwrap_or_default();
    let known = !user.is_empty() && user.len() <= 64 && Path::new(&user).components().count() == 1;
    format!("local:{}", if known { user.as_str() } else { "unknown" })
}

/// Threads that may wait for a disk at a time. A thousand hosts that ask at once must not become a thousand threads.
const WAITING: usize = 32;
