//! Faults of what hangs in the kernel: pins removed, programs taken off by hand, other people's programs on the same hooks, a kernel
//! without tcx, no BPF file system.
//!
//! In: a ground under traffic. Out: when nothing of ours hung. Never here: a sum.

use std::{fs, process::Command, time::Instant};

use enforcer_tests::{ATTACKER, CLIENT, classifiers, eventually, without_links};

use crate::{
    ground::{Ground, PATIENCE},
    sums::Fate,
    table::Fault,
    traffic::Traffic,
};

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("pins-links", "the pins of all links are deleted by hand, so all programs come off", link_pins),
    Fault::new("pins-all", "everything pinned is deleted by hand, folders too", all_pins),
    Fault::new("pins-maps", "the pins of all maps are deleted by hand, then the agent is killed", map_pins),
    Fault::new("links-detached", "all links are detached by hand (bpftool link detach), their pins stay", detached),
    Fault::new("detach-offline", "`enforcer detach --offline` by another hand while the agent runs", offline),
    Fault::new("bpffs-gone", "the BPF file system is unmounted under the agent", unmounted),
    Fault::new("bpffs-none", "a start without a BPF file system", no_bpffs),
    Fault::new("clsact-foreign", "somebody else's clsact with filters of their own, before and after", foreign_clsact),
    Fault::new("tcx-foreign", "another agent's programs on the same tcx hooks, while this one starts", foreign_tcx),
    Fault::new("xdp-taken", "a start that finds another's XDP program on the interface", taken_xdp),
    Fault::new(
        "no-tcx",
        "a kernel that refuses tcx (seccomp: EINVAL): clsact instead, killed and started again",
        no_tcx,
    ),
];

fn link_pins(ground: &mut Ground, _traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    fs::remove_dir_all(ground.agent.pins().join("links")).expect("pins can be removed");
    mended(ground, from)
}

fn all_pins(ground: &mut Ground, _traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    fs::remove_dir_all(ground.agent.pins()).expect("pins can be removed");
    mended(ground, from)
}

/// The agent pins them again, so that the next one finds them.
fn map_pins(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let maps = ground.agent.pins().join("maps");
    let count = || fs::read_dir(&maps).map_or(0, Iterator::count);
    let before = count();
    fs::remove_dir_all(&maps).expect("pins can be removed");
    eventually(PATIENCE, "they are there again", || count() == before);
    let fate = ground.kill();
    traffic.goes_on();
    ground.revive();
    fate
}

fn detached(ground: &mut Ground, _traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    for link in ground.agent.objects().links {
        let done = Command::new("bpftool").args(["link", "detach", "id", &link.to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "link {link} cannot be detached");
    }
    mended(ground, from)
}

fn offline(ground: &mut Ground, _traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    let config = ground.agent.state().with_file_name("enforcer.toml").display().to_string();
    ground.agent.done(&["detach", "--offline", "--config", &config]);
    mended(ground, from)
}

fn unmounted(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let from = Instant::now();
    ground.agent.unmount_bpf();
    let hangs = |ground: &Ground| {
        let tcx = [&CLIENT, &ATTACKER].into_iter().map(|link| classifiers(&ground.net.host, link.interface).len());
        crate::sums::packet_programs(ground).len() == 2 && tcx.sum::<usize>() == 4
    };
    // A link whose pin is gone goes off a moment later.
    eventually(PATIENCE, "it is told", || ground.status()["problems"].to_string().contains("no BPF file system"));
    eventually(PATIENCE, "all programs hang, held by the agent", || hangs(ground));
    let until = Instant::now();
    traffic.goes_on();
    ground.agent.mount_bpf();
    eventually(PATIENCE, "it is told no more", || ground.status()["problems"] == serde_json::json!([]));
    Fate { open: vec![(from, until)], mends: true, ..Fate::default() }
}

/// The running agent hangs everything again.
fn mended(ground: &Ground, from: Instant) -> Fate {
    Fate { open: vec![ground.until_enforced(from)], mends: true, ..Fate::default() }
}

fn no_bpffs(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let mut fate = ground.kill();
    let from = Instant::now();
    ground.agent.unmount_bpf();
    traffic.goes_on();
    ground.revive();
    fate.open = vec![ground.until_enforced(from)];
    // What the last one's programs told meanwhile went with the file system.
    Fate { may_lose: true, told_at_death: ground.gauge.read().told, ..fate }
}

/// A filter of somebody else's (the classifier of another agent, which decides nothing) before ours and one behind.
fn foreign_clsact(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let stranger = ground.stranger(OTHER);
    let pin = ground.agent.pins().with_file_name("foreign");
    let programs = stranger.objects().programs;
    let is_classifier = |id: &&u32| {
        let shown = Command::new("bpftool").args(["prog", "show", "id", &id.to_string()]).output();
        shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains("enforcer_tc"))
    };
    let id = programs.iter().find(is_classifier).expect("a classifier").to_string();
    let pinned = Command::new("bpftool").args(["prog", "pin", "id", &id]).arg(&pin).status();
    assert!(pinned.is_ok_and(|status| status.success()), "a program cannot be pinned");
    for link in [&CLIENT, &ATTACKER] {
        let name = link.interface;
        ground.net.host.exec(&format!("tc qdisc add dev {name} clsact"));
        for priority in [1, 999] {
            let pin = pin.display();
            let filter = format!("tc filter add dev {name} ingress pref {priority} bpf da object-pinned {pin}");
            ground.net.host.exec(&filter);
        }
    }
    drop(stranger);
    traffic.goes_on();
    let fate = ground.kill();
    traffic.goes_on();
    ground.revive();
    for link in [&CLIENT, &ATTACKER] {
        let filters = ground.net.host.exec(&format!("tc filter show dev {} ingress", link.interface));
        assert_eq!(filters.matches(&format!("id {id} ")).count(), 2, "{filters}");
        ground.net.host.exec(&format!("tc qdisc del dev {} clsact", link.interface));
    }
    fs::remove_file(pin).expect("a pin can be removed");
    fate
}

