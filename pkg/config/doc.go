// Package config turns the environment into a [Config], and says everything
// that is wrong with it at once.
//
// [Load] reads variables from a slice and, where asked to, from a .env file. The
// tags on the fields of [Config] are the one source of what a variable is called,
// accepts and means: decoding, validation, [Config.Print] and the generated
// reference (docs/configuration.md) all follow them.
//
// It is the only package that touches the environment. It knows only readfile of ours,
// contacts nobody, and never shows a secret: see [Secret] and [Redactor].
package config
