//! A bank's API that is wrong on purpose: what attacks are tried on. In: a port and a folder. Out: an API over HTTP with a real database
//! behind it, which logs in whoever guesses, shows accounts of others, runs what it is sent, and believes unsigned tokens.
//! Never here: anything that may run outside of a test's own namespace.
mod db;
mod money;
mod people;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use clap::Parser;
use tokio::net::TcpListener;

use db::Db;

/// A bank's API that is wrong on purpose. Only for namespaces of tests.
#[derive(Parser)]
struct Arguments {
    /// Where it listens
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where its database and documents lie
    #[arg(long)]
    folder: PathBuf,
}

/// What every handler may use.
#[derive(Clone)]
struct Bank {
    db: Arc<Db>,
    documents: Arc<PathBuf>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let documents = arguments.folder.join("documents");
    std::fs::create_dir_all(&documents).context("failed to make the folder of documents")?;
    std::fs::write(documents.join("terms.txt"), "Terms: be kind.\n").context("failed to write a document")?;
    let db = Arc::new(Db::open(&arguments.folder.join("bank.db"))?);
    let bank = Bank { db, documents: Arc::new(documents) };
    let listener = TcpListener::bind(("0.0.0.0", arguments.port)).await.context("failed to listen")?;
    axum::serve(listener, routes().with_state(bank)).await.context("failed to serve")
}

/// Every endpoint there is.
fn routes() -> Router<Bank> {
    Router::new()
        .route("/health", get(|| async { "well\n" }))
        .route("/api/login", post(people::log_in))
        .route("/api/logout", post(people::log_out))
        .route("/api/me", get(people::me).put(people::change_me))
        .route("/api/users/{name}/profile", get(people::profile))
        .route("/api/accounts", get(money::accounts))
        .route("/api/accounts/{id}", get(money::account))
        .route("/api/accounts/{id}/transactions", get(money::transactions))
        .route("/api/transfers", post(money::transfer))
        .route("/api/transfers/{id}", get(money::transferred))
        .route("/api/export", get(money::export))
        .route("/api/rates/{currency}", get(money::rate))
        .route("/api/rates/{currency}", delete(money::forget_rate))
        .route("/api/products", get(tools::products))
        .route("/api/products/{id}", get(tools::product))
        .route("/api/search", get(tools::search))
        .route("/api/comments", get(tools::comments).post(tools::comment))
        .route("/api/documents", get(tools::document))
        .route("/api/lookup", post(tools::lookup))
        .route("/api/preview", post(tools::preview))
        .route("/api/report", get(tools::report))
}

/// What went wrong, told as no API should: with the database's own words.
struct Wrong(StatusCode, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, axum::Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        if error == rusqlite::Error::QueryReturnedNoRows {
            return Self(StatusCode::NOT_FOUND, "not found".to_owned());
        }
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// What a handler gives.
type Answer = Result<axum::Json<serde_json::Value>, Wrong>;
