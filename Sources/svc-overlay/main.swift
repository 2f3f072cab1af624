// RO:WHAT  Entry point of svc-overlay: options and environment become a config, and the switch runs with it.

import ArgumentParser
import DhtLoop
import Glibc

do {
    var command = try SvcOverlay.parseAsRoot()
    try command.run()
} catch let error as ConfigError {
    Console.line("svc-overlay: \(error)", to: STDERR_FILENO)
    exit(DhtLoop.ExitCode.usage.rawValue)
} catch {
    guard SvcOverlay.exitCode(for: error) == .validationFailure else { SvcOverlay.exit(withError: error) }
    Console.line(SvcOverlay.fullMessage(for: error), to: STDERR_FILENO)
    exit(DhtLoop.ExitCode.usage.rawValue)
}
