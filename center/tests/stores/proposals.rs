//! What needs a second person waits for one: at the desk, on a store of either kind.
//!
//! In: changes under rules. Out: proposals; revisions with two names. Never here: HTTP.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enforcer_center::desk::{Desk, DeskError, Proposal, Signature, Way};
use enforcer_center::rules::{Class, Rules};
use enforcer_center::store::Role;
use enforcer_common::SipKey;
use enforcer_policy::document::Document;
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Content, Signer};
use enforcer_policy::{Action, Note, Order, Origin, Scope, Subject, parse_prefix};

const RULES: &str = "second_person = [\"wide\", \"allowlist\", \"services\", \"rollback\", \"forced\"]\n";

struct Office {
    desk: Desk,
    ada: Signature,
    bea: Signature,
    folder: tempfile::TempDir,
}

fn open(folder: &Path, rules: &str) -> Desk {
    Desk::open(crate::store_in(folder), Signer::from_seed(&[7; 32]), SipKey([1, 2]))
        .unwrap()
        .with_rules(Rules::parse(rules).unwrap())
}

impl Office {
    fn new(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = open(folder.path(), rules);
        let ada = person(&mut desk, "ada", Role::Operator);
        let bea = person(&mut desk, "bea", Role::Approver);
        Self { desk, ada, bea, folder }
    }

    fn block(&mut self, network: &str) -> Result<u64, DeskError> {
        let now = enforcer_center::clock::now();
        let note = Note { reason: String::new(), origin: Origin::Center, approved_by: "ada".to_owned(), created: now };
        let order = Order {
            subject: Subject::Ip(parse_prefix(network).unwrap()),
            scope: Scope::All,
            action: Action::Drop,
            rate: None,
            until: Some(now.plus(Duration::from_mins(1))),
            shorten: true,
            wide: true,
            note: Arc::new(note),
        };
        self.desk.decide(vec![(order, Vec::new())], &Guard::default(), false, &self.ada)?;
        Ok(self.desk.known().number)
    }

    fn meant(&self, text: &str) -> Content {
        let document = Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap();
        self.desk.meant(document, "ada").unwrap()
    }

    fn apply(&mut self, text: &str) -> Result<(), DeskError> {
        let content = self.meant(text);
        self.desk.replace(&content, &Guard::default(), false, &self.ada).map(drop)
    }

    fn approve(&mut self, id: u64) -> Result<u64, DeskError> {
        self.desk.approve(id, (&Guard::default(), &[]), &self.bea)
    }

    fn only(&self) -> Proposal {
        let mut open = self.desk.proposals().unwrap();
        assert_eq!(open.len(), 1, "{open:?}");
        open.remove(0)
    }

    /// Author and approver of the present revision.
    fn names(&self) -> (String, Option<String>) {
        let head = self.desk.heads(self.desk.known().number - 1, 1).unwrap().remove(0);
        (head.author, head.approver)
    }
}

fn person(desk: &mut Desk, name: &str, role: Role) -> Signature {
    let text = desk.store().add_token(name, role, None, "test").unwrap();
    let token = desk.store().token(&text).unwrap().unwrap().id;
    Signature { author: name.to_owned(), token, approval: None, comment: "why".to_owned() }
}

