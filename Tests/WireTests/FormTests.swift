import JSON
import Testing

@testable import Wire
