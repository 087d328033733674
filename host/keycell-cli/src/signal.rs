//! The signal that stops a server.

use std::{future::Future, io};

/// Waits for the first SIGTERM or interrupt after this call.
#[cfg(unix)]
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Waits until the terminal of the command is closed.
#[cfg(all(unix, feature = "pages"))]
pub fn hangup() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        hangup.recv().await;
    })
}

/// Never ends: the system does not report it.
#[cfg(all(not(unix), feature = "pages"))]
pub fn hangup() -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}

/// Waits for the first interrupt.
#[cfg(not(unix))]
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // If the system cannot report an interrupt, there is none to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
