//! Settings: defaults, then `tmserver.toml`, then `TMSERVER_*` variables, then flags.

mod access;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tm_engine::BackendChoice;

pub use access::{CorsOrigins, MetricsAccess};

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
    /// Web pages of other servers that may use the API.
    pub cors: CorsOrigins,
    /// Who may read the figures of `GET /metrics`.
    pub metrics: MetricsAccess,
    /// Failed logins of an address, or for a name, after which the next ones have to wait; 0 is no such limit.
    pub login_attempts: u32,
    /// Most items of a list in a JSON request.
    pub max_list_items: usize,
    /// Requests that are answered at the same time, without uploads and event streams.
    pub max_requests: usize,
    /// Uploads that are received at the same time.
    pub max_uploads: usize,
    /// Connections that are open at the same time; further ones wait.
    pub max_connections: usize,
    /// How long a client may take for the head of a request, and leave a connection idle.
    pub head_timeout: Duration,
    /// How long a client may send nothing of a JSON body, or take nothing of an answer.
    pub silence_timeout: Duration,
    /// How long the answer to a request may take to begin, uploads and event streams excepted.
    pub request_timeout: Duration,
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
    /// See [`Config::cors`]: origins such as `https://viewer.example.org`, or `*` alone for all.
    pub cors_origins: Option<Vec<String>>,
    /// See [`Config::metrics`]: `off`, `loopback` or `all`.
    pub metrics: Option<String>,
    /// See [`Config::login_attempts`].
    pub login_attempts: Option<u32>,
    /// See [`Config::max_list_items`].
    pub max_list_items: Option<usize>,
    /// See [`Config::max_requests`].
    pub max_requests: Option<usize>,
    /// See [`Config::max_uploads`].
    pub max_uploads: Option<usize>,
    /// See [`Config::max_connections`].
    pub max_connections: Option<usize>,
    /// See [`Config::head_timeout`], in seconds.
    pub head_timeout_s: Option<u32>,
    /// See [`Config::silence_timeout`], in seconds.
    pub silence_timeout_s: Option<u32>,
    /// See [`Config::request_timeout`], in seconds.
    pub request_timeout_s: Option<u32>,
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
                "cors_origins" => {
                    settings.cors_origins =
                        Some(value.split(',').map(|origin| origin.trim().to_owned()).collect());
                }
                "metrics" => settings.metrics = Some(value),
                "login_attempts" => {
                    settings.login_attempts = Some(number("attempts")?.try_into().unwrap_or(u32::MAX));
                }
                "max_list_items" => {
                    settings.max_list_items = Some(number("items")?.try_into().unwrap_or(usize::MAX));
                }
                "max_requests" => {
                    settings.max_requests = Some(number("requests")?.try_into().unwrap_or(usize::MAX));
                }
                "max_uploads" => {
                    settings.max_uploads = Some(number("uploads")?.try_into().unwrap_or(usize::MAX));
                }
                "max_connections" => {
                    settings.max_connections = Some(number("connections")?.try_into().unwrap_or(usize::MAX));
                }
                "head_timeout_s" => {
                    settings.head_timeout_s = Some(number("seconds")?.try_into().unwrap_or(u32::MAX));
                }
                "silence_timeout_s" => {
                    settings.silence_timeout_s = Some(number("seconds")?.try_into().unwrap_or(u32::MAX));
                }
                "request_timeout_s" => {
                    settings.request_timeout_s = Some(number("seconds")?.try_into().unwrap_or(u32::MAX));
                }
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
            cors_origins: self.cors_origins.or(other.cors_origins),
            metrics: self.metrics.or(other.metrics),
            login_attempts: self.login_attempts.or(other.login_attempts),
            max_list_items: self.max_list_items.or(other.max_list_items),
            max_requests: self.max_requests.or(other.max_requests),
            max_uploads: self.max_uploads.or(other.max_uploads),
            max_connections: self.max_connections.or(other.max_connections),
            head_timeout_s: self.head_timeout_s.or(other.head_timeout_s),
            silence_timeout_s: self.silence_timeout_s.or(other.silence_timeout_s),
            request_timeout_s: self.request_timeout_s.or(other.request_timeout_s),
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
        let cors = CorsOrigins::new(self.cors_origins.unwrap_or_default())
            .map_err(|message| ConfigError::Value { name: "cors_origins", message })?;
        let metrics = self.metrics.as_deref().unwrap_or(MetricsAccess::Loopback.name());
        let Some(metrics) = MetricsAccess::find(metrics) else {
            return wrong("metrics", "must be `off`, `loopback` or `all`");
        };
        let places = |name, given: Option<usize>, default| match given.unwrap_or(default) {
            // More than a semaphore can count is as good as no limit.
            0 => Err(ConfigError::Value { name, message: "must be at least 1".to_owned() }),
            places => Ok(places.min(tokio::sync::Semaphore::MAX_PERMITS)),
        };
        let seconds = |name, given: Option<u32>, default| match given.unwrap_or(default) {
            0 => Err(ConfigError::Value { name, message: "must be at least 1".to_owned() }),
            seconds => Ok(Duration::from_secs(u64::from(seconds))),
        };
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
            cors,
            metrics,
            login_attempts: self.login_attempts.unwrap_or(10),
            max_list_items: places("max_list_items", self.max_list_items, 1_000_000)?,
            max_requests: places("max_requests", self.max_requests, 256)?,
            max_uploads: places("max_uploads", self.max_uploads, 64)?,
            max_connections: places("max_connections", self.max_connections, 2048)?,
            head_timeout: seconds("head_timeout_s", self.head_timeout_s, 60)?,
            silence_timeout: seconds("silence_timeout_s", self.silence_timeout_s, 60)?,
            request_timeout: seconds("request_timeout_s", self.request_timeout_s, 300)?,
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
