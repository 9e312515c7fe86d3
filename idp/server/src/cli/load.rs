//! `tongban load`: the figures of docs/benchmarks.md come from here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
use crate::load::{
    self, Figures, Form, Hall, Places, Plan, Provider, Scenario, Server, Signing, Target, Transport,
};

/// Loads a running demo, or another provider beside it, and prints what it carries.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  taskset -c 1 tongban load client-credentials --data data/demo --seconds 10\n  taskset -c 1 tongban load refresh --data data/demo --provider keycloak.toml --provider hydra.toml"
)]
pub(super) struct LoadArgs {
    /// What to measure, one after another; all if none is named.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// A running demo's data directory; data/demo if neither this nor --provider is given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another provider, described by a file as in docs/benchmarks.md; each scenario goes through
    /// all of them by turns.
    #[arg(long, value_name = "FILE")]
    provider: Vec<PathBuf>,
    /// Seconds that are measured, for each scenario.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Workers, each with one connection.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=4096))]
    connections: u64,
    /// The demo's process, if it cannot be found by its port.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Further processes whose CPU counts as the demo's, with all that they have started: its
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
async fn signing(db: &Db, issuer: &str) -> Result<Signing, Failure> {
    let unusable = |cause: JoseError| Failure::No(cause.to_string());
    let pkcs8 = jose::generate(Algorithm::Es256).map_err(unusable)?;
    let signer = Signer::new(Algorithm::Es256, &pkcs8).map_err(unusable)?;
    let registration = json!({
        "client_name": "tongban load, signing", "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk()]},
    });
    let client = idp_web::clients::create(db, &ambient::system(), registration).await?;
    let client = client["client_id"].as_str().unwrap_or_default().to_owned();
    Ok(Signing { client, signer, audience: issuer.to_owned() })
}

/// An item without materials, and what to write into its form.
async fn hall(issuer: &str) -> Result<Hall, Failure> {
    let item = "exit-entry.hk-macao-group-endorsement".to_owned();
    let api = Url::parse(issuer)?.join(&format!("/api/items/{item}"))?;
    let about: Value = reqwest::get(api).await?.json().await?;
    let mut answers = Vec::new();
    examples("", &about["form"], &mut answers);
    Ok(Hall { item, answers })
}

/// A running demo with clients of the load's own.
async fn demo(directory: &Path, alg: &str) -> Result<Target, Failure> {
    let text = std::fs::read_to_string(directory.join("demo.json")).map_err(unreadable)?;
    let demo: Value = serde_json::from_str(&text)?;
    let issuer = demo["issuer"].as_str().unwrap_or_default().to_owned();
    let transport = Transport::default();
    let http = transport.client(false).map_err(Failure::No)?;
    let places = Places::of(&http, &issuer).await.map_err(unreadable)?;
    let hall = hall(&issuer).await?;
    let people: Vec<&Value> = demo["people"].as_array().into_iter().flatten().collect();
    let strong = people.iter().filter(|one| one["proofing"] == 4);
    let password = people.first().and_then(|one| one["password"].as_str()).unwrap_or_default();
    let fill = [("identifier", "{person}"), ("password", password)];
    let fill: BTreeMap<_, _> = fill.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let redirect_uri = "http://127.0.0.1:9/load";
    let place = Place { config: None, data: Some(directory.to_owned()) };
    let db = open_database(&place.load()?).await?;
    let registration = json!({
        "client_name": "tongban load", "redirect_uris": [redirect_uri],
        "scope": "openid profile",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "id_token_signed_response_alg": alg,
        "legal_basis": "load measurement of the demo", "sector": "load",
    });
    let client = idp_web::clients::create(&db, &ambient::system(), registration).await?;
    let member = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
    let signing = Some(Arc::new(signing(&db, &issuer).await?));
    Ok(Target {
        name: "tongban".to_owned(),
        places,
        client: (member("client_id"), member("client_secret")),
        scope: ("openid profile".to_owned(), None),
        signing,
        certified: None,
        redirect_uri: Url::parse(redirect_uri)?,
        people: strong.filter_map(|one| one["phone"].as_str().map(str::to_owned)).collect(),
        forms: vec![Form { has: "identifier".to_owned(), fill }],
        hall: Some(hall),
        transport,
        issuer,
    })
}

/// Takes away what [`demo`] has registered.
async fn leave(directory: &Path, target: &Target) -> Result<(), Failure> {
    let place = Place { config: None, data: Some(directory.to_owned()) };
    let db = open_database(&place.load()?).await?;
    let signing = target.signing.as_ref().map(|signing| signing.client.as_str());
    for client in std::iter::once(target.client.0.as_str()).chain(signing) {
        idp_web::clients::delete(&db, &ambient::system(), client).await?;
    }
    Ok(())
}

/// One of those that are measured.
struct Measured {
    target: Arc<Target>,
    server: Server,
    lacks: Vec<Scenario>,
}

impl Measured {
    fn new(target: Target, process: Option<u32>, also: Vec<u32>, lacks: Vec<Scenario>) -> Self {
        let port = target.places.token.port_or_known_default().unwrap_or_default();
        let server = match process {
            Some(id) => Server::process(id, also),
            None => Server::at(port, also),
        };
        if !server.known() {
            talk(format_args!(
                "{}: the server's process was not found, so that its CPU is not counted.",
                target.name
            ));
        }
        Self { target: Arc::new(target), server, lacks }
    }

