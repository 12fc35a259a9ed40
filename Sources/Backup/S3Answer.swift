import Foundation
import FoundationXML

/// What a store that speaks the S3 protocol answers in XML.
enum S3Answer {
    struct Page {
        var keys: [String] = []
        /// How to ask for the next page; none: this is the last one.
        var continuation: String?
    }

    /// One page of names; nil where the answer is none.
    static func page(_ body: [UInt8]) -> Page? {
        guard let found = texts(body), found.root == "ListBucketResult" else { return nil }
        var page = Page(keys: found.all["Contents/Key"] ?? [])
        if found.all["IsTruncated"] == ["true"] {
            guard let token = found.all["NextContinuationToken"]?.first else { return nil }
            page.continuation = token
        }
        return page
    }

    /// The code of a refusal, such as `NoSuchBucket`.
    static func code(_ body: [UInt8]) -> String? {
        guard let found = texts(body), found.root == "Error" else { return nil }
        return found.all["Code"]?.first
    }

    /// The texts of all elements, by their path below the root.
    private static func texts(_ body: [UInt8]) -> (root: String, all: [String: [String]])? {
        let collector = Collector()
        let parser = XMLParser(data: Data(body))
        parser.shouldResolveExternalEntities = false
        parser.delegate = collector
        guard parser.parse(), let root = collector.root else { return nil }
        return (root, collector.all)
    }

    private final class Collector: NSObject, XMLParserDelegate {
        private(set) var root: String?
        private(set) var all: [String: [String]] = [:]
        private var path: [String] = []
        private var text = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            if root == nil { root = name } else { path.append(name) }
            text = ""
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            guard !path.isEmpty else { return }
            all[path.joined(separator: "/"), default: []].append(text)
            path.removeLast()
            text = ""
        }
    }
}
