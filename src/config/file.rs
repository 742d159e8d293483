//! [`Config`]: the whole builder, from a file.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use super::builder::Builder;
use super::node::{Node, Table, merge};
use super::reader::{Fault, Path, Step, nearest};
use super::settings::Settings;
use super::source::{Language, Source, SyntaxFault};
use crate::error::BuildError;
use crate::format::visible;

/// The presets, by name.
const PRESETS: [(&str, &str); 4] = [
    ("dev", include_str!("presets/dev.toml")),
    ("production", include_str!("presets/production.toml")),
    ("low-latency", include_str!("presets/low-latency.toml")),
    ("audit", include_str!("presets/audit.toml")),
];

/// The configuration of a logger, from TOML, from JSON, or from any other language of serde: all
/// that the [`Builder`] can be told, by the names of its methods.
///
/// It has been checked when there is one: every key is known, every value is of its kind and within
/// its range. An error names the line, and the key that was probably meant. The sinks are opened by
/// [`builder`](Self::builder).
///
/// A key `preset` says from what it starts: `"dev"`, `"production"`, `"low-latency"` or `"audit"`.
/// What the file says counts instead of what the preset says: tables key by key, lists as a whole.
///
/// [`docs/configuration.md`](https://github.com/ringlog/ringlog/blob/main/docs/configuration.md)
/// lists all keys, and `examples/ringlog.toml` is a file with all of them.
///
/// ```
/// use ringlog::Config;
///
/// let config = Config::from_toml(
///     r#"
///     level = "debug"
///     [ring]
///     overflow = "block"
///     [[sinks]]
///     kind = "stderr"
///     "#,
/// )?;
/// let logger = config.builder()?.build()?;
/// assert_eq!(logger.level(), ringlog::Level::Debug.into());
///
/// let error = Config::from_toml("[ring]\nlane_capcity = 1024\n").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 2: `ring.lane_capcity` is not a key; did you mean `lane_capacity`?"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Config {
    table: Table,
    source: Option<Source>,
    /// The values that came from the environment, and from which variable.
    variables: BTreeMap<String, String>,
}

