import Testing

extension TidyTests {
    /// Which targets each target may import, as the manifest declares it.
    private static func declared() throws -> [String: Set<String>] {
        let manifest = try Project.text("Package.swift")
        var arrows: [String: Set<String>] = [:]
        func note(_ name: Substring, _ list: Substring?) {
            arrows[String(name)] = Set((list ?? "").matches(of: /"(\w+)"/).map { String($0.1) })
        }
        for found in manifest.matches(of: /\b(?:library|system)\(\s*"(\w+)"(?:,\s*\[([^\]]*)\])?/) {
            note(found.1, found.2)
        }
        for found in manifest.matches(of: /\btests\(\s*"(\w+)",\s*\[([^\]]*)\]/) {
            note(found.1, found.2)
            arrows[String(found.1)]?.insert("TestSupport")
        }
        for found in manifest.matches(of: /arget\(\s*name: "(\w+)"(?:,\s*dependencies: \[([^\]]*)\])?/) {
            note(found.1, found.2)
        }
        for found in manifest.matches(of: /\("(Fuzz\w+)", \[([^\]]*)\]\)/) { note(found.1, found.2) }
        return arrows
    }

    @Test func theManifestIsUnderstood() throws {
        let arrows = try Self.declared()
        let used = Set((Project.sources + Project.tests).map(\.target))
        #expect(used.subtracting(arrows.keys).sorted() == [])
        #expect(arrows["lianfen"] == ["Commands"])
        #expect(arrows["TestSupport"] == [])
        #expect(arrows["ProjectTests"] == ["TestSupport"])
        #expect(arrows["CSQLite"] == [])
    }

    /// A build can find an undeclared module by luck, because another target has made it already.
    @Test func targetsImportOnlyWhatTheyDeclare() throws {
        let arrows = try Self.declared()
        var bad: [String] = []
        for file in Project.sources + Project.tests + Project.fuzz {
            let allowed = arrows[file.target] ?? []
            for (number, module) in file.imports where arrows[module] != nil && !allowed.contains(module) {
                bad.append("\(file.path):\(number): \(file.target) imports \(module) without declaring it")
            }
        }
        #expect(bad == [])
    }

    @Test(
        arguments: [
            "CSodium", "COpenSSL", "CRocksDB", "CSQLite", "CCurl", "CMicroHTTPD", "CZlib", "CWebFiles", "CEpoll",
        ])
    func eachLibraryInCHasOneImporter(_ module: String) throws {
        let arrows = try Self.declared()
        let owners = arrows.filter { $0.value.contains(module) }.keys.sorted()
        #expect(owners.count == 1, "\(module) is declared by \(owners)")
        let files = Project.sources + Project.tests + Project.fuzz
        let importers = Set(files.filter { $0.imports.contains { $0.module == module } }.map(\.target))
        #expect(importers.subtracting(owners).sorted() == [])
    }

    @Test func arrowsMakeNoCircle() throws {
        var left = try Self.declared()
        // Whatever stands on nothing is taken away, until nothing is left or a circle remains.
        while let bottom = left.first(where: { $0.value.allSatisfy { left[$0] == nil } })?.key { left[bottom] = nil }
        #expect(left.keys.sorted() == [])
    }
}
