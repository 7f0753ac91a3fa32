//! The thread that speaks with the log's servers, for callers that wait.
//!
//! In: questions of any thread. Out: answers, in time. Never here: what is asked. It has a runtime of its own, so that whoever waits, on
//! whatever thread, keeps nobody from answering.
use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::LogError;

/// The thread; it ends when this is dropped.
pub(super) struct Thread {
    handle: Handle,
    _until: oneshot::Sender<()>,
}

impl Thread {
    /// With what `first` makes there.
    pub(super) fn start<T: Send + 'static>(
        first: impl Future<Output = Result<T, LogError>> + Send + 'static,
    ) -> Result<(Self, T), LogError> {
        let failed = |error: std::io::Error| LogError::Failed(error.to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (until, dropped) = oneshot::channel::<()>();
        let run = move || {
            // An error is the end, too.
            drop(runtime.block_on(dropped));
            runtime.shutdown_background();
        };
        thread::Builder::new().name("log".to_owned()).spawn(run).map_err(failed)?;
        let thread = Self { handle, _until: until };
        let made = thread.ask(FIRST, first)?;
        Ok((thread, made))
    }

    /// Waits for an answer; not for long after the time in which it should have come.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        time: Duration,
        question: impl Future<Output = Result<T, LogError>> + Send + 'static,
    ) -> Result<T, LogError> {
        let (answer, answered) = sync_channel(1);
        self.handle.spawn(async move {
            // Who no longer waits needs no answer.
            drop(answer.send(question.await));
        });
        match answered.recv_timeout(time + MARGIN) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(LogError::Unknown("no answer in time".to_owned())),
            Err(RecvTimeoutError::Disconnected) => Err(LogError::Unknown("its thread has ended".to_owned())),
        }
    }

    /// Lets something happen.
    pub(super) fn begin(&self, doing: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(doing);
    }
}

const FIRST: Duration = Duration::from_secs(5);
const MARGIN: Duration = Duration::from_secs(5);
