// Package checking holds what the tests of all checkers need: checks that must fail for a
// reason, or not; servers that answer what they are told to; what a check may cost.
package checking
