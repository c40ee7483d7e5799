//! The server's own pages: log, counters and fault rules as JSON, for tests and benchmarks in other processes.
//!
//! Unsigned: the server listens on loopback. `GET log`, `GET counters`, `DELETE log` (resets both), `GET faults`,
//! `PUT faults` (a rule or a list of them; answers their numbers), `DELETE faults`, `DELETE faults/NUMBER`.

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Serialize;

use super::faults::{Faults, Rule};
use super::log::Log;

/// No bucket's name begins with an underscore.
pub const PATH: &str = "/_holdfs/";

const RULES_BYTES_MAX: usize = 1 << 20;

pub async fn answer(faults: &Faults, log: &Log, path: &str, request: Request<Incoming>) -> Response<String> {
    let (page, number) = path.split_once('/').map_or((path, None), |(page, number)| (page, Some(number)));
    match (request.method(), page, number) {
        (&Method::GET, "log", None) => json(&log.entries()),
        (&Method::GET, "counters", None) => json(&log.counters()),
        (&Method::DELETE, "log" | "counters", None) => {
            log.reset();
            json(&())
        }
        (&Method::GET, "faults", None) => json(&faults.armed()),
        (&Method::PUT | &Method::POST, "faults", None) => arm(faults, request).await,
        (&Method::DELETE, "faults", None) => {
            faults.clear();
            json(&())
        }
        (&Method::DELETE, "faults", Some(number)) => match number.parse() {
            Ok(number) => {
                faults.remove(number);
                json(&())
            }
            Err(_) => plain(StatusCode::BAD_REQUEST, "a rule has a number"),
        },
        _ => plain(StatusCode::NOT_FOUND, "there are log, counters and faults"),
    }
}

async fn arm(faults: &Faults, request: Request<Incoming>) -> Response<String> {
    let body = match Limited::new(request.into_body(), RULES_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let list = serde_json::from_slice::<Vec<Rule>>(&body);
    let rules = list.or_else(|error| match serde_json::from_slice::<Rule>(&body) {
        Ok(rule) => Ok(vec![rule]),
        Err(of_one) => Err(if body.trim_ascii_start().starts_with(b"[") { error } else { of_one }),
    });
    match rules {
        Ok(rules) => json(&rules.into_iter().map(|rule| faults.add(rule)).collect::<Vec<_>>()),
        Err(error) => plain(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn json<T: Serialize>(value: &T) -> Response<String> {
    match serde_json::to_string(value) {
        Ok(mut text) => {
            text.push('\n');
            let mut response = Response::new(text);
            let value = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert(http::header::CONTENT_TYPE, value);
            response
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(format!("{text}\n"));
    *response.status_mut() = status;
    response
}
