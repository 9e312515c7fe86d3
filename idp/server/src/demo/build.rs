//! Building the departments' plugins when the demo stands in the source tree, and putting them
//! where the product finds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::Place;
use crate::cli::{Failure, talk};

const TARGET: &str = "wasm32-wasip2";

/// The source tree above the current directory or above this program.
fn tree() -> Option<PathBuf> {
    let places = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let mut above = places.iter().flatten().flat_map(|place| place.ancestors());
    let found = above.find(|place| {
        place.join("plugin-sdk/wit").is_dir() && place.join("plugins/exit-entry").is_dir()
    })?;
    Some(found.to_owned())
}

/// Names of the plugins in a source tree: directories below `plugins` with a manifest.
fn plugins(tree: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(tree.join("plugins"))? {
        let entry = entry?;
        if entry.path().join("plugin.toml").is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

fn done(command: &mut Command, what: &str, hint: &str) -> Result<(), Failure> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::No(format!("{what} failed ({status})\nhint: {hint}"))),
        Err(cause) => Err(Failure::No(format!("{what} cannot be run: {cause}\nhint: {hint}"))),
    }
}

/// Adds the target where rustup manages the toolchain and lacks it.
fn target() -> Result<(), Failure> {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).output();
    // Without rustup the toolchain may have the target or not: cargo will tell.
    let Ok(listed) = listed else { return Ok(()) };
    if String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    talk(format_args!("Adding the compiler's target {TARGET} …"));
    let mut add = Command::new("rustup");
    done(add.args(["target", "add", TARGET]), "rustup", "is this machine on line?")
}

/// Builds what stands in the source tree; outside of one, what the data directory holds is used.
///
/// # Errors
/// [`Failure`] if the compiler refuses.
pub(super) fn plugins_of_the_tree(place: &Place) -> Result<(), Failure> {
    let Some(tree) = tree() else { return Ok(()) };
    let names = plugins(&tree)?;
    target()?;
    let mut build = Command::new("cargo");
    build.current_dir(&tree).args(["build", "--quiet", "--profile", "plugin", "--target", TARGET]);
    for name in &names {
        build.args(["-p", &format!("plugins-{name}")]);
    }
    // What `cargo run` says of the program that it started is not for the one that we start.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME" && text != "CARGO_TARGET_DIR" {
            build.env_remove(&name);
        }
    }
    talk("Building the departments' plugins (the first time takes a minute) …");
    done(&mut build, "cargo build", "the compiler's own words stand above")?;
    let built = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| tree.join("target"), |set| tree.join(set))
        .join(TARGET)
        .join("plugin");
    for name in names {
        let to = place.config.plugins.directory.join(&name);
        std::fs::create_dir_all(&to)?;
        let component = format!("plugins_{}.wasm", name.replace('-', "_"));
        std::fs::copy(built.join(component), to.join("component.wasm"))?;
        std::fs::copy(
            tree.join("plugins").join(&name).join("plugin.toml"),
            to.join("plugin.toml"),
        )?;
    }
    Ok(())
}