/// Somebody else's tcx programs: those of another agent, which decides nothing.
fn foreign_tcx(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let stranger = ground.stranger(OTHER);
    traffic.goes_on();
    let fate = ground.kill();
    traffic.goes_on();
    ground.revive();
    traffic.goes_on();
    drop(stranger);
    fate
}

/// Requests are refused all the same; datagrams are, as soon as the other program is gone.
fn taken_xdp(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let mut fate = ground.kill();
    let from = Instant::now();
    let pins = ground.agent.pins().join("links");
    for pin in fs::read_dir(&pins).expect("links are pinned").flatten() {
        if pin.file_name().to_string_lossy().starts_with("xdp-") {
            fs::remove_file(pin.path()).expect("a pin can be removed");
        }
    }
    let free = || crate::sums::packet_programs(ground).is_empty();
    eventually(PATIENCE, "the program is off", free);
    let stranger = ground.stranger("");
    ground.revive();
    let told = |ground: &Ground| ground.status()["problems"].to_string().contains("xdp");
    eventually(PATIENCE, "it is told", || told(ground));
    traffic.goes_on();
    assert_eq!(ground.ask(crate::traffic::BAD_DEVICE), Some(403), "requests are not refused");
    drop(stranger);
    fate.open = vec![ground.until_enforced(from)];
    eventually(PATIENCE, "it is told no more", || !told(ground));
    fate
}

/// The XDP programs hang in links already, which are updated; classifiers must go to clsact, and stay there over a death.
fn no_tcx(ground: &mut Ground, traffic: &Traffic, _nth: usize) -> Fate {
    let program = without_links(ground.net.folder());
    let mut fate = ground.kill();
    let from = Instant::now();
    unpin_classifiers(ground);
    ground.agent.become_program(&program);
    ground.revive();
    let until = Instant::now();
    for _ in 0..2 {
        let modes = ground.status()["attachments"].to_string();
        assert_eq!(modes.matches("clsact").count(), 4, "{modes}");
        traffic.goes_on();
        ground.agent.kill9();
        traffic.goes_on();
        fate.told_at_death = ground.gauge.read().told;
        ground.revive();
    }
    ground.agent.kill9();
    ground.agent.become_program(enforcer_tests::program());
    let back = Instant::now();
    unpin_classifiers(ground);
    for link in [&CLIENT, &ATTACKER] {
        ground.net.host.exec(&format!("tc qdisc del dev {} clsact", link.interface));
    }
    fate.told_at_death = ground.gauge.read().told;
    ground.revive();
    fate.open = vec![(from, until), ground.until_enforced(back)];
    fate
}

fn unpin_classifiers(ground: &Ground) {
    let pins = ground.agent.pins().join("links");
    for pin in fs::read_dir(&pins).expect("links are pinned").flatten() {
        if !pin.file_name().to_string_lossy().starts_with("xdp-") {
            fs::remove_file(pin.path()).expect("a pin can be removed");
        }
    }
}

/// A service of another agent on the same port.
const OTHER: &str = "[[service]]\nname = \"other\"\nports = [8080]\ndevice = [{ header = \"X-Other\" }]\n";
