//! Secret values that tests plant, and the search for them. `tests/run` searches once more, in what
//! the whole run has said and left behind.

use super::said::Said;
use super::{Tested, variable};
use base64::Engine as _;
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Shorter texts are words that tests type, such as `yes`.
const SHORTEST: usize = 16;

/// The secret values of one story.
#[derive(Debug, Default)]
pub struct Planted(Mutex<BTreeSet<String>>);

impl Planted {
    /// Notes a value that must not be found anywhere.
    pub fn add(&self, value: &str) -> Tested {
        let value = value.trim();
        if value.len() < SHORTEST {
            return Ok(());
        }
        let mut known = self.0.lock().map_err(|e| e.to_string())?;
        if known.insert(value.to_owned())
            && let Some(file) = variable("TENANTRY_PLANTED")
        {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.append(true).create(true).open(file)?;
            // One call, so that other processes' lines stay whole.
            file.write_all(format!("{value}\n").as_bytes())?;
        }
        Ok(())
    }

    /// Looks for the values in places, by name and content; `but`: places that hold them for a
    /// reason.
    pub fn search(&self, places: &[(PathBuf, Vec<u8>)], but: &[&Path]) -> Tested {
        let values = self.0.lock().map_err(|e| e.to_string())?;
        for value in values.iter() {
            search(value, places, but)?;
        }
        Ok(())
    }

    /// The same in what a program has said.
    pub fn unsaid(&self, said: Said) -> Result<Said, Box<dyn Error>> {
        self.search(&[("what was said".into(), said.all().into_bytes())], &[])?;
        Ok(said)
    }
}

/// Looks for one value, also in base64 and in hexadecimal.
pub fn search(value: &str, places: &[(PathBuf, Vec<u8>)], but: &[&Path]) -> Tested {
    let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    let base = base64::engine::general_purpose::STANDARD_NO_PAD.encode(value);
    for (path, bytes) in places {
        let there = [value, &hex, &base]
            .iter()
            .any(|form| bytes.windows(form.len()).any(|w| w == form.as_bytes()));
        if there && !but.iter().any(|b| path == b) {
            return Err(format!("{} holds a secret", path.display()).into());
        }
    }
    Ok(())
}
