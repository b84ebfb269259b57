//! Settings: defaults, then `tmserver.toml`, then `TMSERVER_*` variables, then flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tm_engine::BackendChoice;

use crate::machine;

/// Settings of one run of the program, all checked.
#[derive(Clone)]
pub struct Config {
    /// The directory that holds everything.
    pub data_dir: PathBuf,
    /// A PostgreSQL URL; the embedded database is used when absent.
    pub database_url: Option<String>,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Which backend computes pixels.
    pub backend: BackendChoice,
    /// Key that signs access tokens; made and kept in the data directory when absent.
    pub secret_key: Option<String>,
    /// How long an access token is valid.
    pub token_lifetime: Duration,
    /// Largest request body that is not a file upload, in bytes.
    pub max_body_bytes: usize,
    /// Largest uploaded file, in bytes.
    pub max_upload_bytes: u64,
    /// Memory for encoded tiles, in bytes.
    pub tile_cache_bytes: u64,
    /// Free space of the data directory below which nothing new is stored, in bytes; 0 is no such limit.
    pub reserve_bytes: u64,
    /// Cores that jobs may use together.
    pub cores: usize,
    /// Memory that jobs may ask for together, in megabytes.
    pub memory_mb: u64,
    /// Path below which everything is served: empty, or such as `/tissuemaps`.
    pub base_path: String,
    /// Whether to believe what a reverse proxy says of the request in `X-Forwarded-*` headers.
    pub trust_forwarded: bool,
    /// Directories below which directories of files may be linked instead of uploaded; none by default.
    pub import_roots: Vec<PathBuf>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret key and the password in the URL must not reach a log.
        formatter
            .debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("backend", &self.backend)
            .field("postgres", &self.database_url.is_some())
            .field("cores", &self.cores)
            .finish_non_exhaustive()
    }
}

/// Settings from one source; what it leaves out is left to the source before it.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// See [`Config::data_dir`].
    pub data_dir: Option<PathBuf>,
    /// See [`Config::database_url`].
    pub database_url: Option<String>,
    /// See [`Config::listen`].
    pub listen: Option<SocketAddr>,
    /// See [`Config::backend`]: `auto`, `gpu` or `cpu`.
    pub backend: Option<String>,
    /// See [`Config::secret_key`].
    pub secret_key: Option<String>,
    /// See [`Config::token_lifetime`], in hours.
    pub token_lifetime_hours: Option<u32>,
    /// See [`Config::max_body_bytes`], in megabytes.
    pub max_body_mb: Option<usize>,
    /// See [`Config::max_upload_bytes`], in megabytes.
    pub max_upload_mb: Option<u64>,
    /// See [`Config::tile_cache_bytes`], in megabytes.
    pub tile_cache_mb: Option<u64>,
    /// See [`Config::reserve_bytes`], in megabytes.
    pub reserve_mb: Option<u64>,
    /// See [`Config::cores`].
    pub cores: Option<usize>,
    /// See [`Config::memory_mb`].
    pub memory_mb: Option<u64>,
    /// See [`Config::base_path`].
    pub base_path: Option<String>,
    /// See [`Config::trust_forwarded`].
    pub trust_forwarded: Option<bool>,
    /// See [`Config::import_roots`].
    pub import_roots: Option<Vec<PathBuf>>,
}

/// A setting that is unknown or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration file is not valid; the message names the line and key.
    #[error("configuration file {path}: {message}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A variable is unknown or has the wrong form.
    #[error("environment variable {name}: {message}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// A value is outside its range.
    #[error("setting `{name}`: {message}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was wanted.
        message: String,
    },
}

/// Prefix of the environment variables.
const PREFIX: &str = "TMSERVER_";
/// Variables with the prefix that belong to the tests, not to the program.
const TEST_PREFIX: &str = "TMSERVER_TEST_";

