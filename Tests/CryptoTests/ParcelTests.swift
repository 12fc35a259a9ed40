import Canonical
import Crypto
import Testing

@Suite struct ParcelTests {
    private let keys = (0..<3).map { SecretKey(seed: [UInt8](repeating: UInt8($0 + 1), count: 32)) }

    @Test func whoeverItIsAddressedToReadsIt() throws {
        let sealer = try ParcelSealer(to: keys.map(\.publicKey))
        for count in [0, 1, 1000, 1 << 20] {
            let content = randomBytes(count)
            let parcel = sealer.seal(content, bound: [1, 2])
            let bytes = parcel.canonicalBytes
            #expect(bytes.count <= count + Parcel.overheadBytesMax)
            let read = try Parcel(canonicalBytes: bytes)
            #expect(read == parcel && read.recipients == keys.map(\.publicKey).sorted())
            for key in keys { #expect(try read.open(with: key, bound: [1, 2]) == content) }
            #expect(try sealer.open(read, bound: [1, 2]) == content)
            #expect(throws: ParcelError.damaged) { try read.open(with: keys[0], bound: [1]) }
            #expect(throws: ParcelError.addressedToOthers) { try read.open(with: SecretKey(), bound: [1, 2]) }
            #expect(throws: ParcelError.damaged) {
                try ParcelSealer(to: [keys[0].publicKey]).open(read, bound: [1, 2])
            }
        }
    }

    @Test func noByteOfItMayBeAnother() throws {
        let parcel = try ParcelSealer(to: keys.prefix(2).map(\.publicKey)).seal([1, 2, 3], bound: [])
        let good = parcel.canonicalBytes
        for index in good.indices {
            var bad = good
            bad[index] ^= 1
            // Also where it is another addressee's box that was changed.
            for key in keys.prefix(2) {
                let opened = try? Parcel(canonicalBytes: bad).open(with: key, bound: [])
                #expect(opened == nil, "byte \(index)")
            }
        }
        #expect(throws: DecodingError.self) { try Parcel(canonicalBytes: good + [0]) }
    }

    @Test func oneContentIsSealedTwoWays() throws {
        let sealer = try ParcelSealer(to: [keys[0].publicKey])
        #expect(sealer.seal([7, 7], bound: []).canonicalBytes != sealer.seal([7, 7], bound: []).canonicalBytes)
    }

    @Test func onlyKeysThatCanOpenAreAddressed() {
        #expect(throws: ParcelError.recipientsCount) { try ParcelSealer(to: []) }
        let many = (0...Parcel.addresseesMax).map { _ in SecretKey().publicKey }
        #expect(throws: ParcelError.recipientsCount) { try ParcelSealer(to: many) }
        let none = PublicKey(bytes: [UInt8](repeating: 0, count: 32))
        #expect(throws: ParcelError.recipientInvalid(none)) { try ParcelSealer(to: [none, keys[0].publicKey]) }
    }
}
