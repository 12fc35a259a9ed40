// RegistrarTests
