//! Asking a person on the terminal, without echo, and reading a secret from standard input.

use super::error::CliError;
use crate::keyring::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use tokio::sync::oneshot;

/// Most that is read, in bytes: more than any secret that GitHub takes.
const MOST: u64 = 64 << 10;

/// A terminal that shows nothing of what is typed, until this is dropped: also when the command
/// is given up with Ctrl-C.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn new(terminal: &File) -> std::io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be told to anybody if the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Reads on a thread of its own, so that Ctrl-C is heard meanwhile.
async fn elsewhere<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, CliError> {
    let (send, receive) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody listens any more if the command was given up.
        let _ = send.send(read());
    });
    match receive.await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(e)) => Err(CliError::failed(format!("nothing could be read: {e}"))),
        Err(_) => Err(CliError::failed("nothing could be read")),
    }
}

/// Asks on the terminal that the process belongs to, whatever standard input is. `None` without a
/// terminal.
pub async fn hidden(prompt: &str) -> Result<Option<Secret>, CliError> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let Ok(mut terminal) = terminal else {
        return Ok(None);
    };
    let _quiet = Quiet::new(&terminal)?;
    terminal.write_all(prompt.as_bytes())?;
    let input = terminal.try_clone()?;
    let line = elsewhere(move || {
        let mut line = String::new();
        BufReader::new(input.take(MOST)).read_line(&mut line)?;
        Ok(line)
    })
    .await?;
    Ok(Some(Secret::new(
        line.trim_end_matches(['\n', '\r']).to_owned(),
    )))
}

/// A secret: from standard input, or asked for if that is a terminal.
pub async fn secret(prompt: &str) -> Result<String, CliError> {
    if std::io::stdin().is_terminal() {
        let typed = hidden(prompt).await?;
        return Ok(typed.map_or_else(String::new, |s| s.expose().to_owned()));
    }
    let bytes = elsewhere(|| {
        let mut bytes = Vec::new();
        std::io::stdin().take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    })
    .await?;
    String::from_utf8(bytes).map_err(|_| {
        CliError::failed("what came on standard input is not text")
            .hint("give the secret and nothing else")
    })
}

/// Whether somebody looks at what is printed.
pub fn seen() -> bool {
    std::io::stdout().is_terminal()
}
