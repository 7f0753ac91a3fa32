//! A log without a majority of its servers, with other keys, of another center, or of more than one message.
//!
//! In: servers that are killed; folders that are not copies. Out: errors that say what to do; nothing lost. Never here: a change that nobody
//! can tell whether it was made, for longer than the servers are away.
use std::path::Path;
use std::time::{Duration, Instant};

use enforcer_center::authority::Authority;
use enforcer_center::folder::Folder;
use enforcer_center::log::{Log, LogError, Settings};
use enforcer_center::store::{Store, StoreError};

use crate::center::{Office, until};
use crate::cluster::Cluster;

#[test]
fn without_a_majority_changes_wait_and_what_is_held_is_served() {
    let cluster = Cluster::start("outage");
    let office = Office::new(cluster.url("OUTAGE"));
    let mut center = office.center("one");
    let client = office.client();
    assert_eq!(client.block(center.port, "a", "192.0.2.1").unwrap().status, 201);
    cluster.kill(0);
    cluster.kill(1);
    let begun = Instant::now();
    let refused = client.block(center.port, "b", "192.0.2.2").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!((refused.status, refused.kind.as_str()), (503, "application/problem+json"), "{refused:?}");
    assert!(refused.body["mend"].as_str().unwrap().contains("again"), "{refused:?}");
    let begun = Instant::now();
    assert_eq!(client.block(center.port, "c", "192.0.2.3").unwrap().status, 503);
    assert!(begun.elapsed() < Duration::from_secs(10), "everybody waits: {:?}", begun.elapsed());
    let health = client.get(center.port, "/v1/health").unwrap();
    assert_eq!((health.status, health.body["revision"].as_u64()), (200, Some(1)), "{health:?}");
    assert_eq!(client.get(center.port, "/v1/decisions").unwrap().body["items"].as_array().map(Vec::len), Some(1));
    // Also when it starts just now.
    center.kill();
    center.run();
    assert_eq!(client.get(center.port, "/v1/health").unwrap().body["revision"].as_u64(), Some(1));

    cluster.run(0);
    cluster.run(1);
    for (key, address) in [("b", "192.0.2.2"), ("c", "192.0.2.3")] {
        until("it is made", || client.block(center.port, key, address).is_ok_and(|said| said.status == 201));
    }
    let heads = client.get(center.port, "/v1/revisions").unwrap();
    assert_eq!(heads.body["items"].as_array().map(Vec::len), Some(3), "once each: {heads:?}");
    center.kill();
    assert!(center.store().0.verify_audit().unwrap().is_ok());
}

/// A store of this folder that follows a log with these keys.
fn store(folder: &tempfile::TempDir, name: &str, keys: &[u8]) -> Result<Store, StoreError> {
    let settings = Settings::parse(&Cluster::shared().url(name), None, None).unwrap();
    Store::open_shared(&folder.path().join("center.db"), Log::connect(&settings, &[keys]).unwrap())
}

#[test]
fn who_is_no_copy_does_not_join() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let path = |folder: &tempfile::TempDir| folder.path().join("center.db");
    Store::open(&path(&one)).unwrap().note("ada", "initialised", "one").unwrap();
    Store::open(&path(&two)).unwrap().note("ada", "initialised", "two").unwrap();
    let mut first = store(&one, "JOIN", b"keys").unwrap();
    let refused = |result: Result<Store, StoreError>| match result {
        Err(StoreError::Log(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it joined"),
    };
    assert!(matches!(refused(store(&two, "JOIN", b"keys")), LogError::Stranger(_)));
    assert!(matches!(refused(store(&one, "JOIN", b"other keys")), LogError::Keys(_)));
    assert!(matches!(refused(store(&one, "ELSEWHERE", b"keys")), LogError::Other { .. }));
    assert!(matches!(refused(Store::open(&path(&one))), LogError::Needed(_)));
    // A copy of one that has joined goes on where that was, as does an older backup.
    let backup = tempfile::tempdir().unwrap();
    first.note("ada", "before", "").unwrap();
    drop(first);
    std::fs::copy(path(&one), path(&backup)).unwrap();
    let mut first = store(&one, "JOIN", b"keys").unwrap();
    first.note("ada", "after", "").unwrap();
    let restored = store(&backup, "JOIN", b"keys").unwrap();
    assert_eq!(restored.audit(0, 10).unwrap(), first.audit(0, 10).unwrap());
    assert_eq!(restored.audit(0, 10).unwrap().len(), 3);
}

#[test]
fn rows_that_somebody_changed_by_hand_are_noticed_with_the_next_record() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut first = store(&one, "HAND", b"keys").unwrap();
    let mut second = store(&two, "HAND", b"keys").unwrap();
    first.add_token("ada", enforcer_center::store::Role::Viewer, None, "test").unwrap();
    second.catch_up().unwrap();
    let id = second.tokens().unwrap()[0].id.clone();
    let other = rusqlite::Connection::open(two.path().join("center.db")).unwrap();
    other.execute("UPDATE tokens SET revoked = 1", []).unwrap();
    first.revoke_token(&id, "test").unwrap();
    let diverged = second.catch_up().unwrap_err();
    assert!(matches!(diverged, StoreError::Log(LogError::Diverged(_))), "{diverged}");
}

#[test]
fn servers_are_known_by_their_authority_and_ask_for_a_password() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::at(&temporary.path().join("servers"));
    folder.create().unwrap();
    Authority::create(&folder, &["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str| temporary.path().join("servers").join(name);
    let (certificate, key) = (file("server.pem").display().to_string(), file("server.key").display().to_string());
    let more = format!(
        "tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}\n\
         authorization {{ user: center, password: \"hunter2\" }}\n"
    );
    let cluster = Cluster::start_with("secured", &more);
    let account = |password: &str| {
        let path = temporary.path().join(password);
        std::fs::write(&path, format!("user = \"center\"\npassword = \"{password}\"\n")).unwrap();
        path
    };
    let open = |password: &str, authority: Option<&Path>| {
        let url = cluster.url("SECURED").replace("nats://", "tls://");
        let settings = Settings::parse(&url, Some(&account(password)), authority).unwrap();
        let store = tempfile::tempdir().unwrap();
        let opened = Store::open_shared(&store.path().join("center.db"), Log::connect(&settings, &[b"keys"]).unwrap());
        opened.map(drop)
    };
    open("hunter2", Some(&file("ca.pem"))).unwrap();
    std::thread::scope(|scope| {
        let refused = [("hunter3", Some(file("ca.pem"))), ("hunter2", None)];
        for (password, authority) in refused {
            let open = &open;
            scope.spawn(move || {
                let error = open(password, authority.as_deref()).unwrap_err();
                assert!(matches!(error, StoreError::Log(LogError::Away(_))), "{error}");
            });
        }
    });
}

#[test]
fn a_change_of_many_messages_is_one() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut first = store(&one, "LARGE", b"keys").unwrap();
    let mut second = store(&two, "LARGE", b"keys").unwrap();
    let large: String = ('a'..='z').cycle().take(3 << 20).collect();
    first.note("ada", "large", &large).unwrap();
    second.catch_up().unwrap();
    assert!(second.audit(0, 10).unwrap() == first.audit(0, 10).unwrap());
    assert_eq!(second.audit(0, 10).unwrap()[0].detail.len(), large.len());
}
