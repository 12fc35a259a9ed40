import ServerKit
import Testing

/// Everything that has a real cluster, one after the other: many members at a time would only wait for one disk.
@Suite(.serialized, .ownThread) struct EtcdTests {}

/// The procedures of running a consortium, with clusters of their own, one after the other: beside ``EtcdTests``, since
/// most of both is waiting.
@Suite(.serialized, .ownThread) struct RunningTests {}
