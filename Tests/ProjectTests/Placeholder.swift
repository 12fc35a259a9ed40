// ProjectTests
