// RO:WHAT  BuildInfo: which build this is.
// RO:WHY   /version, dht_build_info and overlay_build_info say the same.
// RO:METRICS  dht_build_info, overlay_build_info

import CBuildInfo

/// What one build of a service can say of itself.
public struct BuildInfo: Equatable, Sendable {
    /// `svc-dht` or `svc-overlay`.
    public let service: String
    /// The release, as CHANGELOG names it.
    public let version: String
    /// Abbreviated commit; `unknown` when the build was not told.
    public let git: String
    /// Date of that commit, so that one commit builds to the same bytes twice.
    public let built: String
    /// Package traits that were on.
    public let features: [String]

    public init(service: String, version: String, git: String, built: String, features: [String] = []) {
        self.service = service
        self.version = version
        self.git = git
        self.built = built
        self.features = features
    }

    /// This build, as `service`.
    public static func current(service: String) -> BuildInfo {
        BuildInfo(
            service: service, version: "0.1.0", git: String(cString: svc_build_git()),
            built: String(cString: svc_build_date()))
    }
}
