//! What a bank's API has besides money. Wrong on purpose: words of callers become SQL, HTML, paths, commands, templates, and hours of the
//! database's time.
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::db::{row, rows};
use crate::{Answer, Bank, Wrong};

#[derive(Deserialize)]
pub(crate) struct Search {
    q: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    name: String,
}

#[derive(Deserialize)]
pub(crate) struct Text {
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct Depth {
    #[serde(default = "shallow")]
    depth: u32,
}

const fn shallow() -> u32 {
    100
}

/// What the bank sells.
pub(crate) async fn products(State(bank): State<Bank>) -> Answer {
    Ok(Json(bank.db.run(|db| rows(db, "SELECT * FROM products", &[])).await?))
}

/// One of it.
pub(crate) async fn product(State(bank): State<Bank>, Path(id): Path<i64>) -> Answer {
    Ok(Json(bank.db.run(move |db| row(db, "SELECT * FROM products WHERE id = ?1", &[&id])).await?))
}

/// Finds products, and with the right words anything else.
pub(crate) async fn search(State(bank): State<Bank>, Query(search): Query<Search>) -> Answer {
    let sql = format!("SELECT title, price FROM products WHERE title LIKE '%{}%'", search.q);
    Ok(Json(bank.db.run(move |db| rows(db, &sql, &[])).await?))
}

/// What people say, as HTML, as they said it.
pub(crate) async fn comments(State(bank): State<Bank>) -> Result<Html<String>, Wrong> {
    let all = bank.db.run(|db| rows(db, "SELECT text FROM comments ORDER BY id DESC LIMIT 10", &[])).await?;
    let lines = all.as_array().into_iter().flatten().filter_map(|line| line["text"].as_str());
    Ok(Html(lines.flat_map(|line| ["<p>", line, "</p>\n"]).collect()))
}

/// Says something.
pub(crate) async fn comment(State(bank): State<Bank>, Json(said): Json<Text>) -> Answer {
    let make = "INSERT INTO comments (text) VALUES (?1) RETURNING id";
    Ok(Json(bank.db.run(move |db| row(db, make, &[&said.text])).await?))
}

/// A document, or any other file.
pub(crate) async fn document(State(bank): State<Bank>, Query(named): Query<Named>) -> Result<String, Wrong> {
    let read = tokio::fs::read_to_string(bank.documents.join(named.name)).await;
    read.map_err(|error| Wrong(StatusCode::NOT_FOUND, error.to_string()))
}

/// Looks up a host, by a shell. Nothing is looked up here: it is `echo` that is run.
pub(crate) async fn lookup(Json(named): Json<Named>) -> Answer {
    let line = format!("echo looking up {}", named.name);
    let run = tokio::process::Command::new("sh").args(["-c", &line]).kill_on_drop(true).output();
    let ran = tokio::time::timeout(std::time::Duration::from_secs(5), run).await;
    let output = ran.ok().and_then(Result::ok).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    Ok(Json(json!({ "output": output })))
}

/// Fills in a template: `{{2*3}}` becomes 6.
pub(crate) async fn preview(Json(template): Json<Text>) -> Json<Value> {
    let filled = template.text.split("{{").map(|part| part.split_once("}}").map_or_else(|| part.to_owned(), fill));
    Json(json!({ "text": filled.collect::<String>() }))
}

fn fill((inside, rest): (&str, &str)) -> String {
    let product: Option<i64> = inside.split('*').map(|number| number.trim().parse::<i64>().ok()).product();
    format!("{}{rest}", product.map_or_else(|| inside.to_owned(), |product| product.to_string()))
}

/// Counts to `depth` thousand in the database.
pub(crate) async fn report(State(bank): State<Bank>, Query(depth): Query<Depth>) -> Answer {
    let count =
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?1) SELECT count(*) AS rows FROM n";
    let most = i64::from(depth.depth) * 1000;
    Ok(Json(bank.db.run(move |db| row(db, count, &[&most])).await?))
}
