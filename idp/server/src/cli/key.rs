//! `tongban key …`: signing and encryption keys of a running deployment.

use clap::{Args, Subcommand};
use idp_web::keys;

use super::{Failure, Place, data};
use crate::ambient;
use crate::app::open_database;

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
    /// Lists keys: name, algorithm, state.
    #[command(after_help = "Example: tongban key list --json")]
    List {
        /// One JSON object a key.
        #[arg(long)]
        json: bool,
    },
    /// Makes a new key of an algorithm; the old one goes on verifying, or opening what was
    /// encrypted to it.
    #[command(after_help = "Example: tongban key rotate --algorithm RS256")]
    Rotate {
        /// RS256, ES256, PS256, EdDSA, ECDH-ES or RSA-OAEP-256.
        #[arg(long)]
        algorithm: String,
    },
    /// Takes a key out of use at once; what it signed is void. Where it was the one that signs,
    /// another is made.
    #[command(after_help = "Example: tongban key revoke 3kP0v9aQxT7cJm2LrYw8Zg")]
    Revoke {
        /// The key's name.
        kid: String,
    },
}

/// Runs `tongban key …`; running nodes see it within seconds.
pub(super) async fn run(args: KeyArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    let ambient = ambient::system();
    match args.command {
        Command::List { json } => {
            for key in keys::list(&db).await? {
                let state = if key.active { "active" } else { "retired" };
                if json {
                    data(serde_json::to_string(&key)?);
                } else {
                    data(format_args!("{}\t{}\t{state}", key.kid, key.algorithm));
                }
            }
        }
        Command::Rotate { algorithm } => {
            let name = keys::names().find(|name| *name == algorithm).ok_or_else(|| {
                let known: Vec<_> = keys::names().collect();
                Failure::Usage(format!("{algorithm} is none of {}", known.join(", ")))
            })?;
            data(keys::make(&db, &ambient, name).await?);
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
