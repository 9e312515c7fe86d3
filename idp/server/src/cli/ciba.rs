//! `tongban ciba …`: requests over the back channel that wait for a person.

use clap::{Args, Subcommand};
use idp_domain::ambient::Token;
use serde_json::json;

use super::{Failure, Place, data};
use crate::ambient;
use crate::app::open_database;

/// Requests of the backchannel grant that wait for a person.
#[derive(Debug, Args)]
pub(super) struct CibaArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what waits: id, client, message, seconds left. Whom it means is not told.
    #[command(after_help = "Example: tongban ciba list --json")]
    List {
        /// One JSON object a request.
        #[arg(long)]
        json: bool,
    },
    /// Allows a request in the person's stead; it stands in the person's trail as the operator's.
    #[command(after_help = "Example: tongban ciba approve 0199a5d2-7c1e-7cc3-98b8-5a3c8f1d2e4b")]
    Approve {
        /// The request's id, or its `auth_req_id`.
        id: String,
    },
    /// Refuses a request in the person's stead.
    #[command(after_help = "Example: tongban ciba deny 0199a5d2-7c1e-7cc3-98b8-5a3c8f1d2e4b")]
    Deny {
        /// The request's id, or its `auth_req_id`.
        id: String,
    },
}

/// Runs `tongban ciba …`; running nodes see it at the client's next question.
pub(super) async fn run(args: CibaArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    let ambient = ambient::system();
    let (id, allow) = match args.command {
        Command::List { json: as_json } => {
            let now = ambient.now();
            for asked in idp_web::backchannel::waiting(&db, now).await? {
                let left = (asked.expires_at - now) / 1000;
                let message = asked.asked.binding_message.unwrap_or_default();
                if as_json {
                    data(json!({"id": asked.id, "client_id": asked.client_id,
                        "binding_message": message, "seconds_left": left}));
                } else {
                    data(format_args!("{}\t{}\t{message}\t{left}", asked.id, asked.client_id));
                }
            }
            return Ok(());
        }
        Command::Approve { id } => (id, true),
        Command::Deny { id } => (id, false),
    };
    // Whoever holds the whole token may name the request by it.
    let id = Token::parse(idp_web::backchannel::PREFIX, &id).map_or(id, |token| token.id);
    if idp_web::backchannel::decide(&db, &ambient, &id, allow).await? {
        return Ok(());
    }
    Err(Failure::No(
        "no such request waits, or its person cannot be given what it asks for\nhint: `tongban ciba list` names those that wait"
            .to_owned(),
    ))
}
