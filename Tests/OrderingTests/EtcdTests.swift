import ServerKit
import Testing

/// Everything that has a real cluster, one after the other: many members at a time would only wait for one disk.
@Suite(.serialized, .ownThread) struct EtcdTests {}