impl Settings {
    /// Settings from a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be read or names an unknown key.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::File { path: path.to_owned(), message: error.to_string() })
    }

    /// Settings from environment variables `TMSERVER_<KEY>`.
    ///
    /// # Errors
    /// [`ConfigError::Variable`] names a variable that is unknown or has the wrong form.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        let ours: BTreeMap<_, _> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX))
            .collect();
        for (name, value) in ours {
            let key = name[PREFIX.len()..].to_ascii_lowercase();
            let wrong = |message: String| ConfigError::Variable { name: name.clone(), message };
            let number = |what: &str| {
                value.parse::<u64>().map_err(|_| wrong(format!("`{value}` is not a number of {what}")))
            };
            match key.as_str() {
                "data_dir" => settings.data_dir = Some(value.into()),
                "database_url" => settings.database_url = Some(value),
                "listen" => {
                    let address = value
                        .parse()
                        .map_err(|_| wrong(format!("`{value}` is not an address like 127.0.0.1:8002")))?;
                    settings.listen = Some(address);
                }
                "backend" => settings.backend = Some(value),
                "secret_key" => settings.secret_key = Some(value),
                "token_lifetime_hours" => {
                    settings.token_lifetime_hours = Some(number("hours")?.try_into().unwrap_or(u32::MAX));
                }
                "max_body_mb" => {
                    settings.max_body_mb = Some(number("megabytes")?.try_into().unwrap_or(usize::MAX))
                }
                "max_upload_mb" => settings.max_upload_mb = Some(number("megabytes")?),
                "tile_cache_mb" => settings.tile_cache_mb = Some(number("megabytes")?),
                "reserve_mb" => settings.reserve_mb = Some(number("megabytes")?),
                "cores" => settings.cores = Some(number("cores")?.try_into().unwrap_or(usize::MAX)),
                "memory_mb" => settings.memory_mb = Some(number("megabytes")?),
                "base_path" => settings.base_path = Some(value),
                "import_roots" => settings.import_roots = Some(std::env::split_paths(&value).collect()),
                "trust_forwarded" => {
                    let flag = value.parse();
                    settings.trust_forwarded =
                        Some(flag.map_err(|_| wrong(format!("`{value}` is neither `true` nor `false`")))?);
                }
                _ => return Err(wrong("no such setting".to_owned())),
            }
        }
        Ok(settings)
    }

    /// These settings where they say something, `other` where they do not.
    pub fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            listen: self.listen.or(other.listen),
            backend: self.backend.or(other.backend),
            secret_key: self.secret_key.or(other.secret_key),
            token_lifetime_hours: self.token_lifetime_hours.or(other.token_lifetime_hours),
            max_body_mb: self.max_body_mb.or(other.max_body_mb),
            max_upload_mb: self.max_upload_mb.or(other.max_upload_mb),
            tile_cache_mb: self.tile_cache_mb.or(other.tile_cache_mb),
            reserve_mb: self.reserve_mb.or(other.reserve_mb),
            cores: self.cores.or(other.cores),
            memory_mb: self.memory_mb.or(other.memory_mb),
            base_path: self.base_path.or(other.base_path),
            trust_forwarded: self.trust_forwarded.or(other.trust_forwarded),
            import_roots: self.import_roots.or(other.import_roots),
        }
    }

    /// Fill in the defaults and check every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`] names the setting and what was wanted.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let wrong = |name, message: &str| Err(ConfigError::Value { name, message: message.to_owned() });
        let backend = self.backend.as_deref().unwrap_or("auto").parse().map_err(|_| ConfigError::Value {
            name: "backend",
            message: "must be `auto`, `gpu` or `cpu`".to_owned(),
        })?;
        match self.secret_key.as_deref() {
            Some("default_secret_key") => {
                return wrong(
                    "secret_key",
                    "this well-known default must not be used; leave it out to have one made",
                );
            }
            Some(key) if key.len() < 16 => return wrong("secret_key", "must have at least 16 characters"),
            _ => {}
        }
        let hours = self.token_lifetime_hours.unwrap_or(72);
        if hours == 0 {
            return wrong("token_lifetime_hours", "must be at least 1");
        }
        let cores = match self.cores {
            Some(0) => return wrong("cores", "must be at least 1"),
            Some(cores) => cores,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let memory_mb = self.memory_mb.unwrap_or_else(machine::memory_mb);
        if memory_mb == 0 {
            return wrong("memory_mb", "must be at least 1");
        }
        if let Some(url) = &self.database_url
            && !(url.starts_with("postgres://") || url.starts_with("postgresql://"))
        {
            return wrong(
                "database_url",
                "must be a postgres:// URL; leave it out for the embedded database",
            );
        }
        let base_path = self.base_path.unwrap_or_default();
        if !base_path.is_empty() && !is_base_path(&base_path) {
            return wrong(
                "base_path",
                "must begin with `/`, not end with it, and have segments of letters, digits, `-`, `_`, `.` \
                 and `~`, such as /tissuemaps",
            );
        }
        let import_roots = self.import_roots.unwrap_or_default();
        if import_roots.iter().any(|root| !root.is_absolute()) {
            return wrong("import_roots", "must be absolute directories");
        }
        const MB: u64 = 1_000_000;
        Ok(Config {
            data_dir: self.data_dir.unwrap_or_else(|| "tmserver-data".into()),
            database_url: self.database_url,
            listen: self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8002))),
            backend,
            secret_key: self.secret_key,
            token_lifetime: Duration::from_secs(u64::from(hours) * 3600),
            max_body_bytes: self.max_body_mb.unwrap_or(100).saturating_mul(MB as usize),
            max_upload_bytes: self.max_upload_mb.unwrap_or(20_000).saturating_mul(MB),
            tile_cache_bytes: self.tile_cache_mb.unwrap_or(256).saturating_mul(MB),
            reserve_bytes: self.reserve_mb.unwrap_or(1000).saturating_mul(MB),
            cores,
            memory_mb,
            base_path,
            trust_forwarded: self.trust_forwarded.unwrap_or(false),
            import_roots,
        })
    }
}

/// Whether every segment of a path after the first `/` is plain: the same in a URL, a route and a cookie.
fn is_base_path(path: &str) -> bool {
    let plain = |segment: &str| {
        !["", ".", ".."].contains(&segment)
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
    };
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(plain))
}
