//! `tongban client token …`: initial access tokens (RFC 7591 §1.2).

use clap::Subcommand;
use idp_domain::ambient::Ambient;
use idp_store::Db;
use idp_store::registration::InitialToken;
use serde_json::{Value, json};

use super::{Failure, data, talk};

const DAY: i64 = 86_400_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Makes a token and prints it, once.
    #[command(after_help = "Example: tongban client token create --uses 3 --days 7")]
    Create {
        /// How many partners it registers.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        uses: u32,
        /// After how many days it expires.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: u16,
        /// Prints the record as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists tokens that can still be used, without their secrets.
    #[command(after_help = "Example: tongban client token list --json")]
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Takes a token back.
    #[command(after_help = "Example: tongban client token revoke 8Qm2vTz0")]
    Revoke {
        /// Its id, as `list` prints it.
        id: String,
    },
}

fn record(token: &InitialToken) -> Value {
    json!({"id": token.id, "uses": token.uses, "created_at": token.created_at,
        "expires_at": token.expires_at})
}

/// Runs `tongban client token …`.
pub(super) async fn run(command: Command, db: &Db, ambient: &Ambient) -> Result<(), Failure> {
    match command {
        Command::Create { uses, days, json } => {
            let life = i64::from(days) * DAY;
            let (text, row) = idp_web::registration::create_token(db, ambient, uses, life).await?;
            if json {
                let mut value = record(&row);
                value["initial_access_token"] = json!(text);
                data(value);
            } else {
                data(text);
                talk("the token is shown this once");
            }
        }
        Command::List { json } => {
            for token in idp_web::registration::tokens(db, ambient).await? {
                if json {
                    data(record(&token));
                } else {
                    let (id, uses, until) = (&token.id, token.uses, token.expires_at);
                    data(format_args!("{id}\t{uses} left\texpires {until}"));
                }
            }
        }
        Command::Revoke { id } => {
            if !idp_web::registration::remove_token(db, &id).await? {
                let hint = "hint: `tongban client token list`";
                return Err(Failure::No(format!("there is no token {id}\n{hint}")));
            }
        }
    }
    Ok(())
}
