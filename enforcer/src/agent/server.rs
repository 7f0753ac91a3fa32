//! The socket: one conversation per connection. In: requests of trusted peers. Out: replies. Never here: what they mean.
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::sync::Arc;

use enforcer_insight::findings::FindingId;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Shared;
use super::acts::Act;
use super::clock;
use super::imports::Import;
use crate::config::Agent;
use crate::kernel::peer_is_trusted;
use crate::wire::{
    Exit, FrameError, Hello, NoticeKind, NoticeReport, Reply, Request, Trouble, encode, read_frame_async,
    write_frame_async,
};

/// Binds the socket: for root and the agent's user, and for the configured group.
pub(super) fn bind(agent: &Agent) -> io::Result<UnixListener> {
    if let Some(folder) = agent.socket.parent() {
        fs::create_dir_all(folder)?;
    }
    if std::os::unix::net::UnixStream::connect(&agent.socket).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another agent answers on it"));
    }
    match fs::remove_file(&agent.socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&agent.socket)?;
    let mode = if let Some(group) = &agent.socket_group {
        chown(&agent.socket, None, Some(group_id(group)?))?;
        0o660
    } else {
        0o600
    };
    fs::set_permissions(&agent.socket, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Answers until dropped. `ended` is told when a request ends the agent.
pub(super) async fn serve(listener: UnixListener, core: Shared, group: bool, ended: Arc<Notify>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: let others finish.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let Ok(peer) = stream.peer_cred() else { continue };
        if !peer_is_trusted(peer.uid(), group) {
            tracing::warn!(uid = peer.uid(), "a peer was turned away");
            tokio::spawn(turn_away(stream));
            continue;
        }
        let who = user_name(peer.uid());
        let (core, ended) = (core.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            // A peer that hangs up in the middle is no news.
            let _ = converse(stream, &core, &who, &ended).await;
        });
    }
}

/// Last words for a peer that may not speak.
async fn turn_away(mut stream: UnixStream) -> Result<(), FrameError> {
    let hint = "run it as root, or set agent.socket_group to a group you are in";
    let trouble = Trouble::new(Exit::Refused, "this user may not speak to the agent", hint);
    write_frame_async(&mut stream, &Hello::ours()).await?;
    write_frame_async(&mut stream, &Reply::Error(trouble)).await
}

async fn converse(mut stream: UnixStream, core: &Shared, who: &str, ended: &Notify) -> Result<(), FrameError> {
    write_frame_async(&mut stream, &Hello::ours()).await?;
    let Some(theirs) = read_frame_async::<Hello>(&mut stream).await? else { return Ok(()) };
    if !theirs.agrees() {
        let message = format!("this agent is {}, the command line is {}", Hello::ours().version, theirs.version);
        let trouble = Trouble::new(Exit::Failed, message, "use the enforcer program that the agent was started with");
        return write_frame_async(&mut stream, &Reply::Error(trouble)).await;
    }
    let mut import: Option<Import> = None;
    while let Some(request) = read_frame_async::<Request>(&mut stream).await? {
        let reply = match request {
            Request::Events => {
                let events = core.lock().followers.subscribe();
                return follow(&mut stream, events, Some(missed)).await;
            }
            Request::Apis(service) => {
                let parts = core.lock().apis_in_parts(service.as_deref());
                match parts {
                    Ok(parts) => {
                        send_all(&mut stream, parts).await?;
                        continue;
                    }
                    Err(trouble) => Reply::Error(trouble),
                }
            }
            Request::Requests => {
                let requests = core.lock().requests.subscribe();
                return follow(&mut stream, requests, None).await;
            }
            Request::Import(start) => {
                let opened = core.lock().import(start, who);
                match opened {
                    Ok(opened) => {
                        import = Some(opened);
                        continue;
                    }
                    Err(trouble) => Reply::Error(trouble),
                }
            }
            Request::ImportChunk(items) => match import.as_mut() {
                Some(import) => Reply::Progress(core.lock().import_chunk(import, items)),
                None => out_of_turn(),
            },
            Request::ImportEnd => match import.take() {
                Some(import) => Reply::Imported(core.lock().import_end(import)),
                None => out_of_turn(),
            },
            request @ (Request::Allow(_)
            | Request::Allowlist
            | Request::Block(_)
            | Request::Bypass(_)
            | Request::DecideFinding { .. }
            | Request::Detach
            | Request::ExceptFinding { .. }
            | Request::Filters
            | Request::Findings { .. }
            | Request::List(_)
            | Request::Reload
            | Request::RestartFilter { .. }
            | Request::Status
            | Request::Top
            | Request::Unblock(_)
            | Request::Foresee(_)
            | Request::Why(_)) => answer(core, request, who),
        };
        let last = matches!(&reply, Reply::Error(_)) && import.is_none();
        write_frame_async(&mut stream, &reply).await?;
        if core.lock().detached {
            ended.notify_one();
        }
        if last {
            return Ok(());
        }
    }
    // Hanging up keeps what the chunks did.
    if let Some(import) = import {
        core.lock().import_end(import);
    }
    Ok(())
}

