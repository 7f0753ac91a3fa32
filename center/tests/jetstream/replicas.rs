//! Several centers on one log: what somebody was told has happened has happened once, in one order, everywhere, whatever is killed.
//!
//! In: changes over the APIs of two centers, by clients that ask again with the same key when they get an error. Out: what the log and
//! both stores hold. Never here: a client that guesses.
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use enforcer_center::desk::Desk;
use enforcer_center::log::{Body, Datum, Log};
use enforcer_center::store::{AuditEntry, Row, Store};
use enforcer_common::SipKey;
use enforcer_policy::revision::{Delta, Signed, Signer};

use crate::center::{Center, Client, Office, until};
use crate::cluster::Cluster;

/// Changes, each of which somebody has been told of: its number, and the revision that it is.
type Told = BTreeMap<usize, u64>;

#[test]
fn a_thousand_changes_are_each_made_once_while_a_server_of_the_log_is_killed() {
    let cluster = Cluster::start("changes");
    let office = Office::new(cluster.url("CHANGES"));
    let centers = [office.center("one"), office.center("two")];
    let ports = [centers[0].port, centers[1].port];
    let mut killed = None;
    let told = change(&office, ports, 1000, |done| match (done, killed) {
        (400.., None) => {
            // The hardest one: everything waits for another leader.
            let leader = cluster.leader("CHANGES");
            cluster.kill(leader);
            killed = Some(leader);
        }
        (700.., Some(leader)) if leader < 3 => {
            cluster.run(leader);
            killed = Some(3);
        }
        _ => {}
    });
    assert_eq!(killed, Some(3), "no server was killed, or none started again");
    agree(&office, centers, &told);
}

#[test]
fn a_center_that_is_killed_catches_up() {
    let office = Office::new(Cluster::shared().url("KILLED"));
    let [one, two] = [office.center("one"), office.center("two")];
    let (ports, mut two) = ([one.port, two.port], two);
    let mut killed = false;
    let told = change(&office, ports, 200, |done| {
        if done >= 50 && !killed {
            killed = true;
            two.kill();
            until("others go on", || office.client().get(ports[0], "/v1/health").is_ok());
            two.run();
        }
    });
    assert!(killed);
    agree(&office, [one, two], &told);
}

#[test]
fn what_one_center_does_the_others_know() {
    let office = Office::new(Cluster::shared().url("KNOWN"));
    let [one, two] = [office.center("one"), office.center("two")];
    let client = office.client();
    let first = client.block(one.port, "a", "192.0.2.1").unwrap();
    assert_eq!(first.status, 201, "{first:?}");
    // At once, over the other one: the same answer, and not the same change again.
    let again = client.block(two.port, "a", "192.0.2.1").unwrap();
    assert_eq!((again.status, &again.body), (201, &first.body));
    let revision = |port| client.get(port, "/v1/health").unwrap().body["revision"].as_u64().unwrap();
    until("the other one tells its hosts", || revision(two.port) == 1);
    let begun = Instant::now();
    client.block(one.port, "b", "192.0.2.2").unwrap();
    until("the other one tells its hosts", || revision(two.port) == 2);
    eprintln!("a change over one center is news at the other after {:?}", begun.elapsed());

    // The command line beside one, and tokens at the other.
    one.command(&["token", "add", "--name", "bea", "--role", "viewer"]);
    until("the token is known", || two.command(&["token", "list"]).contains("bea"));
    let id = two.command(&["token", "list"]).lines().find(|line| line.contains("ada")).unwrap()[..8].to_owned();
    two.command(&["token", "revoke", &id]);
    until("the token no longer counts", || client.get(one.port, "/v1/audit").unwrap().status == 401);
}

/// Makes so many changes over both, by several clients, until each has been told that it is made.
fn change(office: &Office, ports: [u16; 2], count: usize, mut at: impl FnMut(usize)) -> Told {
    let (next, told, errors) = (AtomicUsize::new(0), Mutex::new(Told::new()), AtomicUsize::new(0));
    let (begun, times) = (Instant::now(), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for worker in 0..CLIENTS {
            let (next, told, errors, times) = (&next, &told, &errors, &times);
            scope.spawn(move || {
                let client = office.client();
                while let number @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                    && number < count
                {
                    let begun = Instant::now();
                    let revision = insist(&client, ports, worker, number, errors);
                    told.lock().unwrap().insert(number, revision);
                    times.lock().unwrap().push(begun.elapsed());
                }
            });
        }
        until_all(&told, count, &mut at);
    });
    let (time, errors, mut times) = (begun.elapsed(), errors.into_inner(), times.into_inner().unwrap());
    times.sort();
    let [half, most, all] = [count / 2, count * 99 / 100, count - 1].map(|at| times[at]);
    eprintln!("{count} changes in {time:?}; half in {half:?}, 99 % in {most:?}, all in {all:?}; {errors} errors");
    told.into_inner().unwrap()
}

