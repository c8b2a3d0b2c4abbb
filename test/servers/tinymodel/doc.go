// Package tinymodel writes a language model of about 100 kB whose weights are set
// by hand: it answers every prompt with the same words. A real Ollama loads it in
// a moment, so that tests can see real inference.
package tinymodel
