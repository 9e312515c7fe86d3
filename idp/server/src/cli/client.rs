//! `tongban client …`: partners.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use idp_protocol::jose::Algorithm;
use idp_web::clients::seen;
use serde_json::{Map, Value, json};

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::open_database;
use crate::config::Config;

/// Partners (relying parties).
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Registers a partner and prints its secret, once.
    #[command(
        after_help = "Example: tongban client create --name 闽政通 --redirect-uri https://m.example/cb --json"
    )]
    Create(Create),
    /// Lists partners.
    #[command(after_help = "Example: tongban client list --json")]
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows a registration.
    #[command(after_help = "Example: tongban client show 01a21ec1-a945-7706-9c25-cf78c1dd240b")]
    Show {
        /// The client id.
        client_id: String,
    },
    /// Overwrites a registration from a file.
    #[command(after_help = "Example: tongban client update --from partner.json")]
    Update {
        /// Registration as JSON (RFC 7591 names), with its `client_id`.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Removes a partner; its tokens stop at once.
    #[command(after_help = "Example: tongban client delete 01a21ec1-a945-7706-9c25-cf78c1dd240b")]
    Delete {
        /// The client id.
        client_id: String,
    },
    /// Keeps a partner out until `enable`; its tokens stop at once.
    #[command(after_help = "Example: tongban client disable 01a21ec1-a945-7706-9c25-cf78c1dd240b")]
    Disable {
        /// The client id.
        client_id: String,
    },
    /// Lets a disabled partner in again.
    #[command(after_help = "Example: tongban client enable 01a21ec1-a945-7706-9c25-cf78c1dd240b")]
    Enable {
        /// The client id.
        client_id: String,
    },
    /// Tokens with which partners register themselves.
    #[command(subcommand)]
    Token(super::client_token::Command),
}

#[derive(Debug, Args)]
struct Create {
    /// Registration as JSON (RFC 7591 names).
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Name on the consent page.
    #[arg(long)]
    name: Option<String>,
    /// Exact redirect URI; may be given several times.
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// Rules by which the client lives.
    #[arg(long, value_parser = ["openid", "fapi2", "fapi2-message-signing", "ciba"])]
    policy: Option<String>,
    /// Prints the registration as JSON.
    #[arg(long)]
    json: bool,
}

fn read(file: &PathBuf) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|cause| Failure::No(format!("{}: {cause}", file.display())))?;
    serde_json::from_str(&text).map_err(|cause| {
        Failure::No(format!(
            "{} is not JSON: {cause}\nhint: RFC 7591 names, one object",
            file.display()
        ))
    })
}

fn registration(args: &Create) -> Result<Value, Failure> {
    let mut value = match &args.from {
        Some(file) => read(file)?,
        None => Value::Object(Map::new()),
    };
    if let Some(name) = &args.name {
        value["client_name"] = json!(name);
    }
    if !args.redirect_uris.is_empty() {
        value["redirect_uris"] = json!(args.redirect_uris);
    }
    if let Some(policy) = &args.policy {
        value["policy"] = json!(policy);
    }
    Ok(value)
}

/// A registration that the server could not keep is refused while somebody looks.
fn offered(config: &Config, sent: Value) -> Result<Value, Failure> {
    let sm2 = json!(Algorithm::Sm2.name());
    let names = sent.as_object().is_some_and(|members| members.values().any(|value| *value == sm2));
    if names && !config.protocol.sm2 {
        return Err(Failure::No(
            "SGD_SM3_SM2 is not offered by this deployment\nhint: `[protocol] sm2 = true`, then \
             restart the server, which makes the key"
                .to_owned(),
        ));
    }
    Ok(sent)
}

/// Runs `tongban client …`.
pub(super) async fn run(args: ClientArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let db = open_database(&config).await?;
    let ambient = ambient::system();
    match args.command {
        Command::Create(create) => {
            let sent = offered(&config, registration(&create)?)?;
            let made = idp_web::clients::create(&db, &ambient, sent).await?;
            if create.json {
                data(made);
            } else {
                for name in ["client_id", "client_secret"] {
                    if let Some(text) = made.get(name).and_then(Value::as_str) {
                        data(format_args!("{name} {text}"));
                    }
                }
                if made.get("client_secret").is_some() {
                    talk("the secret is shown this once");
                }
            }
        }
        Command::List { json } => {
            for seen in seen::all(&db).await? {
                if json {
                    data(seen.json()?);
                } else {
                    let (client, standing) = (&seen.client, seen.standing());
                    let gap = if standing.is_empty() { "" } else { "\t" };
                    let (id, name) = (&client.client_id, &client.client_name);
                    data(format_args!("{id}\t{name}{gap}{standing}"));
                }
            }
        }
        Command::Show { client_id } => {
            let seen = seen::one(&db, &client_id).await?;
            let seen = seen.ok_or_else(|| missing(&client_id))?;
            data(serde_json::to_string_pretty(&seen.json()?)?);
        }
        Command::Update { from } => {
            let sent = offered(&config, read(&from)?)?;
            data(idp_web::clients::update(&db, &ambient, sent).await?);
        }
        Command::Delete { client_id } => {
            if !idp_web::clients::delete(&db, &ambient, &client_id).await? {
                return Err(missing(&client_id));
            }
        }
        Command::Disable { client_id } => {
            if !idp_web::clients::disable(&db, &ambient, &client_id, true).await? {
                return Err(missing(&client_id));
            }
        }
        Command::Enable { client_id } => {
            if !idp_web::clients::disable(&db, &ambient, &client_id, false).await? {
                return Err(missing(&client_id));
            }
        }
        Command::Token(command) => super::client_token::run(command, &db, &ambient).await?,
    }
    Ok(())
}

fn missing(client_id: &str) -> Failure {
    Failure::No(format!("there is no client {client_id}\nhint: `tongban client list`"))
}
