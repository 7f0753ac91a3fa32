//! `mode = "generic"`: the packet program in the stack instead of the driver. Slower, and the same verdicts.

use enforcer_tests::{ATTACKER, Agent, Frame, Net, Tap, xdp_programs};

/// Given generic mode. When blocked and clean frames come, tagged and not. Then the verdicts are those of the driver's mode,
/// and status says which mode it is; also after a restart.
#[test]
fn the_stack_gives_the_same_verdicts() {
    let net = Net::new();
    let config = format!("[fastpath]\ninterfaces = [\"{}\"]\nmode = \"generic\"\n", ATTACKER.interface);
    let mut agent = Agent::start(&net, &config);
    let tap = Tap::open(&net, &ATTACKER);
    agent.done(&["block", "ip", "203.0.113.0/24"]);
    agent.done(&["block", "ip", "2001:db8::/32"]);
    for restarted in [false, true] {
        if restarted {
            agent.kill9();
            agent.restart();
        }
        let status = agent.json(&["status"]);
        let expected = serde_json::json!([{ "interface": ATTACKER.interface, "hook": "xdp", "mode": "generic" }]);
        assert_eq!(status["attachments"], expected, "{status:#}");
        assert_eq!(xdp_programs(&net.host, ATTACKER.interface).len(), 1);
        assert!(net.host.exec(&format!("ip link show dev {}", ATTACKER.interface)).contains("xdpgeneric"));
        assert_eq!(
            tap.passing(&["203.0.113.7", "203.0.114.7", "2001:db8::7", "2001:db9::7"]),
            [false, true, false, true]
        );
        let from = |text: &str| text.parse().expect("an address");
        let tagged = |address| Frame::on(&ATTACKER).provider_vlan(7).vlan(8).udp(from(address), ATTACKER.web4(), b"");
        assert_eq!(tap.deliver(&[tagged("203.0.113.7:1"), tagged("203.0.114.7:1")]), [false, true]);
    }
}
