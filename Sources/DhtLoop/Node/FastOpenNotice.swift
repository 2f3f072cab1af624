// RO:WHAT  Says at the start what the kernel forbids of the fast open that was asked for.
// RO:WHY   Sessions work without it, one round trip slower; nobody would look for the cause in a sysctl.

import Logging

extension FastOpen {
    private static let sysctlPath = "/proc/sys/net/ipv4/tcp_fastopen"

    /// Logs one line when this network namespace does not allow it.
    func sayForbidden(to log: Logger, dials: Bool, listens: Bool) {
        let sysctl = FileContent.text(Self.sysctlPath) ?? ""
        guard let cause = forbidden(by: sysctl, dials: dials, listens: listens) else { return }
        log.info("fast_open_limited", metadata: ["cause": .string(cause)])
    }
}
