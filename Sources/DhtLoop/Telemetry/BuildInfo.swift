// RO:WHAT  BuildInfo: which build this is.
// RO:WHY   /version, dht_build_info and overlay_build_info say the same.
// RO:METRICS  dht_build_info, overlay_build_info

/// What one build of a service can say of itself.
public struct BuildInfo: Equatable, Sendable {
    /// `svc-dht` or `svc-overlay`.
    public let service: String
    /// The release, as CHANGELOG names it.
    public let version: String
    /// Abbreviated commit; `unknown` outside a checkout.
    public let git: String
    /// When it was built, RFC 3339 in UTC; `unknown` where the build does not say.
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
}
