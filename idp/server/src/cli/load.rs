//! `tongban load`: the figures of docs/benchmarks.md come from here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum as _};
use idp_protocol::jose::{self, Algorithm, JoseError, Signer};
use idp_store::Db;
use serde_json::{Value, json};
use url::Url;

use super::{Failure, Place, data, talk};
use crate::ambient;
use crate::app::open_database;
use crate::load::{self, Figures, Plan, Scenario, Server, Target};

/// Loads a running demo and prints what it carries.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: taskset -c 1 tongban load client-credentials --data data/demo --seconds 10"
)]
pub(super) struct LoadArgs {
    /// What to measure, one after another; all if none is named.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// The running demo's data directory.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    data: PathBuf,
    /// Seconds that are measured, for each scenario.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Workers, each with one connection.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=4096))]
    connections: u64,
    /// The server's process, if it cannot be found by its port.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Further processes whose CPU counts as the server's, with all that they have started: its
    /// database.
    #[arg(long, value_name = "PID")]
    with_pid: Vec<u32>,
    /// How the load's own client has its ID tokens signed: `RS256`, as partners have them unless
    /// they register another, or `ES256`.
    #[arg(long, default_value = "RS256", value_parser = ["RS256", "ES256"])]
    alg: String,
    /// One JSON object a scenario.
    #[arg(long)]
    json: bool,
}

fn unreadable(cause: impl std::fmt::Display) -> Failure {
    Failure::No(format!(
        "the demo cannot be read: {cause}\nhint: start `tongban demo` and name its directory with --data"
    ))
}

/// Examples of a form's schema by path, for the fields that are asked.
fn examples(prefix: &str, schema: &Value, answers: &mut Vec<(String, String)>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, field) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (&field["examples"][0], field["readOnly"] == true) {
            (Value::String(text), false) => answers.push((path, text.clone())),
            (Value::Null, _) | (_, true) => examples(&path, field, answers),
            (other, false) => answers.push((path, other.to_string())),
        }
    }
}

/// A client that authenticates by assertions, and its key.
async fn signing(db: &Db) -> Result<(String, Signer), Failure> {
    let unusable = |cause: JoseError| Failure::No(cause.to_string());
    let pkcs8 = jose::generate(Algorithm::Es256).map_err(unusable)?;
    let signer = Signer::new(Algorithm::Es256, &pkcs8).map_err(unusable)?;
    let registration = json!({
        "client_name": "tongban load, signing", "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk()]},
    });
    let client = idp_web::clients::create(db, &ambient::system(), registration).await?;
    Ok((client["client_id"].as_str().unwrap_or_default().to_owned(), signer))
}

async fn target(args: &LoadArgs) -> Result<(Target, Vec<String>), Failure> {
    let text = std::fs::read_to_string(args.data.join("demo.json")).map_err(unreadable)?;
    let demo: Value = serde_json::from_str(&text)?;
    let issuer = Url::parse(demo["issuer"].as_str().unwrap_or_default())?;
    if !load::is_loopback(&issuer) {
        return Err(Failure::Usage("a load run goes to this machine only".to_owned()));
    }
    let people: Vec<&Value> = demo["people"].as_array().into_iter().flatten().collect();
    let strong = people.iter().filter(|one| one["proofing"] == 4);
    let item = "exit-entry.hk-macao-group-endorsement";
    let api = issuer.join(&format!("/api/items/{item}"))?;
    let about: Value = reqwest::get(api).await?.json().await?;
    let mut answers = Vec::new();
    examples("", &about["form"], &mut answers);
    let redirect_uri = "http://127.0.0.1:9/load".to_owned();
    let place = Place { config: None, data: Some(args.data.clone()) };
    let db = open_database(&place.load()?).await?;
    let registration = json!({
        "client_name": "tongban load", "redirect_uris": [redirect_uri],
        "scope": "openid profile",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "id_token_signed_response_alg": args.alg,
        "legal_basis": "load measurement of the demo", "sector": "load",
    });
    let client = idp_web::clients::create(&db, &ambient::system(), registration).await?;
    let signing = signing(&db).await?;
    let member = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
    let target = Target {
        issuer,
        client: (member("client_id"), member("client_secret")),
        signing: Arc::new(signing),
        redirect_uri,
        people: strong.filter_map(|one| one["phone"].as_str().map(str::to_owned)).collect(),
        password: people
            .first()
            .and_then(|one| one["password"].as_str())
            .unwrap_or_default()
            .to_owned(),
        item: item.to_owned(),
        answers,
    };
    let clients = vec![member("client_id"), target.signing.0.clone()];
    Ok((target, clients))
}

fn line(one: &Figures) -> String {
    let cpu = one.per_cpu_second.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
    let spent = one.cpu_seconds.map_or("-".to_owned(), |spent| format!("{spent:.2}"));
    let rss = one.rss.map_or("-".to_owned(), |bytes| format!("{}", bytes >> 20));
    format!(
        "{:<19} {:>9.0} {:>9} {:>9} {:>7} {:>8} {:>9} {:>8}",
        one.scenario, one.per_second, one.p50_us, one.p99_us, one.errors, spent, cpu, rss
    )
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the demo cannot be used, or any operation failed.
pub(super) async fn run(args: LoadArgs) -> Result<(), Failure> {
    let (target, clients) = target(&args).await?;
    let port = target.issuer.port_or_known_default().unwrap_or_default();
    let server = match args.server_pid {
        Some(id) => Server::process(id, args.with_pid.clone()),
        None => Server::at(port, args.with_pid.clone()),
    };
    if !server.known() {
        talk(
            "The server's process was not found: its CPU is not counted. Name it with --server-pid.",
        );
    }
    let plan = Plan {
        connections: usize::try_from(args.connections).unwrap_or(1),
        span: Duration::from_secs(args.seconds),
        warm_up: Duration::from_secs(1),
    };
    let scenarios = if args.scenarios.is_empty() {
        Scenario::value_variants().to_vec()
    } else {
        args.scenarios.clone()
    };
    let target = Arc::new(target);
    if !args.json {
        data(
            "scenario                   op/s    p50 us    p99 us  errors    CPU s  op/CPU s  RSS MiB",
        );
    }
    let mut failed = Vec::new();
    for scenario in scenarios {
        let figures = load::run(&target, scenario, plan, server.clone()).await;
        if args.json {
            data(serde_json::to_string(&figures)?)
        } else {
            data(line(&figures))
        }
        if let Some(cause) = figures.first_error {
            failed.push(format!("{}: {cause}", scenario.name()));
        }
    }
    let place = Place { config: None, data: Some(args.data) };
    let db = open_database(&place.load()?).await?;
    for client in clients {
        idp_web::clients::delete(&db, &ambient::system(), &client).await?;
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::No(failed.join("\n"))) }
}
