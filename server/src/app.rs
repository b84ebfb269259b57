//! The running application: its parts put together, served and shut down.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::permission::Permissions;
use crate::auth::token::{self, Tokens};
use crate::config::Config;
use crate::environment::{DataLock, Environment, LastStop, OpenError};
use crate::error::{ApiError, ErrorKind};
use crate::http::trace;
use crate::openapi;
use crate::resources::tile::Tiles;
use crate::resources::workflow::queries as workflows;
use crate::routes;
use crate::store::StoreError;
use crate::sweep;
use crate::workflow::Workflows;

/// Everything a handler needs; cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// Database, files, engine, clock.
    pub environment: Environment,
    /// Settings.
    pub config: Arc<Config>,
    /// Signs and checks access tokens.
    pub tokens: Tokens,
    /// Rights on experiments.
    pub permissions: Permissions,
    /// Encoded tiles.
    pub tiles: Tiles,
    /// Submitted workflows.
    pub workflows: Workflows,
}

impl App {
    /// Put the application together and tidy up what a stopped server left behind: see
    /// [`DataLock::last_stop`].
    ///
    /// # Errors
    /// [`OpenError`] says what cannot be used.
    pub async fn open(config: Config, last_stop: LastStop) -> Result<Self, OpenError> {
        let environment = Environment::open(&config).await?;
        let unusable = |source| OpenError::DataDir { path: config.data_dir.clone(), source };
        let key = match &config.secret_key {
            Some(key) => key.clone().into_bytes(),
            None => token::stored_key(&environment.data.secret()).map_err(unusable)?,
        };
        let tokens = Tokens::new(&key, config.token_lifetime);
        sweep::at_start(&environment, last_stop).await?;
        let tiles = Tiles::new(config.tile_cache_bytes);
        let workflows = Workflows::local(environment.clone(), config.cores);
        Ok(Self {
            environment,
            config: Arc::new(config),
            tokens,
            permissions: Permissions::default(),
            workflows,
            tiles,
        })
    }

    /// All routes, with the layers every request passes.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(routes::routes())
            .fallback(|| async {
                ApiError::new(ErrorKind::ResourceNotFound, "there is nothing at this path").into_response()
            })
            .method_not_allowed_fallback(|| async {
                ApiError::new(ErrorKind::MethodNotAllowed, "this path does not know this method")
                    .into_response()
            })
            .layer(DefaultBodyLimit::max(self.config.max_body_bytes))
            .layer(CatchPanicLayer::custom(|_| ApiError::internal("a handler panicked").into_response()))
            .layer(trace::layer())
            .with_state(self.clone())
    }

    /// Serve until `shutdown` resolves; requests under way are finished.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(shutdown).await
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

/// `GET /`: says that the server is there.
pub async fn greeting() -> impl IntoResponse {
    (StatusCode::OK, concat!("tmserver ", env!("CARGO_PKG_VERSION"), "\n"))
}

/// `GET /api/openapi.json`: the API document.
pub async fn api_document() -> impl IntoResponse {
    Json(openapi::document())
}
