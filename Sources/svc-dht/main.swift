// RO:WHAT  Entry point of svc-dht.
// RO:WHY   The parser's own exit codes are not ours: bad usage is 2 here.

import ArgumentParser
import DhtLoop
import Glibc

do {
    var command = try SvcDht.parseAsRoot()
    try command.run()
} catch let failure as CommandFailure {
    failure.report()
    exit(failure.code.rawValue)
} catch {
    guard SvcDht.exitCode(for: error) == .validationFailure else { SvcDht.exit(withError: error) }
    Console.line(SvcDht.fullMessage(for: error), to: STDERR_FILENO)
    exit(CommandFailure.Code.usage.rawValue)
}