fn until_all(told: &Mutex<Told>, count: usize, at: &mut impl FnMut(usize)) {
    let begun = Instant::now();
    loop {
        let done = told.lock().unwrap().len();
        at(done);
        if done == count {
            return;
        }
        assert!(begun.elapsed() < LONGEST, "{done} of {count} changes after {LONGEST:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks the one center, then the other, until one says that it is done.
fn insist(client: &Client, ports: [u16; 2], worker: usize, number: usize, errors: &AtomicUsize) -> u64 {
    for attempt in worker.. {
        match client.block(ports[attempt % 2], &key(number), &address(number)) {
            Ok(said) if said.status == 201 => return said.body["revision"].as_u64().unwrap(),
            Ok(said) => assert!(said.status >= 500, "{said:?}"),
            Err(_broken) => {}
        }
        errors.fetch_add(1, Ordering::Relaxed);
    }
    unreachable!("there are many numbers");
}

/// The log, and the stores of both, hold exactly what was told, once, in one order.
fn agree(office: &Office, mut centers: [Center; 2], told: &Told) {
    let client = office.client();
    let count = told.len() as u64;
    for center in &centers {
        until("all revisions are here", || {
            client.get(center.port, "/v1/health").is_ok_and(|said| said.body["revision"].as_u64() == Some(count))
        });
    }
    centers.iter_mut().for_each(Center::kill);
    let [(one, log), (two, _)] = centers.each_ref().map(Center::store);
    let (revisions, keys) = logged(&log);
    assert_eq!(revisions, (1..=count).collect::<Vec<_>>(), "each revision once, in order");
    let mut distinct = keys.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((distinct.len() as u64, keys.len() as u64), (count, count), "each request once");
    let signer = centers[0].signer();
    let rows = history(&one, told, &signer);
    assert!(rows == history(&two, told, &signer), "the histories differ");
    let audits = [&one, &two].map(audit);
    assert!(audits[0] == audits[1], "the audit logs differ");
    assert_eq!(audits[0].iter().filter(|entry| entry.what == "decided").count() as u64, count);
    let heads = [one, two].map(|store| Desk::read(store, centers[0].signer(), SipKey([0, 0])).unwrap().known());
    assert_eq!(heads[0], heads[1]);
}

/// Numbers of revisions, and keys of requests, in the order of the log.
fn logged(log: &Log) -> (Vec<u64>, Vec<String>) {
    let (mut revisions, mut keys, mut place) = (Vec::new(), Vec::new(), 0);
    loop {
        let read = log.read(place).unwrap();
        let Some(last) = read.last() else { return (revisions, keys) };
        place = last.place;
        for record in read {
            let Body::Wrote(writes) = record.record.body else { continue };
            for write in writes {
                match (write.sql.as_str(), write.values.as_slice()) {
                    (sql, [Datum::Number(number), ..]) if sql.contains("INTO revisions") => {
                        revisions.push(u64::try_from(*number).unwrap());
                    }
                    (sql, [_, Datum::Text(key), ..]) if sql.contains("INTO replies") => keys.push(key.clone()),
                    _ => {}
                }
            }
        }
    }
}

/// All revisions; each follows from the one before, and says what somebody was told that it says.
fn history(store: &Store, told: &Told, signer: &Signer) -> Vec<(u64, Vec<u8>, Vec<u8>)> {
    let rows: Vec<Row> = store.revisions(0, told.len() + 1).unwrap();
    let mut before = enforcer_policy::revision::Digest::default();
    let by_revision: BTreeMap<u64, usize> = told.iter().map(|(number, revision)| (*revision, *number)).collect();
    assert_eq!((rows.len(), by_revision.len()), (told.len(), told.len()));
    for row in &rows {
        let bytes = Signed::from_bytes(row.head.clone());
        let delta = Delta::unpack(&row.delta, row.plain).unwrap();
        let subjects: Vec<String> = delta.put.iter().map(|entry| entry.decision.subject.to_string()).collect();
        assert_eq!(subjects, [address(by_revision[&row.number])], "revision {}", row.number);
        assert_eq!(bytes.open(&signer.public()).unwrap().previous, before, "revision {}", row.number);
        before = bytes.hash();
    }
    rows.into_iter().map(|row| (row.number, row.head, row.delta)).collect()
}

fn audit(store: &Store) -> Vec<AuditEntry> {
    assert!(store.verify_audit().unwrap().is_ok());
    store.audit(0, 1_000_000).unwrap()
}

fn key(number: usize) -> String {
    format!("change-{number}")
}

fn address(number: usize) -> String {
    format!("10.0.{}.{}", number / 250, number % 250 + 1)
}

/// Clients at a time.
const CLIENTS: usize = 8;
const LONGEST: Duration = Duration::from_mins(2);
