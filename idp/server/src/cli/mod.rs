//! The command line. One file per command; data on stdout, talk on stderr; exit status 0 ok,
//! 1 the thing asked about is not so, 2 wrong usage, 141 nobody reads the data any more.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};
mod audit;
mod backup;
mod check;
mod ciba;
mod citizen;
mod client;
mod client_token;
mod compile;
mod key;
mod load;
mod outbox;
mod progress;
pub(crate) mod serve;
mod simulator;
mod staff;

/// One sign-in, every public-security service of a province.
#[derive(Debug, Parser)]
#[command(name = "tongban", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole product on this machine, with nothing to prepare.
    Demo(crate::demo::DemoArgs),
    /// Runs a deployment.
    #[command(after_help = "Example: tongban serve --config /etc/tongban/tongban.toml")]
    Serve(Place),
    /// Checks a configuration without starting.
    Check(check::CheckArgs),
    /// Checks a running deployment.
    Doctor(check::DoctorArgs),
    /// Brings the database's schema up to date.
    Migrate(check::MigrateArgs),
    /// Writes one sealed file with the database, the configuration and the keys.
    Backup(backup::BackupArgs),
    /// Opens a backup into a new directory and proves it.
    Restore(backup::RestoreArgs),
    /// Prints the commented configuration with every default.
    #[command(after_help = "Example: tongban config > tongban.toml")]
    Config,
    /// Prints a fresh master secret for `[secrets]`.
    #[command(after_help = "Example: tongban secret > /etc/tongban/master")]
    Secret,
    /// Partners (relying parties).
    Client(client::ClientArgs),
    /// Accounts of citizens.
    Citizen(citizen::CitizenArgs),
    /// Officers and administrators.
    Staff(staff::StaffArgs),
    /// Signing keys.
    Key(key::KeyArgs),
    /// Messages, parcels, payments and notices that did not arrive.
    Outbox(outbox::OutboxArgs),
    /// Requests over the back channel that wait for a person.
    Ciba(ciba::CibaArgs),
    /// The audit trail.
    Audit(audit::AuditArgs),
    /// Compiles a component within limits. Started by the product itself.
    #[command(hide = true)]
    CompilePlugin(compile::CompileArgs),
    /// Loads a running demo and prints what it carries.
    Load(load::LoadArgs),
    /// One counterpart of the demo, acted.
    Simulator(simulator::SimulatorArgs),
}

/// Which deployment a command is about.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// The configuration file.
    #[arg(long, value_name = "FILE", conflicts_with = "data", global = true)]
    pub config: Option<PathBuf>,
    /// A demo's data directory.
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
}

impl Place {
    /// Loads the configuration that `--config` or `--data` names (default: the demo's).
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.file())
    }

    /// The configuration file that `--config` or `--data` names.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        match (&self.config, &self.data) {
            (Some(file), _) => file.clone(),
            (None, Some(data)) => data.join("tongban.toml"),
            (None, None) => PathBuf::from("data/demo/tongban.toml"),
        }
    }
}

/// How a command ends when it does not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The thing asked about is not so, or could not be done: status 1.
    No(String),
    /// Wrong usage: status 2.
    Usage(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str("\ncaused by: ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::No(text)
    }
}

/// The status of a program whose reader went away, as shells tell it (128 and SIGPIPE).
const NOBODY_READS: i32 = 141;

/// Prints one line of data: data goes to stdout; this is the one place.
///
/// Nothing is done that nobody will hear of: if the line cannot be written, the program ends,
/// quietly if its reader went away as `head` does.
pub fn data(line: impl std::fmt::Display) {
    let Err(cause) = writeln!(std::io::stdout().lock(), "{line}") else { return };
    if cause.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(NOBODY_READS);
    }
    talk(format_args!("error: stdout cannot be written: {cause}"));
    std::process::exit(1);
}

/// Says something to the person: talk goes to stderr; this is the one place.
pub fn talk(line: impl std::fmt::Display) {
    // Where nobody listens, the work still counts.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(cause) => {
            talk(format_args!("error: the runtime cannot start: {cause}"));
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::No(text)) => {
            talk(format_args!("error: {text}"));
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            talk(format_args!("error: {text}"));
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => crate::demo::run(args).await,
        Command::Serve(place) => serve::run(&place).await,
        Command::Check(args) => check::check(args).await,
        Command::Doctor(args) => check::doctor(args).await,
        Command::Migrate(args) => check::migrate(args).await,
        Command::Backup(args) => backup::backup(args).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Config => {
            data(crate::config::DEFAULTS.trim_end());
            Ok(())
        }
        Command::Secret => {
            data(crate::ambient::system().secret());
            Ok(())
        }
        Command::Client(args) => client::run(args).await,
        Command::Citizen(args) => citizen::run(args).await,
        Command::Staff(args) => staff::run(args).await,
        Command::Key(args) => key::run(args).await,
        Command::Outbox(args) => outbox::run(args).await,
        Command::Ciba(args) => ciba::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::CompilePlugin(args) => compile::run(&args),
        Command::Load(args) => load::run(args).await,
        Command::Simulator(args) => simulator::run(args).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every command that does something, with the words that lead to it.
    fn leaves(command: &clap::Command, before: &[&str], found: &mut Vec<(String, String)>) {
        let path = [before, &[command.get_name()]].concat();
        let mut parts = command.get_subcommands().filter(|part| !part.is_hide_set()).peekable();
        if parts.peek().is_none() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            found.push((path.join(" "), help));
        }
        for part in parts {
            leaves(part, &path, found);
        }
    }

    #[test]
    fn every_command_has_an_example_that_it_takes() {
        let mut found = Vec::new();
        leaves(&Cli::command(), &[], &mut found);
        assert!(found.len() > 30, "{found:?}");
        for (path, help) in found {
            let examples = help.lines().filter_map(|line| line.find(&path).map(|at| &line[at..]));
            let examples: Vec<&str> = examples.collect();
            assert!(help.starts_with("Example") && !examples.is_empty(), "{path}: {help}");
            for example in examples {
                let line = example.split(" > ").next().unwrap();
                let words = line.split_whitespace().map(|word| word.trim_matches('\''));
                let taken = Cli::try_parse_from(words);
                assert!(taken.is_ok(), "{line}: {}", taken.unwrap_err());
            }
        }
    }

    #[test]
    fn a_policy_that_there_is_not_is_wrong_usage() {
        let words = |policy| ["tongban", "client", "create", "--name", "x", "--policy", policy];
        for policy in ["openid", "fapi2", "fapi2-message-signing", "ciba"] {
            assert!(Cli::try_parse_from(words(policy)).is_ok());
            let read: Result<idp_protocol::client::Policy, _> =
                serde_json::from_value(policy.into());
            assert!(read.is_ok(), "{policy}");
        }
        assert_eq!(Cli::try_parse_from(words("bad")).unwrap_err().exit_code(), 2);
    }
}
