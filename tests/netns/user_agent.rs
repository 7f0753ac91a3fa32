//! A device id inside the `User-Agent`, where many applications put it.

use enforcer_tests::{Agent, CLIENT, Client, Net, Nginx, PAY, Request};

/// Given a blocked device. When its token stands in the `User-Agent` after the pattern, in any company. Then the request
/// is refused; a token that only resembles it, or stands elsewhere, is not.
#[test]
fn a_token_after_the_pattern_is_found_wherever_it_stands() {
    let net = Net::new();
    let (nginx, agent) = (Nginx::start(&net), Agent::start(&net, PAY));
    agent.block_device("f81d4fae-7dec", "deny");
    let refused = [
        ("User-Agent", "DeviceId/f81d4fae-7dec"),
        ("user-agent", "Bank/7.1 (Android 14; Pixel 8) DeviceId/f81d4fae-7dec"),
        ("USER-AGENT", "Bank/7.1 (DeviceId/f81d4fae-7dec; Android 14)"),
        ("User-Agent", "DeviceId/other DeviceId/f81d4fae-7dec okhttp/4.12"),
        ("X-Device-Id", "f81d4fae-7dec"),
        ("x-device-id", " \t f81d4fae-7dec \t "),
    ];
    let served = [
        ("User-Agent", "DeviceId/f81d4fae-7de"),
        ("User-Agent", "DeviceId/f81d4fae-7dec0"),
        ("User-Agent", "DeviceId/F81D4FAE-7DEC"),
        ("User-Agent", "deviceid/f81d4fae-7dec"),
        ("User-Agent", "f81d4fae-7dec"),
        ("Referer", "DeviceId/f81d4fae-7dec"),
        ("X-Device-Id-2", "f81d4fae-7dec"),
        ("X-Device-Id", "DeviceId/f81d4fae-7dec"),
    ];
    let ask = |(name, value)| {
        let mut client = Client::connect(&net.client, CLIENT.web4()).expect("connects");
        client.request(&Request::get("/health").header(name, value)).expect("an answer").status
    };
    assert_eq!(refused.map(ask), [403; 6]);
    assert_eq!(served.map(ask), [200; 8]);
    assert_eq!(nginx.served_when(8).len(), 8);
}
