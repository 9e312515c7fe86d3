//! `tongban citizen …`: accounts of citizens, from the operator's side.

use clap::{Args, Subcommand};
use idp_domain::citizen::account::PersonStatus;
use idp_domain::citizen::name::PersonName;
use idp_domain::citizen::password;
use idp_domain::citizen::phone::Phone;
use idp_store::audit::{self, Line};
use idp_store::person::PersonClaims;
use idp_store::{Db, StoreError, person};
use idp_web::citizens::{self, NewCitizen, Outcome};
use idp_web::pages::Hashing;
use serde_json::json;

use super::progress::Progress;
use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::open_database;
use crate::config::Config;

/// Accounts between two looks at the progress.
const STEP: u32 = 200;

/// Accounts of citizens.
#[derive(Debug, Args)]
pub(super) struct CitizenArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes synthetic accounts. Stopped, it can be run again: who is there stays as they are.
    #[command(
        after_help = "Example: tongban citizen create --synthetic --count 100 --password 'purple-Teapot-rain' --proofing 4 --json"
    )]
    Create(Create),
    /// Shows an account, with number, name and phone masked. The person sees in their audit trail
    /// that the operator looked.
    #[command(after_help = "Example: tongban citizen show 13900000000 --json")]
    Show {
        /// Phone, document number, e-mail, user name or the account's id; `-` reads it from
        /// standard input, so that it stands in no history.
        identifier: String,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stops an account: every session and every access of partners ends at once.
    #[command(after_help = "Example: tongban citizen freeze 13900000000")]
    Freeze {
        /// As for `show`.
        identifier: String,
        /// Opens a stopped account again.
        #[arg(long)]
        undo: bool,
    },
    /// Writes down what the population register says of the person's record. With a record that
    /// has ended, every session and every access of partners ends at once.
    #[command(after_help = "Example: tongban citizen record 13900000000 deceased")]
    Record {
        /// As for `show`.
        identifier: String,
        /// `alive`, `deceased`, `number_changed` or `merged`.
        status: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Synthetic people, the same every time; their numbers (region 359901) belong to nobody.
    #[arg(long, required = true)]
    synthetic: bool,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// The first one's place in the list of synthetic people.
    #[arg(long, default_value_t = 0, value_name = "PLACE")]
    from: u32,
    /// Password of all of them.
    #[arg(long)]
    password: String,
    /// Proofing level, 1 to 5.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    proofing: u8,
    /// Prints one JSON object a person.
    #[arg(long)]
    json: bool,
}

/// Runs `tongban citizen …`.
pub(super) async fn run(args: CitizenArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    match args.command {
        Command::Create(create) => {
            refuse_real_deployments(&config)?;
            synthetic(&open_database(&config).await?, &create).await
        }
        Command::Show { identifier, json } => {
            show(&open_database(&config).await?, identifier, json).await
        }
        Command::Freeze { identifier, undo } => {
            freeze(&open_database(&config).await?, identifier, undo).await
        }
        Command::Record { identifier, status } => {
            record(&open_database(&config).await?, identifier, &status).await
        }
    }
}

/// People whom nobody is, with a password that stands in a shell's history, have no place beside
/// real ones.
fn refuse_real_deployments(config: &Config) -> Result<(), Failure> {
    let url = url::Url::parse(&config.server.issuer).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    if config.server.demo || matches!(host, Some("localhost" | "127.0.0.1" | "[::1]")) {
        return Ok(());
    }
    Err(Failure::No(
        "synthetic people are for the demo and for deployments on localhost.\n\
         hint: real citizens register themselves at /register"
            .to_owned(),
    ))
}

async fn synthetic(db: &Db, args: &Create) -> Result<(), Failure> {
    password::check(&args.password, &[]).map_err(|fault| Failure::Usage(fault.to_string()))?;
    let ambient = ambient::system();
    // One hash for all: hashing a million times would take hours, and they share the password.
    let hash = citizens::hash_password(&ambient, Hashing::default(), &args.password)?;
    let (mut progress, mut there) = (Progress::new(u64::from(args.count)), 0_u64);
    let end = args.from.saturating_add(args.count);
    let mut at = args.from;
    while at < end {
        let until = at.saturating_add(STEP).min(end);
        let people: Option<Vec<_>> = (at..until).map(citizens::synthetic).collect();
        let people = people.ok_or_else(|| {
            Failure::Usage(format!("there are not {end} synthetic people\nhint: a smaller --count"))
        })?;
        let new = people.iter().zip(at..).map(|((name, number, phone), nth)| NewCitizen {
            name: name.clone(),
            number: number.clone(),
            phone: Some(phone.clone()),
            user_name: None,
            email: Some(format!("synthetic{nth}@mail.example")),
            address: Some(format!("福建省示例市通办路{}号", nth + 1)),
            proofing: args.proofing,
            password_hash: hash.clone(),
            source: "demo",
        });
        let outcomes = citizens::create(db, &ambient, true, new.collect()).await?;
        for (person, outcome) in people.iter().zip(outcomes) {
            there += u64::from(outcome == Outcome::Exists);
            print(db, person, outcome, args).await?;
        }
        at = until;
        progress.at(u64::from(at - args.from));
    }
    drop(progress);
    if there > 0 {
        talk(format_args!("{there} were there already; their passwords were not changed"));
    }
    Ok(())
}

async fn print(
    db: &Db,
    (name, number, phone): &(String, String, String),
    outcome: Outcome,
    args: &Create,
) -> Result<(), Failure> {
    let created = matches!(outcome, Outcome::Created(_));
    if !args.json {
        if created {
            data(format_args!("{phone}\t{number}\t{name}"));
        }
        return Ok(());
    }
    let (id, proofing) = match outcome {
        Outcome::Created(id) => (id, args.proofing),
        Outcome::Exists => match citizens::find(db, number, ambient::system().now()).await? {
            Some((id, claims)) => (id, claims.proofing),
            // The phone or nothing else of theirs is somebody's: no account of this person.
            None => return Ok(()),
        },
    };
    data(json!({
        "id": id, "name": name, "number": number, "phone": phone, "proofing": proofing,
        "created": created,
    }));
    Ok(())
}

fn typed(identifier: String) -> Result<String, Failure> {
    if identifier != "-" {
        return Ok(identifier);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

async fn found(db: &Db, identifier: &str) -> Result<(String, PersonClaims), Failure> {
    if let Some(found) = citizens::find(db, identifier, ambient::system().now()).await? {
        return Ok(found);
    }
    let id = identifier.to_owned();
    let claims = db
        .read::<_, StoreError, _>("citizen", move |tx| {
            let id = id.clone();
            Box::pin(async move { person::claims(tx, &id).await })
        })
        .await?;
    let claims = claims.ok_or_else(|| {
        // The identifier is not repeated: standard error ends in logs.
        Failure::No(
            "no account has this identifier\n\
             hint: phone, document number, e-mail, user name or the account's id"
                .to_owned(),
        )
    })?;
    Ok((identifier.to_owned(), claims))
}

async fn noted(db: &Db, person: &str) -> Result<(), StoreError> {
    let (person, at) = (person.to_owned(), ambient::system().now());
    db.write("operator_look", move |tx| {
        let person = person.clone();
        let details = json!({ "officer": "tongban citizen show" });
        let line = Line { at, kind: "officer_look", actor: "operator".to_owned(), details };
        Box::pin(async move { audit::append(tx, &person, line).await })
    })
    .await
}

async fn show(db: &Db, identifier: String, as_json: bool) -> Result<(), Failure> {
    let (id, claims) = found(db, &typed(identifier)?).await?;
    noted(db, &id).await?;
    let name = PersonName::parse(&claims.name).map(|name| name.masked()).unwrap_or_default();
    let phone = claims.phone.as_deref().and_then(|phone| Phone::parse(phone).ok());
    let shown = json!({
        "id": id,
        "name": name,
        "number": claims.number_masked,
        "phone": phone.map(|phone| phone.masked()),
        "proofing": claims.proofing,
        "state": claims.account_state.code(),
        "person": claims.person_status.code(),
        "language": claims.locale,
    });
    if as_json {
        data(shown);
    } else {
        for (key, value) in shown.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            data(format_args!("{key:<9} {text}"));
        }
    }
    Ok(())
}

async fn record(db: &Db, identifier: String, status: &str) -> Result<(), Failure> {
    let status = PersonStatus::from_code(status).ok_or_else(|| {
        let known: Vec<_> = PersonStatus::ALL.iter().map(|status| status.code()).collect();
        Failure::Usage(format!("the status is none of: {}", known.join(", ")))
    })?;
    let (id, _) = found(db, &typed(identifier)?).await?;
    if !citizens::set_record(db, &id, status, ambient::system().now()).await? {
        return Err(Failure::No("there is no such person".to_owned()));
    }
    data(id);
    Ok(())
}

async fn freeze(db: &Db, identifier: String, undo: bool) -> Result<(), Failure> {
    let (id, _) = found(db, &typed(identifier)?).await?;
    let now = ambient::system().now();
    if undo {
        if !citizens::unfreeze(db, &id, now).await? {
            return Err(Failure::No("the account is not stopped".to_owned()));
        }
        talk("the account is open again");
    } else {
        if !citizens::freeze(db, &id, now).await? {
            return Err(Failure::No("the account is stopped or closed already".to_owned()));
        }
        talk("the account is stopped, and everything that was signed in has ended");
    }
    data(id);
    Ok(())
}
