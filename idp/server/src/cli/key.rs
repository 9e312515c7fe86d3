//! `tongban key …`: signing and encryption keys of a running deployment.

use clap::{Args, Subcommand};
use idp_web::keys;

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::{open_database, web_settings};

/// Signing and encryption keys.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists keys: name, algorithm, state, and from when and until when.
    #[command(after_help = "Example: tongban key list --json")]
    List {
        /// One JSON object a key.
        #[arg(long)]
        json: bool,
    },
    /// Makes the successor of an algorithm's key: published now, in use after
    /// `keys.publish_ahead_seconds`. The old one goes on verifying, or opening what was encrypted
    /// to it, for as long as anything of it lives.
    #[command(after_help = "Example: tongban key rotate --algorithm RS256")]
    Rotate {
        /// RS256, ES256, PS256, EdDSA, SGD_SM3_SM2, ECDH-ES or RSA-OAEP-256.
        #[arg(long)]
        algorithm: String,
        /// Name and time as a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Takes a key out of use at once, for one that somebody else may have: what it signed is
    /// void, its private half is overwritten. Where it was the one that signs, another does now.
    #[command(after_help = "Example: tongban key revoke 3kP0v9aQxT7cJm2LrYw8Zg")]
    Revoke {
        /// The key's name; one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

/// Runs `tongban key …`; running nodes see it within seconds.
pub(super) async fn run(args: KeyArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let schedule = web_settings(&config)?.keys();
    let db = open_database(&config).await?;
    let ambient = ambient::system();
    match args.command {
        Command::List { json } => {
            for key in keys::list(&db, &ambient, schedule).await? {
                if json {
                    data(serde_json::to_string(&key)?);
                } else {
                    let (kid, algorithm, state) = (&key.kid, &key.algorithm, key.state);
                    data(format_args!("{kid}\t{algorithm}\t{state}\t{}", times(&key)));
                }
            }
        }
        Command::Rotate { algorithm, json } => {
            let name = keys::names(true).find(|name| *name == algorithm).ok_or_else(|| {
                let known: Vec<_> = keys::names(true).collect();
                Failure::Usage(format!("{algorithm} is none of {}", known.join(", ")))
            })?;
            let rotated = keys::rotate(&db, &ambient, schedule, name).await?;
            if json {
                data(serde_json::to_string(&rotated)?);
            } else {
                data(&rotated.kid);
                let waits = if rotated.made { "" } else { "a successor waits already: " };
                talk(format_args!("{waits}signs from {}", moment(rotated.signs_from)));
            }
        }
        Command::Revoke { kid } => {
            if !keys::revoke(&db, &ambient, &kid).await? {
                return Err(Failure::No(format!(
                    "there is no key {kid}\nhint: `tongban key list`"
                )));
            }
        }
    }
    Ok(())
}

fn times(key: &keys::Listed) -> String {
    match (key.state, key.signs_until, key.published_until) {
        ("next", ..) => format!("signs from {}", moment(key.signs_from)),
        ("revoked", Some(at), _) => format!("revoked by {}", moment(at)),
        ("active", Some(at), _) => {
            format!("signs from {} until {}", moment(key.signs_from), moment(at))
        }
        (_, _, Some(until)) => format!("published until {}", moment(until)),
        _ => format!("signs from {}", moment(key.signs_from)),
    }
}

/// A time for people: UTC, to the second.
fn moment(at: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(at / 1000)
        .ok()
        .and_then(|moment| moment.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| at.to_string())
}