impl Config {
    /// Reads a file, TOML or JSON by its extension, and the
    /// [environment](Self::with_environment) on top of it, with the prefix `RINGLOG`.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load(file: impl AsRef<FilePath>) -> Result<Config, ConfigError> {
        let file = file.as_ref();
        let language = match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Language::Toml,
            Some("json") => Language::Json,
            _ => return Err(ConfigError::Extension { file: file.into() }),
        };
        let text = fs::read_to_string(file).map_err(|source| ConfigError::Read {
            file: file.into(),
            source,
        })?;
        let source = Source::of_file(file, text, language);
        Config::parse(source, Some("RINGLOG"))
    }

    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Source::new(text, Language::Toml), None)
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn from_json(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Source::new(text, Language::Json), None)
    }

    /// A preset as it is.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn preset(name: &str) -> Result<Config, ConfigError> {
        let preset = ("preset".to_owned(), Node::Text(name.to_owned()));
        Config::new(Table::from([preset]), None, None)
    }

    /// Puts on top what the environment says. `PREFIX__RING__LANES=32` sets `ring.lanes`,
    /// `PREFIX__SINKS__0__PATH=/tmp/app.log` the path of the first sink: names in capitals, joined by
    /// two underscores.
    ///
    /// # Errors
    ///
    /// A variable is not a key or not a value of it; the error names the variable.
    pub fn with_environment(self, prefix: &str) -> Result<Config, ConfigError> {
        Config::new(self.table, self.source, Some(prefix))
    }

    fn parse(source: Source, environment: Option<&str>) -> Result<Config, ConfigError> {
        match source.parse() {
            Ok(table) => Config::new(table, Some(source), environment),
            Err(SyntaxFault { line, problem }) => Err(ConfigError::Syntax {
                file: source.file,
                line,
                problem,
            }),
        }
    }

    /// Completes a table and checks it.
    fn new(
        mut table: Table,
        source: Option<Source>,
        environment: Option<&str>,
    ) -> Result<Config, ConfigError> {
        let variables = environment.map_or_else(Vec::new, variables);
        let mut config = Config {
            table: Table::new(),
            source,
            variables: BTreeMap::new(),
        };
        if let Some((_, value)) = variables.iter().find(|(name, _)| is_preset(name)) {
            table.insert("preset".into(), Node::Text(value.clone()));
        }
        if let Some(Node::Text(name)) = table.get("preset") {
            config.table = match preset(name) {
                Ok(preset) => preset,
                Err(problem) => {
                    let path = Path::default().key("preset");
                    return Err(config.error(Fault { path, problem }));
                }
            };
        }
        for key in table.keys() {
            make_way(&mut config.table, key);
        }
        merge(&mut config.table, table);
        for (variable, value) in variables {
            config.set_by_variable(&variable, &value)?;
        }
        match Settings::read(&config.table) {
            Ok(_) => Ok(config),
            Err(fault) => Err(config.error(fault)),
        }
    }

    fn set_by_variable(&mut self, variable: &str, value: &str) -> Result<(), ConfigError> {
        let mut path = Path::default();
        let mut words = variable.split("__");
        words.next();
        for word in words.map(str::to_lowercase) {
            path = match word.parse() {
                Ok(place) => path.place(place),
                Err(_) => path.key(&word),
            };
        }
        if let [Step::Key(key)] = &path.0[..] {
            make_way(&mut self.table, key);
        }
        self.variables.insert(path.to_string(), variable.to_owned());
        let mut root = Node::Table(std::mem::take(&mut self.table));
        let is_set = put(&mut root, &path.0, Node::from_words(value));
        if let Node::Table(table) = root {
            self.table = table;
        }
        if is_set {
            return Ok(());
        }
        Err(self.error(Fault {
            path,
            problem: "is not there, and does not follow what is".into(),
        }))
    }

    /// A builder that is set up as the configuration says, with the sinks open. More can be said to
    /// it.
    ///
    /// # Errors
    ///
    /// A sink cannot be opened.
    pub fn builder(&self) -> Result<Builder, ConfigError> {
        let Settings { mut builder, sinks } = self.settings()?;
        for plan in sinks {
            let path = plan.path.clone();
            builder.configured.push(plan.identity());
            let (destination, options) = plan.open().map_err(|source| ConfigError::Sink {
                place: self.place(&path),
                key: path.to_string(),
                source,
            })?;
            builder = builder.sink_with(destination, options);
        }
        Ok(builder)
    }

    pub(super) fn settings(&self) -> Result<Settings, ConfigError> {
        Settings::read(&self.table).map_err(|fault| self.error(fault))
    }

    fn error(&self, fault: Fault) -> ConfigError {
        ConfigError::Key {
            place: self.place(&fault.path),
            key: fault.path.to_string(),
            problem: fault.problem,
        }
    }

    pub(super) fn place(&self, path: &Path) -> ConfigPlace {
        let mut prefix = path.clone();
        let variable = loop {
            if let Some(variable) = self.variables.get(&prefix.to_string()) {
                break Some(variable.clone());
            }
            if prefix.0.pop().is_none() {
                break None;
            }
        };
        let source = self.source.as_ref().filter(|_| variable.is_none());
        ConfigPlace {
            file: source.and_then(|source| source.file.clone()),
            line: source.and_then(|source| source.line_of(path)),
            variable,
        }
    }
}

/// A filter takes the place of a level that was said before, and the other way round.
fn make_way(table: &mut Table, key: &str) {
    match key {
        "filter" => _ = table.remove("level"),
        "level" => _ = table.remove("filter"),
        _ => {}
    }
}

/// The variables with a prefix and two underscores, in the order of their names.
fn variables(prefix: &str) -> Vec<(String, String)> {
    let prefix = format!("{prefix}__");
    let all = env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let value = value.to_string_lossy().into_owned();
        name.starts_with(&prefix).then_some((name, value))
    });
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all
}

fn is_preset(variable: &str) -> bool {
    variable
        .rsplit_once("__")
        .is_some_and(|(prefix, word)| !prefix.contains("__") && word == "PRESET")
}

fn preset(name: &str) -> Result<Table, String> {
    match PRESETS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok(Source::new(text, Language::Toml)
            .parse()
            .expect("the presets are TOML")),
        None => {
            let names = PRESETS.map(|(known, _)| known);
            let hint = match nearest(name, names) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => format!("there are \"{}\"", names.join("\", \"")),
            };
            Err(format!("cannot be {name:?}; {hint}"))
        }
    }
}

