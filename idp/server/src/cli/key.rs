//! `tongban key …`: signing keys of a running deployment.

use clap::{Args, Subcommand};
use idp_protocol::jose::{Algorithm, Signer, generate};
use idp_store::{StoreError, key};

use super::{Failure, Place, data};
use crate::ambient;
use crate::app::open_database;

/// Signing keys.
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
    List,
    /// Makes a new key of an algorithm; the old one goes on verifying.
    #[command(after_help = "Example: tongban key rotate --algorithm RS256")]
    Rotate {
        /// RS256, ES256, PS256 or EdDSA.
        #[arg(long)]
        algorithm: String,
    },
    /// Takes a key out of use at once; what it signed is void.
    Revoke {
        /// The key's name.
        kid: String,
    },
}

/// Runs `tongban key …`; running nodes see it within seconds.
pub(super) async fn run(args: KeyArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    let now = ambient::system().now();
    match args.command {
        Command::List => {
            let keys = db.read::<_, StoreError, _>("keys", |tx| Box::pin(key::list(tx))).await?;
            for key in keys {
                let state = if key.active { "active" } else { "retired" };
                data(format_args!("{}\t{}\t{state}", key.kid, key.algorithm));
            }
        }
        Command::Rotate { algorithm } => {
            let algorithm = Algorithm::from_name(&algorithm).ok_or_else(|| {
                Failure::Usage(format!("{algorithm} is none of RS256, ES256, PS256, EdDSA"))
            })?;
            let private = generate(algorithm)?;
            let kid = Signer::new(algorithm, &private)?.kid().to_owned();
            let name = kid.clone();
            db.write::<_, StoreError, _>("add_key", move |tx| {
                let (kid, private) = (name.clone(), private.clone());
                Box::pin(async move { key::add(tx, &kid, algorithm.name(), &private, now).await })
            })
            .await?;
            data(kid);
        }
        Command::Revoke { kid } => {
            let name = kid.clone();
            let revoked = db.write::<_, StoreError, _>("revoke_key", move |tx| {
                let kid = name.clone();
                Box::pin(async move { key::revoke(tx, &kid).await })
            });
            if !revoked.await? {
                return Err(Failure::No(format!(
                    "there is no key {kid}\nhint: `tongban key list`"
                )));
            }
        }
    }
    Ok(())
}
