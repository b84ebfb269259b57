//! A router that knows what it serves.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use crate::app::App;

/// A method and a path that are served; the path has its parameters in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method. What answers `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, such as `/api/experiments/{e}`.
    pub path: &'static str,
}

/// Routes and, beside them, the list of what they are.
#[derive(Debug, Default)]
pub struct RouteTable {
    router: Router<App>,
    inventory: Vec<Route>,
}

impl RouteTable {
    /// Answer `GET` and `HEAD` at a path.
    pub fn get<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.route(Method::GET, MethodFilter::GET, path, handler)
    }

    /// Answer `POST` at a path.
    pub fn post<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.route(Method::POST, MethodFilter::POST, path, handler)
    }

    /// Answer `PUT` at a path.
    pub fn put<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.route(Method::PUT, MethodFilter::PUT, path, handler)
    }

    /// Answer `DELETE` at a path.
    pub fn delete<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.route(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    /// The routes themselves.
    pub fn into_router(self) -> Router<App> {
        self.router
    }

    /// What is served, in the order it was written down.
    pub fn into_inventory(self) -> Vec<Route> {
        self.inventory
    }

    fn route<H: Handler<T, App>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.inventory.push(Route { method, path });
        Self { router: self.router.route(path, on(filter, handler)), inventory: self.inventory }
    }
}
