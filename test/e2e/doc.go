// Package e2e tests the built program from outside, on real servers: every fault
// that the product promises to tell apart, the bounds it promises, and that no
// secret leaves it.
package e2e
