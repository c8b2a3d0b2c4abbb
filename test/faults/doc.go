// Package faults breaks, on purpose and in each way there is, the services that the sidecar
// checks: every fault with every kind of service, on real servers, with the built program
// beside them. One table says what the sidecar must say of each.
//
// `make test` runs it at a quick pace, `make faults` at the program's default pace. It reads the
// answers of the program as its users do, and changes nothing in it.
package faults
