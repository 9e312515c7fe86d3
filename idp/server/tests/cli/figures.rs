//! `/metrics` of a running deployment.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::place::Place;

pub(crate) struct Serving(Child);

impl Serving {
    /// Whether it goes on after a hangup (SIGHUP).
    fn goes_on_after_a_hangup(&mut self) -> bool {
        let process = self.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &process]).status().unwrap().success());
        self.0.try_wait().unwrap().is_none()
    }

    /// What the kernel says of it (`/proc/PID/status`).
    fn status(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn serve(place: &Place) -> (Serving, String, String) {
    // Who runs the tests may be deaf to a hangup, and its children with it.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_tongban")]);
    command.args(["serve", "--data"]).arg(place.directory.path());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let serving = Serving(child);
    let mut figures = None;
    for line in lines {
        let line = line.unwrap();
        if let Some(address) = line.strip_prefix("figures on ") {
            figures = Some(address.to_owned());
        }
        if let Some(address) = line.strip_prefix("listening on ") {
            return (serving, address.to_owned(), figures.unwrap());
        }
    }
    panic!("it ended before it listened");
}

pub(crate) async fn text(address: &str) -> String {
    reqwest::get(format!("http://{address}")).await.unwrap().text().await.unwrap()
}

#[test]
fn no_page_of_two_mebibytes_is_held_for_a_few_bytes() {
    let place =
        Place::with("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n");
    let (serving, ..) = serve(&place);
    let status = serving.status();
    // Kernels before 5.0 do not say it.
    let told = status.lines().find(|line| line.starts_with("THP_enabled:"));
    assert!(told.is_none_or(|line| line.ends_with('0')), "{told:?}");
}

#[tokio::test]
async fn a_hangup_ends_nobody_who_has_nothing_to_read_again() {
    let place =
        Place::with("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n");
    let (mut serving, main, _) = serve(&place);
    assert!(serving.goes_on_after_a_hangup());
    assert!(!text(&format!("{main}/health/ready")).await.is_empty());
    assert!(serving.goes_on_after_a_hangup());
}

#[tokio::test]
async fn the_figures_tell_of_requests_and_of_nobody() {
    let place =
        Place::with("[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\n");
    let (_serving, main, figures) = serve(&place);
    text(&format!("{main}/health/ready")).await;
    text(&format!("{main}/oauth2/authorize/13900001234")).await;
    text(&format!("{main}/secret-of-somebody")).await;
    assert!(!text(&format!("{main}/metrics")).await.contains("tongban_requests_total"));
    let told = text(&format!("{figures}/metrics")).await;
    for line in [
        "tongban_requests_total{method=\"GET\",route=\"/health/ready\",status=\"200\"} 1",
        "route=\"/oauth2/authorize/{flow}\"",
        "route=\"unmatched\"",
        "tongban_request_seconds_bucket{method=\"GET\",route=\"/health/ready\",le=\"5\"} 1",
        "tongban_requests_in_flight 0",
        "tongban_outbox_oldest_seconds 0",
        // How many wait at this very moment is the jobs' affair, which have just begun.
        "\ntongban_write_queue ",
        "tongban_process_cpu_seconds_total ",
        "tongban_info{version=\"",
    ] {
        assert!(told.contains(line), "{line} is missing:\n{told}");
    }
    let memory = told.lines().find_map(|line| line.strip_prefix("tongban_process_memory_bytes "));
    assert!(memory.unwrap().parse::<f64>().unwrap() > 1e6);
    for secret in ["13900001234", "secret-of-somebody"] {
        assert!(!told.contains(secret), "{told}");
    }
}
