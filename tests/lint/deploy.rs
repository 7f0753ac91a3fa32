//! What is shipped for trying things out is what it says. In: `deploy/compose`, `deploy/vagrant`, the agent's unit. Out: a file that is named
//! and is not there, a capability too many, a configuration that the agent would refuse, a command that there is not. Never here: containers
//! and machines.

use std::fs;

use enforcer::config::Config;
use serde_json::{Value, json};

use super::root;

#[test]
fn the_agent_of_the_containers_may_do_what_the_unit_may() {
    let agent = &compose()["services"]["agent"];
    let unit = read("deploy/systemd/enforcer.service");
    let allowed = unit.lines().find_map(|line| line.strip_prefix("AmbientCapabilities=")).expect("capabilities");
    let granted: Vec<String> = words(&agent["cap_add"]).map(|word| format!("CAP_{word}")).collect();
    assert_eq!(granted.join(" "), allowed);
    for service in ["agent", "center", "prometheus"] {
        let service = &compose()["services"][service];
        assert_eq!((&service["cap_drop"], &service["network_mode"]), (&json!(["ALL"]), &json!("host")));
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    }
    assert_eq!(compose()["services"].as_object().map(serde_json::Map::len), Some(3));
}

#[test]
fn files_of_the_containers_are_there() {
    let (compose, mut seen) = (compose(), 0);
    for service in compose["services"].as_object().expect("services").values() {
        for volume in words(&service["volumes"]) {
            let (from, _) = volume.split_once(':').expect("two places");
            if from.starts_with('.') {
                assert!(root().join("deploy/compose").join(from).exists(), "{from}");
                seen += 1;
            } else if !from.starts_with('/') {
                assert!(compose["volumes"].get(from).is_some(), "{from}");
            }
        }
    }
    assert_eq!(seen, 3);
    let build = &compose["services"]["center"]["build"];
    let (context, dockerfile) =
        (build["context"].as_str().expect("a folder"), build["dockerfile"].as_str().expect("a file"));
    // The folder is there after `cargo xtask dist`.
    assert_eq!((context, dockerfile), ("../../target/dist", "../../deploy/compose/Dockerfile"));
    assert!(root().join("deploy/compose/Dockerfile").exists());
}

#[test]
fn the_agent_of_the_containers_begins_in_shadow_mode() {
    let text = read("deploy/compose/enforcer.toml");
    let config = Config::parse(&text).expect("a configuration without problems");
    assert!(!config.services.is_empty() && config.services.iter().all(|service| !service.enforce));
    let bpffs = config.agent.bpffs.display().to_string();
    let agent = &compose()["services"]["agent"];
    assert!(words(&agent["volumes"]).any(|volume| volume == format!("{bpffs}:{bpffs}")), "{bpffs} is not shared");
    let scraped = read("deploy/compose/prometheus.yml");
    assert!(scraped.contains(&format!("[\"{}\"]", config.agent.metrics.expect("metrics"))));
}

#[test]
fn machines_get_packages_that_are_made() {
    let file = read("deploy/vagrant/Vagrantfile");
    let made = read("xtask/src/dist/contents.rs");
    for package in ["enforcer", "enforcer-center"] {
        assert!(file.contains(&format!("inline: INSTALL, args: [\"{package}\"]")), "{package} is not installed");
        assert!(made.contains(&format!("name: \"{package}\"")), "{package} is not made");
    }
    for machine in ["api", "attacker", "center"] {
        assert!(file.contains(&format!("config.vm.define \"{machine}\"")), "{machine}");
    }
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("deploy/compose/compose.yml")).expect("YAML")
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}
