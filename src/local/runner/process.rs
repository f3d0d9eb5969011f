//! Child processes in their own group, ended with the server or when a run is cancelled.
use crate::local::server::Inner;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

/// Longest log kept per run, in bytes.
const LOG: usize = 4 << 20;

/// Secrets that a command has asked to mask, as the real runner does for the rest of a job.
type Masks = std::sync::Mutex<Vec<String>>;

/// What the log gets of a line: nothing of `::add-mask::`, and `***` for what was masked.
fn logged(text: &str, masks: &Masks) -> Option<String> {
    let mut masks = masks
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(secret) = text.trim_start().strip_prefix("::add-mask::") {
        let secret = secret
            .trim_end_matches('\r')
            .replace("%0D", "\r")
            .replace("%0A", "\n");
        let secret = secret.replace("%25", "%");
        if !secret.is_empty() && !masks.contains(&secret) {
            masks.push(secret);
        }
        return None;
    }
    let masked = masks
        .iter()
        .fold(text.to_owned(), |text, m| text.replace(m.as_str(), "***"));
    Some(masked)
}

async fn follow(
    inner: &Inner,
    run: u64,
    from: impl AsyncRead + Unpin,
    masks: &Masks,
    mut line: impl FnMut(&str),
) {
    let mut lines = BufReader::new(from).split(b'\n');
    while let Ok(Some(raw)) = lines.next_segment().await {
        let Some(text) = logged(&String::from_utf8_lossy(&raw), masks) else {
            continue;
        };
        line(&text);
        if let Some(r) = inner.state().runs.get_mut(&run)
            && r.log.len() < LOG
        {
            r.log.push_str(&text);
            r.log.push('\n');
        }
    }
}

/// Runs a command to its end; each line goes to the run's log and to `line`. `None` if it was killed.
pub async fn execute(
    inner: &Inner,
    run: u64,
    mut command: Command,
    line: impl FnMut(&str),
) -> Option<i32> {
    command
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            let program = command
                .as_std()
                .get_program()
                .to_string_lossy()
                .into_owned();
            if let Some(r) = inner.state().runs.get_mut(&run) {
                r.log.push_str(&format!("cannot start `{program}`: {e}\n"));
            }
            return Some(127);
        }
    };
    let mut group = Group {
        pid: child.id(),
        path: inner.runner.path.clone(),
    };
    let (out, err) = (child.stdout.take()?, child.stderr.take()?);
    let mut stop = inner.stopping.subscribe();
    let masks = Masks::default();
    let ended = async {
        tokio::join!(
            follow(inner, run, out, &masks, line),
            follow(inner, run, err, &masks, |_| {})
        );
        child.wait().await
    };
    let cancelled = async {
        loop {
            if inner.state().runs.get(&run).is_none_or(|r| r.cancel) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let status = tokio::select! {
        status = ended => Some(status),
        _ = stop.wait_for(|s| *s) => None,
        () = cancelled => None,
    };
    // Whatever is left of a group that came to its own end is not ours to end.
    if status.is_some() {
        group.pid = None;
    }
    status.map(|s| s.ok().and_then(|s| s.code()).unwrap_or(137))
}

/// Ends exactly what was started here, also when the future that waits for it is dropped: the
/// group, and descendants that made groups of their own, as `act` does for every step.
/// `kill_on_drop` alone would leave the grandchildren, such as a running Terraform.
struct Group {
    pid: Option<u32>,
    path: String,
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(pid) = self.pid else { return };
        let mut targets = vec![format!("-{pid}")];
        targets.extend(descendants(pid).iter().map(u32::to_string));
        let mut kill = std::process::Command::new("kill");
        kill.env_clear()
            .env("PATH", &self.path)
            .args(["-KILL", "--"])
            .args(&targets);
        kill.stdout(Stdio::null()).stderr(Stdio::null());
        drop(kill.status());
    }
}

/// Children and their children, where `/proc` tells.
fn descendants(root: u32) -> Vec<u32> {
    // `pid (name) state ppid …`; the name may hold anything, so it is cut at its last bracket.
    let parent = |stat: &str| -> Option<u32> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()
    };
    let all: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            Some((pid, parent(&String::from_utf8_lossy(&stat))?))
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(all.iter().filter(|(_, of)| *of == pid).map(|(p, _)| *p));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_in_a_group_of_its_own_ends_too() -> Result<(), Box<dyn std::error::Error>> {
        // `set -m` gives each background job a group, as act does for its steps.
        let mut parent = Command::new("/bin/sh")
            .args(["-c", "set -m; sleep 300 & wait"])
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pid = parent.id().ok_or("no id")?;
        let child = async {
            loop {
                match descendants(pid).get(1) {
                    Some(child) => return *child,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let child = tokio::time::timeout(Duration::from_secs(10), child).await?;
        drop(Group {
            pid: Some(pid),
            path: "/usr/bin:/bin".into(),
        });
        parent.wait().await?;
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("it still runs".into())
    }
}
