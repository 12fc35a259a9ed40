// NodeTests
