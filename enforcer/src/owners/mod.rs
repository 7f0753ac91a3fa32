//! Who answers for a service. In: its ports; what the kernel tells of sockets that listen. Out: the process, the unit of systemd, the container
//! and the user of each. Never here: calls; capabilities that the agent does not have.
//!
//! ```text
//! listening sockets (kernel) ─ number of the control group ─ its path (a walk of the cgroup file system) ─ unit, container, pod
//!                            └ number of the socket ─ /proc/PID/fd, where that may be read; else the names of the group's processes
//! ```
//! The kernel tells everybody which user and control group a socket was made by; whose descriptors it is among may only be read of one's own
//! processes, and is not needed for the unit. What cannot be known is told. All of it is bounded: [`MOST_OWNERS`] of a service,
//! 16,384 groups, 4,096 processes of a group.
mod groups;
mod place;
mod processes;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::kernel::{Listener, listeners};
use crate::wire::ApiOwner;

/// Owners of one service that are told.
pub const MOST_OWNERS: usize = 16;

/// Who listens on each of these lists of ports, in their order.
pub fn owners(services: &[Vec<u16>]) -> io::Result<Vec<Vec<ApiOwner>>> {
    let listening = listeners()?;
    let wanted = |one: &&Listener| services.iter().any(|ports| ports.contains(&one.address.port()));
    let numbers: BTreeSet<u64> = listening.iter().filter(wanted).filter_map(|one| one.cgroup).collect();
    let root = groups::root();
    let paths = root.as_deref().map(|root| groups::paths(root, &numbers)).unwrap_or_default();
    let of = |ports: &Vec<u16>| {
        let mine = listening.iter().filter(|one| ports.contains(&one.address.port()));
        let path = |one: &Listener| one.cgroup.and_then(|number| paths.get(&number)).map(String::as_str);
        let all: BTreeSet<ApiOwner> = mine.map(|one| owner(one, root.as_deref(), path(one))).collect();
        all.into_iter().take(MOST_OWNERS).collect()
    };
    Ok(services.iter().map(of).collect())
}

fn owner(listener: &Listener, root: Option<&Path>, group: Option<&str>) -> ApiOwner {
    let process = processes::of(listener, root.zip(group));
    // Where groups are of the first version, the socket knows none: that of its process, if it may be read, is as good.
    let group = group.filter(|group| *group != "/").map(str::to_owned);
    let group = group.or_else(|| process.pid.and_then(processes::group));
    let place = place::Place::of(group.as_deref().unwrap_or_default());
    ApiOwner {
        address: listener.address.to_string(),
        process: process.name,
        unit: place.unit,
        container: place.container,
        pod: place.pod,
        user: listener.user,
        group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_this_process_is_its_own() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = owners(&[vec![port], vec![1]]).unwrap();
        assert_eq!(found.len(), 2);
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(found[0].len(), 1, "{found:?}");
        assert_eq!(found[0][0].process.as_deref(), Some(name.trim_end()), "{found:?}");
        assert_eq!(found[0][0].address, format!("127.0.0.1:{port}"));
        assert!(found[1].is_empty(), "nobody listens there: {found:?}");
    }

    /// Needs control groups of the second version, as Debian 12 has them, and root.
    #[test]
    fn a_server_in_a_group_is_of_its_unit() {
        let root = groups::root().unwrap();
        let folder = root.join(format!("enforcer-test-{}.slice", std::process::id())).join("shop.service");
        std::fs::create_dir_all(&folder).unwrap();
        let mut server = std::process::Command::new("python3");
        let script = "import os,socket,sys\nopen(sys.argv[1],'w').write(str(os.getpid()))\ns=socket.socket()\ns.bind(('127.0.0.1',0))\ns.listen()\nprint(s.getsockname()[1],flush=True)\nsys.stdin.read()";
        server.args(["-c", script]).arg(folder.join("cgroup.procs"));
        let mut child =
            server.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let found = owners(&[vec![line.trim().parse().unwrap()]]).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        std::fs::remove_dir(&folder).unwrap();
        std::fs::remove_dir(folder.parent().unwrap()).unwrap();
        let one = &found[0][0];
        assert_eq!((one.unit.as_deref(), one.process.as_deref()), (Some("shop.service"), Some("python3")), "{one:?}");
    }
}
