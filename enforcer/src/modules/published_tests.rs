//! What a center may bring onto a host, and what it may not.
use enforcer_insight::filters::Wanted;
use enforcer_policy::document::{Document, Mode};
use enforcer_policy::revision::{Digest, Signer};

use super::tests::module;
use super::*;

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}

/// A host that trusts the first key, with one service.
fn host(more: &str) -> Config {
    let text = format!(
        "[published]\nkeys = [\"{}\"]\n[[service]]\nname = \"pay\"\nports = [80]\ninterfaces = [\"eth0\"]\n{more}",
        signer(1).public()
    );
    Config::parse(&text).unwrap()
}

fn held(version: &str, seed: u8) -> Held {
    let file = enforcer_module::sign(&module(version), &signer(seed));
    let listed = enforcer_module::Listed {
        name: "pages".to_owned(),
        version: version.to_owned(),
        digest: digest(enforcer_module::body(&file)),
        key: key_name(&signer(seed).public().id()),
        bytes: file.len() as u64,
        mode: Mode::Observe,
        parameters: BTreeMap::new(),
    };
    Held { listed, file: Some(file.into()) }
}

fn version(modules: &Modules) -> Option<String> {
    modules.catalogue().find("pages").and_then(|entry| entry.version.as_ref().map(ToString::to_string))
}

#[test]
fn nothing_runs_that_no_trusted_key_has_signed() {
    let none = Config::parse("").unwrap();
    for (config, held, told) in [
        (&none, held("1.0.0", 1), "trusts no key"),
        (&host(""), held("1.0.0", 2), "does not trust"),
        // The list lies about the key.
        (&host(""), Held { listed: held("1.0.0", 1).listed, ..held("1.0.0", 2) }, "not trusted here"),
        (&host(""), Held { file: None, ..held("1.0.0", 1) }, "has not come"),
        (&host(""), Held { file: held("1.0.1", 1).file, ..held("1.0.0", 1) }, "not what it lists"),
    ] {
        let modules = Modules::default().publish(config, std::slice::from_ref(&held));
        assert_eq!(version(&modules), None, "{told}");
        assert!(
            modules.refusal("pages").is_some_and(|why| why.contains(told)),
            "{told}: {:?}",
            modules.refusal("pages")
        );
        assert!(modules.cells(std::slice::from_ref(&held)).is_empty());
    }
    let modules = Modules::default().publish(&host(""), &[held("1.0.0", 1)]);
    assert_eq!((version(&modules).as_deref(), modules.refusal("pages")), (Some("1.0.0"), None));
}

#[test]
fn a_refused_version_leaves_the_one_before_while_its_key_is_trusted() {
    let one = Modules::default().publish(&host(""), &[held("1.0.0", 1)]);
    let make = |modules: &Modules| Arc::clone(&modules.catalogue().find("pages").unwrap().make);
    let same = one.publish(&host(""), &[held("1.0.0", 1)]);
    assert!(Arc::ptr_eq(&make(&one), &make(&same)), "what did not change keeps what it knows");
    let refused = same.publish(&host(""), &[held("1.0.1", 2)]);
    assert!(Arc::ptr_eq(&make(&one), &make(&refused)));
    assert!(refused.refusal("pages").is_some_and(|why| why.contains("version 1.0.0 goes on")));
    let next = refused.publish(&host(""), &[held("1.0.2", 1)]);
    assert_eq!(version(&next).as_deref(), Some("1.0.2"));
    let distrusted = refused.publish(&Config::parse("").unwrap(), &[held("1.0.1", 2)]);
    assert_eq!(version(&distrusted), None);
    assert_eq!(version(&next.publish(&host(""), &[])), None, "what is withdrawn goes");
}

#[test]
fn what_the_host_has_stands_first_and_there_is_room_for_so_many() {
    let own = host(&format!("[[module]]\nname = \"pages\"\nfile = \"/a\"\nkeys = [\"{}\"]\n", signer(1).public()));
    let modules = Modules::default().publish(&own, &[held("1.0.0", 1)]);
    assert!(modules.refusal("pages").is_some_and(|why| why.contains("stands before it")));
    let mut many = host("");
    many.modules = (0..16).map(|number| ModuleFile { name: format!("m{number}"), ..own.modules[0].clone() }).collect();
    let modules = Modules::default().publish(&many, &[held("1.0.0", 1)]);
    assert!(modules.refusal("pages").is_some_and(|why| why.contains("16 modules")));
    let mut built_in = held("1.0.0", 1);
    built_in.listed.name = "tokens".to_owned();
    assert!(wanted(&built_in.listed, &host("")).unwrap_err().contains("comes with the agent"));
    let mut misfit = held("1.0.0", 1);
    misfit.listed.parameters.insert("page".to_owned(), "50".to_owned());
    let modules = Modules::default().publish(&host(""), &[misfit]);
    assert!(modules.refusal("pages").is_some_and(|why| why.contains("parameters")));
}

#[test]
fn it_decides_only_where_it_is_named() {
    let mode_of = |more: &str, center: &str| {
        let mut one = held("1.0.0", 1);
        one.listed.parameters.insert("page".to_owned(), "7".to_owned());
        let own = host(more);
        let modules = Modules::default().publish(&own, std::slice::from_ref(&one));
        let base = Document::parse(&[("p".to_owned(), center.to_owned())]).unwrap().base;
        let (config, left_out) = own.with_published(modules.cells(&[one])).with_center(&base, &[]);
        assert!(left_out.is_empty(), "{left_out:?}");
        let wanted: Wanted = config.wanted_filters(&modules.catalogue());
        let found = wanted.iter().find(|(service, filter, _)| (&***service, *filter) == ("pay", "pages"));
        // What is off is wanted nowhere.
        found.map_or(("off", String::new()), |(_, _, cell)| {
            (cell.mode.name(), cell.parameters.get("page").cloned().unwrap_or_default())
        })
    };
    let matrix = "[service.pay]\nports = [80]\n[filter.pages]\n[matrix.pages]\npay = \"enforce\"\n";
    for (more, center, meant) in [
        ("", "", ("observe", "7")),
        ("[filters]\nall = \"enforce\"\n", "", ("observe", "7")),
        ("filters = {all = \"enforce\"}\n", "", ("observe", "7")),
        ("[filters]\nall = \"off\"\n", "", ("off", "")),
        ("[filters]\npages = \"enforce\"\n", "", ("enforce", "7")),
        ("filters = {pages = {mode = \"enforce\", page = 3}}\n", "", ("enforce", "3")),
        ("", matrix, ("enforce", "7")),
        ("filters = {pages = \"off\"}\n", matrix, ("off", "")),
    ] {
        assert_eq!(mode_of(more, center), (meant.0, meant.1.to_owned()), "{more}{center}");
    }
}

#[test]
fn names_that_are_none_are_told() {
    let config = host("[filters]\npages = \"observe\"\npgaes = \"observe\"\n");
    let modules = Modules::default().publish(&config, &[held("1.0.0", 1)]);
    let unknown = config.unknown_filters(&modules.catalogue());
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["pgaes"]);
    assert!(Config::parse("[filters]\npages = \"observe\"\n").is_err(), "without keys, none can come");
    assert_ne!(held("1.0.0", 1).listed.digest, Digest::default());
}
