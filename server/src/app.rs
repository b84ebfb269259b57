//! The running application: its parts put together, served and shut down.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::throttle::LoginThrottle;
use crate::auth::token::{self, Tokens};
use crate::config::Config;
use crate::environment::{DataLock, Environment, LastStop, OpenError};
use crate::error::{ApiError, ErrorKind};
use crate::http::{
    Connections, Document, Lanes, compression, cross_origin, fused, measured, read_leftover, trace, weakened,
};
use crate::metrics::Metrics;
use crate::openapi;
use crate::resources::health::Doctor;
use crate::resources::tile::Tiles;
use crate::resources::workflow::events::Watchers;
use crate::resources::workflow::queries as workflows;
use crate::routes;
use crate::store::{Clock, DatabaseLock, StoreError, SystemClock};
use crate::sweep;
use crate::workflow::Workflows;
use crate::workflow::executors::Needs;

/// How long requests and jobs under way may take when the server is asked to stop.
pub const PATIENCE: Duration = Duration::from_secs(7);

/// Everything a handler needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// Database, files, engine, clock.
    pub environment: Environment,
    /// Settings.
    pub config: Arc<Config>,
    /// Signs and checks access tokens.
    pub tokens: Tokens,
    /// Encoded tiles.
    pub tiles: Tiles,
    /// Submitted workflows.
    pub workflows: Workflows,
    /// Those who watch them.
    pub watchers: Watchers,
    /// Slows down those who guess passwords.
    pub logins: LoginThrottle,
    /// Counts requests and uploads.
    pub metrics: Metrics,
    /// Looks whether database and files answer.
    pub doctor: Doctor,
    /// The API document as it is sent.
    document: Document,
    /// Keeps other servers from a database that several could reach.
    _database: Option<Arc<DatabaseLock>>,
}

impl App {
    /// Put the application together and tidy up what a stopped server left behind: see
    /// [`DataLock::last_stop`].
    ///
    /// # Errors
    /// [`OpenError`] says what cannot be used.
    pub async fn open(config: Config, last_stop: LastStop) -> Result<Self, OpenError> {
        Self::open_with(config, last_stop, Arc::new(SystemClock)).await
    }

    /// The same with a clock of the caller's choice.
    ///
    /// # Errors
    /// [`OpenError`] says what cannot be used.
    pub async fn open_with(
        config: Config,
        last_stop: LastStop,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let environment = Environment { clock, ..Environment::open(&config).await? };
        let unusable = |source| OpenError::DataDir { path: config.data_dir.clone(), source };
        let key = match &config.secret_key {
            Some(key) => key.clone().into_bytes(),
            None => token::stored_key(&environment.data.secret()).map_err(unusable)?,
        };
        let tokens = Tokens::new(&key, config.token_lifetime);
        let database = environment.db.lock().await?.map(Arc::new);
        sweep::at_start(&environment, last_stop).await?;
        let tiles = Tiles::new(config.tile_cache_bytes);
        let limits = Needs { cores: config.cores as u64, memory_mb: config.memory_mb };
        let workflows = Workflows::local(environment.clone(), limits);
        let document = serde_json::to_vec(&openapi::document(&config.base_path))
            .map_err(|error| unusable(std::io::Error::other(error)))?;
        Ok(Self {
            environment,
            tokens,
            workflows,
            logins: LoginThrottle::new(config.login_attempts),
            metrics: Metrics::default(),
            doctor: Doctor::default(),
            document: Document::new("application/json", document),
            config: Arc::new(config),
            watchers: Watchers::default(),
            tiles,
            _database: database,
        })
    }

    /// All routes, with the layers every request passes, from the inside out.
    pub fn router(&self) -> Router {
        let (lanes, metrics) = (Lanes::new(&self.config), self.metrics.clone());
        Router::new()
            .merge(routes::routes(&self.config.base_path))
            .fallback(|| async {
                ApiError::new(ErrorKind::ResourceNotFound, "there is nothing at this path").into_response()
            })
            .method_not_allowed_fallback(|| async {
                ApiError::new(ErrorKind::MethodNotAllowed, "this path does not know this method")
                    .into_response()
            })
            .layer(DefaultBodyLimit::max(self.config.max_body_bytes))
            .layer(middleware::from_fn(read_leftover))
            .layer(CatchPanicLayer::custom(|_| ApiError::internal("a handler panicked").into_response()))
            .layer(middleware::from_fn(move |request, next| lanes.clone().answer(request, next)))
            .layer(middleware::map_response(fused))
            .layer(compression())
            .layer(middleware::map_response(weakened))
            .layer(cross_origin(&self.config.cors))
            .layer(middleware::from_fn(move |request, next| measured(metrics.clone(), request, next)))
            .layer(trace::layer())
            .with_state(self.clone())
    }

    /// Serve until `shutdown` resolves. Requests and jobs under way then have [`PATIENCE`] to come to their
    /// end; jobs that do not are given back for the next start. True when nothing was cut off.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> bool {
        let stopping = CancellationToken::new();
        let server = Connections::new(&self.config).serve(listener, self.router(), stopping.clone());
        tokio::pin!(server);
        tokio::select! {
            () = &mut server => return true,
            () = shutdown => stopping.cancel(),
        }
        let (served, jobs) =
            tokio::join!(tokio::time::timeout(PATIENCE, server), self.workflows.stop(PATIENCE));
        served.is_ok() && jobs
    }

    /// Close the database and give the data directory back; as clean, unless a workflow was abandoned or files
    /// are left to remove.
    ///
    /// # Errors
    /// When the database fails; the data directory does not count as clean then.
    pub async fn close(&self, lock: DataLock) -> Result<(), StoreError> {
        let db = &self.environment.db;
        let unfinished = workflows::unfinished_experiments(&mut db.read().await?).await?;
        db.close().await;
        if unfinished.is_empty() && !self.environment.leftovers.any() {
            lock.release();
        }
        Ok(())
    }
}

/// `GET /api/openapi.json`: the API document.
pub async fn api_document(State(app): State<App>, headers: HeaderMap) -> Response {
    app.document.answer(&headers, &[])
}

/// The page that shows the API document; it needs nothing from anywhere else.
const DOCS: &str = include_str!("../assets/docs.html");
/// What browsers let that page do: run what is in it, and ask this server.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /api/docs`: the API document for people.
pub async fn docs(headers: HeaderMap) -> Response {
    let more = [(header::CONTENT_SECURITY_POLICY, DOCS_POLICY), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Document::new("text/html; charset=utf-8", DOCS).answer(&headers, &more)
}
