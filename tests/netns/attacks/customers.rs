//! Customers of the bank, who do what customers do. In: people. Out: how many requests were served, and which were refused. Never here:
//! attacks.
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::person::{Person, Told};

/// What customers were told, all together.
#[derive(Default)]
pub(super) struct Customers {
    served: AtomicU64,
    refused: Mutex<Vec<String>>,
}

impl Customers {
    /// A customer's day, until it is over.
    pub(super) fn live(&self, mut person: Person<'_>, number: u32, over: &AtomicBool) {
        if number % 9 == 4 {
            // People mistype.
            let body = format!("{{\"user\":\"{}\",\"password\":\"pw-\"}}", Person::name(number));
            self.note(person.post("/api/login", &body), "POST /api/login");
        }
        self.note(person.log_in(number), "POST /api/login");
        let mut step = number;
        while !over.load(Ordering::Relaxed) {
            step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (path, body) = act(number, step >> 8);
            let told = match body {
                Some(body) => person.post(&path, body),
                None => person.get(&path),
            };
            self.note(told, &path);
            // People read what they see.
            thread::sleep(Duration::from_millis(u64::from(60 + (step >> 16) % 240)));
        }
    }

    fn note(&self, told: Told, what: &str) {
        if told == Told::Refused {
            self.refused.lock().expect("nobody panics with it").push(what.to_owned());
        }
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.lock().expect("nobody panics with it").clone()
    }

    pub(super) fn in_words(&self) -> String {
        format!("requests of customers: {}, refused: {}", self.served(), self.refused().len())
    }
}

/// What a customer does next: a path, and a body where something is sent.
fn act(number: u32, dice: u32) -> (String, Option<&'static str>) {
    let own = 10_000 + number * 37 + dice / 32 % 3 * 11;
    let words = ["card", "insurance%20%26%20more", "select%20a%20gold%20card", "book", "1%20%2B%201"];
    match dice % 16 {
        0 => ("/api/me".to_owned(), None),
        1 | 2 => ("/api/accounts".to_owned(), None),
        3..=5 => (format!("/api/accounts/{own}"), None),
        6 | 7 => (format!("/api/accounts/{own}/transactions?page={}&limit=20", dice / 16 % 4), None),
        8 => (format!("/api/users/{}/profile", Person::name(number)), None),
        9 => ("/api/products".to_owned(), None),
        10 => (format!("/api/products/{}", 1 + dice / 16 % 8), None),
        11 => (format!("/api/search?q={}", words[dice as usize / 16 % words.len()]), None),
        12 => ("/api/transfers".to_owned(), Some("{\"from\":1,\"to\":2,\"amount\":12.5}")),
        13 => ("/api/comments".to_owned(), Some("{\"text\":\"Don't drop my table -- it's <b>fine</b>; thanks\"}")),
        14 => ("/api/documents?name=terms.txt".to_owned(), None),
        _ => ("/api/report?depth=1".to_owned(), None),
    }
}
