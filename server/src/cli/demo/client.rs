//! A small client of the API.

use anyhow::{Context, bail};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Someone who is logged in.
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// Log in at the server at `url`.
    pub async fn log_in(url: &str, username: &str, password: &str) -> anyhow::Result<Self> {
        let mut client = Self { http: reqwest::Client::new(), url: url.to_owned(), token: String::new() };
        let answer = client.post("/auth", &json!({ "username": username, "password": password })).await?;
        let token = answer["access_token"].as_str().context("the server sent no token")?;
        client.token = format!("JWT {token}");
        Ok(client)
    }

    /// The `data` of a GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.json(self.request(Method::GET, path)).await?["data"].take())
    }

    /// The answer to a POST.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    /// Delete something.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.json(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// Upload a file.
    pub async fn upload(&self, path: &str, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let form = Form::new().part("file", Part::bytes(bytes).file_name(name.to_owned()));
        self.json(self.request(Method::POST, path).multipart(form)).await.map(drop)
    }

    /// The bytes of a GET.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.request(Method::GET, path).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).header("Authorization", &self.token)
    }

    async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.send().await?;
        let (status, url) = (answer.status(), answer.url().clone());
        let body: Value =
            answer.json().await.with_context(|| format!("{url} answered {status} without JSON"))?;
        if !status.is_success() {
            bail!("{url} answered {status}: {}", body["error"]["message"].as_str().unwrap_or_default());
        }
        Ok(body)
    }
}

/// The id of a thing in an answer.
pub fn id(thing: &Value) -> anyhow::Result<&str> {
    thing["id"].as_str().context("the server sent a thing without id")
}
