//! What lies in a backup: a manifest, the configuration with every secret beside it as a file of
//! its own, the packages of plugins, and the database. Restored, the directory stands for itself.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use idp_store::Vault;
use tar::{Archive, Builder, EntryType, Header};
use toml::{Table, Value};

use super::sealed::{Opener, Sealer};
use super::{Manifest, VERSION, write_private};
use crate::cli::Failure;
use crate::config::Config;

const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "tongban.sqlite";

/// Names and bytes of files that the configuration names.
type Files = Vec<(String, Vec<u8>)>;

/// Writes everything into the stream.
pub(super) fn write<W: Write>(
    sealer: &mut Sealer<W>,
    manifest: &Manifest,
    config: &Config,
    file_of_config: &Path,
    database: &Path,
) -> Result<(), Failure> {
    let mut archive = Builder::new(sealer);
    add(&mut archive, MANIFEST, serde_json::to_string_pretty(manifest)?.as_bytes())?;
    let base = file_of_config.parent().unwrap_or(Path::new("."));
    let (text, files) = portable(&std::fs::read_to_string(file_of_config)?, config, base)?;
    add(&mut archive, "tongban.toml", text.as_bytes())?;
    for (name, bytes) in files {
        add(&mut archive, &name, &bytes)?;
    }
    if let (true, Ok(secrets)) = (config.server.demo, std::fs::read(base.join("secrets.json"))) {
        // A demo makes its configuration anew from these.
        add(&mut archive, "secrets.json", &secrets)?;
    }
    for file in packages(&config.plugins.directory)? {
        let name = file.strip_prefix(&config.plugins.directory).unwrap_or(&file);
        let name = Path::new("plugins").join(name);
        add(&mut archive, &name.to_string_lossy(), &std::fs::read(&file)?)?;
    }
    let mut file = std::fs::File::open(database)?;
    let size = file.metadata()?.len();
    archive.append_data(&mut header(size), DATABASE, &mut file)?;
    archive.into_inner()?;
    Ok(())
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_entry_type(EntryType::Regular);
    header
}

fn add<W: Write>(archive: &mut Builder<W>, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    archive.append_data(&mut header(bytes.len() as u64), name, bytes)?;
    Ok(())
}

/// Files of the plugins' packages, one directory a plugin.
fn packages(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let Ok(plugins) = std::fs::read_dir(directory) else { return Ok(files) };
    for plugin in plugins {
        let plugin = plugin?.path();
        for name in ["plugin.toml", "component.wasm"] {
            files.extend(Some(plugin.join(name)).filter(|file| file.is_file()));
        }
    }
    files.sort();
    Ok(files)
}

/// The configuration as it stands in a directory of its own, and the files that it names. What the
/// environment said of the master secret is kept; other variables belong to the new machine.
fn portable(text: &str, config: &Config, base: &Path) -> Result<(String, Files), Failure> {
    let mut table: Table = text.parse()?;
    let mut files = Vec::new();
    for (section, value) in &mut table {
        let Some(keys) = value.as_table_mut() else { continue };
        for (key, value) in keys.iter_mut().filter(|(key, _)| key.ends_with("_file")) {
            let named = base.join(value.as_str().unwrap_or_default());
            let bytes = std::fs::read(&named)
                .map_err(|cause| Failure::No(format!("{}: {cause}", named.display())))?;
            let name = format!("files/{section}.{key}");
            *value = Value::String(name.clone());
            files.push((name, bytes));
        }
    }
    // The database and the master secret stand elsewhere in the restored directory, and a
    // database's address is no secret file any more.
    files.retain(|(name, _)| {
        name != "files/secrets.master_file" && name != "files/database.url_file"
    });
    files
        .push(("files/secrets.master_file".to_owned(), config.secrets.master.clone().into_bytes()));
    set(&mut table, "secrets", "master", "files/secrets.master_file", true);
    set(&mut table, "database", "url", &format!("sqlite://{DATABASE}"), false);
    set(&mut table, "plugins", "directory", "plugins", false);
    set(&mut table, "plugins", "cache", "plugins-cache", false);
    Ok((toml::to_string_pretty(&table)?, files))
}

/// The keys of a section; none if something else stands in its place, which no configuration that
/// could be loaded has.
fn section<'t>(table: &'t mut Table, name: &str) -> Option<&'t mut Table> {
    table.entry(name.to_owned()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
}

/// Sets a value in one of its two forms and removes the other.
fn set(table: &mut Table, name: &str, key: &str, value: &str, as_file: bool) {
    let Some(keys) = section(table, name) else { return };
    let file_key = format!("{key}_file");
    keys.remove(key);
    keys.remove(&file_key);
    let key = if as_file { file_key } else { key.to_owned() };
    keys.insert(key, Value::String(value.to_owned()));
}

/// Opens the stream into a directory.
pub(super) fn read<R: Read>(from: R, key: &Vault, to: &Path) -> Result<Manifest, Failure> {
    let mut opener = Opener::begin(from, key.clone())?;
    let mut manifest: Option<Manifest> = None;
    for entry in Archive::new(&mut opener).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.into_owned();
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || entry.header().entry_type() != EntryType::Regular {
            return Err(Failure::No(format!("{} has no place in a backup", name.display())));
        }
        if name == Path::new(MANIFEST) {
            let found: Manifest = serde_json::from_reader(&mut entry)?;
            if found.version > VERSION {
                return Err(Failure::No(format!(
                    "the backup was made by Tongban {}\nhint: restore it with that version or a newer one",
                    found.program
                )));
            }
            manifest = Some(found);
            continue;
        }
        let file = to.join(&name);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::io::copy(&mut entry, &mut super::private(&file)?)?;
    }
    opener.finish()?;
    let manifest = manifest.ok_or_else(|| Failure::No("the backup has no manifest".to_owned()))?;
    write_private(&to.join(MANIFEST), serde_json::to_string_pretty(&manifest)?.as_bytes())?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_configuration_becomes_one_that_stands_for_itself() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("pin"), "geheim").unwrap();
        let text = "[secrets]\nmaster = \"m\"\n[sms]\nsecret_file = \"pin\"\n";
        let config = Config::from_text(text, &BTreeMap::new(), directory.path()).unwrap();
        let (portable, files) = portable(text, &config, directory.path()).unwrap();
        assert_eq!(
            files,
            [
                ("files/sms.secret_file".to_owned(), b"geheim".to_vec()),
                ("files/secrets.master_file".to_owned(), b"m".to_vec()),
            ]
        );
        let to = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::create_dir_all(to.path().join("files")).unwrap();
            std::fs::write(to.path().join(name), bytes).unwrap();
        }
        let again = Config::from_text(&portable, &BTreeMap::new(), to.path()).unwrap();
        assert_eq!((again.secrets.master.as_str(), again.sms.secret.as_str()), ("m", "geheim"));
        let database = format!("sqlite://{}", to.path().join(DATABASE).display());
        assert_eq!(again.database.url, database);
        assert_eq!(again.plugins.directory, to.path().join("plugins"));
    }
}
