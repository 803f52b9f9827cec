//! The servers that are installed, or unpacked by `tests/servers.sh`.
//!
//! A test takes the newest of a kind. The environment's `SERVERS` names others, by kind or by release series:
//! `postgresql-15 mysql`.

use std::borrow::Cow;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Its kind and its release series.
    pub(crate) name: String,
    /// The directory that stands for `/`.
    pub(crate) root: PathBuf,
}

impl Installed {
    /// The server of this kind that the tests run on: `None` if nothing but the path may know it.
    pub(crate) fn of(kind: &str) -> Option<&'static Self> {
        CHOSEN
            .iter()
            .find(|server| kind_of(&server.name) == kind)
            .copied()
            .or_else(|| Self::newest(kind))
    }

    /// The newest server of this kind.
    pub(crate) fn newest(kind: &str) -> Option<&'static Self> {
        LIST.iter().rfind(|server| kind_of(&server.name) == kind)
    }

    /// Its release series: `18` or `10.11`.
    pub(crate) fn series(&self) -> &str {
        self.name.split_once('-').map_or("", |(_, series)| series)
    }

    /// A file below its root.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}

/// The name of the server of this kind that the tests run on, or the kind.
pub(crate) fn name_of(kind: &str) -> Cow<'static, str> {
    Installed::of(kind).map_or_else(
        || kind.to_owned().into(),
        |server| server.name.as_str().into(),
    )
}

/// Whether the environment names a server of this kind.
pub(crate) fn is_chosen(kind: &str) -> bool {
    CHOSEN.iter().any(|server| kind_of(&server.name) == kind)
}

/// The servers that the environment names: each has to be there.
static CHOSEN: LazyLock<Vec<&'static Installed>> = LazyLock::new(|| {
    // Without the variable nothing is named.
    let names = env::var("SERVERS").unwrap_or_default();
    let find = |name: &str| {
        let named = LIST.iter().find(|server| server.name == name);
        named
            .or_else(|| Installed::newest(name))
            .unwrap_or_else(|| panic!("there is no {name}; ./tests/servers.sh lists what there is"))
    };
    names.split_whitespace().map(find).collect()
});

/// What `tests/servers.sh` has found, the newest of a kind last.
static LIST: LazyLock<Vec<Installed>> = LazyLock::new(|| {
    let home = env::var_os("SERVERS_HOME").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers"),
        PathBuf::from,
    );
    // Without a list the system's programs are found in the path.
    let list = fs::read_to_string(home.join("list")).unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?.to_owned();
        let root = fields.nth(1)?.into();
        Some(Installed { name, root })
    };
    list.lines().filter_map(parse).collect()
});

fn kind_of(name: &str) -> &str {
    name.split_once('-').map_or(name, |(kind, _)| kind)
}