fn answer(core: &Shared, request: Request, who: &str) -> Reply {
    let mut core = core.lock();
    let act = Act::of(&request);
    let outcome = match request {
        Request::Allow(request) => core.allow(&request, who).map(Reply::Allowed),
        Request::Allowlist => Ok(Reply::Allowlist(core.allowlist())),
        Request::Block(request) => core.block(&request, who).map(Reply::Blocked),
        Request::Bypass(on) => core.bypass(on).map(|()| Reply::Done),
        Request::DecideFinding { id, lasts } => core.decide_finding(FindingId(id), lasts, who).map(Reply::Blocked),
        Request::Detach => core.detach().map(|()| Reply::Done),
        Request::ExceptFinding { id, reason } => core.except_finding(FindingId(id), &reason).map(|()| Reply::Done),
        Request::Filters => Ok(Reply::Filters(core.filters_in_words())),
        Request::Findings { service, id, limit } => {
            core.findings_in_words(service.as_deref(), id, limit).map(Reply::Findings)
        }
        Request::List(request) => core.list(&request).map(Reply::Listed),
        Request::Reload => core.reload().map(|()| Reply::Done),
        Request::RestartFilter { filter, service } => core.restart_filter(&filter, &service).map(|()| Reply::Done),
        Request::Status => Ok(Reply::Status(Box::new(core.status()))),
        Request::Top => core.top().map(|report| Reply::Top(Box::new(report))),
        Request::Unblock(by) => core.unblock(&by).map(Reply::Unblocked),
        Request::Foresee(request) => core.foresee(&request).map(|report| Reply::Foreseen(Box::new(report))),
        Request::Why(subject) => core.why(&subject).map(|report| Reply::Why(Box::new(report))),
        Request::Apis(_)
        | Request::Events
        | Request::Import(_)
        | Request::ImportChunk(_)
        | Request::ImportEnd
        | Request::Requests => {
            return out_of_turn();
        }
    };
    let reply = outcome.unwrap_or_else(Reply::Error);
    if let Some(act) = act {
        core.tell_done(who, act, &reply);
    }
    reply
}

fn out_of_turn() -> Reply {
    Reply::Error(Trouble::new(Exit::Failed, "that request does not belong here", ""))
}

/// One reply after the other; each takes its memory with it.
async fn send_all(stream: &mut UnixStream, parts: Vec<Reply>) -> Result<(), FrameError> {
    for part in parts {
        write_frame_async(stream, &part).await?;
    }
    Ok(())
}

/// Bytes that are sent to a follower at a time.
const TOGETHER: usize = 1 << 16;

/// What a follower is told that was too slow for so many.
fn missed(count: u64) -> Reply {
    let message = format!("{count} events were missed: who follows reads too slowly");
    Reply::Notice(NoticeReport { time: clock::now(), notice: NoticeKind::Missed, message })
}

/// Sends all news until the peer hangs up. One that reads too slowly loses the oldest, and is told so where there are words for it.
async fn follow(
    stream: &mut UnixStream,
    mut events: Receiver<Reply>,
    words: Option<fn(u64) -> Reply>,
) -> Result<(), FrameError> {
    let mut frames = Vec::new();
    loop {
        match events.recv().await {
            Ok(news) => frames.extend(encode(&news)?),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "a follower is too slow");
                if let Some(words) = words {
                    frames.extend(encode(&words(missed))?);
                }
            }
            Err(RecvError::Closed) => return Ok(()),
        }
        // What else is there goes with it: one call for many.
        if events.is_empty() || frames.len() > TOGETHER {
            stream.write_all(&frames).await.map_err(FrameError::Write)?;
            frames.clear();
        }
    }
}

fn group_id(name: &str) -> io::Result<u32> {
    find("/etc/group", |fields| fields.first() == Some(&name))
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no group {name}")))
}

fn user_name(uid: u32) -> String {
    let number = uid.to_string();
    let found = find("/etc/passwd", |fields| fields.get(2) == Some(&number.as_str()));
    found.and_then(|fields| fields.first().cloned()).unwrap_or(number)
}

/// The first line of a colon-separated file that fits.
fn find(path: impl AsRef<Path>, fits: impl Fn(&[&str]) -> bool) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fits(fields))?;
    Some(line.into_iter().map(str::to_owned).collect())
}
