//! `tongban staff …`: officers and administrators.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use idp_domain::citizen::password;
use idp_store::{StoreError, staff};
use idp_web::citizens::{self, NewStaff};
use idp_web::pages::Hashing;
use serde_json::json;

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::open_database;

/// Officers and administrators.
#[derive(Debug, Args)]
pub(super) struct StaffArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Creates an officer and prints the seed of the second factor, once.
    #[command(
        after_help = "Example: tongban staff create --name chen --display-name 陈警官 --role officer --json"
    )]
    Create(Create),
    /// Lists everybody: name, role, whether they may sign in.
    #[command(after_help = "Example: tongban staff list --json")]
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Name for signing in.
    #[arg(long)]
    name: String,
    /// Name that colleagues and citizens read; the same if not given.
    #[arg(long)]
    display_name: Option<String>,
    /// What they may do.
    #[arg(long, value_parser = ["officer", "supervisor", "administrator"])]
    role: String,
    /// Password. It would stand in the shell's history: rather give a file, or nothing.
    #[arg(long, conflicts_with = "password_file")]
    password: Option<String>,
    /// File that holds the password; without either a fresh one is made and printed.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `tongban staff …`.
pub(super) async fn run(args: StaffArgs) -> Result<(), Failure> {
    let db = open_database(&args.place.load()?).await?;
    match args.command {
        Command::Create(new) => create(&db, new).await,
        Command::List { json } => {
            let all = db.read::<_, StoreError, _>("staff", |tx| Box::pin(staff::list(tx))).await?;
            for one in all {
                if json {
                    data(json!({
                        "id": one.id, "name": one.user_name, "display_name": one.name,
                        "role": one.role, "active": one.active,
                    }));
                } else {
                    let state = if one.active { "active" } else { "disabled" };
                    data(format_args!("{}\t{}\t{state}\t{}", one.user_name, one.role, one.name));
                }
            }
            Ok(())
        }
    }
}

fn given(new: &Create) -> Result<(String, bool), Failure> {
    if let Some(password) = &new.password {
        return Ok((password.clone(), false));
    }
    let Some(file) = &new.password_file else {
        return Ok((ambient::system().secret().chars().take(20).collect(), true));
    };
    let text = std::fs::read_to_string(file)
        .map_err(|cause| Failure::No(format!("{}: {cause}", file.display())))?;
    Ok((text.trim_end_matches(['\r', '\n']).to_owned(), false))
}

async fn create(db: &idp_store::Db, new: Create) -> Result<(), Failure> {
    let (password, fresh) = given(&new)?;
    let name = new.name.trim().to_lowercase();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Failure::Usage("--name is one word".to_owned()));
    }
    password::check(&password, &[&name]).map_err(|fault| Failure::Usage(fault.to_string()))?;
    let ambient = ambient::system();
    let display = new.display_name.unwrap_or_else(|| name.clone());
    let staff = NewStaff {
        user_name: name.clone(),
        name: display.clone(),
        role: new.role.clone(),
        password_hash: citizens::hash_password(&ambient, Hashing::default(), &password)?,
        totp: None,
    };
    let made = citizens::create_staff(db, &ambient, staff).await?;
    let mut shown = json!({
        "id": made.id, "name": name, "display_name": display, "role": new.role,
        "totp_secret": made.totp_secret,
        "otpauth": format!(
            "otpauth://totp/Tongban:{name}?secret={}&issuer=Tongban", made.totp_secret
        ),
    });
    if fresh {
        shown["password"] = json!(password);
    }
    if new.json {
        data(shown);
        return Ok(());
    }
    for (key, value) in shown.as_object().into_iter().flatten() {
        data(format_args!("{key:<12} {}", value.as_str().unwrap_or_default()));
    }
    talk("the seed of the second factor is shown this once: put it into an authenticator");
    Ok(())
}