/// Puts a value in its place, which may be one behind the end of a list. Answers whether there is
/// such a place.
fn put(node: &mut Node, path: &[Step], value: Node) -> bool {
    let Some((step, rest)) = path.split_first() else {
        *node = value;
        return true;
    };
    match (step, node) {
        (Step::Key(key), Node::Table(table)) => {
            let next = table.entry(key.clone());
            put(next.or_insert_with(|| empty_for(rest)), rest, value)
        }
        (Step::Place(place), Node::List(list)) if *place <= list.len() => {
            if *place == list.len() {
                list.push(empty_for(rest));
            }
            put(&mut list[*place], rest, value)
        }
        _ => false,
    }
}

/// What the next step can be taken in.
fn empty_for(rest: &[Step]) -> Node {
    match rest.first() {
        Some(Step::Place(_)) => Node::List(Vec::new()),
        _ => Node::Table(Table::new()),
    }
}

impl<'de> Deserialize<'de> for Config {
    /// Errors name the key, and no line: what that is, only the deserializer knows.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)? {
            Node::Table(table) => Config::new(table, None, None).map_err(D::Error::custom),
            other => Err(D::Error::custom(format!(
                "a configuration is a table, and this is {}",
                other.kind()
            ))),
        }
    }
}

impl Serialize for Config {
    /// The keys that are set, those of the preset included.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.table)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Config").field(&self.table).finish()
    }
}

/// A configuration that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Read {
        /// The file.
        file: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The file's name ends neither in `.toml` nor in `.json`.
    Extension {
        /// The file.
        file: PathBuf,
    },
    /// It is not TOML, or not JSON.
    Syntax {
        /// The file, if it is one.
        file: Option<PathBuf>,
        /// The line, from 1, if it is known.
        line: Option<usize>,
        /// What is wrong there.
        problem: String,
    },
    /// A key is not known, missing, or has a value that it cannot have.
    Key {
        /// Where that stands.
        place: ConfigPlace,
        /// The key, from the root: `sinks[1].path`; places in lists are counted from 0.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The filter in the environment cannot be read, or a route leads to a sink that there is not.
    Reload(BuildError),
    /// The sinks are not those that the logger was built with.
    OtherSinks {
        /// Where that stands.
        place: ConfigPlace,
        /// The key of the first sink that is another one.
        key: String,
    },
    /// A sink cannot be opened.
    Sink {
        /// Where it stands.
        place: ConfigPlace,
        /// Its key: `sinks[1]`.
        key: String,
        /// What the sink says.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Where something stands that is wrong with a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigPlace {
    /// The file, if it is in one.
    pub file: Option<PathBuf>,
    /// The line of the text, from 1, if it is in one.
    pub line: Option<usize>,
    /// The environment variable, if it is one.
    pub variable: Option<String>,
}

impl fmt::Display for ConfigPlace {
    /// Ends in a colon and a space, unless it is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(variable) = &self.variable {
            return write!(f, "environment variable {variable}: ");
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{}, line {line}: ", file.display()),
            (Some(file), None) => write!(f, "{}: ", file.display()),
            (None, Some(line)) => write!(f, "line {line}: "),
            (None, None) => Ok(()),
        }
    }
}

impl ConfigError {
    fn describe(&self) -> String {
        match self {
            ConfigError::Read { file, source } => {
                format!("cannot read {}: {source}", file.display())
            }
            ConfigError::Extension { file } => format!(
                "{}: the name of a configuration ends in .toml or .json",
                file.display()
            ),
            ConfigError::Syntax {
                file,
                line,
                problem,
            } => {
                let place = ConfigPlace {
                    file: file.clone(),
                    line: *line,
                    variable: None,
                };
                format!("{place}{problem}")
            }
            ConfigError::Key {
                place,
                key,
                problem,
            } => format!("{place}`{key}` {problem}"),
            ConfigError::Reload(error) => error.to_string(),
            ConfigError::OtherSinks { place, key } => {
                format!(
                    "{place}`{key}` is not what the logger was built with; that takes a new start"
                )
            }
            ConfigError::Sink { place, key, source } => format!("{place}`{key}`: {source}"),
        }
    }
}

impl fmt::Display for ConfigError {
    /// In one line: what a file says may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.describe()))
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ConfigError::Read { source, .. } => Some(source),
            ConfigError::Reload(error) => error.source(),
            ConfigError::Sink { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