    fn has(&self, scenario: Scenario) -> bool {
        scenario.fits(&self.target) && !self.lacks.contains(&scenario)
    }
}

fn line(one: &Figures) -> String {
    let cpu = one.per_cpu_second.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
    let spent = one.cpu_seconds.map_or("-".to_owned(), |spent| format!("{spent:.2}"));
    let rss = one.rss.map_or("-".to_owned(), |bytes| format!("{}", bytes >> 20));
    format!(
        "{:<19} {:>9.0} {:>9} {:>9} {:>7} {:>8} {:>9} {:>8}  {}",
        one.scenario,
        one.per_second,
        one.p50_us,
        one.p99_us,
        one.errors,
        spent,
        cpu,
        rss,
        one.provider
    )
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the demo or a provider cannot be used, or any operation failed.
pub(super) async fn run(args: LoadArgs) -> Result<(), Failure> {
    let unnamed = args.data.is_none() && args.provider.is_empty();
    let data_directory = args.data.clone().or(unnamed.then(|| PathBuf::from("data/demo")));
    let mut measured = Vec::new();
    // First, since nothing has to be taken away again where a file is wrong.
    for file in &args.provider {
        let wrong = |cause| Failure::No(format!("{}: {cause}", file.display()));
        let Provider { target, lacks, database } = Provider::read(file).await.map_err(wrong)?;
        measured.push(Measured::new(target, None, database.into_iter().collect(), lacks));
    }
    if let Some(directory) = &data_directory {
        let target = demo(directory, &args.alg).await?;
        let own = Measured::new(target, args.server_pid, args.with_pid.clone(), Vec::new());
        measured.insert(0, own);
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
    if !args.json {
        data(
            "scenario                   op/s    p50 us    p99 us  errors    CPU s  op/CPU s  RSS MiB  provider",
        );
    }
    let mut failed = Vec::new();
    for scenario in scenarios {
        // A run that measured nothing is no success.
        if !args.scenarios.is_empty() && !measured.iter().any(|one| one.has(scenario)) {
            failed.push(format!("{}: nobody here has it", scenario.name()));
        }
        for one in measured.iter().filter(|one| one.has(scenario)) {
            let figures = load::run(&one.target, scenario, plan, one.server.clone()).await;
            if args.json {
                data(serde_json::to_string(&figures)?)
            } else {
                data(line(&figures))
            }
            if let Some(cause) = figures.first_error {
                failed.push(format!("{}: {}: {cause}", one.target.name, scenario.name()));
            }
        }
    }
    if let (Some(directory), Some(one)) = (&data_directory, measured.first()) {
        leave(directory, &one.target).await?;
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::No(failed.join("\n"))) }
}
