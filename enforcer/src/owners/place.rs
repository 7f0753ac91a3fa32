//! What the path of a control group says. In: the path. Out: the unit, the container, the pod. Never here: files.
//!
//! systemd names groups after its units, runtimes after their containers: `system.slice/nginx.service`, `docker-ID.scope`,
//! `kubepods/burstable/podUID/ID`. A group below a unit or a container belongs to it; of several, the innermost counts.

/// Where a process lives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place {
    /// The unit of systemd.
    pub(super) unit: Option<String>,
    /// The runtime, a colon, the container's id or name.
    pub(super) container: Option<String>,
    /// The uid of the pod.
    pub(super) pod: Option<String>,
}

impl Place {
    /// Of a path such as `/system.slice/nginx.service`.
    pub(super) fn of(path: &str) -> Self {
        let mut place = Self::default();
        let path = path.get(..path.floor_char_boundary(LONGEST)).unwrap_or_default();
        let mut above = "";
        for name in path.split('/').filter(|name| !name.is_empty()) {
            place.take(name, above);
            above = name;
        }
        place
    }

    fn take(&mut self, name: &str, above: &str) {
        if let Some(pod) = pod(name) {
            self.pod = Some(pod);
        } else if let Some(container) = container(name, above) {
            // A scope that a runtime made is the container, no unit of its own.
            (self.container, self.unit) = (Some(container), None);
        } else if UNITS.iter().any(|end| name.ends_with(end)) {
            self.unit = Some(name.to_owned());
        }
    }
}

/// `pod1234…`, or `kubepods-burstable-pod1234_….slice`.
fn pod(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match stem.rsplit_once("-pod") {
        Some((before, uid)) if before.contains("kubepods") => uid,
        _ => stem.strip_prefix("pod")?,
    };
    let sound = uid.len() >= 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'));
    sound.then(|| uid.replace('_', "-"))
}

fn container(name: &str, above: &str) -> Option<String> {
    let stem = name.strip_suffix(".scope").or_else(|| name.strip_suffix(".service")).unwrap_or(name);
    if let Some(name) = stem.strip_prefix("systemd-nspawn@") {
        return Some(format!("nspawn:{name}"));
    }
    for (begin, runtime) in NAMED {
        if let Some(name) = stem.strip_prefix(begin).filter(|name| !name.is_empty()) {
            return Some(format!("{runtime}:{name}"));
        }
    }
    let (before, id) = stem.rsplit_once('-').unwrap_or(("", stem));
    let hex = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let known = RUNTIMES.iter().find(|(begin, _)| *begin == before);
    let runtime = match before {
        _ if !hex => return None,
        "" => RUNTIMES.iter().find(|(begin, _)| *begin == above).map_or("container", |(_, name)| name),
        _ => known?.1,
    };
    Some(format!("{runtime}:{id}"))
}

const LONGEST: usize = 4096;
/// Letters of a container's id.
const ID: usize = 64;
const UNITS: [&str; 5] = [".service", ".socket", ".scope", ".mount", ".swap"];
/// What stands before an id, and the runtime that writes so.
const RUNTIMES: [(&str, &str); 8] = [
    ("cri-containerd", "containerd"),
    ("containerd", "containerd"),
    ("crio", "cri-o"),
    ("default", "containerd"),
    ("docker", "docker"),
    ("libpod", "podman"),
    ("libpod_parent", "podman"),
    ("nerdctl", "containerd"),
];
/// Containers that have names.
const NAMED: [(&str, &str); 3] = [("lxc.payload.", "lxc"), ("lxc.monitor.", "lxc"), ("machine-", "machine")];

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "4f0c6a2be1d94c5f8a7b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f";
    const UID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

    /// Unit, container, pod; nothing is a dash.
    fn told(path: &str) -> [String; 3] {
        let path = path.replace("HEX", HEX).replace("U_ID", &UID.replace('-', "_")).replace("UID", UID);
        let place = Place::of(&path);
        let short = |text: Option<String>| {
            text.map_or_else(|| "-".to_owned(), |text| text.replace(HEX, "HEX").replace(UID, "UID"))
        };
        [place.unit, place.container, place.pod].map(short)
    }

    #[test]
    fn layouts_of_systemd_are_read() {
        assert_eq!(told("/system.slice/nginx.service"), ["nginx.service", "-", "-"]);
        assert_eq!(told("/system.slice/system-pg.slice/pg@15-main.service"), ["pg@15-main.service", "-", "-"]);
        assert_eq!(told("/system.slice/api.service/worker"), ["api.service", "-", "-"]);
        assert_eq!(told("/system.slice/api.socket"), ["api.socket", "-", "-"]);
        assert_eq!(told("/user.slice/user-1000.slice/session-3.scope"), ["session-3.scope", "-", "-"]);
        assert_eq!(
            told("/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service"),
            ["shop.service", "-", "-"]
        );
        assert_eq!(told("/machine.slice/systemd-nspawn@web.service/payload"), ["-", "nspawn:web", "-"]);
        assert_eq!(told("/"), ["-", "-", "-"]);
    }

    #[test]
    fn layouts_of_runtimes_are_read() {
        for (path, wanted) in [
            ("/system.slice/docker-HEX.scope", "docker:HEX"),
            ("/docker/HEX", "docker:HEX"),
            ("/docker/HEX/init", "docker:HEX"),
            ("/system.slice/nerdctl-HEX.scope", "containerd:HEX"),
            ("/default/HEX", "containerd:HEX"),
            ("/machine.slice/libpod-HEX.scope/container", "podman:HEX"),
            ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-HEX.scope", "podman:HEX"),
            ("/libpod_parent/libpod-HEX", "podman:HEX"),
            ("/lxc.payload.shop/system.slice", "lxc:shop"),
            ("/ecs/tasks/HEX", "container:HEX"),
        ] {
            assert_eq!(told(path), ["-", wanted, "-"], "{path}");
        }
        assert_eq!(told("/lxc.payload.shop/system.slice/nginx.service"), ["nginx.service", "lxc:shop", "-"]);
        assert_eq!(told("/machine.slice/libpod-conmon-HEX.scope")[1], "-", "a monitor is no container");
    }

    #[test]
    fn layouts_of_kubernetes_are_read() {
        for (path, wanted) in [
            ("/kubepods/burstable/podUID/HEX", "container:HEX"),
            ("/kubepods/podUID/HEX", "container:HEX"),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_ID.slice/cri-containerd-HEX.scope",
                "containerd:HEX",
            ),
            ("/kubepods.slice/kubepods-podU_ID.slice/crio-HEX.scope/container", "cri-o:HEX"),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_ID.slice/docker-HEX.scope",
                "docker:HEX",
            ),
            (
                "/docker/HEX/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_ID.slice/cri-containerd-HEX.scope",
                "containerd:HEX",
            ),
        ] {
            assert_eq!(told(path), ["-", wanted, "UID"], "{path}");
        }
    }
}