#[track_caller]
fn waits<T: std::fmt::Debug>(made: Result<T, DeskError>) -> u64 {
    match made {
        Err(DeskError::Proposed(proposal)) => proposal.id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wide_block_waits_for_somebody_else_and_a_single_one_does_not() {
    let mut office = Office::new(RULES);
    assert_eq!(office.block("192.0.2.1").unwrap(), 1);
    let id = waits(office.block("198.51.0.0/16"));
    assert_eq!((office.desk.known().number, office.desk.content().len()), (1, 1), "it is in force");
    let proposal = office.only();
    assert_eq!((proposal.classes.as_slice(), &proposal.way), ([Class::Wide].as_slice(), &Way::Decided));
    let own = office.desk.approve(id, (&Guard::default(), &[]), &office.ada);
    assert!(matches!(own, Err(DeskError::SamePerson(_))), "{own:?}");
    // Another token, and another spelling: the same person.
    let other = person(&mut office.desk, "Ada.", Role::Approver);
    assert!(matches!(office.desk.approve(id, (&Guard::default(), &[]), &other), Err(DeskError::SamePerson(_))));
    let renamed = Signature { author: "carl".to_owned(), ..office.ada.clone() };
    assert!(matches!(office.desk.approve(id, (&Guard::default(), &[]), &renamed), Err(DeskError::SamePerson(_))));

    // It outlives the center.
    office.desk = open(office.folder.path(), RULES);
    assert_eq!(office.approve(id).unwrap(), 2);
    assert_eq!(office.names(), ("ada".to_owned(), Some("bea".to_owned())));
    assert_eq!(office.desk.content().len(), 2);
    assert!(matches!(office.approve(id), Err(DeskError::NoProposal(_))));
    let said: Vec<String> = office.desk.store().audit(0, 100).unwrap().into_iter().map(|entry| entry.what).collect();
    assert!(said.contains(&"proposed".to_owned()) && said.contains(&"proposal approved".to_owned()), "{said:?}");
    assert!(office.desk.store().verify_audit().unwrap().is_ok());
}

#[test]
fn whichever_way_it_comes() {
    let allow = "[[allow]]\nnetwork = \"10.0.0.0/8\"\n";
    let mut office = Office::new(RULES);
    let applied = waits(office.apply(allow));
    office.approve(applied).unwrap();
    assert_eq!(office.desk.content().base().allow.len(), 1);

    let rolled = office.desk.roll_back(1, &Guard::default(), false, &office.ada);
    assert!(rolled.unwrap().is_empty(), "nothing to roll back to");
    let wider = office.meant(&format!("{allow}[[decision]]\nip = \"198.51.0.0/16\"\naction = \"drop\"\n"));
    let tried = office.desk.try_out(&wider, &Guard::default(), Duration::from_mins(5), &office.ada);
    let tried = waits(tried);
    assert_eq!(office.desk.trial().unwrap(), None);
    office.approve(tried).unwrap();
    assert_eq!(office.desk.trial().unwrap().unwrap().0, 2);
    // Two people stood for it: who confirms it needs nobody else, and both names are there.
    office.desk.confirm(&office.ada).unwrap();
    assert_eq!(office.names(), ("ada".to_owned(), Some("bea".to_owned())));

    let back = waits(office.desk.roll_back(1, &Guard::default(), false, &office.ada));
    assert!(office.only().classes.contains(&Class::Rollback));
    office.approve(back).unwrap();
    assert_eq!(office.desk.content().len(), 0);
}

#[test]
fn a_trial_from_before_the_rules_is_not_confirmed_by_one_person() {
    let mut office = Office::new("");
    let wide = office.meant("[[decision]]\nip = \"198.51.0.0/16\"\naction = \"drop\"\n");
    office.desk.try_out(&wide, &Guard::default(), Duration::from_mins(5), &office.ada).unwrap();
    office.desk = open(office.folder.path(), RULES);
    let id = waits(office.desk.confirm(&office.ada));
    office.approve(id).unwrap();
    assert_eq!((office.desk.trial().unwrap(), office.names().1), (None, Some("bea".to_owned())));
    let undone = office.desk.try_out(&office.meant(""), &Guard::default(), Duration::from_mins(5), &office.ada);
    assert!(undone.is_ok(), "ending needs nobody else by these rules: {undone:?}");
    office.desk.give_up(&office.ada).unwrap();
}

#[test]
fn a_proposal_is_stale_when_what_it_touches_has_changed() {
    let mut office = Office::new(RULES);
    let first = waits(office.block("198.51.0.0/16"));
    let allow = waits(office.apply("[[allow]]\nnetwork = \"10.0.0.0/8\"\n"));
    // What others do elsewhere does not matter.
    office.block("192.0.2.1").unwrap();
    assert!(office.desk.proposals().unwrap().iter().all(|one| one.stale.is_none()));
    // The same subject does, and the same small part.
    let second = waits(office.block("198.51.0.0/16"));
    office.approve(second).unwrap();
    assert!(matches!(office.approve(first), Err(DeskError::Stale(_, why)) if why.contains("198.51.0.0/16")));
    let other = waits(office.apply("[[allow]]\nnetwork = \"10.9.0.0/16\"\n"));
    office.approve(other).unwrap();
    assert!(matches!(office.approve(allow), Err(DeskError::Stale(_, why)) if why.contains("allowlist")));
    assert_eq!(office.desk.content().base().allow[0].network.to_string(), "10.9.0.0/16");
}

#[test]
fn who_has_left_stands_for_nothing_and_rejected_is_gone() {
    let mut office = Office::new(RULES);
    let mut carl = person(&mut office.desk, "carl", Role::Operator);
    std::mem::swap(&mut office.ada, &mut carl);
    let left = waits(office.block("198.51.0.0/16"));
    std::mem::swap(&mut office.ada, &mut carl);
    office.desk.store().revoke_token(&carl.token, "test").unwrap();
    assert!(matches!(office.approve(left), Err(DeskError::Stale(..))));
    assert!(matches!(office.desk.reject(left, true, &office.ada), Err(DeskError::NotTheirs(_))));
    office.desk.reject(left, false, &office.bea).unwrap();
    assert_eq!(office.desk.proposals().unwrap(), []);
    let told: Vec<String> = office.desk.take_told().into_iter().map(|event| event.what).collect();
    assert_eq!(told, ["proposed", "proposal_rejected"]);
}

#[test]
fn with_everything_a_single_block_waits_too() {
    let mut office = Office::new("second_person = [\"everything\"]\n");
    let id = waits(office.block("192.0.2.1"));
    office.approve(id).unwrap();
    let decision = office.desk.content().entries().next().unwrap().decision.id;
    let id = waits(office.desk.end(decision, &office.ada));
    office.approve(id).unwrap();
    assert_eq!(office.desk.content().len(), 0);
}
