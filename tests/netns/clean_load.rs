//! Many clean requests at full speed: none fails, none is taken for another, and all the totals agree.

use std::{collections::BTreeSet, env, fs};

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY};

/// Given a blocked device. When wrk sends 100,000 requests (`ENFORCER_REQUESTS`) over 50 connections, some from that device.
/// Then every one is answered, exactly those of the device with 403, and the agent, nginx and wrk have counted the same.
#[test]
fn totals_are_exact() {
    for share in [0, 50] {
        let net = Net::new();
        let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
        agent.block_device("mallory", "deny");
        let told = wrk(&net, share);
        assert_eq!(told.wrong, 0, "{told:?}");
        assert!(told.answered >= total() && (told.refused > 0) == (share > 0), "{told:?}");

        // When wrk has enough, each other connection may still wait for one answer; a request that failed would be one more.
        let (passed, denied) = (agent.requests("pay", "pass"), agent.requests("pay", "deny"));
        assert_eq!(passed + denied, told.sent, "{told:?}");
        assert!(told.sent - told.answered < CONNECTIONS, "{told:?}");
        assert_eq!(denied, told.sent.checked_div(share).unwrap_or_default(), "{told:?}");
        let passed = usize::try_from(passed).expect("it fits");
        let log = nginx.served_when(passed);
        assert_eq!(log.len(), passed, "nginx has not seen exactly what passed");
        let is_clean = |number: u64| share == 0 || !number.is_multiple_of(share);
        let numbers: BTreeSet<u64> = log.iter().filter_map(|line| line.number?.try_into().ok()).collect();
        let clean: BTreeSet<u64> = (1..=told.sent).filter(|number| is_clean(*number)).collect();
        assert!(numbers == clean, "nginx has not seen exactly the clean requests");
    }
}

/// What wrk says.
#[derive(Debug)]
struct Told {
    /// Requests.
    sent: u64,
    /// Answers.
    answered: u64,
    /// Those with 403.
    refused: u64,
    /// Those with neither 200 nor 403.
    wrong: u64,
}

/// One in `share` requests is from the blocked device; none if it is 0.
fn wrk(net: &Net, share: u64) -> Told {
    let script = net.folder().join("load.lua");
    let text = SCRIPT.replace("@TOTAL@", &total().to_string()).replace("@SHARE@", &share.to_string());
    fs::write(&script, text).expect("a script can be written");
    let mut command = net.client.command("wrk");
    command.args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", "600s", "--timeout", "10s", "-s"]).arg(&script);
    let output = command.arg(format!("http://{}/health", CLIENT.web4())).output().expect("wrk starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().find_map(|line| line.strip_prefix("told "));
    let line = line.unwrap_or_else(|| panic!("wrk said {printed}{}", String::from_utf8_lossy(&output.stderr)));
    let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
    Told { sent: numbers[0], answered: numbers[1], refused: numbers[2], wrong: numbers[3] }
}

fn total() -> u64 {
    env::var("ENFORCER_REQUESTS").map_or(100_000, |text| text.parse().expect("ENFORCER_REQUESTS is a number"))
}

const CONNECTIONS: u64 = 50;

/// One thread, which ends the program when it has enough answers: wrk itself knows no other end than a time.
const SCRIPT: &str = r#"
-- wrk asks for one request more than it sends, to look at it.
local sent, answered, refused, wrong = -1, 0, 0, 0
function request()
    sent = sent + 1
    local evil = @SHARE@ > 0 and sent % math.max(@SHARE@, 1) == 0
    local device = evil and "mallory" or ("device-" .. sent)
    return wrk.format("GET", "/health", { ["X-Device-Id"] = device, ["X-Request-Number"] = tostring(sent) })
end
function response(status, headers, body)
    answered = answered + 1
    if status == 403 then refused = refused + 1
    elseif status ~= 200 then wrong = wrong + 1 end
    if answered == @TOTAL@ then
        io.write(string.format("told %d %d %d %d\n", sent, answered, refused, wrong))
        os.exit(0)
    end
end
"#;
