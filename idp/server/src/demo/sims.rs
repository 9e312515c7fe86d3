//! Simulators and partner sites as processes of their own, so that killing the product never
//! kills the books that it is judged by. Those that still run are taken over.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::place::{Place, port};
use crate::cli::{Failure, talk};

/// Every process: its name and the offset of its port.
pub(super) const ALL: [(&str, u16); 7] = [
    ("mztong", port::PARTNERS[0]),
    ("wsbs", port::PARTNERS[1]),
    ("bank", port::BANK),
    ("express", port::EXPRESS),
    ("sms", port::SMS),
    ("register", port::REGISTER),
    ("face", port::FACE),
];

/// The running processes.
pub(super) struct Simulators(BTreeMap<String, u32>);

impl Simulators {
    /// Stops them.
    pub(super) fn stop(&self) {
        for pid in self.0.values() {
            terminate(*pid);
        }
    }
}

fn record(directory: &Path) -> BTreeMap<String, u32> {
    std::fs::read_to_string(directory.join("simulators.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Whether a process of ours has this id: ids are used again by others.
fn ours(pid: u32, name: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
        let words: Vec<_> = line.split(|byte| *byte == 0).collect();
        words.contains(&b"simulator".as_slice()) && words.contains(&name.as_bytes())
    })
}

fn terminate(pid: u32) {
    let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// Stops what an earlier demo in this directory left running.
pub(super) fn stop_recorded(directory: &Path) {
    for (name, pid) in record(directory) {
        if ours(pid, &name) {
            terminate(pid);
        }
    }
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// Starts what does not run yet and waits until all of it listens.
pub(super) async fn start(place: &Place) -> Result<Simulators, Failure> {
    let known = record(&place.directory);
    let executable = std::env::current_exe()?;
    let mut running = BTreeMap::new();
    for (name, offset) in ALL {
        let port = place.port.saturating_add(offset);
        if let Some(pid) = known.get(name).filter(|pid| ours(**pid, name) && listens(port)) {
            running.insert(name.to_owned(), *pid);
            continue;
        }
        if listens(port) {
            Simulators(running).stop();
            return Err(Failure::No(format!(
                "port {port} is in use, and the simulator {name} needs it\nhint: choose another --port"
            )));
        }
        let log = std::fs::File::create(place.directory.join(format!("{name}.log")))?;
        let child = Command::new(&executable)
            .args(["simulator", name, "--port", &port.to_string(), "--data"])
            .arg(&place.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        running.insert(name.to_owned(), child.id());
    }
    let file = place.directory.join("simulators.json");
    std::fs::write(file, serde_json::to_string(&running)?)?;
    for (name, offset) in ALL {
        let port = place.port.saturating_add(offset);
        let mut tries = 0;
        while !listens(port) {
            tries += 1;
            if tries == 200 {
                talk(format_args!("see {}", place.directory.join(format!("{name}.log")).display()));
                Simulators(running).stop();
                return Err(Failure::No(format!("the simulator {name} did not start")));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
    Ok(Simulators(running))
}
