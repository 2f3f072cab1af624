// RO:WHAT  Entry point of svc-overlay: options and environment become a config, and the switch runs with it.
// RO:CONFIG  SVC_OVERLAY_*, RON_OVERLAY_*; options win

import ArgumentParser
import DhtLoop
import Glibc

/// Bad usage or configuration.
private let usageCode: Int32 = 2

do {
    var command = try SvcOverlay.parseAsRoot()
    try command.run()
} catch let error as ConfigError {
    Console.line("svc-overlay: \(error)", to: STDERR_FILENO)
    exit(usageCode)
} catch {
    guard SvcOverlay.exitCode(for: error) == .validationFailure else { SvcOverlay.exit(withError: error) }
    Console.line(SvcOverlay.fullMessage(for: error), to: STDERR_FILENO)
    exit(usageCode)
}
