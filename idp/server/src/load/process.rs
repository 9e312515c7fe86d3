//! The server's process as the operating system counts it.

use std::net::IpAddr;
use std::path::Path;

/// Processes whose CPU is counted: the server, and its database if it is another.
#[derive(Debug, Clone, Default)]
pub struct Server {
    main: Option<u32>,
    also: Vec<u32>,
}

/// The inode of the socket that listens on a port, from the kernel's table.
fn listener(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace();
        let local = words.nth(1)?;
        let state = words.nth(1)?;
        let (_, hex) = local.rsplit_once(':')?;
        let listens = state == "0A" && u16::from_str_radix(hex, 16) == Ok(port);
        listens.then(|| words.nth(5)?.parse().ok()).flatten()
    })
}

fn owner(inode: u64) -> Option<u32> {
    let wanted = format!("socket:[{inode}]");
    let holds = |process: &Path| {
        let Ok(files) = std::fs::read_dir(process.join("fd")) else { return false };
        files.flatten().any(|file| {
            std::fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == wanted.as_str())
        })
    };
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|one| Some((one.file_name().to_str()?.parse().ok()?, one)));
    ids.find(|(_, process): &(u32, _)| holds(&process.path())).map(|(id, _)| id)
}

/// User and system time of a line of `/proc/PID/stat`, clock ticks. The name of the program may
/// hold anything, so the fields are counted from the last parenthesis.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The process that started it, from the same line.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The lines of all processes.
fn processes() -> Vec<(u32, String)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok());
    let line = |id| Some((id, std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?));
    ids.filter_map(line).collect()
}

/// Ticks of a server, of those that work for it and of their children: a PostgreSQL has one for
/// each connection. Who is named twice counts once.
fn together(main: u32, also: &[u32], processes: &[(u32, String)]) -> u64 {
    let theirs = processes.iter().filter(|(id, stat)| {
        *id == main
            || also.contains(id)
            || parent(stat).is_some_and(|parent| also.contains(&parent))
    });
    theirs.filter_map(|(_, stat)| ticks(stat)).sum()
}

impl Server {
    /// Finds the process that listens at a loopback port of this machine; `also` are processes that
    /// work for it.
    #[must_use]
    pub fn at(port: u16, also: Vec<u32>) -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let found = tables
            .iter()
            .find_map(|table| owner(listener(&std::fs::read_to_string(table).ok()?, port)?));
        Self { main: found, also }
    }

    /// A process that is named.
    #[must_use]
    pub fn process(id: u32, also: Vec<u32>) -> Self {
        Self { main: Some(id), also }
    }

    /// Whether the process is known.
    #[must_use]
    pub fn known(&self) -> bool {
        self.main.is_some()
    }

    /// CPU that all of them have spent, seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> Option<f64> {
        let main = self.main?;
        let own = std::fs::read_to_string(format!("/proc/{main}/stat")).ok()?;
        let sum = match self.also.as_slice() {
            [] => ticks(&own)?,
            also => together(main, also, &processes()),
        };
        #[allow(clippy::cast_precision_loss)] // Ticks of a run are far below 2^52.
        Some(sum as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory of the server, bytes.
    #[must_use]
    pub fn rss(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.main?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024)
    }
}

/// Whether an address is this machine's own: a load run goes nowhere else.
#[must_use]
pub(super) fn loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read_as_they_are_written() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 0100007F:C3D2 01 00000000:00000000 00:00000000 00000000     0        0 777 1\n\
            1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1\n";
        assert_eq!(listener(table, 8080), Some(31337));
        assert_eq!(listener(table, 8081), None);
        let stat = "42 (a ) b) S 1 1 1 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 8 0 100 1 1";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(parent(stat), Some(1));
    }

    #[test]
    fn who_works_for_the_server_counts_once_with_its_children() {
        let line = |id: u32, parent: u32, ticks: u64| {
            let stat = format!("{id} (x) S {parent} 1 1 0 -1 4194560 1 0 0 0 {ticks} 0 0 0 20 0");
            (id, stat)
        };
        let all = [line(1, 0, 1), line(10, 1, 10), line(20, 1, 100), line(21, 20, 1000)];
        assert_eq!(together(10, &[20], &all), 1110);
        assert_eq!(together(10, &[10], &all), 10);
        assert_eq!(together(10, &[10, 20], &all), 1110);
    }

    #[test]
    fn a_listener_of_this_process_is_found_and_counted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::at(listener.local_addr().unwrap().port(), Vec::new());
        assert_eq!(server.main, Some(std::process::id()));
        assert!(
            server.cpu_seconds().is_some() && server.rss().is_some_and(|bytes| bytes > 1_000_000)
        );
    }

    #[test]
    fn load_goes_to_this_machine_only() {
        for ours in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(loopback(ours), "{ours}");
        }
        for other in ["example.org", "10.0.0.1", "localhost.example.org", ""] {
            assert!(!loopback(other), "{other}");
        }
    }
}
