import Crypto
import JSON

// The parts of etcd's interface that the order uses, as its gateway wants them: bytes in Base64, 64-bit numbers in
// strings, fields of value zero left out.

/// Something that a transaction requires.
enum EtcdCompare {
    case isAbsent(String)
    case isPresent(String)
    case holds(String, [UInt8])

    var json: JSONValue {
        switch self {
        case .isAbsent(let key): ["key": encoded(key), "target": "VERSION", "result": "EQUAL", "version": "0"]
        case .isPresent(let key): ["key": encoded(key), "target": "VERSION", "result": "GREATER", "version": "0"]
        case .holds(let key, let value):
            ["key": encoded(key), "target": "VALUE", "result": "EQUAL", "value": .string(base64(value))]
        }
    }
}

/// Something that a transaction does.
enum EtcdOperation {
    case get(String)
    /// Pairs, or keys alone, from a key up to another, ascending.
    case range(from: String, to: String, limit: Int, keysOnly: Bool = false)
    case put(String, [UInt8])
    case delete(from: String, to: String)

    var json: JSONValue {
        switch self {
        case .get(let key): ["request_range": ["key": encoded(key)]]
        case .range(let from, let to, let limit, let keysOnly):
            [
                "request_range": [
                    "key": encoded(from), "range_end": encoded(to), "limit": .string(String(limit)),
                    "keys_only": .bool(keysOnly), "sort_target": "KEY", "sort_order": "ASCEND",
                ]
            ]
        case .put(let key, let value): ["request_put": ["key": encoded(key), "value": .string(base64(value))]]
        case .delete(let from, let to):
            ["request_delete_range": ["key": encoded(from), "range_end": encoded(to)]]
        }
    }
}

/// What a transaction came to.
struct EtcdOutcome {
    let succeeded: Bool
    /// Of the whole store, after it.
    let revision: UInt64
    /// Of each operation that read: its pairs.
    let ranges: [[(key: String, value: [UInt8])]]
}

extension EtcdClient {
    /// One transaction, on a quorum's newest state.
    /// - Parameters:
    ///   - repeats: whether it may happen twice, and so is asked again where no answer comes.
    ///   - bytesMax: what its answer may have; ``EtcdError`` `.oversized` beyond it.
    func transact(
        _ compares: [EtcdCompare] = [], then operations: [EtcdOperation], else otherwise: [EtcdOperation] = [],
        repeats: Bool, bytesMax: Int = answerBytesMax
    ) throws(EtcdError) -> EtcdOutcome {
        let body: JSONValue = [
            "compare": .array(compares.map(\.json)), "success": .array(operations.map(\.json)),
            "failure": .array(otherwise.map(\.json)),
        ]
        let answer = try repeats ? ask("/v3/kv/txn", body) : call("/v3/kv/txn", body, bytesMax: bytesMax)
        return EtcdOutcome(
            succeeded: answer["succeeded"] == .bool(true), revision: answer["header"]?["revision"]?.number64 ?? 0,
            ranges: try (answer["responses"]?.elements ?? []).map { (json) throws(EtcdError) in
                try (json["response_range"]?["kvs"]?.elements ?? []).map { (pair) throws(EtcdError) in try read(pair) }
            })
    }

    private func read(_ pair: JSONValue) throws(EtcdError) -> (key: String, value: [UInt8]) {
        func bytes(_ json: JSONValue?) -> [UInt8]? {
            guard let json else { return [] }
            guard case .string(let text) = json else { return nil }
            return unbase64(text)
        }
        guard let key = bytes(pair["key"]), let value = bytes(pair["value"]) else {
            throw EtcdError(.unknown, "etcd's answer holds what is not Base64", place: configuration.endpoints[0])
        }
        return (String(decoding: key, as: UTF8.self), value)
    }
}

extension JSONValue {
    var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// A number of 64 bits, which the gateway writes as a string.
    var number64: UInt64? {
        guard case .string(let text) = self else { return nil }
        return UInt64(text)
    }
}

func encoded(_ key: String) -> JSONValue { .string(base64(Array(key.utf8))) }
