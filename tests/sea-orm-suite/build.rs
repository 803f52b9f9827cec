//! Finds SeaORM's own integration suite, and makes one crate of its files.
//!
//! The published package has the files, each a crate of its own with a module `common`. Linking sixty
//! crates takes minutes: here they are modules of one crate, and their `common` is that crate's. Nothing
//! else in them is changed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let suite = source().join("tests");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets it")).join("suite");
    let _none = fs::remove_dir_all(&out);
    let mut common = BTreeSet::new();
    copy(&suite, &out, &mut common).expect("the suite is copied");
    let common: String = common.into_iter().collect();
    let files: String = files(&out)
        .expect("the files of the suite")
        .map(|(name, file)| format!("#[path = {file:?}]\nmod {name};\n"))
        .collect();
    let root = format!("pub mod common {{\npub use setup::TestContext;\n{common}}}\n{files}");
    fs::write(out.join("modules.rs"), root).expect("the list of modules");
    println!("cargo:rerun-if-changed={}", suite.display());
}

/// Where Cargo has unpacked SeaORM.
fn source() -> PathBuf {
    // Of this platform alone: what others need has not been downloaded.
    let metadata = Command::new(std::env::var_os("CARGO").expect("Cargo sets it"))
        .args(["metadata", "--format-version=1", "--filter-platform"])
        .arg(std::env::var_os("TARGET").expect("Cargo sets it"))
        .output()
        .expect("cargo metadata");
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata.stdout).expect("cargo metadata writes JSON");
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let sea_orm = packages.find(|package| package["name"] == "sea-orm");
    let manifest = sea_orm.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("SeaORM is a dependency"));
    manifest.parent().expect("a directory").to_owned()
}

fn copy(from: &Path, to: &Path, common: &mut BTreeSet<String>) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied, common)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            fs::write(copied, in_one_crate(&fs::read_to_string(&path)?, common))?;
        }
    }
    Ok(())
}

/// The files that were crates, by their names as modules.
fn files(suite: &Path) -> Result<impl Iterator<Item = (String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(suite)? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let main = path.join("main.rs");
        if path.is_file() {
            files.push((name, path));
        } else if main.is_file() {
            files.push((name, main));
        }
    }
    files.sort();
    Ok(files.into_iter())
}

/// Rewrites a file as a module of the one crate, and collects the modules of its `common`.
fn in_one_crate(file: &str, common: &mut BTreeSet<String>) -> String {
    let mut lines = Vec::new();
    let mut is_in_common = false;
    for line in file.lines() {
        match line {
            "mod common {" | "pub mod common {" => {
                lines.push("use crate::common;".to_owned());
                is_in_common = true;
            }
            "}" if is_in_common => is_in_common = false,
            // Of the one file that is in a directory.
            "#[path = \"../common\"]" => {}
            "mod local;" => lines.push("pub mod local;".to_owned()),
            _ if is_in_common => {
                // `runtime` exports a macro, which the crate has itself.
                let line = line.trim_start();
                if line.starts_with("pub mod ") && line != "pub mod runtime;" {
                    common.insert(format!("{line}\n"));
                }
            }
            _ => lines.push(
                line.replace("crate::local::", "crate::partial_model_nested::local::")
                    .replace("crate::DbErr::", "sea_orm::DbErr::"),
            ),
        }
    }
    lines.join("\n")
}
