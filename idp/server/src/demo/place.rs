//! The demo's data directory: secrets made once, and the configuration that every other command
//! reads through `--data`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DemoArgs;
use crate::ambient;
use crate::cli::Failure;
use crate::config::Config;

/// Secrets of one data directory.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) master: String,
    pub(super) password: String,
    pub(super) partners: [String; 2],
    pub(super) register: String,
    pub(super) face: String,
    pub(super) express: String,
    pub(super) sms: String,
}

/// An open data directory.
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    pub(super) secrets: Secrets,
    pub(super) config: Config,
}

impl Place {
    /// The address of a part on its own port.
    pub(super) fn address(&self, offset: u16) -> String {
        format!("http://localhost:{}", self.port.saturating_add(offset))
    }
}

/// Offsets of ports from the product's own.
pub(super) mod port {
    pub(in crate::demo) const PARTNERS: [u16; 2] = [1, 2];
    pub(in crate::demo) const BANK: u16 = 3;
    pub(in crate::demo) const EXPRESS: u16 = 5;
    pub(in crate::demo) const SMS: u16 = 6;
    pub(in crate::demo) const CMPP: u16 = 7;
    pub(in crate::demo) const REGISTER: u16 = 8;
    pub(in crate::demo) const FACE: u16 = 9;
}

fn secrets(directory: &Path) -> Result<Secrets, Failure> {
    let file = directory.join("secrets.json");
    if let Ok(text) = std::fs::read_to_string(&file) {
        return Ok(serde_json::from_str(&text)?);
    }
    let random = ambient::system();
    let short: String =
        random.secret().chars().filter(char::is_ascii_alphanumeric).take(6).collect();
    let secrets = Secrets {
        master: random.secret(),
        password: format!("Demo-{short}-8"),
        partners: [random.secret(), random.secret()],
        register: random.secret(),
        face: random.secret(),
        express: random.secret(),
        sms: random.secret().chars().take(16).collect(),
    };
    write_private(&file, &serde_json::to_string_pretty(&secrets)?)?;
    Ok(secrets)
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(file: &Path, text: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let mut open = options.create(true).write(true).truncate(true).mode(0o600).open(file)?;
    open.write_all(text.as_bytes())?;
    Ok(())
}

/// Opens or makes the directory.
pub(super) fn open(args: &DemoArgs) -> Result<Place, Failure> {
    if args.port > 65_500 {
        return Err(Failure::Usage("--port leaves no room for the simulators' ports".to_owned()));
    }
    if args.fresh && args.data.join("secrets.json").exists() {
        super::sims::stop_recorded(&args.data);
        std::fs::remove_dir_all(&args.data)?;
    }
    std::fs::create_dir_all(&args.data)?;
    let directory = args.data.canonicalize()?;
    let _ = std::fs::remove_file(directory.join("demo.json"));
    let secrets = secrets(&directory)?;
    let bank = directory.join("bank");
    let keys = plugins_simulators::bank::Keys::open(&bank)?;
    std::fs::write(bank.join("gateway.pub"), keys.gateway_public()?)?;
    let text = configuration(args, &directory, &secrets);
    write_private(&directory.join("tongban.toml"), &text)?;
    let config = Config::load(&directory.join("tongban.toml"))?;
    Ok(Place { directory, port: args.port, secrets, config })
}

fn configuration(args: &DemoArgs, directory: &Path, secrets: &Secrets) -> String {
    let at = |offset: u16| format!("http://localhost:{}", args.port.saturating_add(offset));
    let sqlite = format!("sqlite://{}", directory.join("tongban.sqlite").display());
    let database = args.database_url.as_deref().unwrap_or(&sqlite);
    let keys = directory.join("bank");
    format!(
        "# Written by `tongban demo`; rewritten at each start.\n\
         [server]\nissuer = \"{issuer}\"\nlisten = \"127.0.0.1:{port}\"\ndemo = true\n\
         [database]\nurl = \"{database}\"\n\
         [secrets]\nmaster = \"{master}\"\n\
         # Everyone here comes from one address.\n\
         [limits]\nauthorizations_per_network_per_minute = 0\n\
         [items]\ntrack_minutes = 1\n\
         [plugins]\ndirectory = \"plugins\"\ncache = \"plugins-cache\"\n\
         [payment]\ngateway = \"{bank}\"\nmerchant_id = \"777290058110048\"\n\
         merchant_key_file = \"{merchant}\"\ngateway_key_file = \"{public}\"\n\
         [express]\nurl = \"{express}\"\nsecret = \"{express_secret}\"\n\
         [sms]\naddress = \"127.0.0.1:{cmpp}\"\nsource = \"901234\"\nsecret = \"{sms}\"\n\
         [register]\nurl = \"{register}\"\nsecret = \"{register_secret}\"\n\
         [face]\nurl = \"{face}\"\nsecret = \"{face_secret}\"\n",
        issuer = at(0),
        port = args.port,
        master = secrets.master,
        bank = at(port::BANK),
        merchant = keys.join("merchant.key").display(),
        public = keys.join("gateway.pub").display(),
        express = at(port::EXPRESS),
        express_secret = secrets.express,
        cmpp = args.port.saturating_add(port::CMPP),
        sms = secrets.sms,
        register = at(port::REGISTER),
        register_secret = secrets.register,
        face = at(port::FACE),
        face_secret = secrets.face,
    )
}
